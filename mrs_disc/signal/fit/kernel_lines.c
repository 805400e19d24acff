/* The metabolites' model and its derivatives, compiled: `model.MetaboliteModel` and
 * `solver.slope_columns`, which state the algebra for a reader; `tests/signal/test_kernel.py` holds
 * both against each other.
 *
 * NumPy passes some forty times over arrays of ten components by some hundred points, and each call
 * costs more than its arithmetic. Here eight signals stand side by side, so that one step over them
 * is one operation of wide registers, in the transform too.
 */

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define RESTART 64 /* points after which running products start anew: rounding stays below 1e-14 */
#define ORDERS 5   /* of the series in the delay, the basis itself among them */
#define LARGEST_FACTOR 31

#define INLINE static inline __attribute__((always_inline))

/* ---- Fourier transform of eight signals ---- */

INLINE void butterfly2(const Lane *a, Lane *y)
{
    y[0].re = a[0].re + a[1].re;
    y[0].im = a[0].im + a[1].im;
    y[1].re = a[0].re - a[1].re;
    y[1].im = a[0].im - a[1].im;
}

INLINE void butterfly4(const Lane *a, Lane *y)
{
    Lane even[2], odd[2], first[2] = {a[0], a[2]}, second[2] = {a[1], a[3]};
    butterfly2(first, even);
    butterfly2(second, odd);
    y[0].re = even[0].re + odd[0].re;
    y[0].im = even[0].im + odd[0].im;
    y[2].re = even[0].re - odd[0].re;
    y[2].im = even[0].im - odd[0].im;
    y[1].re = even[1].re + odd[1].im; /* -i times the odd part */
    y[1].im = even[1].im - odd[1].re;
    y[3].re = even[1].re - odd[1].im;
    y[3].im = even[1].im + odd[1].re;
}

/* Any odd length: elements j and r - j have the same cosines and opposite sines. */
INLINE void butterfly_odd(int r, const double *roots, const Lane *a, Lane *y)
{
    int half = (r - 1) / 2;
    Lane sum[LARGEST_FACTOR / 2], difference[LARGEST_FACTOR / 2];
    y[0] = a[0];
    for (int j = 1; j <= half; j++) {
        sum[j - 1].re = a[j].re + a[r - j].re;
        sum[j - 1].im = a[j].im + a[r - j].im;
        difference[j - 1].re = a[j].re - a[r - j].re;
        difference[j - 1].im = a[j].im - a[r - j].im;
        y[0].re += sum[j - 1].re;
        y[0].im += sum[j - 1].im;
    }
    for (int k = 1; k <= half; k++) {
        Lane even = a[0], odd = {{0.0}, {0.0}};
        for (int j = 1; j <= half; j++) {
            double c = roots[2 * (j * k % r)], s = roots[2 * (j * k % r) + 1];
            even.re += c * sum[j - 1].re;
            even.im += c * sum[j - 1].im;
            odd.re += s * difference[j - 1].re;
            odd.im += s * difference[j - 1].im;
        }
        y[k].re = even.re - odd.im; /* i times the odd part */
        y[k].im = even.im + odd.re;
        y[r - k].re = even.re + odd.im;
        y[r - k].im = even.im - odd.re;
    }
}

/* One pass of Stockham's transform (Swarztrauber, Parallel Comput 1984;1:45-63): `stride` results
 * of equal twiddle, `length` of the transforms that are left, r their factor. */
INLINE void pass(int r, int64_t length, int64_t stride, const double *twiddles, int64_t n,
                 const Lane *x, Lane *y)
{
    int64_t parts = length / r;
    double roots[2 * LARGEST_FACTOR];
    for (int j = 0; j < r; j++) {
        roots[2 * j] = twiddles[2 * (j * (n / r))];
        roots[2 * j + 1] = twiddles[2 * (j * (n / r)) + 1];
    }
    for (int64_t p = 0; p < parts; p++)
        for (int64_t q = 0; q < stride; q++) {
            Lane a[LARGEST_FACTOR], b[LARGEST_FACTOR];
            for (int j = 0; j < r; j++)
                a[j] = x[q + stride * (p + parts * j)];
            if (r == 2)
                butterfly2(a, b);
            else if (r == 4)
                butterfly4(a, b);
            else
                butterfly_odd(r, roots, a, b);
            y[q + stride * r * p] = b[0];
            for (int k = 1; k < r; k++) {
                double c = twiddles[2 * p * k * stride], s = twiddles[2 * p * k * stride + 1];
                Lane *to = y + q + stride * (r * p + k);
                to->re = c * b[k].re - s * b[k].im;
                to->im = c * b[k].im + s * b[k].re;
            }
        }
}

