/* What the compiled parts of the fit share.
 *
 * The same input gives the same bytes: every sum has one order, whatever the width of the
 * processor's registers (no -ffast-math, no contraction to fused operations). Matrix products and
 * Cholesky factors are those of the BLAS and LAPACK that SciPy brings, as in NumPy's path.
 */

#ifndef MRS_DISC_KERNEL_H
#define MRS_DISC_KERNEL_H

#include <complex.h>
#include <stdint.h>

#define TINY 1e-300 /* `mrs_disc.constants.TINY` */
#define ROUNDING_PRECISION 1e-5
#define LEAST_PRECISION 1e-9
#define MOST_SLOTS 16

/* Loops are compiled twice, for processors with and without wide registers. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

/* Eight numbers at a time: the compiler makes of it what the processor has, element by element. */
typedef double Eight __attribute__((vector_size(64), aligned(8), may_alias));

/* ---- SciPy's BLAS and LAPACK (`scipy.linalg.cython_blas`), columns first ---- */

struct libraries {
    void (*gemm)(char *, char *, int *, int *, int *, double *, double *, int *, double *, int *,
                 double *, double *, int *);
    void (*syrk)(char *, char *, int *, int *, double *, double *, int *, double *, double *,
                 int *);
    void (*posv)(char *, int *, int *, double *, int *, double *, int *, int *);
    void (*potrf)(char *, int *, double *, int *, int *);
    void (*trsm)(char *, char *, char *, char *, int *, int *, double *, double *, int *, double *,
                 int *);
    void (*zpotrf)(char *, int *, double complex *, int *, int *);
    void (*ztrsv)(char *, char *, char *, int *, double complex *, int *, double complex *, int *);
    void (*ztrtri)(char *, char *, int *, double complex *, int *, int *);
    void (*ztrmm)(char *, char *, char *, char *, int *, int *, double complex *, double complex *,
                  int *, double complex *, int *);
};
extern struct libraries mrs_disc_linear;

double mrs_disc_dot(int64_t n, const double *a, const double *b);
/* Of matrices with rows first: C = A B^T, A (m, k), B (n, k), C (m, n) in rows of `stride`. */
void mrs_disc_product(int m, int n, int k, const double *a, const double *b, double *c, int stride);
/* The upper triangle, columns not before their row, of C = A A^T, A (n, k). */
void mrs_disc_square(int n, int k, const double *a, double *c, int stride);
/* Solve with a positive matrix of which the upper triangle is given, `solver.solve_positive`; 0, or
 * 1 where it is singular up to rounding. `matrix` is spoilt; `work` of n. */
int mrs_disc_solve_positive(int n, double *matrix, int n_right, double *right, double *work);

/* ---- the metabolites' model ---- */

#define MOST_FACTORS 24
#define LANES 8
typedef struct {
    Eight re, im;
} Lane; /* one point of eight signals */

/* `model.MetaboliteModel`. Components stand side by side, eight in a batch; the derivatives by what
 * all share take three places behind them. */
struct model {
    int64_t n_points, n_components, n_bins, n_moves, n_widens, n_batches, n_factors;
    int64_t factors[MOST_FACTORS]; /* of n_points */
    double time0, dwell_time, gauss_rate;
    const double *series;   /* (batch, point, order of the derivative, re and im, 8) */
    const double *twiddles; /* (point, 2): exp(-2 pi i k / n_points) */
    const int64_t *bins, *moves, *widens;
};

/* `humps.HumpGrid` */
struct humps {
    int64_t n;
    const double *frequency, *spectra; /* (hump,), (hump, bin, 2) */
};

enum { SHIFT, LORENTZ, GAUSS2, PHASE, DELAY, N_COMMON };

/* `solver.Problem`, and the numbers of `solver`. */
struct problem {
    struct model model;
    struct humps humps;
    const double *data, *precision, *low, *high; /* (datum,), (nonlinear,) */
    const uint8_t *fixed;
    const double *ratios; /* (ratio, 5): numerator, denominator, mean, sd, has tails */
    int64_t n_ratios;
    double hump_precision, tolerance, rounding;
    double first_damping, least_damping, most_damping, stride[N_COMMON];
    int64_t iterations;
};

/* Add the quadratic form of the ratio priors (`solver.ratio_precision`) to a matrix; `squares` are
 * the square sums of the components' spectra. Those with tails only where `tails` says so. */
void mrs_disc_ratio_precision(const struct problem *s, const double *squares,
                              const double *amplitude, int tails, double *matrix, int64_t stride);

/* Where the model is evaluated at one point, and what of it its derivatives need. */
struct at {
    Lane *fids;   /* (batch, point): the components' FIDs */
    Lane *slopes; /* the same of the derivatives of their basis by time */
};

static inline int64_t n_nonlinear(const struct model *m)
{
    return N_COMMON + m->n_moves + m->n_widens;
}

/* Spectra of the components at amplitude one, (component, datum); `work` 2 n_points lanes. */
void mrs_disc_components(const struct model *m, const double *parameters, struct at *at, Lane *work,
                         double *design);
/* Spectra of the humps as they lie in the data, (hump, datum). */
void mrs_disc_humps(const struct humps *h, int64_t n_bins, double phase, double delay,
                    double *design);
/* Derivatives of the whole by the non-linear parameters, (parameter, datum); `design` holds
 * components, then humps, and `amplitude` their amplitudes and areas. */
void mrs_disc_slopes(const struct model *m, const struct humps *h, const double *parameters,
                     const struct at *at, const double *design, const double *amplitude, Lane *work,
                     double *slopes);
/* Components, humps and all derivatives at a point, one row after the other:
 * (component + hump + parameter, datum); 0, or 1 where there is no memory. */
int mrs_disc_rows(const struct model *m, const struct humps *h, const double *parameters,
                  const double *amplitude, double *rows);

/* ---- the chains ---- */

typedef double Small[MOST_SLOTS][MOST_SLOTS];

/* Lower Cholesky factor in place; 0 where the matrix is not positive. */
int mrs_disc_factorize(Small a, int n);

/* What a sweep draws first (kernel.c), and what after it (kernel_sweeps.c). */
int mrs_disc_draw_slots(int64_t n_chains, int64_t n_slots, int64_t n_humps,
                        const double *curvature, int64_t stride, const double *force,
                        const double *prior_mean, const double *prior_precision,
                        const double *log_odds, const float *noise, const double *empty_noise,
                        int64_t *hump, uint8_t *occupied, double *mean, double *covariance,
                        double *work);
int mrs_disc_draw_rest(int64_t n_chains, int64_t n_slots, int64_t n_humps, int64_t n_strengths,
                       const double *curvature, const double *force, const double *scales,
                       const double *strengths, const double *area_mean,
                       const double *area_variance, const double *noise, const double *normal,
                       const double *gumbel, const int64_t *hump, const uint8_t *occupied,
                       const double *mean, const double *covariance, int64_t *strength,
                       double *gauss2, double *delay, double *area, double *coordinates,
                       double *work);

#endif
