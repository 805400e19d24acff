/* Sweeps of the chains, one after the other: `chains._Sweeper.sweep`. */

#include <stdlib.h>
#include <string.h>

#include "kernel.h"

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