/* Transform `x`; both arrays are spoilt. Returns where the result lies. */
WIDE static Lane *transformed(const struct model *m, Lane *x, Lane *y)
{
    int64_t length = m->n_points, stride = 1;
    for (int64_t i = 0; i < m->n_factors; i++) {
        int r = (int)m->factors[i];
        if (r == 4)
            pass(4, length, stride, m->twiddles, m->n_points, x, y);
        else if (r == 2)
            pass(2, length, stride, m->twiddles, m->n_points, x, y);
        else if (r == 3)
            pass(3, length, stride, m->twiddles, m->n_points, x, y);
        else if (r == 5)
            pass(5, length, stride, m->twiddles, m->n_points, x, y);
        else if (r == 7)
            pass(7, length, stride, m->twiddles, m->n_points, x, y);
        else
            pass(r, length, stride, m->twiddles, m->n_points, x, y);
        length /= r;
        stride *= r;
        Lane *other = x;
        x = y;
        y = other;
    }
    return x;
}

/* One signal's bins, real parts then imaginary parts, times a factor; or i times them. */
WIDE static void take_bins(const struct model *m, const Lane *spectrum, int lane, double factor,
                      int times_i, double *row)
{
    for (int64_t k = 0; k < m->n_bins; k++) {
        const Lane *bin = spectrum + m->bins[k];
        double re = factor * bin->re[lane], im = factor * bin->im[lane];
        row[k] = times_i ? -im : re;
        row[m->n_bins + k] = times_i ? re : im;
    }
}

/* ---- the components ---- */

/* Basis FIDs and their time derivatives at the delayed points, times what the parameters do. */
WIDE static void modulated(const struct model *m, const double *p, int64_t batch, const double *rates,
                           const double *gauss, struct at *at)
{
    double d = p[DELAY];
    Lane *fids = at->fids + batch * m->n_points, *slopes = at->slopes + batch * m->n_points;
    const double *width = rates + 2 * LANES * batch, *turn = width + LANES;
    Lane step, now = {{0.0}, {0.0}};
    for (int i = 0; i < LANES; i++) {
        double decay = exp(width[i] * m->dwell_time);
        step.re[i] = decay * cos(turn[i] * m->dwell_time);
        step.im[i] = decay * sin(turn[i] * m->dwell_time);
    }
    for (int64_t t = 0; t < m->n_points; t++) {
        if (t % RESTART == 0)
            for (int i = 0; i < LANES; i++) {
                double time = m->time0 + d + m->dwell_time * (double)t;
                double decay = exp(width[i] * time), angle = p[PHASE] + turn[i] * time;
                now.re[i] = decay * cos(angle);
                now.im[i] = decay * sin(angle);
            }
        const Lane *s = (const Lane *)(m->series + (batch * m->n_points + t) * ORDERS * 2 * LANES);
        Lane basis = s[0], slope = s[1];
        if (d != 0.0) {
            Eight re = s[3].re + d / 4 * s[4].re, im = s[3].im + d / 4 * s[4].im;
            Eight slope_re = s[3].re + d / 3 * s[4].re, slope_im = s[3].im + d / 3 * s[4].im;
            re = s[2].re + d / 3 * re, im = s[2].im + d / 3 * im;
            slope_re = s[2].re + d / 2 * slope_re, slope_im = s[2].im + d / 2 * slope_im;
            re = s[1].re + d / 2 * re, im = s[1].im + d / 2 * im;
            slope.re = s[1].re + d * slope_re, slope.im = s[1].im + d * slope_im;
            basis.re = s[0].re + d * re, basis.im = s[0].im + d * im;
        }
        Eight re = gauss[t] * now.re, im = gauss[t] * now.im;
        fids[t].re = basis.re * re - basis.im * im;
        fids[t].im = basis.re * im + basis.im * re;
        slopes[t].re = slope.re * re - slope.im * im;
        slopes[t].im = slope.re * im + slope.im * re;
        Eight next = now.re * step.re - now.im * step.im;
        now.im = now.re * step.im + now.im * step.re;
        now.re = next;
    }
}

/* Own shift and width of a component: (width, shift) in Hz. */
static void own_of(const struct model *m, const double *p, double *width, double *shift)
{
    memset(width, 0, sizeof(double) * (size_t)m->n_components);
    memset(shift, 0, sizeof(double) * (size_t)m->n_components);
    for (int64_t i = 0; i < m->n_moves; i++)
        shift[m->moves[i]] = p[N_COMMON + i];
    for (int64_t i = 0; i < m->n_widens; i++)
        width[m->widens[i]] = p[N_COMMON + m->n_moves + i];
}

