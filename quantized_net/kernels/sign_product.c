/* The product of floats with signs, looked up instead of multiplied.

   Four signs are an index from 0 to 15, and the sum of four floats with
   those signs is one of sixteen numbers, which fill a vector of AVX-512.
   Looking them up, a vector of sixteen outputs at a time, does the work of
   four multiplications and additions with one permutation and one addition:
   y = A S with the signs S, packed into bits first. */

#include "threads.h"
#include "vectors.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
#define LANES 16  /* outputs in a vector, and entries of a table */
#define ROWS 6  /* rows and vectors of outputs whose sums stay in registers */
#define VECTORS 4
#define GROUPS 64  /* of four floats, whose tables stay in the cache */

struct product {
    const float *a, *signs;
    ptrdiff_t a_row, a_column, sign_row, sign_column;
    size_t m, k, n, n_words, n_blocks;
    uint32_t *words;  /* block of LANES outputs, word, output */
    float *y, *scratch;
    atomic_int has_others;  /* than -1 and +1 among the signs */
};

/* Which of some values are neither -1 nor +1. */
static inline AVX512 __mmask16 others(__mmask16 which, __m512i values)
{
    return _mm512_mask_cmpneq_epi32_mask(
        which, _mm512_and_si512(values, _mm512_set1_epi32(INT32_MAX)),
        _mm512_castps_si512(_mm512_set1_ps(1)));
}

/* A mask of the first n of LANES. */
static __mmask16 first_of(size_t n)
{
    return (__mmask16)(n < LANES ? (1u << n) - 1 : 0xffff);
}

/* The signs of up to 32 rows as a word for each of some blocks of columns,
   where the columns lie side by side: a bit is set where a sign is
   negative. */
static AVX512 void pack_rows(
    struct product *job, size_t block, size_t word, uint32_t *to)
{
    __m512i bits[VECTORS], sign = _mm512_set1_epi32(INT32_MIN);
    __mmask16 masks[VECTORS], has_others = 0;
    size_t left = job->n - block * LANES, rows = job->k - 32 * word;
    const float *from = job->signs + block * LANES
        + (ptrdiff_t)(32 * word) * job->sign_row;
    for (size_t j = 0; j < VECTORS; ++j) {
        bits[j] = _mm512_setzero_si512();
        masks[j] = first_of(left > j * LANES ? left - j * LANES : 0);
    }
    rows = rows < 32 ? rows : 32;
    for (size_t i = 0; i < rows; ++i, from += job->sign_row)
        for (size_t j = 0; j < VECTORS; ++j) {
            __m512i values = _mm512_maskz_loadu_epi32(
                masks[j], from + j * LANES);
            has_others |= others(masks[j], values);
            bits[j] = _mm512_or_si512(
                _mm512_srli_epi32(bits[j], 1),
                _mm512_and_si512(sign, values));
        }
    if (has_others)
        atomic_store(&job->has_others, 1);
    __m128i rest = _mm_cvtsi32_si128(32 - (int)rows);
    for (size_t j = 0; j < VECTORS && j * LANES < left; ++j)
        _mm512_storeu_si512(
            to + j * job->n_words * LANES, _mm512_srl_epi32(bits[j], rest));
}

/* The same of one block, where it is the rows that lie side by side. */
static AVX512 void pack_columns(
    struct product *job, size_t block, size_t word, uint32_t *to)
{
    __m512i zero = _mm512_setzero_si512();
    size_t columns = job->n - block * LANES, rows = job->k - 32 * word;
    __mmask16 low = first_of(rows), high = first_of(
        rows > LANES ? rows - LANES : 0), has_others = 0;
    const float *from = job->signs + 32 * word
        + (ptrdiff_t)(block * LANES) * job->sign_column;
    columns = columns < LANES ? columns : LANES;
    memset(to, 0, LANES * sizeof(uint32_t));
    for (size_t j = 0; j < columns; ++j, from += job->sign_column) {
        __m512i first = _mm512_maskz_loadu_epi32(low, from);
        __m512i last = _mm512_maskz_loadu_epi32(high, from + LANES);
        has_others |= others(low, first) | others(high, last);
        to[j] = (uint32_t)_mm512_cmplt_epi32_mask(first, zero)
            | (uint32_t)_mm512_cmplt_epi32_mask(last, zero) << 16;
    }
    if (has_others)
        atomic_store(&job->has_others, 1);
}

