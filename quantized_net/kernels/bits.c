/* Products of signs with signs, by exclusive or and counting, and of 8-bit
   pixels with signs: whole numbers, and exact.

   Both take weights that were packed once, eight or 64 outputs side by side;
   inference/packed_weights.py packs them. */

#include "bits.h"
#include "vectors.h"

#include <string.h>

/* A bit is set where a value is negative; answers 0, or 1 where one is no
   number.  The bits that are left of the last word are 0. */
CLONES
int quantized_net_pack_signs(const float *x, size_t n, uint64_t *words)
{
    int has_nan = 0;
    for (size_t word = 0; word < (n + 63) / 64; ++word) {
        const float *from = x + 64 * word;
        size_t m = n - 64 * word < 64 ? n - 64 * word : 64;
        uint64_t bits = 0;
        for (size_t i = 0; i < m; ++i) {
            bits |= (uint64_t)(from[i] < 0) << i;
            has_nan |= from[i] != from[i];
        }
        words[word] = bits;
    }
    return has_nan;
}

#define OUTPUTS 8  /* of words side by side */

static void count_plain(
    const uint64_t *x, const uint64_t *w, size_t n_words, uint64_t *counts)
{
    for (size_t j = 0; j < OUTPUTS; ++j)
        counts[j] = 0;
    for (size_t i = 0; i < n_words; ++i, w += OUTPUTS)
        for (size_t j = 0; j < OUTPUTS; ++j)
            counts[j] += (uint64_t)__builtin_popcountll(x[i] ^ w[j]);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define X86
#include <immintrin.h>

#define POPCOUNT __attribute__((target("avx512f,avx512vpopcntdq")))
#define VNNI __attribute__((target("avx512f,avx512vnni,avx512bw")))

static POPCOUNT void count_avx512(
    const uint64_t *x, const uint64_t *w, size_t n_words, uint64_t *counts)
{
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < n_words; ++i, w += OUTPUTS)
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(
            _mm512_set1_epi64((long long)x[i]), _mm512_loadu_si512(w))));
    _mm512_storeu_si512(counts, sum);
}

static int has_popcount(void)
{
    return quantized_net_level() >= 2
        && __builtin_cpu_supports("avx512vpopcntdq");
}

int quantized_net_has_pixels(void)
{
    return quantized_net_level() >= 2
        && __builtin_cpu_supports("avx512vnni")
        && __builtin_cpu_supports("avx512bw");
}

#else

static int has_popcount(void)
{
    return 0;
}

int quantized_net_has_pixels(void)
{
    return 0;
}

#endif

/* y = sums of k products of signs, of m rows and n outputs; step is words
   from a row to the next. */
void quantized_net_sign_sums(
    const uint64_t *x, size_t step, const uint64_t *weights, size_t m,
    size_t k, size_t n, float *y)
{
    size_t n_words = (k + 63) / 64;
    int is_fast = has_popcount();
    /* the weights of some outputs, for all rows */
    for (size_t o = 0; o < n; o += OUTPUTS, weights += OUTPUTS * n_words)
        for (size_t i = 0; i < m; ++i) {
            uint64_t counts[OUTPUTS];
#ifdef X86
            if (is_fast)
                count_avx512(x + i * step, weights, n_words, counts);
            else
#endif
                count_plain(x + i * step, weights, n_words, counts);
            float *to = y + i * n + o;
            for (size_t j = 0; j < OUTPUTS && o + j < n; ++j)
                to[j] = (float)((int64_t)k - 2 * (int64_t)counts[j]);
        }
    (void)is_fast;
}

#ifdef X86

#define PIXELS 4  /* that one instruction sums */
#define VECTORS 4  /* of 16 outputs */
#define ROWS 6

/* The sums of some rows over the groups of pixels that are not all zero. */
static inline __attribute__((always_inline)) VNNI void sum_tile(
    const int rows, const uint8_t *x, size_t k, const uint16_t *groups,
    size_t n_groups, const int8_t *weights, float *y, size_t row_step,
    size_t n_out)
{
    __m512i sums[ROWS][VECTORS];
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < VECTORS; ++j)
            sums[i][j] = _mm512_setzero_si512();
    for (size_t g = 0; g < n_groups; ++g) {
        const int8_t *w = weights + (size_t)groups[g] * VECTORS * 64;
        __m512i vector[VECTORS];
        for (int j = 0; j < VECTORS; ++j)
            vector[j] = _mm512_loadu_si512(w + j * 64);
        for (int i = 0; i < rows; ++i) {
            int32_t four;
            memcpy(&four, x + (size_t)i * k + PIXELS * (size_t)groups[g], 4);
            __m512i pixels = _mm512_set1_epi32(four);
            for (int j = 0; j < VECTORS; ++j)
                sums[i][j] = _mm512_dpbusd_epi32(
                    sums[i][j], pixels, vector[j]);
        }
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < VECTORS; ++j) {
            size_t first = (size_t)j * 16;
            size_t left = n_out > first ? n_out - first : 0;
            _mm512_mask_storeu_ps(
                y + (size_t)i * row_step + first,
                (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff),
                _mm512_cvtepi32_ps(sums[i][j]));
        }
}

static VNNI void sum_tiles(
    int rows, const uint8_t *x, size_t k, const uint16_t *groups,
    size_t n_groups, const int8_t *weights, float *y, size_t row_step,
    size_t n_out)
{
    switch (rows) {
#define CASE(n) case n: sum_tile( \
        n, x, k, groups, n_groups, weights, y, row_step, n_out); break;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#undef CASE
    }
}

/* y = sums of k pixels times signs, of m rows and n outputs; k is a multiple
   of four below 2^18, scratch has place for k / 4 numbers. */
VNNI void quantized_net_pixel_sums(
    const uint8_t *x, const int8_t *weights, size_t m, size_t k, size_t n,
    uint16_t *scratch, float *y)
{
    size_t tiles = (m + ROWS - 1) / ROWS;
    size_t tile = tiles ? (m + tiles - 1) / tiles : 1;
    for (size_t row = 0; row < m; row += tile) {
        size_t rows = m - row < tile ? m - row : tile, n_groups = 0;
        const uint8_t *from = x + row * k;
        for (size_t g = 0; g < k / PIXELS; ++g) {
            uint32_t any = 0, four;
            for (size_t i = 0; i < rows; ++i) {
                memcpy(&four, from + i * k + PIXELS * g, 4);
                any |= four;
            }
            scratch[n_groups] = (uint16_t)g;
            n_groups += any != 0;
        }
        for (size_t o = 0; o < n; o += 16 * VECTORS)
            sum_tiles((int)rows, from, k, scratch, n_groups,
                      weights + o * k, y + row * n + o, n, n - o);
    }
}

#else

void quantized_net_pixel_sums(
    const uint8_t *x, const int8_t *weights, size_t m, size_t k, size_t n,
    uint16_t *scratch, float *y)
{
    (void)x, (void)weights, (void)m, (void)k, (void)n, (void)scratch, (void)y;
}

#endif
