/* The solver, compiled: `solver.solve` step by step, which is the readable statement, with all
 * symbols; `tests/signal/test_kernel.py` holds both against each other.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

struct libraries mrs_disc_linear;

/* SciPy's functions: as in `struct libraries`. */
void mrs_disc_use(void **functions) { memcpy(&mrs_disc_linear, functions, sizeof mrs_disc_linear); }

/* ---- matrices with rows first: to BLAS they are their transposes ---- */

void mrs_disc_product(int m, int n, int k, const double *a, const double *b, double *c, int stride)
{
    double one = 1.0, zero = 0.0;
    if (m && n && k)
        mrs_disc_linear.gemm("T", "N", &n, &m, &k, &one, (double *)b, &k, (double *)a, &k, &zero, c,
                             &stride);
}

void mrs_disc_square(int n, int k, const double *a, double *c, int stride)
{
    double one = 1.0, zero = 0.0;
    if (n && k)
        mrs_disc_linear.syrk("L", "T", &n, &k, &one, (double *)a, &k, &zero, c, &stride);
}

WIDE int mrs_disc_solve_positive(int n, double *matrix, int n_right, double *right, double *work)
{
    /* With ones on the diagonal Cholesky loses no digits to the units. */
    double *scale = work;
    for (int i = 0; i < n; i++)
        scale[i] = 1 / sqrt(matrix[i * n + i] > TINY ? matrix[i * n + i] : TINY);
    for (int i = 0; i < n; i++) {
        for (int j = i; j < n; j++)
            matrix[i * n + j] *= scale[i] * scale[j];
        matrix[i * n + i] += 1e-13;
    }
    for (int k = 0; k < n_right; k++)
        for (int i = 0; i < n; i++)
            right[k * n + i] *= scale[i];
    int fault = 0;
    mrs_disc_linear.posv("L", &n, &n_right, matrix, &n, right, &n, &fault);
    for (int k = 0; k < n_right; k++)
        for (int i = 0; i < n; i++)
            right[k * n + i] *= scale[i];
    return fault != 0;
}

WIDE double mrs_disc_dot(int64_t n, const double *a, const double *b)
{
    Eight sums = {0.0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        sums += *(const Eight *)(a + i) * *(const Eight *)(b + i);
    double rest = 0.0;
    for (; i < n; i++)
        rest += a[i] * b[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])) +
           rest;
}

/* `solver._Trial`; `design` has room for the derivatives behind it. */
struct trial {
    double *parameters, *design, *gram, *projected, *prior, *amplitude, *residual;
    struct at at;
    double cost;
};

static int64_t n_linear(const struct problem *s) { return s->model.n_components + s->humps.n; }

static size_t trial_size(const struct problem *s)
{
    size_t nl = (size_t)n_nonlinear(&s->model), size = 2 * (size_t)s->model.n_bins;
    size_t n = (size_t)n_linear(s);
    size_t lanes = 2 * (size_t)(s->model.n_batches * s->model.n_points) * sizeof(Lane) / 8;
    return nl + (n + nl) * size + 2 * n * n + 2 * n + size + lanes;
}

static void lay_out(const struct problem *s, double *memory, struct trial *t)
{
    int64_t nl = n_nonlinear(&s->model), size = 2 * s->model.n_bins, n = n_linear(s);
    t->at.fids = (Lane *)memory;
    t->at.slopes = t->at.fids + s->model.n_batches * s->model.n_points;
    t->design = (double *)(t->at.slopes + s->model.n_batches * s->model.n_points);
    t->gram = t->design + (n + nl) * size;
    t->prior = t->gram + n * n;
    t->projected = t->prior + n * n;
    t->amplitude = t->projected + n;
    t->residual = t->amplitude + n;
    t->parameters = t->residual + size;
}

/* Solve for the amplitudes, with the priors of ratios that stand in `prior`; `work` n (n + 1). */
WIDE static int solved(const struct problem *s, struct trial *t, double *work)
{
    int64_t n = n_linear(s), size = 2 * s->model.n_bins, nl = n_nonlinear(&s->model);
    for (int64_t i = 0; i < n * n; i++)
        work[i] = t->gram[i] + t->prior[i];
    memcpy(t->amplitude, t->projected, sizeof(double) * (size_t)n);
    if (mrs_disc_solve_positive((int)n, work, 1, t->amplitude, work + n * n))
        return 1;
    memcpy(t->residual, s->data, sizeof(double) * (size_t)size);
    double cost = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double a = t->amplitude[i];
        const double *row = t->design + i * size;
        for (int64_t d = 0; d < size; d++)
            t->residual[d] -= a * row[d];
        cost += a * mrs_disc_dot(n, t->prior + i * n, t->amplitude);
    }
    cost += mrs_disc_dot(size, t->residual, t->residual);
    for (int64_t i = 0; i < nl; i++)
        cost += s->precision[i] * t->parameters[i] * t->parameters[i];
    t->cost = cost;
    return 0;
}

