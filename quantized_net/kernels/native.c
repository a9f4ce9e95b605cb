/* The hot loops, in plain C that the compiler vectorises.

   Each has a NumPy reference of the same signature in the Python file of its
   name, and gives the same bits: one rounding for each operation, in the
   reference's order, and no fused multiply-add (-ffp-contract=off). */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One body for each level of x86 processors, chosen when it is loaded. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) \
    && !defined(__clang__) && !defined(QUANTIZED_NET_NO_CLONES)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

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

/* Python looks for it on an import; the library is loaded by ctypes. */
void *PyInit__native(void)
{
    return NULL;
}
