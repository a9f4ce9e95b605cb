/* What makes the compiler turn plain loops into vectors. */

#ifndef QUANTIZED_NET_VECTORS_H
#define QUANTIZED_NET_VECTORS_H

#include <stdint.h>
#include <string.h>

/* One body of a function for each level of x86 processors, chosen when the
   library is loaded. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) \
    && !defined(__clang__) && !defined(QUANTIZED_NET_NO_CLONES)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

/* The level of the processor that is in use: 0 is what every one has, 1
   AVX2, 2 AVX-512. */
int quantized_net_level(void);

/* x where a condition holds, else 0; without a branch, which would keep the
   compiler from making vectors. */
static inline float where(int condition, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= -(uint32_t)condition;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

#endif