/* Set the priors of amplitudes and areas; `ratios` (component, component) or none. */
static void set_prior(const struct problem *s, struct trial *t, const double *ratios)
{
    int64_t n = n_linear(s), count = s->model.n_components;
    memset(t->prior, 0, sizeof(double) * (size_t)(n * n));
    for (int64_t i = count; i < n; i++)
        t->prior[i * n + i] = s->hump_precision;
    for (int64_t i = 0; ratios && i < count; i++)
        memcpy(t->prior + i * n, ratios + i * n, sizeof(double) * (size_t)count);
}

/* `solver._at`: evaluate at the trial's parameters, with the priors of ratios in `ratios`. */
WIDE static int evaluated(const struct problem *s, struct trial *t, const double *ratios, Lane *lanes,
                     double *work)
{
    int64_t n = n_linear(s), size = 2 * s->model.n_bins, count = s->model.n_components;
    mrs_disc_components(&s->model, t->parameters, &t->at, lanes, t->design);
    mrs_disc_humps(&s->humps, s->model.n_bins, t->parameters[PHASE], t->parameters[DELAY],
                   t->design + count * size);
    mrs_disc_square((int)n, (int)size, t->design, t->gram, (int)n);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++)
            t->gram[i * n + j] = t->gram[j * n + i];
        t->projected[i] = mrs_disc_dot(size, t->design + i * size, s->data);
    }
    set_prior(s, t, ratios);
    return solved(s, t, work);
}

void mrs_disc_ratio_precision(const struct problem *s, const double *squares,
                              const double *amplitude, int tails, double *matrix, int64_t stride)
{
    for (int64_t k = 0; k < s->n_ratios; k++) {
        const double *ratio = s->ratios + 5 * k;
        if (ratio[4] != 0.0 && !tails)
            continue;
        int64_t above = (int64_t)ratio[0], below = (int64_t)ratio[1];
        double a = amplitude[above], b = amplitude[below], mean = ratio[2];
        double error = 1 / sqrt(squares[below] > TINY ? squares[below] : TINY);
        double error_above = 1 / sqrt(squares[above] > TINY ? squares[above] : TINY);
        double scale = ratio[3] * (fabs(b) > error ? fabs(b) : error), off = a - mean * b;
        double squared = (off * off - error_above * error_above) / (scale * scale);
        if (ratio[4] != 0.0 && squared > 1)
            scale *= sqrt((1 + squared) / 2);
        double first = 1 / scale, second = -mean / scale;
        matrix[above * stride + above] += first * first;
        matrix[below * stride + below] += second * second;
        matrix[above * stride + below] += first * second;
        matrix[below * stride + above] += first * second;
    }
}

/* `solver._with_ratios`: the priors of ratios taken at the amplitudes. */
static int with_ratios(const struct problem *s, struct trial *t, double *work)
{
    if (!s->n_ratios)
        return 0;
    int64_t n = n_linear(s), count = s->model.n_components;
    set_prior(s, t, 0);
    for (int64_t k = 0; k < count; k++)
        work[k] = t->gram[k * (n + 1)];
    mrs_disc_ratio_precision(s, work, t->amplitude, 1, t->prior, n);
    return solved(s, t, work);
}

/* `solver._normal_equations`: upper triangle and right side; returns how many parameters are free
 * and which. */
WIDE static int64_t equations(const struct problem *s, struct trial *t, Lane *lanes, double *matrix,
                         double *right, int64_t *free)
{
    int64_t n = n_linear(s), nl = n_nonlinear(&s->model), size = 2 * s->model.n_bins, all = n + nl;
    double *slopes = t->design + n * size;
    mrs_disc_slopes(&s->model, &s->humps, t->parameters, &t->at, t->design, t->amplitude, lanes,
                    slopes);
    for (int64_t i = 0; i < n; i++) {
        memcpy(matrix + i * all, t->gram + i * n, sizeof(double) * (size_t)n);
        for (int64_t j = 0; j < n; j++)
            matrix[i * all + j] += t->prior[i * n + j];
    }
    mrs_disc_product((int)n, (int)nl, (int)size, t->design, slopes, matrix + n, (int)all);
    mrs_disc_square((int)nl, (int)size, slopes, matrix + n * (all + 1), (int)all);
    for (int64_t i = 0; i < n; i++)
        right[i] = mrs_disc_dot(size, t->design + i * size, t->residual) -
                   mrs_disc_dot(n, t->prior + i * n, t->amplitude);
    int64_t n_free = 0;
    for (int64_t i = 0; i < nl; i++) {
        double p = t->parameters[i];
        matrix[(n + i) * (all + 1)] += s->precision[i];
        double force = mrs_disc_dot(size, slopes + i * size, t->residual) - s->precision[i] * p;
        right[n + i] = force;
        int held = (p <= s->low[i] && force < 0) || (p >= s->high[i] && force > 0);
        if (!s->fixed[i] && !held)
            free[n_free++] = i;
    }
    return n_free;
}

