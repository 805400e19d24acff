/* The slots of one sweep of the chains, compiled: the algebra of `slots.py`, chain by chain. What
 * comes after them is in `kernel_sweeps.c`.
 *
 * That module is the readable statement of the algorithm, with all symbols; this file follows
 * it step by step, and `tests/signal/test_kernel.py` holds both against each other. It
 * pays because a chain's arrays stay in the first cache over a whole sweep, where NumPy passes
 * over all chains some twenty-five times a slot.
 *
 * Random numbers come from the caller, so that both paths draw with the same ones.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel.h"

#define COMPARED 32 /* how many humps are compared at a time */

#ifndef SOURCE
#define SOURCE "unknown"
#endif

/* What this was compiled from: a library of another source is not used. */
const char *mrs_disc_source(void) { return SOURCE; }

/* ---- small positive matrices ---- */

/* Lower Cholesky factor in place; 0 where the matrix is not positive. */
int mrs_disc_factorize(Small a, int n)
{
    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++) {
            double sum = a[i][j];
            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i > j) {
                a[i][j] = sum / a[j][j];
            } else {
                if (!(sum > 0.0) || isinf(sum))
                    return 0;
                a[j][j] = sqrt(sum);
            }
        }
    }
    return 1;
}

/* Inverse of the lower factor, in place. */
static void invert_factor(Small a, int n)
{
    for (int j = 0; j < n; j++) {
        a[j][j] = 1.0 / a[j][j];
        for (int i = j + 1; i < n; i++) {
            double sum = 0.0;
            for (int k = j; k < i; k++)
                sum += a[i][k] * a[k][j];
            a[i][j] = -sum / a[i][i];
        }
    }
}

/* ---- loops over the grid of humps ---- */

/* k_g = own_g - |L^-1 Q_Sg|^2 and b_g = force_g - Q_gS m, S the `n` occupied slots. */
WIDE static void grid_given(int n, int64_t n_humps, const double *const *rows, Small inverse,
                            const double *mean, double *restrict k, double *restrict b)
{
    int64_t g = 0;
    for (; g + 8 <= n_humps; g += 8) {
        Eight left = *(Eight *)(k + g), pull = *(Eight *)(b + g);
        for (int i = 0; i < n; i++) {
            Eight white = {0.0};
            for (int j = 0; j <= i; j++)
                white += inverse[i][j] * *(const Eight *)(rows[j] + g);
            left -= white * white;
            pull -= mean[i] * *(const Eight *)(rows[i] + g);
        }
        *(Eight *)(k + g) = left;
        *(Eight *)(b + g) = pull;
    }
    for (; g < n_humps; g++)
        for (int i = 0; i < n; i++) {
            double white = 0.0;
            for (int j = 0; j <= i; j++)
                white += inverse[i][j] * rows[j][g];
            k[g] -= white * white;
            b[g] -= mean[i] * rows[i][g];
        }
}

/* v = Q_gS u of what leaves and of what entered before: b += v t, k += v^2 and -v^2. */
WIDE static void grid_follows(int n, int64_t n_humps, const double *const *rows,
                              const double *leaves, const double *entered, double step_leaves,
                              double step_entered, double *restrict k, double *restrict b)
{
    int64_t g = 0;
    for (; g + 16 <= n_humps; g += 16) {
        Eight out[2] = {{0.0}, {0.0}}, in[2] = {{0.0}, {0.0}};
        for (int j = 0; j < n; j++) {
            const Eight *row = (const Eight *)(rows[j] + g);
            out[0] += leaves[j] * row[0];
            in[0] += entered[j] * row[0];
            out[1] += leaves[j] * row[1];
            in[1] += entered[j] * row[1];
        }
        for (int half = 0; half < 2; half++) {
            Eight *force = (Eight *)(b + g) + half, *precision = (Eight *)(k + g) + half;
            *force += step_leaves * out[half] + step_entered * in[half];
            *precision = *precision + out[half] * out[half] - in[half] * in[half];
        }
    }
    for (; g < n_humps; g++) {
        double out = 0.0, in = 0.0;
        for (int j = 0; j < n; j++) {
            out += leaves[j] * rows[j][g];
            in += entered[j] * rows[j][g];
        }
        b[g] += step_leaves * out + step_entered * in;
        k[g] = k[g] + out * out - in * in;
    }
}

