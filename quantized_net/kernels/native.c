/* The hot loops, in plain C that the compiler vectorises.

   Each has a NumPy reference of the same signature in the Python file of its
   name, and gives the same bits: one rounding for each operation, in the
   reference's order, and no fused multiply-add (-ffp-contract=off). */

#include "vectors.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

CLONES
void quantized_net_sign(const float *restrict x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        y[i] = x[i] >= 0 ? 1.f : -1.f;
}

CLONES
void quantized_net_pass_inside(
    const float *restrict x, const float *restrict gy, float *restrict gx,
    size_t n, float bound)
{
    for (size_t i = 0; i < n; ++i)
        gx[i] = where(fabsf(x[i]) <= bound, gy[i]);
}

CLONES
void quantized_net_adam(
    float *restrict x, const float *restrict g, float *restrict m,
    float *restrict v, size_t n, float one_minus_beta1,
    float one_minus_beta2, float eps, float alpha_t, float eta)
{
    for (size_t i = 0; i < n; ++i) {
        m[i] += one_minus_beta1 * (g[i] - m[i]);
        v[i] += one_minus_beta2 * (g[i] * g[i] - v[i]);
        x[i] -= alpha_t / (sqrtf(v[i]) + eps) * m[i] * eta;
    }
}

CLONES
void quantized_net_powers_of_two(
    const float *restrict x, float *restrict y, size_t n, float largest)
{
    for (size_t i = 0; i < n; ++i) {
        float c = x[i] > largest ? largest : x[i];
        uint32_t bits;
        c = c < -largest ? -largest : c;
        memcpy(&bits, &c, sizeof bits);
        /* a mantissa above the square root of two carries */
        if (c == c)
            bits = (bits + (0x800000u - 0x3504f4u)) & 0xff800000u;
        memcpy(&y[i], &bits, sizeof bits);
    }
}

CLONES
void quantized_net_momentum_sgd(
    float *restrict x, const float *restrict g, float *restrict v, size_t n,
    float lr, float momentum, float decay)
{
    for (size_t i = 0; i < n; ++i) {
        float total = decay != 0 ? g[i] + decay * x[i] : g[i];
        v[i] *= momentum;
        v[i] -= lr * total;
        x[i] += v[i];
    }
}

/* Sums stand in SUMS places, which the compiler makes vectors of. */
#define SUMS 64

CLONES
float quantized_net_largest_magnitude(const float *restrict x, size_t n)
{
    float largest[SUMS] = {0}, result = 0;
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (size_t j = 0; j < SUMS; ++j) {
            float a = fabsf(x[i + j]);
            largest[j] = a > largest[j] ? a : largest[j];
        }
    for (size_t j = 0; i + j < n; ++j) {
        float a = fabsf(x[i + j]);
        largest[j] = a > largest[j] ? a : largest[j];
    }
    for (size_t j = 0; j < SUMS; ++j)
        result = largest[j] > result ? largest[j] : result;
    return result;
}

CLONES
void quantized_net_ternary(
    const float *restrict W, float *restrict y, int8_t *restrict codes,
    size_t n, float delta, float Wp, float Wn)
{
    for (size_t i = 0; i < n; ++i) {
        float above = W[i] > delta ? Wp : 0;
        y[i] = W[i] < -delta ? -Wn : above;
    }
    for (size_t i = 0; i < n; ++i)
        codes[i] = (int8_t)((W[i] > delta) - (W[i] < -delta));
}

/* gW, and the sums of g over the positive and the negative weights. */
CLONES
void quantized_net_ternary_gradient(
    const float *restrict g, const int8_t *restrict codes,
    float *restrict gW, size_t n, float Wp, float Wn, double *restrict sums)
{
    float positive[SUMS] = {0}, negative[SUMS] = {0};
    for (size_t i = 0; i < n; i += SUMS) {
        size_t m = n - i < SUMS ? n - i : SUMS;
        for (size_t j = 0; j < m; ++j) {
            int p = codes[i + j] > 0, q = codes[i + j] < 0;
            positive[j] += where(p, g[i + j]);
            negative[j] += where(q, g[i + j]);
            gW[i + j] = g[i + j] * (
                where(p, Wp) + where(q, Wn) + where(!(p | q), 1));
        }
    }
    sums[0] = sums[1] = 0;
    for (size_t j = 0; j < SUMS; ++j) {
        sums[0] += positive[j];
        sums[1] += negative[j];
    }
}

/* Python looks for it on an import; the library is loaded by ctypes. */
void *PyInit__native(void)
{
    return NULL;
}
