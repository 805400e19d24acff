/* What a sweep of the chains draws after its slots, and sweeps one after the other:
 * `chains._Sweeper`, which is the readable statement.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* ---- the normal law ---- */

#define LOG_SQRT_2_PI 0.91893853320467274178

static double log_ndtr(double x)
{
    if (x > -1.0)
        return log1p(-0.5 * erfc(x * M_SQRT1_2));
    if (x > -20.0)
        return log(0.5 * erfc(-x * M_SQRT1_2));
    /* Laplace's series of the tail: 1e-11 at -20. */
    double r = 1.0 / (x * x);
    double series = 1 - r * (1 - 3 * r * (1 - 5 * r * (1 - 7 * r * (1 - 9 * r))));
    return -0.5 * x * x - log(-x) - LOG_SQRT_2_PI + log(series);
}

/* The x of log_ndtr(x) = y: Newton's steps on a concave function, at most some six. */
static double ndtri_exp(double y)
{
    if (y > -M_LN2) { /* the other tail, where nothing cancels */
        double q = -expm1(y);
        return q > 0.0 ? -ndtri_exp(log(q)) : INFINITY;
    }
    if (isinf(y))
        return -INFINITY;
    double square = -2 * (y + LOG_SQRT_2_PI), x = y > -3.0 ? y + M_LN2 : -sqrt(square);
    for (int i = 0; i < 60; i++) {
        double value = log_ndtr(x);
        double slope = exp(-0.5 * x * x - LOG_SQRT_2_PI - value);
        double step = (value - y) / slope;
        x -= step;
        if (fabs(step) <= 1e-14 * fabs(x) + 1e-300)
            break;
    }
    return x;
}

/* ---- the rest of a sweep ---- */

static int64_t choose(int64_t n, const double *odds)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (odds[i] > odds[best])
            best = i;
    return best;
}

/* What a sweep draws after its slots: `chains._Sweeper` step by step.
 *
 *   curvature     (2 + hump, 2 + hump), force (2 + hump,): of squared Gaussian width, delay, areas
 *   scales        {mean of the squared width, standard deviation of the delay (0: none), logs of
 *                 the odds that there is the one, and the other}
 *   strengths, area_mean, area_variance     (strength,)
 *   noise         (chain, 4): logistic and uniform of the width, logistic and normal of the delay
 *   normal        (chain, slot); gumbel (2, chain, strength)
 *   hump          (slot, chain); covariance (chain, slot, slot); mean (chain, slot)
 *   strength      (chain,), gauss2, delay (chain,): in and out; area (slot, chain): out
 *   coordinates   (chain, 2 + hump): out, the means of what was drawn
 */