/* The same of one of the two: `sign` of what is added to k. */
WIDE static void grid_follows_one(int n, int64_t n_humps, const double *const *rows,
                                  const double *moves, double step, double sign,
                                  double *restrict k, double *restrict b)
{
    int64_t g = 0;
    for (; g + 16 <= n_humps; g += 16) {
        Eight sum[2] = {{0.0}, {0.0}};
        for (int j = 0; j < n; j++) {
            const Eight *row = (const Eight *)(rows[j] + g);
            sum[0] += moves[j] * row[0];
            sum[1] += moves[j] * row[1];
        }
        for (int half = 0; half < 2; half++) {
            *((Eight *)(b + g) + half) += step * sum[half];
            *((Eight *)(k + g) + half) += sign * (sum[half] * sum[half]);
        }
    }
    for (; g < n_humps; g++) {
        double sum = 0.0;
        for (int j = 0; j < n; j++)
            sum += moves[j] * rows[j][g];
        b[g] += step * sum;
        k[g] += sign * (sum * sum);
    }
}

/* Natural logarithm of positive normal numbers to 1e-7 (as Cephes' logf), without branches. */
static inline float log_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t shifted = bits - 0x3f3504f3; /* mantissa between sqrt(1/2) and sqrt(2) */
    int32_t exponent = shifted >> 23;
    int32_t mantissa = bits - exponent * (1 << 23);
    float m;
    memcpy(&m, &mantissa, sizeof m);
    float f = m - 1.0f, z = f * f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    float e = (float)exponent;
    float y = f * z * p + e * -2.12194440e-4f - 0.5f * z;
    return f + y + e * 0.693359375f;
}

/* Twice the log odds of each hump. */
WIDE static void log_odds_of(int64_t n_humps, const double *restrict k, const double *restrict b,
                             const float *restrict constant, float least, float *restrict odds)
{
    for (int64_t g = 0; g < n_humps; g++) {
        float precision = (float)k[g], force = (float)b[g];
        precision = precision > least ? precision : least;
        odds[g] = force * force / precision - log_of(precision) + constant[g];
    }
}

/* The first of the largest of the sums of two arrays. */
WIDE static int64_t largest(int64_t n, const float *restrict odds, const float *restrict noise)
{
    float lane[COMPARED], most = odds[0] + noise[0];
    for (int i = 0; i < COMPARED; i++)
        lane[i] = most;
    int64_t whole = n - n % COMPARED, best = 0;
    for (int64_t g = 0; g < whole; g += COMPARED)
        for (int i = 0; i < COMPARED; i++) {
            float sum = odds[g + i] + noise[g + i];
            lane[i] = sum > lane[i] ? sum : lane[i];
        }
    for (int i = 0; i < COMPARED; i++)
        most = lane[i] > most ? lane[i] : most;
    for (int64_t g = whole; g < n; g++)
        most = odds[g] + noise[g] > most ? odds[g] + noise[g] : most;
    while (best < n - 1 && !(odds[best] + noise[best] == most))
        best++;
    return best;
}

/* ---- the law of the areas ---- */

/* C = (Q_SS + p)^-1 and m = C own of the `n` occupied slots, whose humps are `at` and their rows of
 * Q `rows`; L^-1 stays in `factor`. 0 where the matrix is not positive. */
static int law_of_areas(int n, const double *const *rows, const int64_t *at, double p,
                        const double *own, Small factor, double *m, Small C)
{
    double white[MOST_SLOTS];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++)
            factor[i][j] = rows[j][at[i]];
        factor[i][i] += p + ROUNDING_PRECISION * factor[i][i];
    }
    if (!mrs_disc_factorize(factor, n))
        return 0;
    invert_factor(factor, n);
    for (int i = 0; i < n; i++) {
        white[i] = 0.0;
        for (int j = 0; j <= i; j++)
            white[i] += factor[i][j] * own[j];
    }
    for (int i = 0; i < n; i++) {
        m[i] = 0.0;
        for (int q = i; q < n; q++)
            m[i] += factor[q][i] * white[q];
        for (int j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int q = i; q < n; q++)
                sum += factor[q][i] * factor[q][j];
            C[i][j] = C[j][i] = sum;
        }
    }
    return 1;
}