static void pack(void *work, size_t part, int worker)
{
    struct product *job = work;
    size_t first = part * VECTORS;
    (void)worker;
    for (size_t word = 0; word < job->n_words; ++word) {
        uint32_t *to = job->words + (first * job->n_words + word) * LANES;
        if (job->sign_column == 1)
            pack_rows(job, first, word, to);
        else
            for (size_t j = 0; j < VECTORS && first + j < job->n_blocks; ++j)
                pack_columns(job, first + j, word,
                             to + j * job->n_words * LANES);
    }
}

/* Entry i of a table is the sum of four floats, those negated whose bit is
   set in i. */
static AVX512 void fill_tables(
    const struct product *job, size_t row, size_t rows, size_t first,
    size_t n_groups, float *tables)
{
    __m512i entry = _mm512_set_epi32(
        15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i minus = _mm512_set1_epi32(INT32_MIN), sign[4];
    for (int bit = 0; bit < 4; ++bit)
        sign[bit] = _mm512_and_si512(minus, _mm512_sll_epi32(
            entry, _mm_cvtsi32_si128(31 - bit)));
    for (size_t i = 0; i < rows; ++i) {
        const float *a = job->a + (ptrdiff_t)(row + i) * job->a_row;
        for (size_t group = 0; group < n_groups; ++group) {
            __m512 total = _mm512_setzero_ps();
            for (size_t bit = 0; bit < 4; ++bit) {
                size_t column = first + 4 * group + bit;
                __m512i value = _mm512_castps_si512(_mm512_set1_ps(
                    column < job->k
                    ? a[(ptrdiff_t)column * job->a_column] : 0));
                total = _mm512_add_ps(total, _mm512_castsi512_ps(
                    _mm512_xor_si512(value, sign[bit])));
            }
            _mm512_storeu_ps(tables + (group * ROWS + i) * LANES, total);
        }
    }
}

/* The sums of some rows and vectors of outputs over some words. */
static inline __attribute__((always_inline)) AVX512 void look_up(
    const int rows, const int vectors, const float *tables,
    const uint32_t *words, size_t n_groups, size_t block_step, float *y,
    size_t row_step, __mmask16 last, int go_on)
{
    __m512 sums[ROWS][VECTORS], one = _mm512_set1_ps(1);
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j)
            sums[i][j] = go_on ? _mm512_maskz_loadu_ps(
                j == vectors - 1 ? last : (__mmask16)0xffff,
                y + (size_t)i * row_step + (size_t)j * LANES)
                : _mm512_setzero_ps();
    for (; n_groups; words += LANES) {
        size_t n = n_groups < 8 ? n_groups : 8;
        __m512i index[VECTORS];
        n_groups -= n;
        for (int j = 0; j < vectors; ++j)
            index[j] = _mm512_loadu_si512(words + (size_t)j * block_step);
#pragma GCC unroll 1
        for (; n; --n) {
            for (int i = 0; i < rows; ++i) {
                __m512 table = _mm512_loadu_ps(tables + i * LANES);
                for (int j = 0; j < vectors; ++j) {
                    __m512 found = _mm512_permutexvar_ps(index[j], table);
                    sums[i][j] = j % 2 ? _mm512_add_ps(sums[i][j], found)
                        : _mm512_fmadd_ps(found, one, sums[i][j]);
                }
            }
            for (int j = 0; j < vectors; ++j)
                index[j] = _mm512_srli_epi32(index[j], 4);
            tables += ROWS * LANES;
        }
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j)
            _mm512_mask_storeu_ps(
                y + (size_t)i * row_step + (size_t)j * LANES,
                j == vectors - 1 ? last : (__mmask16)0xffff, sums[i][j]);
}

