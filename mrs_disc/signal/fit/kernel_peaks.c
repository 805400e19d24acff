/* The highest points of periodograms, compiled: `registration._climbed_plainly`, which is the
 * readable statement; `tests/signal/test_kernel.py` holds both against each other.
 */

#include <math.h>
#include <stdlib.h>

#include "kernel.h"

/* Which samples of evenly spaced ones the signals have, and the grid of frequencies. */
struct peaks {
    int64_t n_kept, n_grid;
    const int64_t *sample; /* (kept,): their numbers, rising */
    const double *grid;    /* (grid,): in Hz, evenly spaced, from the lowest allowed */
    double step_s, jitter_hz;
};

/* exp(-2 pi i hz t) at the samples kept, by running products, in rows of `stride`. */
static void turns(const struct peaks *p, double hz, double *re, double *im, int64_t stride)
{
    double angle = -2 * M_PI * hz * p->step_s, c = cos(angle), s = sin(angle), x = 1.0, y = 0.0;
    for (int64_t k = 0, i = 0; i < p->n_kept; k++) {
        if (p->sample[i] == k) {
            re[i * stride] = x;
            im[i++ * stride] = y;
        }
        double next = x * c - y * s;
        y = x * s + y * c;
        x = next;
    }
}

/* Which frequency of the grid is the most probable; `sums` (2, grid). */
WIDE static int64_t highest(const struct peaks *p, const double *signal, const double *restrict re,
                            const double *restrict im, double *restrict sums)
{
    int64_t n = p->n_grid, best = 0;
    double *restrict across = sums + n, most = -INFINITY;
    for (int64_t g = 0; g < 2 * n; g++)
        sums[g] = 0.0;
    for (int64_t k = 0; k < p->n_kept; k++) {
        double a = signal[2 * k], b = signal[2 * k + 1];
        const double *x = re + k * n, *y = im + k * n;
        for (int64_t g = 0; g < n; g++) {
            sums[g] += a * x[g] - b * y[g];
            across[g] += a * y[g] + b * x[g];
        }
    }
    for (int64_t g = 0; g < n; g++) {
        double off = p->grid[g] / p->jitter_hz;
        double value = 2 * hypot(sums[g], across[g]) - 0.5 * off * off;
        if (value > most) {
            most = value;
            best = g;
        }
    }
    return best;
}

/* Sums of a signal turned back by a frequency, times 1, t and t^2: re and im of each. */
static void moments(const struct peaks *p, const double *signal, const double *turn, double *sums)
{
    for (int j = 0; j < 6; j++)
        sums[j] = 0.0;
    for (int64_t k = 0; k < p->n_kept; k++) {
        double x = turn[k], y = turn[p->n_kept + k], t = (double)p->sample[k] * p->step_s;
        double re = signal[2 * k] * x - signal[2 * k + 1] * y;
        double im = signal[2 * k] * y + signal[2 * k + 1] * x;
        sums[0] += re;
        sums[1] += im;
        sums[2] += t * re;
        sums[3] += t * im;
        sums[4] += t * t * re;
        sums[5] += t * t * im;
    }
}

static double within(double value, double low, double high)
{
    value = value > low ? value : low;
    return value < high ? value : high;
}

/* The best of the grid for each signal, and `n_steps` of Newton from there; 0, or 1 where there is
 * no memory.
 *
 *   product  (signal, kept, 2)
 *   found    (3, signal): frequency in Hz, phase and height, out
 */
int mrs_disc_peaks(int64_t n_signals, int64_t kept, int64_t n, int64_t n_steps, double step_s,
                   double jitter_hz, const double *product, const int64_t *sample,
                   const double *grid, double *found)
{
    struct peaks peaks = {kept, n, sample, grid, step_s, jitter_hz}, *p = &peaks;
    double *table = malloc(sizeof(double) * (size_t)(2 * n * kept + 2 * n + 2 * kept));
    if (!table)
        return 1;
    double *sums = table + 2 * n * kept, *turn = sums + 2 * n, c[6];
    double step = grid[1] - grid[0], edge = -grid[0], rate = 2 * M_PI;
    double prior = 1 / (jitter_hz * jitter_hz);
    for (int64_t g = 0; g < n; g++)
        turns(p, grid[g], table + g, table + n * kept + g, n);
    for (int64_t i = 0; i < n_signals; i++) {
        const double *signal = product + 2 * i * kept;
        double hz = grid[highest(p, signal, table, table + n * kept, sums)];
        for (int64_t round = 0; round < n_steps; round++) {
            turns(p, hz, turn, turn + kept, 1);
            moments(p, signal, turn, c);
            /* d/dhz turns a moment by -2 pi i t. */
            double c1[2] = {rate * c[3], -rate * c[2]};
            double c2[2] = {-rate * rate * c[4], -rate * rate * c[5]};
            double size = hypot(c[0], c[1]);
            size = size > TINY ? size : TINY;
            double along = c[0] * c1[0] + c[1] * c1[1];
            double bend = c1[0] * c1[0] + c1[1] * c1[1] + c[0] * c2[0] + c[1] * c2[1];
            double steep = along / size, slope = 2 * steep - hz * prior;
            double curvature = 2 * bend / size - 2 * steep * steep / size - prior;
            /* Where the flank is not concave, Newton would run away from the peak: stay there. */
            double move = curvature < 0 ? -slope / curvature : 0.0;
            hz = within(hz + within(move, -step, step), -edge, edge);
        }
        turns(p, hz, turn, turn + kept, 1);
        moments(p, signal, turn, c);
        found[i] = hz;
        found[n_signals + i] = atan2(c[1], c[0]);
        found[2 * n_signals + i] = hypot(c[0], c[1]);
    }
    free(table);
    return 0;
}
