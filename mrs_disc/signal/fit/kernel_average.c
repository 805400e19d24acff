/* The linear problem about a point, compiled: `linear._rows` and `linear._linearized`, which
 * state the algebra with all symbols; `tests/signal/test_kernel.py` holds both against each other.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define SURE 5e3 /* `linear._SURE` */

/* What `posterior` adds to `solver.Problem` at a point. */
struct expansion {
    const double *parameters, *amplitude, *areas; /* the point */
    const double *weak;                           /* (nonlinear,): precision about the point */
    int64_t n_sites, knows_tails; /* whether ratios with tails are among the sites */
    const int64_t *site_rows;     /* (site, 2): its row, and another of which it holds a multiple */
    const double *site_multiple, *site_precision, *site_force; /* no other row: -1 */
    const double *products; /* (hump, hump, 2): scalar products of the humps' spectra */
};

/* What comes out, rows first: `chains.LinearProblem`, and X over Z. */
struct linear {
    double *rows; /* (parameter + coordinate, datum) */
    double *curvature, *force, *centre, *response, *covariance;
};

/* Scalar products of the humps at a delay, `humps.HumpGrid.gram`: upper triangle in rows of `size`. */
WIDE static void hump_products(const struct humps *h, const double *products, double delay,
                               double *gram, int64_t size, double *turn)
{
    double *restrict cosine = turn, *restrict sine = turn + h->n;
    for (int64_t g = 0; g < h->n; g++) {
        double angle = 2 * M_PI * h->frequency[g] * delay;
        cosine[g] = cos(angle);
        sine[g] = sin(angle);
    }
    for (int64_t g = 0; g < h->n; g++) {
        const double *row = products + 2 * g * h->n;
        double c = cosine[g], s = sine[g], *restrict to = gram + g * size;
        for (int64_t k = g; k < h->n; k++) {
            double along = c * cosine[k] + s * sine[k], across = s * cosine[k] - c * sine[k];
            to[k] = along * row[2 * k] - across * row[2 * k + 1];
        }
    }
}

/* Copy the upper triangle to the lower, in blocks that stay in the cache. */
static void mirrored(int64_t size, double *matrix)
{
    for (int64_t i0 = 0; i0 < size; i0 += 16)
        for (int64_t k0 = 0; k0 <= i0; k0 += 16)
            for (int64_t i = i0; i < i0 + 16 && i < size; i++)
                for (int64_t k = k0; k < k0 + 16 && k < i; k++)
                    matrix[i * size + k] = matrix[k * size + i];
}

/* `linear._amplification`: `response` (drawn, n) without the scale of M, `diagonal` that of Z Z^T. */
static double amplification(int64_t n_drawn, int64_t n, const double *response, const double *diagonal)
{
    double sum = 0.0;
    for (int64_t k = 0; k < n_drawn; k++)
        sum += mrs_disc_dot(n, response + k * n, response + k * n) /
               (diagonal[k] > TINY ? diagonal[k] : TINY);
    return sum;
}

/* The curvature with as much on its diagonal as rounding needs: `linear._positive`. The upper
 * triangle is given; `copy` (size, size), `diagonal` that of Z Z^T. */
static void made_positive(int64_t size, double *curvature, const double *diagonal, int is_sure,
                          double *copy)
{
    static const double shares[] = {1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3};
    int n = (int)size;
    for (int trial = 0; trial < 6; trial++) {
        int fault = 0;
        if (!is_sure) {
            for (int64_t i = 0; i < size; i++) {
                memcpy(copy + i * size + i, curvature + i * size + i,
                       sizeof(double) * (size_t)(size - i));
                copy[i * size + i] += shares[trial] * diagonal[i] + TINY;
            }
            mrs_disc_linear.potrf("L", &n, copy, &n, &fault);
        }
        if (fault)
            continue;
        for (int64_t i = 0; i < size; i++)
            curvature[i * size + i] += shares[trial] * diagonal[i] + TINY;
        return;
    }
    memset(curvature, 0, sizeof(double) * (size_t)(size * size));
    for (int64_t i = 0; i < size; i++)
        curvature[i * size + i] = diagonal[i];
}

