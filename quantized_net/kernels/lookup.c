/* Products of floats with weights of two, three or four values, looked up.

   What five weights of two values, three of three or two of four give with
   their inputs is one of 32 sums at most: a table, of which one permutation
   looks up sixteen outputs' entries.  The weights are read as they are
   packed, 6 indices of 5 bits in a word: that is all the memory traffic there
   is, 1.07, 1.78 or 2.67 bits a weight.

   The words lie as they are read: by chunks of LOOKUP_CHUNK words of an
   output, four blocks of sixteen outputs, words, blocks, outputs. */

#include "lookup.h"
#include "threads.h"
#include "vectors.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
#define LANES 16
#define VECTORS 4  /* blocks of outputs that go together */
#define ROWS 4  /* rows of the input that go together */
#define TABLE 32  /* entries */
#define PER_WORD 6
#define AHEAD 1024  /* words that are fetched before they are needed */
#define INDEX 5  /* bits */
#define GROUPS (LOOKUP_CHUNK * PER_WORD)  /* tables made at a time */

/* The tables of some inputs, from the column first on. */
static AVX512 void fill_tables(
    const struct lookup *job, const float *x, size_t rows, size_t first,
    size_t groups, float *tables)
{
    size_t inputs = quantized_net_lookup_inputs(job->n_levels);
    __m512 low[5], high[5];
    for (size_t j = 0, power = 1; j < inputs; ++j, power *= job->n_levels) {
        float values[TABLE];
        for (size_t entry = 0; entry < TABLE; ++entry)
            values[entry] = job->levels[entry / power % job->n_levels];
        low[j] = _mm512_loadu_ps(values);
        high[j] = _mm512_loadu_ps(values + LANES);
    }
    for (size_t i = 0; i < rows; ++i)
        for (size_t group = 0; group < groups; ++group) {
            __m512 sum = _mm512_setzero_ps(), sum2 = sum;
            for (size_t j = 0; j < inputs; ++j) {
                size_t column = first + inputs * group + j;
                if (column < job->k) {
                    __m512 value = _mm512_set1_ps(x[i * job->k + column]);
                    sum = _mm512_fmadd_ps(value, low[j], sum);
                    sum2 = _mm512_fmadd_ps(value, high[j], sum2);
                }
            }
            float *table = tables + (group * rows + i) * TABLE;
            _mm512_storeu_ps(table, sum);
            _mm512_storeu_ps(table + LANES, sum2);
        }
}

/* The sums of some rows and blocks of outputs over some tables. */
static inline __attribute__((always_inline)) AVX512 void look_up(
    const int rows, const int vectors, const float *tables,
    const uint32_t *words, size_t groups, float *y, size_t row_step,
    __mmask16 last, int goes_on)
{
    __m512 sums[ROWS][VECTORS];
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j)
            sums[i][j] = goes_on ? _mm512_maskz_loadu_ps(
                j == vectors - 1 ? last : (__mmask16)0xffff,
                y + (size_t)i * row_step + (size_t)j * LANES)
                : _mm512_setzero_ps();
    for (; groups; words += vectors * LANES) {
        size_t n = groups < PER_WORD ? groups : PER_WORD;
        __m512i index[VECTORS];
        groups -= n;
        for (int j = 0; j < vectors; ++j)
            index[j] = _mm512_loadu_si512(words + j * LANES);
        for (int j = 0; j < vectors; ++j)
            _mm_prefetch((const char *)(words + AHEAD + j * LANES), _MM_HINT_T0);
#pragma GCC unroll 1
        for (; n; --n) {
            for (int i = 0; i < rows; ++i) {
                __m512 low = _mm512_loadu_ps(tables + i * TABLE);
                __m512 high = _mm512_loadu_ps(tables + i * TABLE + LANES);
                for (int j = 0; j < vectors; ++j)
                    sums[i][j] = _mm512_add_ps(
                        sums[i][j],
                        _mm512_permutex2var_ps(low, index[j], high));
            }
            for (int j = 0; j < vectors; ++j)
                index[j] = _mm512_srli_epi32(index[j], INDEX);
            tables += rows * TABLE;
        }
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j)
            _mm512_mask_storeu_ps(
                y + (size_t)i * row_step + (size_t)j * LANES,
                j == vectors - 1 ? last : (__mmask16)0xffff, sums[i][j]);
}

#define CASE(rows, vectors) case (rows) * 8 + (vectors): \
    look_up(rows, vectors, tables, words, groups, y, row_step, last, \
            goes_on); \
    break;
#define CASES(rows) CASE(rows, 1) CASE(rows, 2) CASE(rows, 3) CASE(rows, 4)

static AVX512 void look_up_any(
    int rows, int vectors, const float *tables, const uint32_t *words,
    size_t groups, float *y, size_t row_step, __mmask16 last, int goes_on)
{
    switch (rows * 8 + vectors) {
    CASES(1) CASES(2) CASES(3) CASES(4)
    }
}

int quantized_net_has_lookup(void)
{
    return quantized_net_level() >= 2;
}

size_t quantized_net_lookup_scratch(void)
{
    return GROUPS * ROWS * TABLE;
}

AVX512 void quantized_net_look_up(
    const struct lookup *job, size_t m, const float *x, float *tables,
    float *y)
{
    size_t inputs = quantized_net_lookup_inputs(job->n_levels);
    size_t all = (job->k + inputs - 1) / inputs;
    size_t blocks = (job->n + LANES - 1) / LANES;
    for (size_t row = 0; row < m; row += ROWS) {
        size_t rows = m - row < ROWS ? m - row : ROWS;
        const uint32_t *words = job->words;
        for (size_t group = 0; group < all; group += GROUPS) {
            size_t groups = all - group < GROUPS ? all - group : GROUPS;
            size_t n_words = (groups + PER_WORD - 1) / PER_WORD;
            fill_tables(job, x + row * job->k, rows, group * inputs, groups,
                        tables);
            for (size_t block = 0; block < blocks; block += VECTORS) {
                size_t vectors = blocks - block;
                vectors = vectors < VECTORS ? vectors : VECTORS;
                size_t left = job->n - (block + vectors - 1) * LANES;
                look_up_any(
                    (int)rows, (int)vectors, tables, words, groups,
                    y + row * job->n + block * LANES, job->n,
                    (__mmask16)(left < LANES ? (1u << left) - 1 : 0xffff),
                    group > 0);
                words += n_words * vectors * LANES;
            }
        }
    }
}

#else

int quantized_net_has_lookup(void)
{
    return 0;
}

size_t quantized_net_lookup_scratch(void)
{
    return 0;
}

void quantized_net_look_up(
    const struct lookup *job, size_t m, const float *x, float *tables,
    float *y)
{
    (void)job, (void)m, (void)x, (void)tables, (void)y;
}

#endif
