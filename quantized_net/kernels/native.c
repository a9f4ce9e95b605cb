/* The loops over the elements of arrays, in plain C that the compiler
   vectorises.

   Each has a NumPy reference of the same signature in the Python file of its
   name, and gives the same bits: one rounding for each operation, in the
   reference's order, and no fused multiply-add (-ffp-contract=off).  Long
   arrays go in chunks, which the threads share out; sums are those of the
   chunks, in their order, whatever the number of threads.

   Every kernel answers 0 where it did its work, -1 where memory lacked.  NaN
   and infinity are never lost on the way. */

#include "threads.h"
#include "vectors.h"

#include <math.h>
#include <stdlib.h>

#define CHUNK ((size_t)1 << 15)

static size_t n_chunks(size_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

/* Elements of a chunk. */
static size_t length_of(size_t n, size_t chunk)
{
    size_t left = n - chunk * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

struct pass {
    const float *x, *g;
    float *y, *m, *v;
    const int8_t *codes;
    int8_t *new_codes;
    size_t n;
    float scalars[5];
    double *sums;
};

static void go_over(quantized_net_part part, struct pass *pass)
{
    quantized_net_parallel(part, pass, n_chunks(pass->n), ALL_WORKERS);
}

static CLONES void do_sign(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    const float *restrict x = p->x + chunk * CHUNK;
    float *restrict y = p->y + chunk * CHUNK;
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i)
        y[i] = x[i] >= 0 ? 1.f : x[i] < 0 ? -1.f : x[i];
}

int quantized_net_sign(const float *x, float *y, size_t n)
{
    struct pass pass = {.x = x, .y = y, .n = n};
    go_over(do_sign, &pass);
    return 0;
}

static CLONES void do_pass_inside(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    const float *restrict x = p->x + chunk * CHUNK;
    const float *restrict gy = p->g + chunk * CHUNK;
    float *restrict gx = p->y + chunk * CHUNK;
    float bound = p->scalars[0];
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i)
        gx[i] = gy[i] * where(fabsf(x[i]) <= bound, 1);
}

int quantized_net_pass_inside(
    const float *x, const float *gy, float *gx, size_t n, float bound)
{
    struct pass pass = {
        .x = x, .g = gy, .y = gx, .n = n, .scalars = {bound}};
    go_over(do_pass_inside, &pass);
    return 0;
}

static CLONES void do_clip(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    float *restrict x = p->y + chunk * CHUNK;
    float low = p->scalars[0], high = p->scalars[1];
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i) {
        float above = x[i] < low ? low : x[i];
        x[i] = above > high ? high : above;
    }
}

int quantized_net_clip(float *x, size_t n, float low, float high)
{
    struct pass pass = {.y = x, .n = n, .scalars = {low, high}};
    go_over(do_clip, &pass);
    return 0;
}

static CLONES void do_add(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    float *restrict y = p->y + chunk * CHUNK;
    const float *restrict x = p->x + chunk * CHUNK;
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i)
        y[i] += x[i];
}

int quantized_net_add(float *y, const float *x, size_t n)
{
    struct pass pass = {.x = x, .y = y, .n = n};
    go_over(do_add, &pass);
    return 0;
}

static CLONES void do_adam(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    float *restrict x = p->y + chunk * CHUNK;
    const float *restrict g = p->g + chunk * CHUNK;
    float *restrict m = p->m + chunk * CHUNK;
    float *restrict v = p->v + chunk * CHUNK;
    float one_minus_beta1 = p->scalars[0], one_minus_beta2 = p->scalars[1];
    float eps = p->scalars[2], alpha_t = p->scalars[3], eta = p->scalars[4];
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i) {
        m[i] += one_minus_beta1 * (g[i] - m[i]);
        v[i] += one_minus_beta2 * (g[i] * g[i] - v[i]);
        x[i] -= alpha_t / (sqrtf(v[i]) + eps) * m[i] * eta;
    }
}

int quantized_net_adam(
    float *x, const float *g, float *m, float *v, size_t n,
    float one_minus_beta1, float one_minus_beta2, float eps, float alpha_t,
    float eta)
{
    struct pass pass = {
        .y = x, .g = g, .m = m, .v = v, .n = n,
        .scalars = {one_minus_beta1, one_minus_beta2, eps, alpha_t, eta}};
    go_over(do_adam, &pass);
    return 0;
}

static CLONES void do_powers_of_two(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    const float *restrict x = p->x + chunk * CHUNK;
    float *restrict y = p->y + chunk * CHUNK;
    float largest = p->scalars[0], least = p->scalars[1];
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i) {
        float c = x[i] > largest ? largest : x[i];
        uint32_t bits;
        c = c < -largest ? -largest : c;
        memcpy(&bits, &c, sizeof bits);
        /* a mantissa above the square root of two carries */
        if (c == c)
            bits = (bits + (0x800000u - 0x3504f4u)) & 0xff800000u;
        memcpy(&c, &bits, sizeof bits);
        /* an underflow becomes a zero of its sign */
        if (c < least && c > -least)
            bits &= 0x80000000u;
        memcpy(&y[i], &bits, sizeof bits);
    }
}

