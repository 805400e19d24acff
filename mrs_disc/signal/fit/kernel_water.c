/* The variances and amplitudes of the water's lines, compiled: `water_lines._amplitudes`, which
 * states the algebra for a reader; `tests/signal/test_kernel.py` holds both against each other.
 */

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

typedef double complex Number;

/* Inverse of a lower factor, columns first, in place, by its halves, which are products: LAPACK's
 * own goes column by column. 0, or 1 where it is singular. */
static int inverted(int n, Number *a, int stride)
{
    int fault = 0;
    if (n <= 24) {
        mrs_disc_linear.ztrtri("L", "N", &n, a, &stride, &fault);
        return fault != 0;
    }
    int half = n / 2, rest = n - half;
    Number one = 1.0, minus = -1.0, *below = a + half, *other = a + (int64_t)half * stride + half;
    if (inverted(half, a, stride) || inverted(rest, other, stride))
        return 1;
    mrs_disc_linear.ztrmm("L", "L", "N", "N", &rest, &half, &minus, other, &stride, below, &stride);
    mrs_disc_linear.ztrmm("R", "L", "N", "N", &rest, &half, &one, a, &stride, below, &stride);
    return 0;
}

/* The fixed point of the variances; 0, or 1 where nothing is to be used.
 *
 *   gram        (line, line): products of the unit spectra, Hermitian, columns first
 *   told        (line,): their products with the spectrum, in units of the noise
 *   neighbours  (line, line): weights with which they share a variance
 *   limits      {least variance, least share that is decided}
 *   variance    (line,): in and out; mean (line,): out
 */
WIDE int mrs_disc_water_amplitudes(int64_t n, int64_t n_rounds, const Number *gram,
                                   const Number *told, const double *neighbours,
                                   const double *limits, double *variance, Number *mean)
{
    Number *inverse = malloc(sizeof(Number) * (size_t)(n * n + 2 * n) + sizeof(double) * (size_t)(3 * n));
    if (!inverse)
        return 1;
    Number *white = inverse + n * n, *turned = white + n;
    double *root = (double *)(turned + n), *power = root + n, *decided = power + n;
    int order = (int)n, single = 1, fault = 0;
    for (int64_t round = 0; round < n_rounds && !fault; round++) {
        for (int64_t i = 0; i < n; i++)
            root[i] = sqrt(variance[i]);
        for (int64_t j = 0; j < n; j++) {
            const double *from = (const double *)(gram + j * n);
            double *to = (double *)(inverse + j * n);
            for (int64_t i = j; i < n; i++) {
                double scale = root[i] * root[j];
                to[2 * i] = from[2 * i] * scale;
                to[2 * i + 1] = from[2 * i + 1] * scale;
            }
            to[2 * j] += 1.0;
        }
        mrs_disc_linear.zpotrf("L", &order, inverse, &order, &fault);
        if (round == n_rounds - 1 && !fault) { /* no variances are wanted: no inverse */
            for (int64_t i = 0; i < n; i++)
                mean[i] = root[i] * told[i];
            mrs_disc_linear.ztrsv("L", "N", "N", &order, inverse, &order, mean, &single);
            mrs_disc_linear.ztrsv("L", "C", "N", &order, inverse, &order, mean, &single);
            for (int64_t i = 0; i < n; i++)
                mean[i] *= root[i];
            break;
        }
        if (fault || (fault = inverted(order, inverse, order)))
            break;

        /* mean = root L^-H L^-1 (root told); decided = 1 - |L^-1|^2 of each column. */
        memset(white, 0, sizeof(Number) * (size_t)n);
        for (int64_t j = 0; j < n; j++) {
            double re = root[j] * creal(told[j]), im = root[j] * cimag(told[j]);
            const double *column = (const double *)(inverse + j * n);
            double *to = (double *)white;
            for (int64_t i = j; i < n; i++) {
                to[2 * i] += column[2 * i] * re - column[2 * i + 1] * im;
                to[2 * i + 1] += column[2 * i] * im + column[2 * i + 1] * re;
            }
        }
        for (int64_t i = 0; i < n; i++)
            turned[i] = cimag(white[i]) - I * creal(white[i]);
        for (int64_t j = 0; j < n; j++) {
            const double *column = (const double *)(inverse + j * (n + 1));
            double re = mrs_disc_dot(2 * (n - j), column, (const double *)(white + j));
            double im = mrs_disc_dot(2 * (n - j), column, (const double *)(turned + j));
            double square = mrs_disc_dot(2 * (n - j), column, column);
            power[j] = root[j] * root[j] * (re * re + im * im);
            double share = 1.0 - square;
            share = share > limits[1] ? share : limits[1];
            decided[j] = share < 1.0 ? share : 1.0;
        }
        for (int64_t i = 0; i < n; i++) {
            double next = mrs_disc_dot(n, neighbours + i * n, power) /
                          mrs_disc_dot(n, neighbours + i * n, decided);
            variance[i] = next > limits[0] ? next : limits[0];
        }
    }
    free(inverse);
    return fault != 0;
}
