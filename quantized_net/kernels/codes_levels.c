/* The inner loops over codes, for each level of processors. */

#include "codes.h"
#include "vectors.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE int pack_some_bits(
    const float *x, size_t n, float one, uint8_t *to)
{
    uint32_t magnitude = bits_of(one), others = 0;
    for (size_t i = 0; i < n; i += 8) {
        uint32_t byte = 0;
        for (size_t bit = 0; bit < 8 && i + bit < n; ++bit) {
            uint32_t value = bits_of(x[i + bit]);
            others |= (value & INT32_MAX) ^ magnitude;
            byte |= value >> 31 << bit;
        }
        to[i / 8] = (uint8_t)byte;
    }
    return others != 0;
}

INLINE int pack_some_bytes(
    const float *x, size_t n, float step, uint8_t *to)
{
    /* adding it, and taking it away, rounds to whole numbers */
    const float rounder = 12582912.f, inverse = 1 / step;
    uint32_t others = 0;
    for (size_t i = 0; i < n; ++i) {
        float code = (x[i] * inverse + rounder) - rounder;
        uint32_t fits = (code * step == x[i]) & (code >= -128.f)
            & (code <= 127.f);
        code = where((int)fits, code);
        others |= !fits;
        to[i] = (uint8_t)((int32_t)code + 128);
    }
    return others != 0;
}

/* Bits are counted in the bytes of 32, and these are added before they
   overflow. */
#define WORDS_AT_ONCE 31

INLINE void count_some_bits(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    const size_t width = 2 * CODE_LANES;
    for (int i = 0; i < pixels; ++i, x += step) {
        for (int v = 0; v < vectors; ++v) {
            const uint32_t *w = words + (size_t)v * width;
            int32_t *sum = sums
                + (i * CODE_VECTORS + v) * CODE_LANES;
            uint32_t total[CODE_LANES] = {0};
            for (size_t first = 0; first < n_words; first += WORDS_AT_ONCE) {
                size_t n = n_words - first;
                uint32_t bytes[CODE_LANES] = {0};
                n = n < WORDS_AT_ONCE ? n : WORDS_AT_ONCE;
                for (size_t k = 0; k < n; ++k) {
                    uint32_t value;
                    memcpy(&value, x + offsets[first + k], sizeof value);
                    for (int lane = 0; lane < CODE_LANES; ++lane) {
                        uint32_t b = (value ^ w[lane])
                            & w[CODE_LANES + lane];
                        b -= b >> 1 & 0x55555555u;
                        b = (b & 0x33333333u) + (b >> 2 & 0x33333333u);
                        bytes[lane] += (b + (b >> 4)) & 0x0f0f0f0fu;
                    }
                    w += (size_t)vectors * width;
                }
                for (int lane = 0; lane < CODE_LANES; ++lane) {
                    uint32_t b = (bytes[lane] & 0xff00ffu)
                        + (bytes[lane] >> 8 & 0xff00ffu);
                    total[lane] += (b & 0xffffu) + (b >> 16);
                }
            }
            for (int lane = 0; lane < CODE_LANES; ++lane)
                sum[lane] = (int32_t)total[lane];
        }
    }
}

static int pack_bits_baseline(
    const float *x, size_t n, float one, uint8_t *to)
{
    return pack_some_bits(x, n, one, to);
}

static int pack_bytes_baseline(
    const float *x, size_t n, float step, uint8_t *to)
{
    return pack_some_bytes(x, n, step, to);
}

static void count_bits_baseline(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    count_some_bits(
        pixels, vectors, x, step, offsets, n_words, words, sums);
}

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq")))
#define POPCOUNT __attribute__((target( \
    "avx512f,avx512bw,avx512dq,avx512vpopcntdq")))
#define VNNI __attribute__((target( \
    "avx512f,avx512bw,avx512dq,avx512vnni")))

static AVX2 int pack_bits_avx2(
    const float *x, size_t n, float one, uint8_t *to)
{
    __m256i magnitude = _mm256_castps_si256(_mm256_set1_ps(one));
    __m256i rest = _mm256_set1_epi32(INT32_MAX);
    __m256i others = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 values = _mm256_loadu_ps(x + i);
        others = _mm256_or_si256(others, _mm256_xor_si256(magnitude,
            _mm256_and_si256(rest, _mm256_castps_si256(values))));
        to[i / 8] = (uint8_t)_mm256_movemask_ps(values);
    }
    int rest_has = pack_some_bits(x + i, n - i, one, to + i / 8);
    return rest_has || !_mm256_testz_si256(others, others);
}

