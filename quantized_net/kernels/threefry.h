/* Random numbers out of a counter and a key: Threefry-2x32 with 13 rounds, the
   fewest that pass BigCrush (Salmon et al., "Parallel random numbers: as easy
   as 1, 2, 3", SC 2011).  The same numbers for any order and number of
   threads. */

#ifndef QUANTIZED_NET_THREEFRY_H
#define QUANTIZED_NET_THREEFRY_H

#include <stdint.h>

#define ROUND(r) \
    (a += b, b = (b << (r)) | (b >> (32 - (r))), b ^= a)

/* Two words for a counter of two words. */
static inline void threefry(
    uint32_t k0, uint32_t k1, uint32_t *first, uint32_t *second)
{
    uint32_t k2 = 0x1bd11bdau ^ k0 ^ k1;
    uint32_t a = *first + k0, b = *second + k1;
    ROUND(13); ROUND(15); ROUND(26); ROUND(6);
    a += k1, b += k2 + 1;
    ROUND(17); ROUND(29); ROUND(16); ROUND(24);
    a += k2, b += k0 + 2;
    ROUND(13); ROUND(15); ROUND(26); ROUND(6);
    a += k0, b += k1 + 3;
    ROUND(17);
    *first = a;
    *second = b;
}

#endif