/* ---- a sweep's slots ---- */

/* Draw each slot of each chain anew, areas integrated out: `slots.Slots` of all slots in turn.
 *
 * Returns 0, or 1 where a matrix is not positive: then nothing is to be used.
 *
 *   curvature     (hump, hump)     leading dimension `stride`, so that it may be part of a larger one
 *   force         (chain, hump)
 *   prior_*       (chain,)
 *   log_odds      (hump,)
 *   noise         (slot, chain, hump), twice Gumbel noise; empty_noise (slot, chain)
 *   hump          (slot, chain), in and out
 *   occupied      (chain, slot), in and out
 *   mean          (chain, slot), covariance (chain, slot, slot): of the areas, zero in empty slots
 *   work          3 n_humps
 */
int mrs_disc_draw_slots(int64_t n_chains, int64_t n_slots, int64_t n_humps,
                        const double *curvature, int64_t stride, const double *force,
                        const double *prior_mean, const double *prior_precision,
                        const double *log_odds, const float *noise, const double *empty_noise,
                        int64_t *hump, uint8_t *occupied, double *mean, double *covariance,
                        double *work)
{
    double *k = work, *b = work + n_humps;
    float *constant = (float *)(work + 2 * n_humps), *odds = constant + n_humps;
    int n = (int)n_slots;
    double least = INFINITY;
    for (int64_t c = 0; c < n_chains; c++)
        least = prior_precision[c] < least ? prior_precision[c] : least;

    for (int64_t c = 0; c < n_chains; c++) {
        double p = prior_precision[c], mu = prior_mean[c], prior_force = mu * p;
        uint8_t *full = occupied + c * n;
        const double *rows[MOST_SLOTS]; /* Q_Sg */
        double m[MOST_SLOTS] = {0.0}, C[MOST_SLOTS][MOST_SLOTS] = {{0.0}};
        const double *among[MOST_SLOTS]; /* rows of the occupied slots alone */
        int slot_of[MOST_SLOTS], n_full = 0;
        int64_t at_full[MOST_SLOTS];
        for (int s = 0; s < n; s++) {
            rows[s] = curvature + hump[s * n_chains + c] * stride;
            if (full[s]) {
                among[n_full] = rows[s];
                slot_of[n_full++] = s;
            }
        }

        /* C and m of the occupied slots; k and b of the grid given them. */
        double own[MOST_SLOTS], m_full[MOST_SLOTS], C_full[MOST_SLOTS][MOST_SLOTS];
        double factor[MOST_SLOTS][MOST_SLOTS];
        for (int i = 0; i < n_full; i++) {
            at_full[i] = hump[slot_of[i] * n_chains + c];
            own[i] = force[c * n_humps + at_full[i]] + prior_force;
        }
        if (!law_of_areas(n_full, among, at_full, p, own, factor, m_full, C_full))
            return 1;
        for (int i = 0; i < n_full; i++) {
            m[slot_of[i]] = m_full[i];
            for (int j = 0; j < n_full; j++)
                C[slot_of[i]][slot_of[j]] = C_full[i][j];
        }
        double of_prior = log(p) - mu * prior_force;
        for (int64_t g = 0; g < n_humps; g++) {
            double diagonal = curvature[g * stride + g];
            k[g] = diagonal + ROUNDING_PRECISION * diagonal + p;
            b[g] = force[c * n_humps + g] + prior_force;
            constant[g] = (float)(2 * log_odds[g] + of_prior);
        }
        grid_given(n_full, n_humps, among, factor, m_full, k, b);

        /* What entered last: the grid does not know it yet. */
        double enters[MOST_SLOTS] = {0.0}, leaves[MOST_SLOTS] = {0.0}, step_enters = 0.0;
        int entered = 0;
        for (int s = 0; s < n; s++) {
            /* 1. Downdate: u and t of the slot's hump. */
            double variance = C[s][s] > TINY ? C[s][s] : TINY;
            double inverse_sd = full[s] ? 1.0 / sqrt(variance) : 0.0;
            for (int j = 0; j < n; j++)
                leaves[j] = C[s][j] * inverse_sd;
            double step_leaves = m[s] * inverse_sd;

            /* 2. The grid gives back what leaves and takes in what entered before, if anything did:
             * of empty slots nothing reaches it. */
            const double *moving[MOST_SLOTS];
            double out[MOST_SLOTS], in[MOST_SLOTS];
            int n_moving = 0;
            for (int j = 0; j < n; j++)
                if (full[j]) {
                    moving[n_moving] = rows[j];
                    out[n_moving] = leaves[j];
                    in[n_moving++] = enters[j];
                }
            if (full[s] && entered)
                grid_follows(n_moving, n_humps, moving, out, in, step_leaves, step_enters, k, b);
            else if (full[s])
                grid_follows_one(n_moving, n_humps, moving, out, step_leaves, 1.0, k, b);
            else if (entered)
                grid_follows_one(n_moving, n_humps, moving, in, step_enters, -1.0, k, b);

            /* 3. Odds.  4. Choose. */
            if (full[s] || entered || s == 0)
                log_odds_of(n_humps, k, b, constant, (float)least, odds);
            const float *own_noise = noise + (s * n_chains + c) * n_humps;
            int64_t chosen = largest(n_humps, odds, own_noise);
            int fills = (double)(odds[chosen] + own_noise[chosen]) > empty_noise[s * n_chains + c];

            /* 5. Update: u and t of the hump that enters. */
            double precision = k[chosen] > p ? k[chosen] : p;
            double inverse_sd_in = fills ? sqrt(1.0 / precision) : 0.0;
            double step = b[chosen] * inverse_sd_in, coupling[MOST_SLOTS];
            double at[MOST_SLOTS];
            for (int j = 0; j < n; j++)
                at[j] = full[j] ? rows[j][chosen] : 0.0;
            for (int i = 0; i < n; i++) {
                coupling[i] = 0.0;
                for (int j = 0; j < n; j++)
                    coupling[i] += C[i][j] * at[j];
            }
            double own_coupling = coupling[s] * inverse_sd;
            for (int i = 0; i < n; i++)
                coupling[i] -= leaves[i] * own_coupling;
            coupling[s] = -1.0;

            /* 6. Exchange them. */
            for (int i = 0; i < n; i++) {
                enters[i] = coupling[i] * inverse_sd_in;
                m[i] -= leaves[i] * step_leaves;
                m[i] -= enters[i] * step;
            }
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++)
                    C[i][j] += enters[i] * enters[j] - leaves[i] * leaves[j];
            step_enters = step;
            entered = fills;
            rows[s] = curvature + chosen * stride;
            hump[s * n_chains + c] = chosen;
            full[s] = (uint8_t)fills;
        }

        /* C and m once more from the humps themselves: what the changes lost to rounding, of humps
         * that nearly coincide, is not in them. */
        n_full = 0;
        for (int i = 0; i < n; i++) {
            mean[c * n + i] = 0.0;
            if (!full[i])
                continue;
            at_full[n_full] = hump[i * n_chains + c];
            own[n_full] = force[c * n_humps + at_full[n_full]] + prior_force;
            among[n_full] = rows[i];
            slot_of[n_full++] = i;
        }
        if (!law_of_areas(n_full, among, at_full, p, own, factor, m_full, C_full))
            return 1;
        double *law = covariance + c * n * n;
        memset(law, 0, sizeof(double) * (size_t)(n * n));
        for (int i = 0; i < n_full; i++) {
            mean[c * n + slot_of[i]] = m_full[i];
            for (int j = 0; j < n_full; j++)
                law[slot_of[i] * n + slot_of[j]] = C_full[i][j];
        }
    }
    return 0;
}