int mrs_disc_draw_rest(int64_t n_chains, int64_t n_slots, int64_t n_humps, int64_t n_strengths,
                       const double *curvature, const double *force, const double *scales,
                       const double *strengths, const double *area_mean,
                       const double *area_variance, const double *noise, const double *normal,
                       const double *gumbel, const int64_t *hump, const uint8_t *occupied,
                       const double *mean, const double *covariance, int64_t *strength,
                       double *gauss2, double *delay, double *area, double *coordinates,
                       double *work)
{
    int n = (int)n_slots;
    int64_t size = 2 + n_humps;
    double slope = 1.0 / scales[0], delay_sd = scales[1];
    double log_spread = scales[2], log_late = scales[3];
    double log_slope = log(slope * sqrt(2 * M_PI));
    double *log_variance = work, *odds = work + n_strengths;
    for (int64_t j = 0; j < n_strengths; j++)
        log_variance[j] = log(area_variance[j]);

    for (int64_t c = 0; c < n_chains; c++) {
        const double *C = covariance + c * n * n;
        double a[MOST_SLOTS];
        for (int i = 0; i < n; i++)
            a[i] = mean[c * n + i];
        /* Gaussian width and delay, areas integrated out; `a` follows as their mean. */
        for (int index = 0; index < 2; index++) {
            double *value = index ? delay + c : gauss2 + c, other = index ? gauss2[c] : delay[c];
            const double *row = curvature + index * size;
            double own = row[index], q[MOST_SLOTS], response[MOST_SLOTS];
            double precision = own, pull = force[index] - curvature[1] * other;
            for (int i = 0; i < n; i++)
                q[i] = row[2 + hump[i * n_chains + c]];
            for (int i = 0; i < n; i++) {
                response[i] = 0.0;
                for (int j = 0; j < n; j++)
                    response[i] += C[i * n + j] * q[j];
                a[i] += response[i] * *value;
                precision -= q[i] * response[i];
                pull -= q[i] * a[i];
            }
            double least = LEAST_PRECISION * own > TINY ? LEAST_PRECISION * own : TINY;
            precision = precision > least ? precision : least;
            const double *drawn = noise + 4 * c + 2 * index;
            if (index == 0) {
                double sd = 1.0 / sqrt(precision), centre = (pull - slope) * sd;
                double log_mass = log_ndtr(centre);
                double log_odds = log_slope + log(sd) + log_mass + 0.5 * centre * centre;
                double broad = 0.0;
                if (drawn[0] < log_odds + log_spread)
                    broad = sd * (centre - ndtri_exp(log_mass + log1p(-drawn[1])));
                *value = broad > 0.0 ? broad : 0.0;
            } else if (delay_sd > 0.0) {
                double prior = 1.0 / (delay_sd * delay_sd), variance = 1.0 / (precision + prior);
                double log_odds = 0.5 * log(prior * variance) + 0.5 * pull * pull * variance;
                int late = drawn[0] < log_odds + log_late;
                *value = late ? pull * variance + sqrt(variance) * drawn[1] : 0.0;
            } else {
                *value = 0.0;
            }
            for (int i = 0; i < n; i++)
                a[i] -= response[i] * *value;
        }
        double *row = coordinates + c * size;
        memset(row, 0, sizeof(double) * (size_t)size);
        row[0] = gauss2[c];
        row[1] = delay[c];
        for (int i = 0; i < n; i++) /* humps that coincide add up */
            row[2 + hump[i * n_chains + c]] += a[i];

        /* The areas, all together. */
        double lower[MOST_SLOTS][MOST_SLOTS];
        int slot_of[MOST_SLOTS], n_full = 0;
        for (int i = 0; i < n; i++) {
            area[i * n_chains + c] = occupied[c * n + i] ? a[i] : 0.0;
            if (occupied[c * n + i])
                slot_of[n_full++] = i;
        }
        for (int i = 0; i < n_full; i++)
            for (int j = 0; j <= i; j++)
                lower[i][j] = C[slot_of[i] * n + slot_of[j]];
        if (!mrs_disc_factorize(lower, n_full))
            continue; /* rounding, in absurd data: keep their means */
        for (int i = 0; i < n_full; i++)
            for (int j = 0; j <= i; j++)
                area[slot_of[i] * n_chains + c] += lower[i][j] * normal[c * n + slot_of[j]];
    }
    if (!n)
        return 0;

    for (int64_t c = 0; c < n_chains; c++) {
        /* The strength together with all areas, then given them. */
        double a[MOST_SLOTS], linear = 0.0, square = 0.0, total = 0.0, squares = 0.0;
        int n_full = 0;
        for (int i = 0; i < n; i++) {
            a[i] = area[i * n_chains + c];
            n_full += a[i] != 0.0;
        }
        for (int i = 0; i < n; i++) {
            int64_t at = 2 + hump[i * n_chains + c];
            double pull = force[at] - curvature[at] * gauss2[c] - curvature[size + at] * delay[c];
            linear += pull * a[i];
            double sum = 0.0;
            for (int j = 0; j < n; j++)
                sum += curvature[at * size + 2 + hump[j * n_chains + c]] * a[j];
            square += a[i] * sum;
        }
        double now = strengths[strength[c]];
        const double *first = gumbel + c * n_strengths;
        const double *second = gumbel + (n_chains + c) * n_strengths;
        for (int64_t j = 0; j < n_strengths; j++) {
            double factor = strengths[j] / now;
            odds[j] = factor * linear - 0.5 * factor * factor * square + first[j];
        }
        double factor = n_full ? strengths[choose(n_strengths, odds)] / now : 1.0;
        for (int i = 0; i < n; i++) {
            a[i] *= factor;
            area[i * n_chains + c] = a[i];
            total += a[i];
            squares += a[i] * a[i];
        }
        for (int64_t j = 0; j < n_strengths; j++) {
            double distance = squares - 2 * area_mean[j] * total + n_full * area_mean[j] * area_mean[j];
            odds[j] = -0.5 * (n_full * log_variance[j] + distance / area_variance[j]) + second[j];
        }
        strength[c] = choose(n_strengths, odds);
    }
    return 0;
}