/* `solver._step`: where a damped step leads. 0: there, 1: none is worth it, 2: singular. */
static int step(const struct problem *s, const struct trial *now, struct trial *next,
                const double *matrix, const double *right, const int64_t *free, int64_t n_free,
                double damping, Lane *lanes, double *work)
{
    int64_t n = n_linear(s), nl = n_nonlinear(&s->model), all = n + nl, used = n + n_free;
    double *damped = work, *step = work + all * all, *move = step + all, predicted = 0.0;
    for (int64_t i = 0; i < used; i++) {
        int64_t row = i < n ? i : n + free[i - n];
        for (int64_t j = i; j < used; j++)
            damped[i * used + j] = matrix[row * all + (j < n ? j : n + free[j - n])];
        if (i >= n)
            damped[i * used + i] *= 1 + damping;
        step[i] = right[row];
    }
    if (mrs_disc_solve_positive((int)used, damped, 1, step, move))
        return 2;
    for (int64_t i = 0; i < used; i++)
        predicted += right[i < n ? i : n + free[i - n]] * step[i];
    if (predicted < s->tolerance + s->rounding)
        return 1;
    double longest = 1.0;
    memset(move, 0, sizeof(double) * (size_t)nl);
    for (int64_t i = 0; i < n_free; i++) {
        move[free[i]] = step[n + i];
        if (free[i] < N_COMMON && fabs(step[n + i]) / s->stride[free[i]] > longest)
            longest = fabs(step[n + i]) / s->stride[free[i]];
    }
    for (int64_t i = 0; i < nl; i++) {
        double p = now->parameters[i] + move[i] / longest;
        p = p > s->low[i] ? p : s->low[i];
        next->parameters[i] = p < s->high[i] ? p : s->high[i];
    }
    /* The priors of ratios stay until the step is taken, or costs could not be compared: they lie
     * in rows of n, as `set_prior` wants them. */
    return evaluated(s, next, now->prior, lanes, work) ? 2 : 0;
}

/* Levenberg's and Marquardt's steps from `parameters`: `solver.solve` without its last turn.
 *
 * Returns 0 (converged), 1 (not), or 2 where nothing is to be used. `parameters` in and out,
 * `amplitude` (component + hump,), `design` (component, datum), `of` {cost, square sum of the
 * residual}: out.
 */
int mrs_disc_solve(const struct problem *s, double *parameters, double *amplitude, double *design,
                   double *of)
{
    int64_t n = n_linear(s), nl = n_nonlinear(&s->model), size = 2 * s->model.n_bins, all = n + nl;
    size_t lanes_size = 2 * (size_t)s->model.n_points * sizeof(Lane) / 8;
    size_t equations_size = 2 * (size_t)(all * all) + 6 * (size_t)all;
    double *memory =
        malloc(sizeof(double) * (2 * trial_size(s) + lanes_size + equations_size) + 8 * (size_t)nl);
    if (!memory)
        return 2;
    struct trial trials[2], *now = trials, *next = trials + 1;
    lay_out(s, memory, now);
    lay_out(s, memory + trial_size(s), next);
    Lane *lanes = (Lane *)(memory + 2 * trial_size(s));
    double *matrix = (double *)lanes + lanes_size, *right = matrix + all * all, *work = right + all;
    int64_t *free_ones = (int64_t *)(matrix + equations_size);

    for (int64_t i = 0; i < nl; i++) {
        double p = parameters[i] > s->low[i] ? parameters[i] : s->low[i];
        now->parameters[i] = p < s->high[i] ? p : s->high[i];
    }
    int fault = evaluated(s, now, 0, lanes, work) || with_ratios(s, now, work), state = 1;
    double damping = s->first_damping;
    for (int64_t iteration = 0; !fault && state == 1 && iteration < s->iterations; iteration++) {
        int64_t n_free = equations(s, now, lanes, matrix, right, free_ones);
        int went = step(s, now, next, matrix, right, free_ones, n_free, damping, lanes, work);
        /* A step that does not lead down is tried again, shorter and more along the gradient. */
        while (went == 0 && next->cost > now->cost + s->rounding) {
            damping = 10 * damping > s->first_damping ? 10 * damping : s->first_damping;
            if (damping >= s->most_damping)
                break;
            went = step(s, now, next, matrix, right, free_ones, n_free, damping, lanes, work);
        }
        if (went == 0 && next->cost > now->cost + s->rounding)
            break;
        fault = went == 2;
        if (went == 1)
            state = 0;
        if (went)
            break;
        /* One that does is trusted more: the next is nearer to Gauss and Newton's own. */
        damping = damping > s->least_damping ? 0.1 * damping : 0.0;
        struct trial *other = now;
        now = next;
        next = other;
        fault = with_ratios(s, now, work);
    }
    memcpy(parameters, now->parameters, sizeof(double) * (size_t)nl);
    memcpy(amplitude, now->amplitude, sizeof(double) * (size_t)n);
    memcpy(design, now->design, sizeof(double) * (size_t)(s->model.n_components * size));
    of[0] = now->cost;
    of[1] = mrs_disc_dot(size, now->residual, now->residual);
    free(memory);
    return fault ? 2 : state;
}
