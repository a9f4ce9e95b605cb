/* BatchNormalization of rows of channels, with the ReLU that follows it.

   Coefficients of the channels are repeated up to a period of at least
   PERIOD floats, so that the inner loops are long however few the channels.
   Rows go in chunks that do not depend on the number of threads, and what
   the chunks give is added in order: the result is the same for any. */

#include "vectors.h"
#include "threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD 64
#define CHUNK 8192   /* floats, about: two of them fit the first cache */
#define LEAST_PART 32768  /* floats: then merging the parts costs little */
#define MOST_PARTS 64
#define ROWS 4  /* for which the sums of a column are loaded and stored once */
#define INLINE static inline __attribute__((always_inline))

struct rows {
    size_t channels, n, period;  /* period: floats, whole rows */
    size_t part;                 /* rows of a part, whole periods */
    size_t parts;
};

static struct rows make_rows(size_t channels, size_t n)
{
    struct rows r = {channels, n, channels, 0, 0};
    size_t in_period, step;
    if (channels < PERIOD)
        r.period = channels * ((PERIOD + channels - 1) / channels);
    in_period = r.period / channels;
    step = (n + MOST_PARTS - 1) / MOST_PARTS;
    r.part = (step + in_period - 1) / in_period * in_period;
    if (r.part * channels < LEAST_PART)
        r.part = (LEAST_PART / r.period + 1) * in_period;
    r.parts = (n + r.part - 1) / r.part;
    return r;
}

/* Fills the period with the values of the channels at its start. */
static void repeat(const struct rows *r, float *values)
{
    for (size_t i = r->channels; i < r->period; ++i)
        values[i] = values[i - r->channels];
}