/* Rows of `mrs_disc_rows` (components, humps, derivatives) in the order of `struct linear`. */
static void sorted(const struct problem *s, const double *found, double *rows)
{
    int64_t count = s->model.n_components, nl = n_nonlinear(&s->model), size = 2 * s->model.n_bins;
    size_t row = sizeof(double) * (size_t)size;
    const double *slopes = found + (count + s->humps.n) * size;
    memcpy(rows, found, row * (size_t)count);
    double *to = rows + count * size;
    for (int64_t i = 0; i < nl; i++)
        if (i != GAUSS2 && i != DELAY) {
            memcpy(to, slopes + i * size, row);
            to += size;
        }
    memcpy(to, slopes + GAUSS2 * size, row);
    memcpy(to + size, slopes + DELAY * size, row);
    memcpy(to + 2 * size, found + count * size, row * (size_t)s->humps.n);
}

/* X X^T + P (upper triangle) and P p_0: `linear.prior_precision` and `linear._priors`. */
static void add_priors(const struct problem *s, const struct expansion *e, const double *design,
                       double *matrix, double *prior_force)
{
    int64_t count = s->model.n_components, nl = n_nonlinear(&s->model), n = count + nl - 2;
    double *ratios = calloc((size_t)(count * count + count), sizeof(double)), *squares = ratios + count * count;
    for (int64_t k = 0; k < count; k++)
        squares[k] = mrs_disc_dot(2 * s->model.n_bins, design + k * 2 * s->model.n_bins,
                                  design + k * 2 * s->model.n_bins);
    mrs_disc_ratio_precision(s, squares, e->amplitude, !e->knows_tails, ratios, count);
    memset(prior_force, 0, sizeof(double) * (size_t)n);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = i; j < count; j++)
            matrix[i * n + j] += ratios[i * count + j];
    int64_t row = count;
    for (int64_t i = 0; i < nl; i++)
        if (i != GAUSS2 && i != DELAY) {
            matrix[row * (n + 1)] += s->precision[i] + e->weak[i];
            prior_force[row++] = e->weak[i] * e->parameters[i];
        }
    for (int64_t k = 0; k < e->n_sites; k++) {
        int64_t row = e->site_rows[2 * k], other = e->site_rows[2 * k + 1];
        double multiple = e->site_multiple[k], precision = e->site_precision[k];
        matrix[row * (n + 1)] += precision;
        prior_force[row] += e->site_force[k];
        if (other < 0)
            continue;
        int64_t first = row < other ? row : other, second = row < other ? other : row;
        matrix[other * (n + 1)] += precision * multiple * multiple;
        matrix[first * n + second] += precision * multiple;
        prior_force[other] += e->site_force[k] * multiple;
    }
    free(ratios);
}