static AVX2 int pack_bytes_avx2(
    const float *x, size_t n, float step, uint8_t *to)
{
    return pack_some_bytes(x, n, step, to);
}

static AVX2 void count_bits_avx2(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    count_some_bits(
        pixels, vectors, x, step, offsets, n_words, words, sums);
}

/* Products are added in 16 bits, two of a byte's, and a word's two with those
   of the words before: so many that they do not overflow. */
#define LARGEST_AVX2 8
#define WORDS_IN_16_BITS 8
#define PIXELS_AVX2 4

INLINE AVX2 void multiply_bytes(
    const int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    __m256i total[PIXELS_AVX2][2], one = _mm256_set1_epi16(1);
    for (int i = 0; i < pixels; ++i)
        for (int half = 0; half < 2; ++half)
            total[i][half] = _mm256_setzero_si256();
    for (size_t k = 0; k < n_words;) {
        size_t last = k + WORDS_IN_16_BITS;
        __m256i few[PIXELS_AVX2][2];
        last = last < n_words ? last : n_words;
        for (int i = 0; i < pixels; ++i)
            for (int half = 0; half < 2; ++half)
                few[i][half] = _mm256_setzero_si256();
        for (; k < last; ++k, words += (size_t)vectors * CODE_LANES) {
            const uint8_t *from = x + offsets[k];
            __m256i weights[2];
            for (int half = 0; half < 2; ++half)
                weights[half] = _mm256_loadu_si256(
                    (const __m256i *)(words + 8 * half));
            for (int i = 0; i < pixels; ++i, from += step) {
                int32_t word;
                memcpy(&word, from, sizeof word);
                __m256i value = _mm256_set1_epi32(word);
                for (int half = 0; half < 2; ++half)
                    few[i][half] = _mm256_add_epi16(
                        few[i][half],
                        _mm256_maddubs_epi16(value, weights[half]));
            }
        }
        for (int i = 0; i < pixels; ++i)
            for (int half = 0; half < 2; ++half)
                total[i][half] = _mm256_add_epi32(
                    total[i][half], _mm256_madd_epi16(few[i][half], one));
    }
    for (int i = 0; i < pixels; ++i)
        for (int half = 0; half < 2; ++half)
            _mm256_storeu_si256(
                (__m256i *)(sums + i * CODE_VECTORS * CODE_LANES + 8 * half),
                total[i][half]);
}

static AVX2 void count_bytes_avx2(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
#define MULTIPLY(n) multiply_bytes( \
        n, vectors, x + i * step, step, offsets, n_words, words \
            + v * CODE_LANES, sums + (i * CODE_VECTORS + v) * CODE_LANES)
    for (int v = 0; v < vectors; ++v) {
        int i = 0;
        for (; i + PIXELS_AVX2 <= pixels; i += PIXELS_AVX2)
            MULTIPLY(PIXELS_AVX2);
        for (; i < pixels; ++i)
            MULTIPLY(1);
    }
#undef MULTIPLY
}

static AVX512 int pack_bits_avx512(
    const float *x, size_t n, float one, uint8_t *to)
{
    __m512i magnitude = _mm512_castps_si512(_mm512_set1_ps(one));
    __m512i rest = _mm512_set1_epi32(INT32_MAX);
    __mmask16 others = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512i values = _mm512_loadu_si512(x + i);
        __mmask16 bits = _mm512_movepi32_mask(values);
        others |= _mm512_cmpneq_epi32_mask(
            magnitude, _mm512_and_si512(rest, values));
        memcpy(to + i / 8, &bits, sizeof bits);
    }
    int rest_has = pack_some_bits(x + i, n - i, one, to + i / 8);
    return rest_has || others != 0;
}

static AVX512 int pack_bytes_avx512(
    const float *x, size_t n, float step, uint8_t *to)
{
    return pack_some_bytes(x, n, step, to);
}

static AVX512 void count_bits_avx512(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    count_some_bits(
        pixels, vectors, x, step, offsets, n_words, words, sums);
}

/* The sums of some pixels and vectors stay in registers. */
#define CASE(pixels, vectors) case (pixels) * 4 + (vectors): \
    LOOP(pixels, vectors, x, step, offsets, n_words, words, sums); break;
