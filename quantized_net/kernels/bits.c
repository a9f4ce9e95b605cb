/* Products of signs with signs, by exclusive or and counting, and of 8-bit
   pixels with signs: whole numbers, and exact.

   Both take weights that were packed once, eight or 64 outputs side by side;
   inference/packed_weights.py packs them. */

#include "bits.h"
#include "vectors.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define X86
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
#define POPCOUNT __attribute__((target("avx512f,avx512vl,avx512vpopcntdq")))
#define VNNI __attribute__((target("avx512f,avx512vnni,avx512bw")))

static int has_popcount(void)
{
    return quantized_net_level() >= 2
        && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512vpopcntdq");
}

int quantized_net_has_pixels(void)
{
    return quantized_net_level() >= 2
        && __builtin_cpu_supports("avx512vnni")
        && __builtin_cpu_supports("avx512bw");
}

static AVX512 int pack_avx512(const float *x, size_t n, uint64_t *words)
{
    __m512 zero = _mm512_setzero_ps();
    __mmask16 has_nan = 0;
    for (size_t i = 0; i < n; i += 64) {
        uint64_t bits = 0;
        for (size_t j = 0; j < 64 && i + j < n; j += 16) {
            size_t left = n - i - j;
            __m512 values = _mm512_maskz_loadu_ps(
                (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff),
                x + i + j);
            bits |= (uint64_t)_mm512_cmp_ps_mask(values, zero, _CMP_LT_OQ)
                << j;
            has_nan |= _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
        }
        words[i / 64] = bits;
    }
    return has_nan != 0;
}

#else

int quantized_net_has_pixels(void)
{
    return 0;
}

#endif

/* A bit is set where a value is negative; answers 0, or 1 where one is no
   number.  The bits that are left of the last word are 0. */
int quantized_net_pack_signs(const float *x, size_t n, uint64_t *words)
{
    int has_nan = 0;
#ifdef X86
    if (quantized_net_level() >= 2)
        return pack_avx512(x, n, words);
#endif
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

static void sum_plain(
    const uint64_t *x, const uint64_t *w, size_t n_words, size_t k,
    float *y, size_t n)
{
    uint64_t counts[OUTPUTS] = {0};
    for (size_t i = 0; i < n_words; ++i, w += OUTPUTS)
        for (size_t j = 0; j < OUTPUTS; ++j)
            counts[j] += (uint64_t)__builtin_popcountll(x[i] ^ w[j]);
    for (size_t j = 0; j < n; ++j)
        y[j] = (float)((int64_t)k - 2 * (int64_t)counts[j]);
}

#ifdef X86

#define SIGN_ROWS 4

/* Some rows and eight outputs. */
static inline __attribute__((always_inline)) POPCOUNT void sum_rows(
    const int rows, const uint64_t *x, size_t step, const uint64_t *w,
    size_t n_words, size_t k, float *y, size_t y_step, __mmask8 mask)
{
    __m512i sums[SIGN_ROWS];
    for (int i = 0; i < rows; ++i)
        sums[i] = _mm512_setzero_si512();
    for (size_t word = 0; word < n_words; ++word, w += OUTPUTS) {
        __m512i signs = _mm512_loadu_si512(w);
        for (int i = 0; i < rows; ++i)
            sums[i] = _mm512_add_epi64(
                sums[i], _mm512_popcnt_epi64(_mm512_xor_si512(
                    signs, _mm512_set1_epi64(
                        (long long)x[(size_t)i * step + word]))));
    }
    for (int i = 0; i < rows; ++i) {
        __m256i counts = _mm512_cvtepi64_epi32(sums[i]);
        _mm256_mask_storeu_ps(
            y + (size_t)i * y_step, mask, _mm256_cvtepi32_ps(_mm256_sub_epi32(
                _mm256_set1_epi32((int)k), _mm256_add_epi32(counts, counts))));
    }
}

static POPCOUNT void sum_avx512(
    const uint64_t *x, size_t step, const uint64_t *w, size_t m, size_t k,
    float *y, size_t n, size_t outputs)
{
    size_t n_words = (k + 63) / 64, i = 0;
    __mmask8 mask = (__mmask8)((1u << outputs) - 1);
    for (; i + SIGN_ROWS <= m; i += SIGN_ROWS)
        sum_rows(SIGN_ROWS, x + i * step, step, w, n_words, k, y + i * n, n,
                 mask);
    for (; i < m; ++i)
        sum_rows(1, x + i * step, step, w, n_words, k, y + i * n, n, mask);
}

#endif

/* y = sums of k products of signs, of m rows and n outputs; step is words
   from a row to the next. */
void quantized_net_sign_sums(
    const uint64_t *x, size_t step, const uint64_t *weights, size_t m,
    size_t k, size_t n, float *y)
{
    size_t n_words = (k + 63) / 64;
#ifdef X86
    int is_fast = has_popcount();
#endif
    /* the weights of some outputs, for all rows */
    for (size_t o = 0; o < n; o += OUTPUTS, weights += OUTPUTS * n_words) {
        size_t outputs = n - o < OUTPUTS ? n - o : OUTPUTS;
#ifdef X86
        if (is_fast) {
            sum_avx512(x, step, weights, m, k, y + o, n, outputs);
            continue;
        }
#endif
        for (size_t i = 0; i < m; ++i)
            sum_plain(x + i * step, weights, n_words, k, y + i * n + o,
                      outputs);
    }
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
   of four below 2^18, scratch has place for m (k / 4 + 1) numbers. */
VNNI void quantized_net_pixel_sums(
    const uint8_t *x, const int8_t *weights, size_t m, size_t k, size_t n,
    uint16_t *scratch, float *y)
{
    size_t tiles = (m + ROWS - 1) / ROWS, step = k / PIXELS + 1;
    size_t tile = tiles ? (m + tiles - 1) / tiles : 1;
    /* for each tile the number of groups, and they */
    for (size_t row = 0; row < m; row += tile) {
        size_t rows = m - row < tile ? m - row : tile, n_groups = 0;
        uint16_t *groups = scratch + row * step;
        for (size_t g = 0; g < k / PIXELS; ++g) {
            uint32_t any = 0, four;
            for (size_t i = 0; i < rows; ++i) {
                memcpy(&four, x + (row + i) * k + PIXELS * g, 4);
                any |= four;
            }
            groups[1 + n_groups] = (uint16_t)g;
            n_groups += any != 0;
        }
        groups[0] = (uint16_t)n_groups;
    }
    /* the weights of some outputs stay in the cache for all rows */
    for (size_t o = 0; o < n; o += 16 * VECTORS)
        for (size_t row = 0; row < m; row += tile)
            sum_tiles((int)(m - row < tile ? m - row : tile), x + row * k, k,
                      scratch + row * step + 1, scratch[row * step],
                      weights + o * k, y + row * n + o, n, n - o);
}

#else

void quantized_net_pixel_sums(
    const uint8_t *x, const int8_t *weights, size_t m, size_t k, size_t n,
    uint16_t *scratch, float *y)
{
    (void)x, (void)weights, (void)m, (void)k, (void)n, (void)scratch, (void)y;
}

#endif