/* Linearize about a point and integrate out what is not drawn; 0, or 1 where it cannot be. */
int mrs_disc_linearize(const struct problem *s, const struct expansion *e, const struct linear *to)
{
    int64_t count = s->model.n_components, nl = n_nonlinear(&s->model), size = 2 * s->model.n_bins;
    int64_t n = count + nl - 2, n_drawn = 2 + s->humps.n, n_right = n_drawn + 1 + n;
    int64_t n_rows = n + n_drawn, large = n_rows * size > n_drawn * n_drawn ? n_rows * size : n_drawn * n_drawn;
    double *work = malloc(sizeof(double) * (size_t)(large + n * n + n_right * n + size + 3 * n_rows +
                                                    2 * s->humps.n + count + s->humps.n));
    if (!work)
        return 1;
    double *matrix = work + large, *right = matrix + n * n, *data = right + n_right * n;
    double *prior_force = data + size, *scale = prior_force + n_rows, *diagonal = scale + n_rows;
    double *turn = diagonal + n_rows, *amounts = turn + 2 * s->humps.n;
    double *X = to->rows, *Z = to->rows + n * size;

    memcpy(amounts, e->amplitude, sizeof(double) * (size_t)count);
    memcpy(amounts + count, e->areas, sizeof(double) * (size_t)s->humps.n);
    if (mrs_disc_rows(&s->model, &s->humps, e->parameters, amounts, work)) {
        free(work);
        return 1;
    }
    sorted(s, work, to->rows);

    /* y: the data plus the slopes at the point times the parameters there. */
    memcpy(data, s->data, sizeof(double) * (size_t)size);
    int64_t row = count;
    for (int64_t i = 0; i < nl; i++) {
        const double *slope = i == GAUSS2 ? Z : i == DELAY ? Z + size : X + row++ * size;
        for (int64_t d = 0; d < size; d++)
            data[d] += e->parameters[i] * slope[d];
    }

    /* M = X X^T + P, with ones on its diagonal, and its Cholesky factor L. */
    mrs_disc_square((int)n, (int)size, X, matrix, (int)n);
    add_priors(s, e, X, matrix, prior_force);
    for (int64_t i = 0; i < n; i++)
        scale[i] = 1 / sqrt(matrix[i * n + i] > TINY ? matrix[i * n + i] : TINY);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = i; j < n; j++)
            matrix[i * n + j] *= scale[i] * scale[j];
        matrix[i * n + i] += 1e-13;
    }
    int order = (int)n, columns = (int)n_right, fault = 0;
    mrs_disc_linear.potrf("L", &order, matrix, &order, &fault);
    if (fault) {
        free(work);
        return 1;
    }

    /* Right sides, one a row: Z X^T, then X y + P p_0, then one for each column of the inverse. */
    double *whole = right + n_drawn * n, *inverse = whole + n;
    mrs_disc_product((int)n_drawn, (int)n, (int)size, Z, X, right, (int)n);
    memset(inverse, 0, sizeof(double) * (size_t)(n * n));
    for (int64_t i = 0; i < n; i++) {
        whole[i] = mrs_disc_dot(size, X + i * size, data) + prior_force[i];
        inverse[i * (n + 1)] = 1.0;
    }
    for (int64_t k = 0; k < n_right; k++)
        for (int64_t i = 0; i < n; i++)
            right[k * n + i] *= scale[i];
    double one = 1.0, minus = -1.0;
    mrs_disc_linear.trsm("L", "L", "N", "N", &order, &columns, &one, matrix, &order, right, &order);

    /* Q = Z Z^T - (L^-1 X Z^T)^T (L^-1 X Z^T), and h = Z y - (...)^T L^-1 (X y + P p_0). */
    double *Q = to->curvature;
    for (int64_t i = 0; i < 2; i++)
        for (int64_t k = i; k < n_drawn; k++)
            Q[i * n_drawn + k] = mrs_disc_dot(size, Z + i * size, Z + k * size);
    hump_products(&s->humps, e->products, e->parameters[DELAY], Q + 2 * n_drawn + 2, n_drawn, turn);
    for (int64_t i = 0; i < n_drawn; i++) {
        diagonal[i] = Q[i * (n_drawn + 1)];
        to->force[i] = mrs_disc_dot(size, Z + i * size, data) - mrs_disc_dot(n, right + i * n, whole);
    }
    int drawn = (int)n_drawn;
    mrs_disc_linear.syrk("L", "T", &drawn, &order, &minus, right, &order, &one, Q, &drawn);

    /* The rest of the way: M^-1 times the right sides. */
    mrs_disc_linear.trsm("L", "L", "T", "N", &order, &columns, &one, matrix, &order, right, &order);
    int is_sure = amplification(n_drawn, n, right, diagonal) < SURE;
    made_positive(n_drawn, Q, diagonal, is_sure, work);
    mirrored(n_drawn, Q);
    for (int64_t i = 0; i < n; i++) {
        to->centre[i] = scale[i] * whole[i];
        for (int64_t k = 0; k < n; k++)
            to->covariance[i * n + k] = scale[i] * inverse[k * n + i];
        for (int64_t k = 0; k < n_drawn; k++)
            to->response[i * n_drawn + k] = scale[i] * right[k * n + i];
    }
    free(work);
    return 0;
}