#define CASES(pixels) CASE(pixels, 1) CASE(pixels, 2)
#define ALL_CASES CASES(1) CASES(2) CASES(3) CASES(4) CASES(5) CASES(6) \
    CASES(7) CASES(8) CASES(9) CASES(10) CASES(11) CASES(12)

INLINE POPCOUNT void popcount_loop(
    const int pixels, const int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    __m512i total[CODE_PIXELS][CODE_VECTORS];
    for (int i = 0; i < pixels; ++i)
        for (int v = 0; v < vectors; ++v)
            total[i][v] = _mm512_setzero_si512();
    for (size_t k = 0; k < n_words; ++k) {
        const uint8_t *from = x + offsets[k];
        __m512i sign[CODE_VECTORS], mask[CODE_VECTORS];
        for (int v = 0; v < vectors; ++v) {
            sign[v] = _mm512_loadu_si512(words);
            mask[v] = _mm512_loadu_si512(words + CODE_LANES);
            words += 2 * CODE_LANES;
        }
        for (int i = 0; i < pixels; ++i, from += step) {
            int32_t word;
            memcpy(&word, from, sizeof word);
            __m512i value = _mm512_set1_epi32(word);
            for (int v = 0; v < vectors; ++v)
                total[i][v] = _mm512_add_epi32(
                    total[i][v], _mm512_popcnt_epi32(
                        /* (value ^ sign) & mask */
                        _mm512_ternarylogic_epi32(
                            value, sign[v], mask[v], 0x28)));
        }
    }
    for (int i = 0; i < pixels; ++i)
        for (int v = 0; v < vectors; ++v)
            _mm512_storeu_si512(
                sums + (i * CODE_VECTORS + v) * CODE_LANES, total[i][v]);
}

static POPCOUNT void count_bits_popcount(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
#define LOOP popcount_loop
    switch (pixels * 4 + vectors) {
    ALL_CASES
    }
#undef LOOP
}

INLINE VNNI void vnni_loop(
    const int pixels, const int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
    __m512i total[CODE_PIXELS][CODE_VECTORS];
    for (int i = 0; i < pixels; ++i)
        for (int v = 0; v < vectors; ++v)
            total[i][v] = _mm512_setzero_si512();
    for (size_t k = 0; k < n_words; ++k) {
        const uint8_t *from = x + offsets[k];
        __m512i weights[CODE_VECTORS];
        for (int v = 0; v < vectors; ++v, words += CODE_LANES)
            weights[v] = _mm512_loadu_si512(words);
        for (int i = 0; i < pixels; ++i, from += step) {
            int32_t word;
            memcpy(&word, from, sizeof word);
            __m512i value = _mm512_set1_epi32(word);
            for (int v = 0; v < vectors; ++v)
                total[i][v] = _mm512_dpbusd_epi32(
                    total[i][v], value, weights[v]);
        }
    }
    for (int i = 0; i < pixels; ++i)
        for (int v = 0; v < vectors; ++v)
            _mm512_storeu_si512(
                sums + (i * CODE_VECTORS + v) * CODE_LANES, total[i][v]);
}

static VNNI void count_bytes_vnni(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums)
{
#define LOOP vnni_loop
    switch (pixels * 4 + vectors) {
    ALL_CASES
    }
#undef LOOP
}

#endif

struct code_level quantized_net_code_level(void)
{
    struct code_level level = {
        count_bits_baseline, NULL, 0, pack_bits_baseline, pack_bytes_baseline};
#if defined(__x86_64__) && defined(__GNUC__)
    int height = quantized_net_level();
    if (height >= 2 && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq")) {
        level = (struct code_level){
            count_bits_avx512, count_bytes_avx2, LARGEST_AVX2,
            pack_bits_avx512, pack_bytes_avx512};
        if (__builtin_cpu_supports("avx512vpopcntdq"))
            level.count_bits = count_bits_popcount;
        if (__builtin_cpu_supports("avx512vnni")) {
            level.count_bytes = count_bytes_vnni;
            level.largest = 128;
        }
    } else if (height >= 1) {
        level = (struct code_level){
            count_bits_avx2, count_bytes_avx2, LARGEST_AVX2, pack_bits_avx2,
            pack_bytes_avx2};
    }
#endif
    return level;
}
