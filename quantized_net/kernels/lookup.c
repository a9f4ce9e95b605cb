/* Products of floats with weights of one or two bits, looked up.

   The values that four weights of one bit, or two weights of two bits, give
   with their inputs are a table of sixteen sums; for sixteen outputs at once
   one permutation looks their sums up.  The weights are read as they are
   packed, 16 or 32 of them in a word: that is all the memory traffic there
   is.

   Words lie by blocks of sixteen outputs, then inputs, then outputs: as
   product_words() of lookup.py in quantized_net/kernels makes them. */

#include "lookup.h"
#include "threads.h"
#include "vectors.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
#define LANES 16
#define VECTORS 4  /* blocks of outputs that go together */
#define ROWS 4  /* rows of the input that go together */
#define GROUPS 256  /* tables of a row that are made at a time: 16 KB */

/* The tables of some inputs, from the column first on. */
static AVX512 void fill_tables(
    const struct lookup *job, const float *x, size_t rows, size_t first,
    size_t groups, float *tables)
{
    size_t bits = job->bits, inputs = 4 / bits;
    __m512 levels[4];
    for (size_t j = 0; j < inputs; ++j) {
        float values[LANES];
        for (size_t entry = 0; entry < LANES; ++entry)
            values[entry] = job->levels[
                entry >> (j * bits) & ((1u << bits) - 1)];
        levels[j] = _mm512_loadu_ps(values);
    }
    for (size_t i = 0; i < rows; ++i)
        for (size_t group = 0; group < groups; ++group) {
            __m512 table = _mm512_setzero_ps();
            for (size_t j = 0; j < inputs; ++j) {
                size_t column = first + inputs * group + j;
                if (column < job->k)
                    table = _mm512_fmadd_ps(
                        _mm512_set1_ps(x[i * job->k + column]), levels[j],
                        table);
            }
            _mm512_storeu_ps(tables + (group * rows + i) * LANES, table);
        }
}

/* The sums of some rows and blocks of outputs over some tables. */
static inline __attribute__((always_inline)) AVX512 void look_up(
    const int rows, const int vectors, const float *tables,
    const uint32_t *words, size_t groups, size_t block_step, float *y,
    size_t row_step, __mmask16 last, int goes_on)
{
    __m512 sums[ROWS][VECTORS];
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j)
            sums[i][j] = goes_on ? _mm512_maskz_loadu_ps(
                j == vectors - 1 ? last : (__mmask16)0xffff,
                y + (size_t)i * row_step + (size_t)j * LANES)
                : _mm512_setzero_ps();
    for (; groups; words += LANES) {
        size_t n = groups < 8 ? groups : 8;
        __m512i index[VECTORS];
        groups -= n;
        for (int j = 0; j < vectors; ++j)
            index[j] = _mm512_loadu_si512(words + (size_t)j * block_step);
#pragma GCC unroll 1
        for (; n; --n) {
            for (int i = 0; i < rows; ++i) {
                __m512 table = _mm512_loadu_ps(tables + i * LANES);
                for (int j = 0; j < vectors; ++j)
                    sums[i][j] = _mm512_add_ps(
                        sums[i][j],
                        _mm512_permutexvar_ps(index[j], table));
            }
            for (int j = 0; j < vectors; ++j)
                index[j] = _mm512_srli_epi32(index[j], 4);
            tables += rows * LANES;
        }
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j)
            _mm512_mask_storeu_ps(
                y + (size_t)i * row_step + (size_t)j * LANES,
                j == vectors - 1 ? last : (__mmask16)0xffff, sums[i][j]);
}

#define CASE(rows, vectors) case (rows) * 8 + (vectors): \
    look_up(rows, vectors, tables, words, groups, block_step, y, row_step, \
            last, goes_on); \
    break;
#define CASES(rows) CASE(rows, 1) CASE(rows, 2) CASE(rows, 3) CASE(rows, 4)

static AVX512 void look_up_any(
    int rows, int vectors, const float *tables, const uint32_t *words,
    size_t groups, size_t block_step, float *y, size_t row_step,
    __mmask16 last, int goes_on)
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
    return GROUPS * ROWS * LANES;
}

AVX512 void quantized_net_look_up(
    const struct lookup *job, size_t m, const float *x, float *tables,
    float *y)
{
    size_t inputs = 4 / job->bits, all = (job->k + inputs - 1) / inputs;
    size_t blocks = (job->n + LANES - 1) / LANES, n_words = (all + 7) / 8;
    for (size_t row = 0; row < m; row += ROWS) {
        size_t rows = m - row < ROWS ? m - row : ROWS;
        for (size_t group = 0; group < all; group += GROUPS) {
            size_t groups = all - group < GROUPS ? all - group : GROUPS;
            fill_tables(job, x + row * job->k, rows, group * inputs, groups,
                        tables);
            for (size_t block = 0; block < blocks; block += VECTORS) {
                size_t vectors = blocks - block;
                vectors = vectors < VECTORS ? vectors : VECTORS;
                size_t left = job->n - (block + vectors - 1) * LANES;
                look_up_any(
                    (int)rows, (int)vectors, tables,
                    job->words + (block * n_words + group / 8) * LANES,
                    groups, n_words * LANES,
                    y + row * job->n + block * LANES, job->n,
                    (__mmask16)(left < LANES ? (1u << left) - 1 : 0xffff),
                    group > 0);
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