int quantized_net_powers_of_two(
    const float *x, float *y, size_t n, float largest, float least)
{
    struct pass pass = {
        .x = x, .y = y, .n = n, .scalars = {largest, least}};
    go_over(do_powers_of_two, &pass);
    return 0;
}

static CLONES void do_momentum_sgd(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    float *restrict x = p->y + chunk * CHUNK;
    const float *restrict g = p->g + chunk * CHUNK;
    float *restrict v = p->v + chunk * CHUNK;
    float lr = p->scalars[0], momentum = p->scalars[1];
    float decay = p->scalars[2];
    int nesterov = p->scalars[3] != 0;
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i) {
        float step = lr * (decay != 0 ? g[i] + decay * x[i] : g[i]);
        v[i] *= momentum;
        v[i] -= step;
        x[i] += nesterov ? momentum * v[i] - step : v[i];
    }
}

int quantized_net_momentum_sgd(
    float *x, const float *g, float *v, size_t n, float lr, float momentum,
    float decay, int nesterov)
{
    struct pass pass = {
        .y = x, .g = g, .v = v, .n = n,
        .scalars = {lr, momentum, decay, nesterov != 0}};
    go_over(do_momentum_sgd, &pass);
    return 0;
}

/* Sums stand in SUMS places, which the compiler makes vectors of. */
#define SUMS 64

/* The largest magnitude.  Bits of numbers without a sign stand in the order of
   the numbers, infinity above them and NaN above all. */
CLONES
int quantized_net_largest_magnitude(const float *x, size_t n, float *result)
{
    int32_t largest[SUMS] = {0}, all = 0;
    for (size_t i = 0; i < n; i += SUMS) {
        size_t m = n - i < SUMS ? n - i : SUMS;
        for (size_t j = 0; j < m; ++j) {
            int32_t bits;
            memcpy(&bits, &x[i + j], sizeof bits);
            bits &= INT32_MAX;
            largest[j] = bits > largest[j] ? bits : largest[j];
        }
    }
    for (size_t j = 0; j < SUMS; ++j)
        all = largest[j] > all ? largest[j] : all;
    memcpy(result, &all, sizeof all);
    return 0;
}

static CLONES void do_ternary(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    const float *restrict W = p->x + chunk * CHUNK;
    float *restrict y = p->y + chunk * CHUNK;
    int8_t *restrict codes = p->new_codes + chunk * CHUNK;
    float delta = p->scalars[0], Wp = p->scalars[1], Wn = p->scalars[2];
    float zero = delta - delta;  /* NaN where delta is not finite */
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; ++i) {
        float above = W[i] > delta ? Wp : 0;
        y[i] = (W[i] < -delta ? -Wn : above) + (W[i] - W[i] + zero);
    }
    for (size_t i = 0; i < n; ++i)
        codes[i] = (int8_t)((W[i] > delta) - (W[i] < -delta));
}

int quantized_net_ternary(
    const float *W, float *y, int8_t *codes, size_t n, float delta, float Wp,
    float Wn)
{
    struct pass pass = {
        .x = W, .y = y, .new_codes = codes, .n = n,
        .scalars = {delta, Wp, Wn}};
    go_over(do_ternary, &pass);
    return 0;
}

static CLONES void do_ternary_gradient(void *work, size_t chunk, int worker)
{
    const struct pass *p = work;
    const float *restrict g = p->g + chunk * CHUNK;
    const int8_t *restrict codes = p->codes + chunk * CHUNK;
    float *restrict gW = p->y + chunk * CHUNK;
    float Wp = p->scalars[0], Wn = p->scalars[1];
    float positive[SUMS] = {0}, negative[SUMS] = {0};
    size_t n = length_of(p->n, chunk);
    (void)worker;
    for (size_t i = 0; i < n; i += SUMS) {
        size_t m = n - i < SUMS ? n - i : SUMS;
        for (size_t j = 0; j < m; ++j) {
            int above = codes[i + j] > 0, below = codes[i + j] < 0;
            positive[j] += where(above, g[i + j]);
            negative[j] += where(below, g[i + j]);
            gW[i + j] = g[i + j] * (
                where(above, Wp) + where(below, Wn)
                + where(!(above | below), 1));
        }
    }
    double *sums = p->sums + 2 * chunk;
    sums[0] = sums[1] = 0;
    for (size_t j = 0; j < SUMS; ++j) {
        sums[0] += positive[j];
        sums[1] += negative[j];
    }
}

/* gW, and the sums of g over the positive and the negative weights. */
int quantized_net_ternary_gradient(
    const float *g, const int8_t *codes, float *gW, size_t n, float Wp,
    float Wn, double *over_positive, double *over_negative)
{
    struct pass pass = {
        .g = g, .codes = codes, .y = gW, .n = n, .scalars = {Wp, Wn},
        .sums = malloc(2 * n_chunks(n) * sizeof(double))};
    if (pass.sums == NULL)
        return -1;
    go_over(do_ternary_gradient, &pass);
    *over_positive = *over_negative = 0;
    for (size_t chunk = 0; chunk < n_chunks(n); ++chunk) {
        *over_positive += pass.sums[2 * chunk];
        *over_negative += pass.sums[2 * chunk + 1];
    }
    free(pass.sums);
    return 0;
}

/* Python looks for it on an import; the library is loaded by ctypes. */
void *PyInit__native(void)
{
    return NULL;
}