void mrs_disc_components(const struct model *m, const double *p, struct at *at, Lane *work,
                         double *design)
{
    int64_t n = m->n_points, n_lanes = m->n_batches * LANES;
    double *gauss = malloc(sizeof(double) * (size_t)(n + 4 * n_lanes));
    double *rates = gauss + n, *width = rates + 2 * n_lanes, *shift = width + n_lanes;
    own_of(m, p, width, shift);
    memset(rates, 0, sizeof(double) * (size_t)(2 * n_lanes));
    for (int64_t k = 0; k < m->n_components; k++) {
        double *rate = rates + k / LANES * 2 * LANES + k % LANES;
        rate[0] = -M_PI * (p[LORENTZ] + width[k]);
        rate[LANES] = 2 * M_PI * (p[SHIFT] + shift[k]);
    }
    for (int64_t t = 0; t < n; t++) {
        double time = m->time0 + m->dwell_time * (double)t + p[DELAY];
        gauss[t] = exp(-m->gauss_rate * p[GAUSS2] * time * time);
    }
    double norm = 1.0 / sqrt((double)n);
    for (int64_t b = 0; b * LANES < m->n_components; b++) {
        modulated(m, p, b, rates, gauss, at);
        memcpy(work, at->fids + b * n, sizeof(Lane) * (size_t)n);
        const Lane *spectra = transformed(m, work, work + n);
        for (int64_t k = b * LANES; k < m->n_components && k < (b + 1) * LANES; k++)
            take_bins(m, spectra, (int)(k % LANES), norm, 0, design + k * 2 * m->n_bins);
    }
    free(gauss);
}

WIDE void mrs_disc_humps(const struct humps *h, int64_t n_bins, double phase, double delay,
                         double *design)
{
    for (int64_t g = 0; g < h->n; g++) {
        double angle = phase + 2 * M_PI * h->frequency[g] * delay, c = cos(angle), s = sin(angle);
        const double *spectrum = h->spectra + 2 * g * n_bins;
        double *re = design + 2 * g * n_bins, *im = re + n_bins;
        for (int64_t k = 0; k < n_bins; k++) {
            re[k] = c * spectrum[2 * k] - s * spectrum[2 * k + 1];
            im[k] = c * spectrum[2 * k + 1] + s * spectrum[2 * k];
        }
    }
}

/* ---- the derivatives ---- */

/* Signals whose spectra are the derivatives: of each component's own rate, then what all share. */
WIDE static void derivatives(const struct model *m, const double *p, const struct at *at,
                             const double *amplitude, const double *rates, Lane *signals)
{
    int64_t n = m->n_points, in_use = (m->n_components + LANES - 1) / LANES;
    int64_t first = m->n_components / LANES * n, lane = m->n_components % LANES;
    memset(signals, 0, sizeof(Lane) * (size_t)(m->n_batches * n));
    for (int64_t t = 0; t < n; t++) {
        double time = m->time0 + m->dwell_time * (double)t + p[DELAY];
        double sums[6] = {0.0}; /* of FIDs, slopes, FIDs times own rates */
        for (int64_t b = 0; b < in_use; b++) {
            Eight a = *(const Eight *)(amplitude + b * LANES);
            Eight turn = *(const Eight *)(rates + b * 2 * LANES + LANES);
            Eight width = *(const Eight *)(rates + b * 2 * LANES);
            const Lane *f = at->fids + b * n + t, *g = at->slopes + b * n + t;
            Eight re = a * f->re, im = a * f->im;
            signals[b * n + t].re = time * re;
            signals[b * n + t].im = time * im;
            Eight parts[6] = {re, im, a * g->re, a * g->im, width * re - turn * im,
                              width * im + turn * re};
            for (int s = 0; s < 6; s++)
                sums[s] += ((parts[s][0] + parts[s][1]) + (parts[s][2] + parts[s][3])) +
                           ((parts[s][4] + parts[s][5]) + (parts[s][6] + parts[s][7]));
        }
        double common = -M_PI * p[LORENTZ] - 2 * m->gauss_rate * p[GAUSS2] * time;
        double turn = 2 * M_PI * p[SHIFT];
        double shared[6] = {
            time * sums[0], time * sums[1],
            time * time * sums[0], time * time * sums[1],
            sums[2] + common * sums[0] - turn * sums[1] + sums[4],
            sums[3] + common * sums[1] + turn * sums[0] + sums[5],
        };
        for (int s = 0; s < 3; s++) {
            int64_t place = lane + s;
            Lane *to = signals + first + place / LANES * n + t;
            to->re[place % LANES] = shared[2 * s];
            to->im[place % LANES] = shared[2 * s + 1];
        }
    }
}