/* ---- sweeps ---- */

/* `random_numbers.Noise` of one sweep. */
struct noise {
    const float *humps;
    const double *empty, *lines, *areas, *strengths;
};

/* `chains.LinearProblem` and `chains._Sweeper`, and where its chains are. */
struct sweeper {
    int64_t n_chains, n_slots, n_humps, n_strengths;
    const double *curvature, *force, *scales, *log_odds;
    const double *strengths, *area_mean, *area_variance;
    int64_t *hump;    /* (slot, chain), in and out as all that follow */
    double *area;     /* (slot, chain) */
    int64_t *strength; /* (chain,) */
    double *gauss2, *delay;
};

/* Advance the chains by some sweeps; returns how many were done. The next was not where a matrix is
 * not positive: the chains are then as they were before it.
 *
 *   coordinates (sweep, chain, 2 + hump), humps (sweep, chain, slot),
 *   covariance (sweep, chain, slot, slot): what `chains.Draws` keeps
 */
int64_t mrs_disc_sweeps(const struct sweeper *s, int64_t n_sweeps, const struct noise *noise,
                        double *coordinates, int64_t *humps, double *covariance)
{
    int64_t n = s->n_slots, c = s->n_chains, g = s->n_humps, size = 2 + g, n_work = 3 * g;
    n_work = n_work > 2 * s->n_strengths ? n_work : 2 * s->n_strengths;
    double *force = malloc(sizeof(double) * (size_t)(c * g + 2 * c + c * n + n_work) +
                           (sizeof(int64_t) + 1) * (size_t)(c * n));
    double *prior_mean = force + c * g, *prior_precision = prior_mean + c;
    double *mean = prior_precision + c, *work = mean + c * n;
    int64_t *hump = (int64_t *)(work + n_work), sweep = 0;
    uint8_t *occupied = (uint8_t *)(hump + c * n);
    for (; force && sweep < n_sweeps; sweep++) {
        double *C = covariance + sweep * c * n * n;
        memcpy(hump, s->hump, sizeof(int64_t) * (size_t)(c * n));
        for (int64_t k = 0; k < c; k++) {
            /* The humps' force that Gaussian width and delay leave. */
            for (int64_t i = 0; n && i < g; i++) {
                double explained = s->curvature[2 + i] * s->gauss2[k];
                explained += s->curvature[size + 2 + i] * s->delay[k];
                force[k * g + i] = s->force[2 + i] - explained;
            }
            prior_mean[k] = s->area_mean[s->strength[k]];
            prior_precision[k] = 1 / s->area_variance[s->strength[k]];
            for (int64_t i = 0; i < n; i++)
                occupied[k * n + i] = s->area[i * c + k] != 0.0;
        }
        if (n && mrs_disc_draw_slots(c, n, g, s->curvature + 2 * size + 2, size, force, prior_mean,
                                     prior_precision, s->log_odds, noise[sweep].humps,
                                     noise[sweep].empty, hump, occupied, mean, C, work))
            break;
        memcpy(s->hump, hump, sizeof(int64_t) * (size_t)(c * n));
        mrs_disc_draw_rest(c, n, g, s->n_strengths, s->curvature, s->force, s->scales, s->strengths,
                           s->area_mean, s->area_variance, noise[sweep].lines, noise[sweep].areas,
                           noise[sweep].strengths, hump, occupied, mean, C, s->strength, s->gauss2,
                           s->delay, s->area, coordinates + sweep * c * size, work);
        for (int64_t k = 0; k < c; k++)
            for (int64_t i = 0; i < n; i++)
                humps[(sweep * c + k) * n + i] = hump[i * c + k];
    }
    free(force);
    return sweep;
}