static float *repeated(const struct rows *r, const float *values)
{
    float *to = malloc(r->period * sizeof(float));
    if (to != NULL) {
        memcpy(to, values, r->channels * sizeof(float));
        repeat(r, to);
    }
    return to;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first float of a part, and how many it has. */
static size_t first_of(const struct rows *r, size_t index, size_t *n)
{
    size_t first = index * r->part;
    *n = smaller(r->n - first, r->part) * r->channels;
    return first * r->channels;
}

/* Sums over the rows of a part, in double from chunk to chunk. */
struct sums {
    struct rows rows;
    const float *x, *gy, *center, *scale, *beta;
    double *first, *second;  /* parts x channels */
    int failed;
};

INLINE void add_rows_moments(
    const float *restrict x, size_t rows, size_t period, size_t columns,
    const float *restrict center, float *restrict s, float *restrict q)
{
    for (size_t j = 0; j < columns; ++j) {
        float sum = s[j], square = q[j];
        for (size_t k = 0; k < rows; ++k) {
            float d = x[k * period + j] - center[j];
            sum += d;
            square += d * d;
        }
        s[j] = sum;
        q[j] = square;
    }
}

CLONES static void add_moments(
    const float *x, size_t n, size_t period, const float *center, float *s,
    float *q)
{
    size_t i = 0;
    for (; i + ROWS * period <= n; i += ROWS * period)
        add_rows_moments(x + i, ROWS, period, period, center, s, q);
    for (; i < n; i += period)
        add_rows_moments(
            x + i, 1, period, smaller(n - i, period), center, s, q);
}

INLINE void add_rows_gradients(
    const float *restrict x, const float *restrict gy, size_t rows,
    size_t period, size_t columns, const float *restrict center,
    const float *restrict scale, const float *restrict beta, int relu,
    float *restrict s, float *restrict q)
{
    for (size_t j = 0; j < columns; ++j) {
        float sum = s[j], product = q[j];
        for (size_t k = 0; k < rows; ++k) {
            size_t i = k * period + j;
            float d = x[i] - center[j], g = gy[i];
            if (relu)
                g = scale[j] * d + beta[j] > 0 ? g : 0;
            sum += g;
            product += g * d;
        }
        s[j] = sum;
        q[j] = product;
    }
}

INLINE void add_all_gradients(
    const float *x, const float *gy, size_t n, size_t period,
    const float *center, const float *scale, const float *beta, int relu,
    float *s, float *q)
{
    size_t i = 0;
    for (; i + ROWS * period <= n; i += ROWS * period)
        add_rows_gradients(x + i, gy + i, ROWS, period, period, center,
                           scale, beta, relu, s, q);
    for (; i < n; i += period)
        add_rows_gradients(x + i, gy + i, 1, period, smaller(n - i, period),
                           center, scale, beta, relu, s, q);
}

/* Where beta is given, a ReLU followed: its sign is had from x again. */
CLONES static void add_gradients(
    const float *x, const float *gy, size_t n, size_t period,
    const float *center, const float *scale, const float *beta, float *s,
    float *q)
{
    if (beta != NULL)
        add_all_gradients(x, gy, n, period, center, scale, beta, 1, s, q);
    else
        add_all_gradients(x, gy, n, period, center, scale, NULL, 0, s, q);
}

/* Folds the period into the channels and empties it. */
CLONES static void fold(const struct rows *r, float *values, double *to)
{
    for (size_t i = 0; i < r->period; i += r->channels)
        for (size_t j = 0; j < r->channels; ++j)
            to[j] += values[i + j];
    memset(values, 0, r->period * sizeof(float));
}

/* The sums of x - c and (x - c)^2, about the mean c of the part's first
   rows; then about zero and the mean: what the part's moments are. */
static void do_moments(void *work, size_t index, int worker)
{
    struct sums *job = work;
    const struct rows *r = &job->rows;
    size_t c = r->channels, n;
    const float *x = job->x + first_of(r, index, &n);
    double *sum = job->first + index * c, *square = job->second + index * c;
    float *s = calloc(3 * r->period, sizeof(float));
    float *q, *center;
    size_t step = CHUNK / r->period * r->period;
    size_t head = smaller(n, r->period);
    (void)worker;
    if (s == NULL) {
        job->failed = 1;
        return;
    }
    q = s + r->period;
    center = q + r->period;
    step = step ? step : r->period;
    add_moments(x, head, r->period, center, s, q);
    fold(r, s, sum);
    memset(q, 0, r->period * sizeof(float));
    for (size_t j = 0; j < c; ++j)
        center[j] = (float)(sum[j] / (double)(head / c));
    repeat(r, center);
    memset(sum, 0, c * sizeof(double));
    for (size_t start = 0; start < n; start += step) {
        add_moments(x + start, smaller(n - start, step), r->period, center,
                    s, q);
        fold(r, s, sum);
        fold(r, q, square);
    }
    for (size_t j = 0; j < c; ++j) {
        double count = (double)(n / c), off = sum[j] / count;
        square[j] -= count * off * off;
        sum[j] = count * (center[j] + off);
    }
    free(s);
}

/* Mean and (biased) variance of each channel of x, shape (n, channels). */
int quantized_net_channel_moments(
    const float *x, size_t n, size_t channels, float *mean, float *variance)
{
    struct sums job = {.rows = make_rows(channels, n), .x = x};
    const struct rows *r = &job.rows;
    job.first = calloc(2 * r->parts * channels, sizeof(double));
    if (job.first == NULL)
        return -1;
    job.second = job.first + r->parts * channels;
    quantized_net_parallel(do_moments, &job, r->parts, ALL_WORKERS);
    for (size_t j = 0; j < channels; ++j) {
        double total = 0, square = 0, m;
        for (size_t p = 0; p < r->parts; ++p)
            total += job.first[p * channels + j];
        m = total / (double)n;
        for (size_t p = 0; p < r->parts; ++p) {
            double count = (double)smaller(r->n - p * r->part, r->part);
            double off = job.first[p * channels + j] / count - m;
            square += job.second[p * channels + j] + count * off * off;
        }
        mean[j] = (float)m;
        variance[j] = (float)(square / (double)n);
    }
    free(job.first);
    return job.failed ? -1 : 0;
}

/* y = scale * (x - center) + shift, and its positive part. */
struct affine {
    struct rows rows;
    const float *x, *gy, *added;
    float *to, *center, *scale, *shift, *slope, *beta;
    int relu;
};

CLONES static void transform(
    const float *restrict x, const float *restrict added, size_t n,
    size_t period, const float *restrict center, const float *restrict scale,
    const float *restrict shift, int relu, float *restrict y)
{
    for (size_t start = 0; start < n; start += period) {
        size_t m = n - start < period ? n - start : period;
        for (size_t j = 0; j < m; ++j)
            y[start + j] = scale[j] * (x[start + j] - center[j]) + shift[j];
        if (added != NULL)
            for (size_t j = 0; j < m; ++j)
                y[start + j] += added[start + j];
        if (relu)
            for (size_t j = 0; j < m; ++j)
                y[start + j] = y[start + j] < 0 ? 0 : y[start + j];
    }
}

static void do_transform(void *work, size_t index, int worker)
{
    struct affine *job = work;
    size_t n, first = first_of(&job->rows, index, &n);
    (void)worker;
    transform(
        job->x + first, job->added ? job->added + first : NULL, n,
        job->rows.period, job->center, job->scale, job->shift, job->relu,
        job->to + first);
}

int quantized_net_batch_normalization(
    const float *x, const float *residual, size_t n, size_t channels,
    const float *center, const float *scale, const float *shift, int relu,
    float *y)
{
    struct affine job = {
        .rows = make_rows(channels, n), .x = x, .added = residual,
        .to = y, .relu = relu};
    int failed = -1;
    job.center = repeated(&job.rows, center);
    job.scale = repeated(&job.rows, scale);
    job.shift = repeated(&job.rows, shift);
    if (job.center != NULL && job.scale != NULL && job.shift != NULL) {
        quantized_net_parallel(
            do_transform, &job, job.rows.parts, ALL_WORKERS);
        failed = 0;
    }
    free(job.center);
    free(job.scale);
    free(job.shift);
    return failed;
}

static void do_gradient_sums(void *work, size_t index, int worker)
{
    struct sums *job = work;
    const struct rows *r = &job->rows;
    size_t n, first = first_of(r, index, &n);
    double *sum = job->first + index * r->channels;
    double *product = job->second + index * r->channels;
    float *s = calloc(2 * r->period, sizeof(float)), *q;
    size_t step = CHUNK / r->period * r->period;
    (void)worker;
    if (s == NULL) {
        job->failed = 1;
        return;
    }
    q = s + r->period;
    step = step ? step : r->period;
    for (size_t start = 0; start < n; start += step) {
        add_gradients(
            job->x + first + start, job->gy + first + start,
            smaller(n - start, step), r->period, job->center, job->scale,
            job->beta, s, q);
        fold(r, s, sum);
        fold(r, q, product);
    }
    free(s);
}

CLONES static void input_gradient(
    const float *restrict x, const float *restrict gy,
    const float *restrict added, size_t n, size_t period,
    const float *restrict center, const float *restrict scale,
    const float *restrict slope, const float *restrict shift,
    const float *restrict beta, float *restrict gx)
{
    for (size_t start = 0; start < n; start += period) {
        size_t m = n - start < period ? n - start : period;
        if (beta != NULL)
            for (size_t j = 0; j < m; ++j) {
                float d = x[start + j] - center[j];
                float g = scale[j] * d + beta[j] > 0 ? gy[start + j] : 0;
                gx[start + j] = scale[j] * g + slope[j] * d + shift[j];
            }
        else
            for (size_t j = 0; j < m; ++j)
                gx[start + j] = scale[j] * gy[start + j]
                    + slope[j] * (x[start + j] - center[j]) + shift[j];
        if (added != NULL)
            for (size_t j = 0; j < m; ++j)
                gx[start + j] += added[start + j];
    }
}

static void do_input_gradient(void *work, size_t index, int worker)
{
    struct affine *job = work;
    size_t n, first = first_of(&job->rows, index, &n);
    (void)worker;
    input_gradient(
        job->x + first, job->gy + first,
        job->added ? job->added + first : NULL, n, job->rows.period,
        job->center, job->scale, job->slope, job->shift, job->beta,
        job->to + first);
}

/* The gradients of BatchNormalization with the batch's moments.  beta is
   given where a ReLU followed; added, to what gx is to be added. */
int quantized_net_batch_normalization_gradient(
    const float *x, const float *gy, const float *added, size_t n,
    size_t channels, const float *mean, const float *inv_std,
    const float *gamma, const float *beta, float *gx, float *ggamma,
    float *gbeta)
{
    struct rows rows = make_rows(channels, n);
    size_t c = channels, period = rows.period;
    int failed = -1;
    float *coefficients = malloc(5 * period * sizeof(float));
    double *first = calloc(2 * rows.parts * c, sizeof(double));
    if (coefficients == NULL || first == NULL)
        goto end;
    struct affine job = {
        .rows = rows, .x = x, .gy = gy, .added = added, .to = gx,
        .center = coefficients, .scale = coefficients + period,
        .slope = coefficients + 2 * period,
        .shift = coefficients + 3 * period,
        .beta = beta == NULL ? NULL : coefficients + 4 * period};
    struct sums sums = {
        .rows = rows, .x = x, .gy = gy, .center = job.center,
        .scale = job.scale, .beta = job.beta, .first = first,
        .second = first + rows.parts * c};
    for (size_t j = 0; j < c; ++j) {
        job.center[j] = mean[j];
        job.scale[j] = gamma[j] * inv_std[j];
        if (beta != NULL)
            job.beta[j] = beta[j];
    }
    repeat(&rows, job.center);
    repeat(&rows, job.scale);
    if (beta != NULL)
        repeat(&rows, job.beta);
    quantized_net_parallel(
        do_gradient_sums, &sums, rows.parts, ALL_WORKERS);
    if (sums.failed)
        goto end;
    for (size_t j = 0; j < c; ++j) {
        double sum = 0, product = 0;
        for (size_t p = 0; p < rows.parts; ++p) {
            sum += sums.first[p * c + j];
            product += sums.second[p * c + j];
        }
        gbeta[j] = (float)sum;
        ggamma[j] = (float)(product * inv_std[j]);
    }
    for (size_t j = 0; j < c; ++j) {
        float scale = -job.scale[j] / (float)n;
        job.slope[j] = scale * inv_std[j] * ggamma[j];
        job.shift[j] = scale * gbeta[j];
    }
    repeat(&rows, job.slope);
    repeat(&rows, job.shift);
    quantized_net_parallel(do_input_gradient, &job, rows.parts, ALL_WORKERS);
    failed = 0;
end:
    free(coefficients);
    free(first);
    return failed;
}