/* The derivative by the phase is i times the whole, that of a hump by the delay 2 pi i f. */
WIDE static void turned(const struct model *m, const struct humps *h, const double *design,
                        const double *amplitude, double *slopes)
{
    int64_t n_bins = m->n_bins, size = 2 * n_bins, count = m->n_components;
    double *restrict by_phase = slopes + PHASE * size, *restrict by_delay = slopes + DELAY * size;
    memset(by_phase, 0, sizeof(double) * (size_t)size);
    for (int64_t k = 0; k < count + h->n; k++) {
        const double *re = design + k * size, *im = re + n_bins;
        double a = amplitude[k];
        for (int64_t b = 0; b < n_bins; b++) {
            by_phase[b] -= a * im[b];
            by_phase[n_bins + b] += a * re[b];
        }
        if (k < count)
            continue;
        double late = 2 * M_PI * a * h->frequency[k - count];
        for (int64_t b = 0; b < n_bins; b++) {
            by_delay[b] -= late * im[b];
            by_delay[n_bins + b] += late * re[b];
        }
    }
}

void mrs_disc_slopes(const struct model *m, const struct humps *h, const double *p,
                     const struct at *at, const double *design, const double *amplitude, Lane *work,
                     double *slopes)
{
    int64_t n = m->n_points, n_bins = m->n_bins, size = 2 * n_bins, count = m->n_components;
    int64_t n_lanes = m->n_batches * LANES;
    Lane *signals = malloc(sizeof(Lane) * (size_t)(m->n_batches * n));
    double *padded = calloc((size_t)(5 * n_lanes), sizeof(double));
    double *rates = padded + n_lanes, *width = rates + 2 * n_lanes, *shift = width + n_lanes;
    own_of(m, p, width, shift);
    for (int64_t k = 0; k < count; k++) {
        double *rate = rates + k / LANES * 2 * LANES + k % LANES;
        padded[k] = amplitude[k];
        rate[0] = -M_PI * width[k];
        rate[LANES] = 2 * M_PI * shift[k];
    }
    derivatives(m, p, at, padded, rates, signals);

    double norm = 1.0 / sqrt((double)n);
    for (int64_t b = 0; b < m->n_batches; b++) {
        const Lane *spectra = transformed(m, signals + b * n, work);
        for (int64_t i = 0; i < m->n_moves; i++)
            if (m->moves[i] / LANES == b)
                take_bins(m, spectra, (int)(m->moves[i] % LANES), 2 * M_PI * norm, 1,
                          slopes + (N_COMMON + i) * size);
        for (int64_t i = 0; i < m->n_widens; i++)
            if (m->widens[i] / LANES == b)
                take_bins(m, spectra, (int)(m->widens[i] % LANES), -M_PI * norm, 0,
                          slopes + (N_COMMON + m->n_moves + i) * size);
        for (int s = 0; s < 3; s++) {
            int64_t place = count + s;
            if (place / LANES != b)
                continue;
            int lane = (int)(place % LANES);
            if (s == 0) {
                take_bins(m, spectra, lane, 2 * M_PI * norm, 1, slopes + SHIFT * size);
                take_bins(m, spectra, lane, -M_PI * norm, 0, slopes + LORENTZ * size);
            } else if (s == 1) {
                take_bins(m, spectra, lane, -m->gauss_rate * norm, 0, slopes + GAUSS2 * size);
            } else {
                take_bins(m, spectra, lane, norm, 0, slopes + DELAY * size);
            }
        }
    }

    turned(m, h, design, amplitude, slopes);
    free(padded);
    free(signals);
}

int mrs_disc_rows(const struct model *m, const struct humps *h, const double *parameters,
                  const double *amplitude, double *rows)
{
    int64_t n = m->n_points, size = 2 * m->n_bins;
    Lane *lanes = malloc(sizeof(Lane) * (size_t)((2 * m->n_batches + 2) * n));
    if (!lanes)
        return 1;
    struct at at = {lanes, lanes + m->n_batches * n};
    Lane *work = lanes + 2 * m->n_batches * n;
    mrs_disc_components(m, parameters, &at, work, rows);
    mrs_disc_humps(h, m->n_bins, parameters[PHASE], parameters[DELAY], rows + m->n_components * size);
    mrs_disc_slopes(m, h, parameters, &at, rows, amplitude, work,
                    rows + (m->n_components + h->n) * size);
    free(lanes);
    return 0;
}