#define CASE(rows, vectors) case (rows) * 8 + (vectors): \
    look_up(rows, vectors, tables, words, n_groups, block_step, y, row_step, \
            last, go_on); \
    break;
#define CASES(rows) CASE(rows, 1) CASE(rows, 2) CASE(rows, 3) CASE(rows, 4)

static AVX512 void look_up_any(
    int rows, int vectors, const float *tables, const uint32_t *words,
    size_t n_groups, size_t block_step, float *y, size_t row_step,
    __mmask16 last, int go_on)
{
    switch (rows * 8 + vectors) {
    CASES(1) CASES(2) CASES(3) CASES(4) CASES(5) CASES(6)
    }
}

/* Some rows of the product. */
static void multiply_rows(void *work, size_t part, int worker)
{
    const struct product *job = work;
    size_t row = part * ROWS, rows = job->m - row;
    size_t groups = (job->k + 3) / 4;
    float *tables = job->scratch + (size_t)worker * GROUPS * ROWS * LANES;
    rows = rows < ROWS ? rows : ROWS;
    for (size_t group = 0; group < groups; group += GROUPS) {
        size_t n_groups = groups - group;
        n_groups = n_groups < GROUPS ? n_groups : GROUPS;
        fill_tables(job, row, rows, 4 * group, n_groups, tables);
        for (size_t block = 0; block < job->n_blocks; block += VECTORS) {
            size_t vectors = job->n_blocks - block;
            vectors = vectors < VECTORS ? vectors : VECTORS;
            look_up_any(
                (int)rows, (int)vectors, tables,
                job->words + (block * job->n_words + group / 8) * LANES,
                n_groups, job->n_words * LANES,
                job->y + row * job->n + block * LANES, job->n,
                first_of(job->n - (block + vectors - 1) * LANES), group > 0);
        }
    }
}

/* y = A S, of m x k floats and k x n signs; the strides are of rows and of
   columns.  Answers 0 where it was done, and 1 where a multiplication is to
   serve: without AVX-512, or without memory, or where signs lie side by side
   neither in rows nor in columns, or are others than -1 and +1. */
int quantized_net_sign_product(
    const float *a, const ptrdiff_t *a_strides, const float *signs,
    const ptrdiff_t *sign_strides, float *y, size_t m, size_t k, size_t n)
{
    struct product job = {
        .a = a, .signs = signs, .a_row = a_strides[0],
        .a_column = a_strides[1], .sign_row = sign_strides[0],
        .sign_column = sign_strides[1], .m = m, .k = k, .n = n,
        .n_words = (k + 31) / 32, .n_blocks = (n + LANES - 1) / LANES,
        .y = y};
    size_t workers = (size_t)quantized_net_threads();
    int is_done = 0;
    if (quantized_net_level() < 2
            || (job.sign_row != 1 && job.sign_column != 1))
        return 1;
    job.words = malloc(
        job.n_blocks * job.n_words * LANES * sizeof(uint32_t));
    job.scratch = malloc(
        workers * GROUPS * ROWS * LANES * sizeof(float));
    if (job.words != NULL && job.scratch != NULL) {
        quantized_net_parallel(
            pack, &job, (job.n_blocks + VECTORS - 1) / VECTORS,
            (int)workers);
        is_done = !atomic_load(&job.has_others);
    }
    if (is_done)
        quantized_net_parallel(
            multiply_rows, &job, (m + ROWS - 1) / ROWS, (int)workers);
    free(job.words);
    free(job.scratch);
    return !is_done;
}

#else

int quantized_net_sign_product(
    const float *a, const ptrdiff_t *a_strides, const float *signs,
    const ptrdiff_t *sign_strides, float *y, size_t m, size_t k, size_t n)
{
    return 1;
}

#endif
