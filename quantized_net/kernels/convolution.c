/* The two-dimensional convolution and its gradients: what is to be computed
   where.  The sums themselves are in convolution.h. */

#include "threads.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* sums of products may be fused here: they are compared within rounding */
#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC optimize("fp-contract=fast")
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

/* Floats that lie side by side in the input and meet as many weights. */
struct run {
    ptrdiff_t offset;
    size_t length;
};

struct level {
    size_t lanes, budget;
    void (*products)(
        int p, int q, const float *x, ptrdiff_t x_step,
        const struct run *runs, size_t n_runs, const float *w, float *y,
        ptrdiff_t y_step, size_t n_out, const float *bias);
    void (*gradients)(
        int p, int q, const float *x, ptrdiff_t x_row, ptrdiff_t x_step,
        const float *gy, ptrdiff_t gy_step, size_t rows, size_t columns,
        float *total);
    void (*transform_input)(
        const float *x, ptrdiff_t row, size_t channels, float *to,
        ptrdiff_t plane);
    void (*transform_output)(
        const float *m, ptrdiff_t plane, size_t channels, const float *bias,
        float *y, ptrdiff_t row, int rows, int columns);
    void (*transform_gradient)(
        const float *gy, ptrdiff_t row, size_t channels, float *to,
        ptrdiff_t plane);
};

#if defined(__x86_64__) && defined(__GNUC__)
#define X86_LEVELS
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx2,fma")
#endif
#define LANES 16
#define BUDGET 24
#define NAME(f) f##_avx512
#include "convolution.h"
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push( \
    __attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define LANES 8
#define BUDGET 12
#define NAME(f) f##_avx2
#include "convolution.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#define LANES 4
#if defined(__aarch64__)
#define BUDGET 24
#else
#define BUDGET 12
#endif
#define NAME(f) f##_baseline
#include "convolution.h"

static const struct level *chosen_level;

/* Where the sums of a tile start: four vectors. */
static const float zeros[64];

/* 0 is what every processor has, 1 AVX2, 2 AVX-512; answers what was set:
   the highest that this processor has, where it is asked for more. */
int quantized_net_set_level(int level)
{
#if defined(X86_LEVELS)
    if (level >= 2 && __builtin_cpu_supports("avx512f")) {
        chosen_level = &quantized_net_level_avx512;
        return 2;
    }
    if (level >= 1 && __builtin_cpu_supports("avx2")
            && __builtin_cpu_supports("fma")) {
        chosen_level = &quantized_net_level_avx2;
        return 1;
    }
#endif
    chosen_level = &quantized_net_level_baseline;
    return 0;
}

static const struct level *current_level(void)
{
    if (chosen_level == NULL)
        quantized_net_set_level(2);
    return chosen_level;
}

int quantized_net_level(void)
{
    size_t lanes = current_level()->lanes;
    return lanes == 16 ? 2 : lanes == 8 ? 1 : 0;
}

/* As it comes from Python: sizes of a convolution. */
struct sizes {
    int64_t n, c_in, h_in, w_in, c_out, h_out, w_out, h_kernel, w_kernel;
    int64_t h_stride, w_stride, h_pad, w_pad, h_dilate, w_dilate, groups;
};

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* Output channels of a group go in blocks of at most four vectors. */
struct blocks {
    size_t channels, lanes, whole;  /* whole: channels, rounded up */
};

static struct blocks make_blocks(size_t channels)
{
    size_t lanes = current_level()->lanes;
    struct blocks blocks = {channels, lanes, round_up(channels, lanes)};
    return blocks;
}

static size_t n_blocks(const struct blocks *b)
{
    return (b->whole + 4 * b->lanes - 1) / (4 * b->lanes);
}

/* Vectors of the i-th block. */
static size_t vectors_of(const struct blocks *b, size_t i)
{
    size_t left = b->whole / b->lanes - 4 * i;
    return left < 4 ? left : 4;
}

/* Channels of the i-th block, those that are there. */
static size_t channels_of(const struct blocks *b, size_t i)
{
    size_t left = b->channels - 4 * i * b->lanes;
    return left < 4 * b->lanes ? left : 4 * b->lanes;
}

/* The largest tile that n can be cut into evenly. */
static size_t tile_of(size_t n, size_t q)
{
    size_t most = current_level()->budget / q;
    most = most > 16 ? 16 : most;
    size_t tiles = (n + most - 1) / most;
    return tiles ? (n + tiles - 1) / tiles : 1;
}

/* Where the floats of an image lie, in floats. */
struct strides {
    ptrdiff_t n, c, h, w;
};

/* Rows and columns of an image into a buffer, from a place on. */
struct frame {
    ptrdiff_t height, width, top, left;
};

/* Copies channels of an image between the zeros of a frame, channels last.
   What is outside the frame is left out. */
static void fill_frame(
    float *buffer, const struct frame *f, const float *image,
    const struct strides *s, size_t height, size_t width, size_t channels)
{
    ptrdiff_t first = f->left < 0 ? -f->left : 0;
    ptrdiff_t last = f->width - f->left;
    last = last < (ptrdiff_t)width ? last : (ptrdiff_t)width;
    for (size_t i = 0; i < height; ++i) {
        ptrdiff_t row = (ptrdiff_t)i + f->top;
        if (row < 0 || row >= f->height)
            continue;
        const float *from = image + (ptrdiff_t)i * s->h;
        float *to = buffer
            + (row * f->width + f->left) * (ptrdiff_t)channels;
        if (s->c == 1 && s->w == (ptrdiff_t)channels) {
            if (last > first)
                memcpy(to + first * s->w, from + first * s->w,
                       (size_t)((last - first) * s->w) * sizeof(float));
        } else if (s->c == 1) {
            for (ptrdiff_t j = first; j < last; ++j)
                memcpy(to + j * (ptrdiff_t)channels, from + j * s->w,
                       channels * sizeof(float));
        } else {
            for (size_t c = 0; c < channels; ++c)
                for (ptrdiff_t j = first; j < last; ++j)
                    to[j * (ptrdiff_t)channels + (ptrdiff_t)c] =
                        from[j * s->w + (ptrdiff_t)c * s->c];
        }
    }
}

/* Appends floats to the runs; those that go on where the last ends, to it. */
static size_t add_run(
    struct run *runs, size_t n, ptrdiff_t offset, size_t length)
{
    if (n && runs[n - 1].offset + (ptrdiff_t)runs[n - 1].length == offset) {
        runs[n - 1].length += length;
        return n;
    }
    runs[n].offset = offset;
    runs[n].length = length;
    return n + 1;
}

/* A product of framed images with packed weights, for a grid of outputs:
   the whole forward pass, or a phase of the gradient of the input. */
struct product {
    struct strides x;
    struct frame frame;
    size_t n, h_in, w_in, channels, groups;
    const float *images;
    struct run *runs;
    size_t n_runs, depth;  /* depth: floats of all runs */
    float *weights, *bias;  /* packed: group, block, float, channel */
    struct blocks blocks;
    ptrdiff_t row_step, column_step;  /* of the frame, for an output */
    float *y;
    struct strides y_strides;
    size_t rows, columns;
    float *scratch;
    size_t scratch_size;
};

static void do_product(void *work, size_t index, int worker)
{
    const struct product *job = work;
    const struct level *level = current_level();
    size_t image = index / job->groups, group = index % job->groups;
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    const float *weights = job->weights
        + group * job->depth * job->blocks.whole;
    const float *bias = job->bias + group * job->blocks.whole;
    float *y = job->y + (ptrdiff_t)image * job->y_strides.n
        + (ptrdiff_t)(group * job->blocks.channels);
    fill_frame(
        buffer, &job->frame, job->images + (ptrdiff_t)image * job->x.n
            + (ptrdiff_t)(group * job->channels) * job->x.c,
        &job->x, job->h_in, job->w_in, job->channels);
    for (size_t b = 0; b < n_blocks(&job->blocks); ++b) {
        size_t q = vectors_of(&job->blocks, b);
        size_t n_out = channels_of(&job->blocks, b);
        size_t tile = tile_of(job->columns, q);
        for (size_t row = 0; row < job->rows; ++row) {
            const float *x = buffer + (ptrdiff_t)row * job->row_step;
            float *to = y + (ptrdiff_t)row * job->y_strides.h;
            for (size_t column = 0; column < job->columns; column += tile) {
                size_t p = job->columns - column;
                p = p < tile ? p : tile;
                level->products(
                    (int)p, (int)q,
                    x + (ptrdiff_t)column * job->column_step,
                    job->column_step, job->runs, job->n_runs, weights,
                    to + (ptrdiff_t)column * job->y_strides.w,
                    job->y_strides.w, n_out, bias);
            }
        }
        weights += job->depth * q * job->blocks.lanes;
        bias += q * job->blocks.lanes;
        y += n_out;
    }
}

/* Allocates what the workers need, and runs.  The frames start as zeros,
   and an image always covers the same part of its frame. */
static int run_product(struct product *job)
{
    int threads = quantized_net_threads();
    job->scratch_size = round_up(
        (size_t)(job->frame.height * job->frame.width)
        * job->channels + 1, 16);
    job->scratch = calloc(
        job->scratch_size * (size_t)threads, sizeof(float));
    if (job->scratch == NULL)
        return -1;
    quantized_net_parallel(do_product, job, job->n * job->groups, threads);
    free(job->scratch);
    return 0;
}

/* The packed place of an output channel: its block's start and its lane. */
static float *packed(
    float *weights, const struct blocks *b, size_t depth, size_t channel,
    size_t *step)
{
    size_t block = channel / (4 * b->lanes);
    *step = vectors_of(b, block) * b->lanes;
    return weights + 4 * block * b->lanes * depth
        + channel % (4 * b->lanes);
}

/* Winograd's way, which takes 4/9 of the multiplications: for kernels of 3x3
   that move by one, over channels that fill whole vectors. */
static int suits_winograd(const struct sizes *s)
{
    size_t lanes = current_level()->lanes;
    return s->h_kernel == 3 && s->w_kernel == 3 && s->h_stride == 1
        && s->w_stride == 1 && s->h_dilate == 1 && s->w_dilate == 1
        && s->groups == 1 && s->h_pad <= 2 && s->w_pad <= 2
        && (size_t)s->c_in % lanes == 0 && (size_t)s->c_out % lanes == 0;
}

/* Tiles of 2x2 outputs, gone through a few rows of tiles at a time. */
struct tiling {
    size_t rows, columns, at_a_time;  /* at_a_time: rows */
    struct frame frame;
    size_t frame_size;
};

static struct tiling make_tiling(
    int64_t height, int64_t width, int64_t h_pad, int64_t w_pad,
    size_t channels, size_t tiles_at_a_time)
{
    struct tiling t;
    t.rows = (size_t)(height + 1) / 2;
    t.columns = (size_t)(width + 1) / 2;
    t.at_a_time = (tiles_at_a_time + t.columns - 1) / t.columns;
    t.at_a_time = t.at_a_time < t.rows ? t.at_a_time : t.rows;
    t.frame = (struct frame){
        2 * (ptrdiff_t)t.rows + 2, 2 * (ptrdiff_t)t.columns + 2, h_pad,
        w_pad};
    t.frame_size = round_up(
        (size_t)(t.frame.height * t.frame.width) * channels, 16);
    return t;
}

/* Floats from a plane to the next; the vector more keeps the planes from
   falling on the same lines of the cache. */
static size_t plane_of(const struct tiling *t, size_t channels)
{
    return t->at_a_time * t->columns * channels + 16;
}

/* The inputs of rows of tiles into sixteen planes of tiles x channels. */
static void transform_inputs(
    const struct tiling *t, const float *frame, size_t first, size_t rows,
    size_t channels, float *planes)
{
    ptrdiff_t plane = (ptrdiff_t)plane_of(t, channels);
    for (size_t i = 0; i < rows; ++i)
        for (size_t j = 0; j < t->columns; ++j)
            current_level()->transform_input(
                frame + ((ptrdiff_t)(2 * (first + i)) * t->frame.width
                         + (ptrdiff_t)(2 * j)) * (ptrdiff_t)channels,
                t->frame.width * (ptrdiff_t)channels, channels,
                planes + (i * t->columns + j) * channels, plane);
}

struct winograd {
    struct tiling tiling;
    struct strides x;
    const float *images;
    size_t n, h_in, w_in, c_in, c_out;
    ptrdiff_t h_out, w_out;
    float *weights;  /* packed: plane, block, input channel, channel */
    const float *bias;
    float *y, *scratch;
    size_t scratch_size;
};

static void do_winograd(void *work, size_t image, int worker)
{
    const struct winograd *job = work;
    const struct tiling *t = &job->tiling;
    const struct level *level = current_level();
    struct blocks blocks = make_blocks(job->c_out);
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    float *in = buffer + t->frame_size;
    size_t in_plane = plane_of(t, job->c_in);
    size_t out_plane = plane_of(t, job->c_out);
    float *out = in + 16 * in_plane;
    struct run run = {0, job->c_in};
    float *y = job->y + (ptrdiff_t)image * job->h_out * job->w_out
        * (ptrdiff_t)job->c_out;
    fill_frame(
        buffer, &t->frame, job->images + (ptrdiff_t)image * job->x.n,
        &job->x, job->h_in, job->w_in, job->c_in);
    for (size_t row = 0; row < t->rows; row += t->at_a_time) {
        size_t rows = t->rows - row;
        rows = rows < t->at_a_time ? rows : t->at_a_time;
        size_t tiles = rows * t->columns;
        transform_inputs(t, buffer, row, rows, job->c_in, in);
        for (size_t plane = 0; plane < 16; ++plane) {
            const float *weights = job->weights
                + plane * job->c_in * job->c_out;
            for (size_t b = 0; b < n_blocks(&blocks); ++b) {
                size_t q = vectors_of(&blocks, b);
                size_t step = tile_of(tiles, q);
                for (size_t i = 0; i < tiles; i += step)
                    level->products(
                        (int)(tiles - i < step ? tiles - i : step), (int)q,
                        in + plane * in_plane + i * job->c_in,
                        (ptrdiff_t)job->c_in, &run, 1, weights,
                        out + plane * out_plane + i * job->c_out
                            + 4 * b * blocks.lanes,
                        (ptrdiff_t)job->c_out, q * blocks.lanes, zeros);
                weights += job->c_in * q * blocks.lanes;
            }
        }
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < t->columns; ++j) {
                ptrdiff_t h = 2 * (ptrdiff_t)(row + i);
                ptrdiff_t w = 2 * (ptrdiff_t)j;
                level->transform_output(
                    out + (i * t->columns + j) * job->c_out,
                    (ptrdiff_t)out_plane, job->c_out, job->bias,
                    y + (h * job->w_out + w) * (ptrdiff_t)job->c_out,
                    job->w_out * (ptrdiff_t)job->c_out,
                    job->h_out - h < 2 ? 1 : 2, job->w_out - w < 2 ? 1 : 2);
            }
    }
}

/* G g G^T for every pair of channels; the strides are those of g. */
static int run_winograd(
    struct winograd *job, const float *W, ptrdiff_t of_out, ptrdiff_t of_in,
    ptrdiff_t of_row, ptrdiff_t of_column)
{
    struct blocks blocks = make_blocks(job->c_out);
    const struct tiling *t = &job->tiling;
    int failed = -1, threads = quantized_net_threads();
    job->scratch_size = t->frame_size
        + 16 * (plane_of(t, job->c_in) + plane_of(t, job->c_out));
    job->scratch = calloc(
        job->scratch_size * (size_t)threads, sizeof(float));
    job->weights = malloc(
        16 * job->c_in * job->c_out * sizeof(float));
    if (job->scratch != NULL && job->weights != NULL) {
        for (size_t o = 0; o < job->c_out; ++o) {
            size_t step;
            float *to = packed(job->weights, &blocks, job->c_in, o, &step);
            for (size_t c = 0; c < job->c_in; ++c) {
                const float *g = W + (ptrdiff_t)o * of_out
                    + (ptrdiff_t)c * of_in;
                float u[4][3];
                for (int j = 0; j < 3; ++j) {
                    const float *k = g + j * of_column;
                    u[0][j] = k[0];
                    u[1][j] = (k[0] + k[of_row] + k[2 * of_row]) / 2;
                    u[2][j] = (k[0] - k[of_row] + k[2 * of_row]) / 2;
                    u[3][j] = k[2 * of_row];
                }
                for (int i = 0; i < 4; ++i) {
                    float *at = to + (size_t)(4 * i) * job->c_in * job->c_out
                        + c * step;
                    size_t plane = job->c_in * job->c_out;
                    at[0] = u[i][0];
                    at[plane] = (u[i][0] + u[i][1] + u[i][2]) / 2;
                    at[2 * plane] = (u[i][0] - u[i][1] + u[i][2]) / 2;
                    at[3 * plane] = u[i][2];
                }
            }
        }
        quantized_net_parallel(do_winograd, job, job->n, threads);
        failed = 0;
    }
    free(job->scratch);
    free(job->weights);
    return failed;
}

static int winograd_convolution(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *W, const float *b, float *y)
{
    struct winograd job = {
        .tiling = make_tiling(s->h_out, s->w_out, s->h_pad, s->w_pad,
                              (size_t)s->c_in, 16),
        .x = *x_strides, .images = x, .n = (size_t)s->n,
        .h_in = (size_t)s->h_in, .w_in = (size_t)s->w_in,
        .c_in = (size_t)s->c_in, .c_out = (size_t)s->c_out,
        .h_out = s->h_out, .w_out = s->w_out, .bias = b, .y = y};
    float *no_bias = NULL;
    int failed;
    if (b == NULL) {
        no_bias = calloc(job.c_out, sizeof(float));
        if (no_bias == NULL)
            return -1;
        job.bias = no_bias;
    }
    failed = run_winograd(&job, W, s->c_in * 9, 9, 3, 1);
    free(no_bias);
    return failed;
}

/* The same with the roles of the channels changed, the kernels turned
   around, and what is missing of the whole padding of 2. */
static int winograd_gradient_x(
    const struct sizes *s, const float *gy, const struct strides *gy_strides,
    const float *W, float *gx)
{
    struct winograd job = {
        .tiling = make_tiling(s->h_in, s->w_in, 2 - s->h_pad, 2 - s->w_pad,
                              (size_t)s->c_out, 16),
        .x = *gy_strides, .images = gy, .n = (size_t)s->n,
        .h_in = (size_t)s->h_out, .w_in = (size_t)s->w_out,
        .c_in = (size_t)s->c_out, .c_out = (size_t)s->c_in,
        .h_out = s->h_in, .w_out = s->w_in, .y = gx};
    float *no_bias = calloc(job.c_out, sizeof(float));
    int failed;
    if (no_bias == NULL)
        return -1;
    job.bias = no_bias;
    failed = run_winograd(&job, W + 8, 9, s->c_in * 9, -3, -1);
    free(no_bias);
    return failed;
}

int quantized_net_convolution(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *W, const float *b, float *y)
{
    if (suits_winograd(s))
        return winograd_convolution(s, x, x_strides, W, b, y);
    size_t groups = (size_t)s->groups;
    size_t c_in = (size_t)s->c_in / groups, c_out = (size_t)s->c_out / groups;
    size_t taps = (size_t)(s->h_kernel * s->w_kernel);
    ptrdiff_t width = (s->w_out - 1) * s->w_stride
        + (s->w_kernel - 1) * s->w_dilate + 1;
    ptrdiff_t height = (s->h_out - 1) * s->h_stride
        + (s->h_kernel - 1) * s->h_dilate + 1;
    struct product job = {
        .x = *x_strides, .frame = {height, width, s->h_pad, s->w_pad},
        .n = (size_t)s->n, .h_in = (size_t)s->h_in, .w_in = (size_t)s->w_in,
        .channels = c_in, .groups = groups, .images = x,
        .depth = taps * c_in, .blocks = make_blocks(c_out),
        .row_step = s->h_stride * width * (ptrdiff_t)c_in,
        .column_step = s->w_stride * (ptrdiff_t)c_in, .y = y,
        .y_strides = {s->h_out * s->w_out * s->c_out, 1,
                      s->w_out * s->c_out, s->c_out},
        .rows = (size_t)s->h_out, .columns = (size_t)s->w_out};
    size_t whole = job.blocks.whole;
    int failed = -1;
    job.runs = malloc((taps + 1) * sizeof(struct run));
    job.weights = calloc(groups * job.depth * whole + 1, sizeof(float));
    job.bias = calloc(groups * whole, sizeof(float));
    if (job.runs != NULL && job.weights != NULL && job.bias != NULL) {
        for (ptrdiff_t i = 0; i < s->h_kernel; ++i)
            for (ptrdiff_t j = 0; j < s->w_kernel; ++j)
                job.n_runs = add_run(
                    job.runs, job.n_runs,
                    (i * s->h_dilate * width + j * s->w_dilate)
                        * (ptrdiff_t)c_in, c_in);
        for (size_t o = 0; o < (size_t)s->c_out; ++o) {
            size_t group = o / c_out, step;
            float *to = packed(
                job.weights + group * job.depth * whole, &job.blocks,
                job.depth, o % c_out, &step);
            const float *from = W + o * c_in * taps;
            for (size_t t = 0; t < taps; ++t)
                for (size_t c = 0; c < c_in; ++c)
                    to[(t * c_in + c) * step] = from[c * taps + t];
            if (b != NULL)
                job.bias[group * whole + o % c_out] = b[o];
        }
        failed = run_product(&job);
    }
    free(job.runs);
    free(job.weights);
    free(job.bias);
    return failed;
}

/* Rows (or columns) i, i + stride, ... of the input's gradient see the taps
   k with (i + pad - k * dilate) divisible by the stride, through the output
   (i + pad - k * dilate) / stride. */
static int sees(int64_t i, int64_t pad, int64_t k, int64_t dilate,
                int64_t stride, ptrdiff_t *output)
{
    int64_t place = i + pad - k * dilate;
    if (place % stride != 0)
        return 0;
    *output = place / stride;
    return 1;
}

int quantized_net_convolution_gradient_x(
    const struct sizes *s, const float *gy, const struct strides *gy_strides,
    const float *W, float *gx)
{
    if (suits_winograd(s))
        return winograd_gradient_x(s, gy, gy_strides, W, gx);
    size_t groups = (size_t)s->groups;
    size_t c_in = (size_t)s->c_in / groups, c_out = (size_t)s->c_out / groups;
    size_t taps = (size_t)(s->h_kernel * s->w_kernel);
    struct product job = {
        .x = *gy_strides, .n = (size_t)s->n, .h_in = (size_t)s->h_out,
        .w_in = (size_t)s->w_out, .channels = c_out, .groups = groups,
        .images = gy, .blocks = make_blocks(c_in),
        .column_step = (ptrdiff_t)c_out,
        .y_strides = {
            s->h_in * s->w_in * s->c_in, 1, s->h_stride * s->w_in * s->c_in,
            s->w_stride * s->c_in}};
    size_t whole = job.blocks.whole;
    int failed = -1;
    job.runs = malloc((taps + 1) * sizeof(struct run));
    job.weights = malloc((groups * taps * c_out * whole + 1) * sizeof(float));
    job.bias = calloc(groups * whole, sizeof(float));
    if (job.runs == NULL || job.weights == NULL || job.bias == NULL)
        goto end;
    for (int64_t a = 0; a < s->h_stride && a < s->h_in; ++a) {
        for (int64_t b = 0; b < s->w_stride && b < s->w_in; ++b) {
            ptrdiff_t oh, ow, top = 0, left = 0, bottom, right;
            size_t t = 0;
            job.rows = (size_t)((s->h_in - a + s->h_stride - 1)
                                / s->h_stride);
            job.columns = (size_t)((s->w_in - b + s->w_stride - 1)
                                   / s->w_stride);
            bottom = s->h_out;
            right = s->w_out;
            for (int64_t i = 0; i < s->h_kernel; ++i)
                if (sees(a, s->h_pad, i, s->h_dilate, s->h_stride, &oh)) {
                    top = -oh > top ? -oh : top;
                    if (oh + (ptrdiff_t)job.rows > bottom)
                        bottom = oh + (ptrdiff_t)job.rows;
                }
            for (int64_t j = 0; j < s->w_kernel; ++j)
                if (sees(b, s->w_pad, j, s->w_dilate, s->w_stride, &ow)) {
                    left = -ow > left ? -ow : left;
                    if (ow + (ptrdiff_t)job.columns > right)
                        right = ow + (ptrdiff_t)job.columns;
                }
            job.frame = (struct frame){
                top + bottom, left + right, top, left};
            job.row_step = job.frame.width * (ptrdiff_t)c_out;
            job.n_runs = 0;
            job.depth = 0;
            memset(job.weights, 0,
                   groups * taps * c_out * whole * sizeof(float));
            /* from the last tap to the first, so that runs go on */
            for (int64_t i = s->h_kernel; i-- > 0;)
                for (int64_t j = s->w_kernel; j-- > 0;)
                    if (sees(a, s->h_pad, i, s->h_dilate, s->h_stride, &oh)
                            && sees(b, s->w_pad, j, s->w_dilate,
                                    s->w_stride, &ow)) {
                        job.n_runs = add_run(
                            job.runs, job.n_runs,
                            ((oh + top) * job.frame.width + ow + left)
                                * (ptrdiff_t)c_out, c_out);
                        job.depth += c_out;
                    }
            for (int64_t i = s->h_kernel; i-- > 0;)
                for (int64_t j = s->w_kernel; j-- > 0;) {
                    if (!sees(a, s->h_pad, i, s->h_dilate, s->h_stride, &oh)
                            || !sees(b, s->w_pad, j, s->w_dilate,
                                     s->w_stride, &ow))
                        continue;
                    for (size_t c = 0; c < (size_t)s->c_in; ++c) {
                        size_t group = c / c_in, step;
                        float *to = packed(
                            job.weights + group * job.depth * whole,
                            &job.blocks, job.depth, c % c_in, &step);
                        for (size_t o = 0; o < c_out; ++o)
                            to[(t * c_out + o) * step] =
                                W[((group * c_out + o) * c_in + c % c_in)
                                  * taps + (size_t)(i * s->w_kernel + j)];
                    }
                    ++t;
                }
            job.y = gx + (a * s->w_in + b) * s->c_in;
            if (run_product(&job))
                goto end;
        }
    }
    failed = 0;
end:
    free(job.runs);
    free(job.weights);
    free(job.bias);
    return failed;
}

/* Parts of a batch: at most 16, and 16 MB of sums where that leaves two. */
static size_t n_parts(const struct sizes *s, size_t size)
{
    size_t parts = size ? ((size_t)4 << 20) / size : 1;
    parts = parts > 16 ? 16 : parts < 2 ? 2 : parts;
    return parts < (size_t)s->n ? parts : (size_t)s->n;
}

/* The gradient of the weights.  The images are cut into parts that do not
   depend on the number of threads, and the parts' sums are added in order:
   the result is the same for any number. */
struct weight_gradient {
    const struct sizes *s;
    struct strides x;
    const float *images, *gy;
    struct frame frame;
    struct run *runs;
    size_t n_runs, depth, c_in;
    struct blocks blocks;
    size_t parts, tasks_of_part;  /* a task: a part, a group and a block */
    float *totals;
    float *scratch;
    size_t x_size, scratch_size;
};

static void do_weight_gradient(void *work, size_t index, int worker)
{
    const struct weight_gradient *job = work;
    const struct sizes *s = job->s;
    const struct level *level = current_level();
    size_t part = index / job->tasks_of_part;
    size_t task = index % job->tasks_of_part;
    size_t group = task / n_blocks(&job->blocks);
    size_t block = task % n_blocks(&job->blocks);
    size_t q = vectors_of(&job->blocks, block), lanes = job->blocks.lanes;
    size_t channels = channels_of(&job->blocks, block);
    size_t pixels = (size_t)(s->h_out * s->w_out);
    size_t first = part * (size_t)s->n / job->parts;
    size_t last = (part + 1) * (size_t)s->n / job->parts;
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    float *spread = buffer + job->x_size;
    float *total = job->totals
        + (part * (size_t)s->groups + group) * job->depth * job->blocks.whole
        + 4 * block * lanes * job->depth;
    for (size_t image = first; image < last; ++image) {
        const float *gy = job->gy
            + image * pixels * (size_t)s->c_out
            + group * job->blocks.channels + 4 * block * lanes;
        ptrdiff_t gy_step = s->c_out;
        float *to = total;
        fill_frame(
            buffer, &job->frame, job->images + (ptrdiff_t)image * job->x.n
                + (ptrdiff_t)(group * job->c_in) * job->x.c,
            &job->x, (size_t)s->h_in, (size_t)s->w_in, job->c_in);
        if (channels < q * lanes) {
            for (size_t i = 0; i < pixels; ++i) {
                memcpy(spread + i * q * lanes, gy + i * (size_t)s->c_out,
                       channels * sizeof(float));
                memset(spread + i * q * lanes + channels, 0,
                       (q * lanes - channels) * sizeof(float));
            }
            gy = spread;
            gy_step = (ptrdiff_t)(q * lanes);
        }
        for (size_t r = 0; r < job->n_runs; ++r) {
            size_t tile = tile_of(job->runs[r].length, q);
            for (size_t k = 0; k < job->runs[r].length; k += tile) {
                size_t p = job->runs[r].length - k;
                p = p < tile ? p : tile;
                level->gradients(
                    (int)p, (int)q,
                    buffer + job->runs[r].offset + (ptrdiff_t)k,
                    s->h_stride * job->frame.width * (ptrdiff_t)job->c_in,
                    s->w_stride * (ptrdiff_t)job->c_in, gy, gy_step,
                    (size_t)s->h_out, (size_t)s->w_out, to);
                to += p * q * lanes;
            }
        }
    }
}

/* Winograd's way for the gradient of the weights: G^T (sum of the tiles'
   (A g A^T) times (B^T d B)) G. */
struct winograd_gradient {
    const struct sizes *s;
    struct tiling tiling;
    struct strides x;
    const float *images, *gy;
    size_t parts;
    float *totals, *scratch;
    size_t total_size, scratch_size, gy_size;
};

static void do_winograd_gradient(void *work, size_t part, int worker)
{
    const struct winograd_gradient *job = work;
    const struct sizes *s = job->s;
    const struct tiling *t = &job->tiling;
    const struct level *level = current_level();
    size_t c_in = (size_t)s->c_in, c_out = (size_t)s->c_out;
    struct blocks blocks = make_blocks(c_out);
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    float *gradients = buffer + t->frame_size;
    float *in = gradients + job->gy_size;
    size_t in_plane = plane_of(t, c_in), out_plane = plane_of(t, c_out);
    float *out = in + 16 * in_plane;
    float *total = job->totals + part * job->total_size;
    struct frame whole = {
        2 * (ptrdiff_t)t->rows, 2 * (ptrdiff_t)t->columns, 0, 0};
    struct strides gy_strides = {
        s->h_out * s->w_out * s->c_out, 1, s->w_out * s->c_out, s->c_out};
    size_t first = part * (size_t)s->n / job->parts;
    size_t last = (part + 1) * (size_t)s->n / job->parts;
    for (size_t image = first; image < last; ++image) {
        fill_frame(
            buffer, &t->frame, job->images + (ptrdiff_t)image * job->x.n,
            &job->x, (size_t)s->h_in, (size_t)s->w_in, c_in);
        const float *gy = job->gy + (ptrdiff_t)image * gy_strides.n;
        if (s->h_out % 2 || s->w_out % 2) {
            fill_frame(gradients, &whole, gy, &gy_strides,
                       (size_t)s->h_out, (size_t)s->w_out, c_out);
            gy = gradients;
        }
        for (size_t row = 0; row < t->rows; row += t->at_a_time) {
            size_t rows = t->rows - row;
            rows = rows < t->at_a_time ? rows : t->at_a_time;
            transform_inputs(t, buffer, row, rows, c_in, in);
            for (size_t i = 0; i < rows; ++i)
                for (size_t j = 0; j < t->columns; ++j)
                    level->transform_gradient(
                        gy + (2 * (row + i) * (size_t)whole.width + 2 * j)
                            * c_out,
                        whole.width * (ptrdiff_t)c_out, c_out,
                        out + (i * t->columns + j) * c_out,
                        (ptrdiff_t)out_plane);
            for (size_t plane = 0; plane < 16; ++plane) {
                float *to = total + plane * c_in * c_out;
                for (size_t b = 0; b < n_blocks(&blocks); ++b) {
                    size_t q = vectors_of(&blocks, b);
                    size_t step = tile_of(c_in, q);
                    for (size_t k = 0; k < c_in; k += step) {
                        size_t p = c_in - k < step ? c_in - k : step;
                        level->gradients(
                            (int)p, (int)q, in + plane * in_plane + k, 0,
                            (ptrdiff_t)c_in,
                            out + plane * out_plane
                                + 4 * b * blocks.lanes,
                            (ptrdiff_t)c_out, 1, rows * t->columns, to);
                        to += p * q * blocks.lanes;
                    }
                }
            }
        }
    }
}

static int winograd_gradient_W(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *gy, float *gW)
{
    size_t c_in = (size_t)s->c_in, c_out = (size_t)s->c_out;
    size_t size = c_in * c_out;
    struct blocks blocks = make_blocks(c_out);
    struct winograd_gradient job = {
        .s = s, .tiling = make_tiling(s->h_out, s->w_out, s->h_pad,
                                      s->w_pad, c_in, 64),
        .x = *x_strides, .images = x, .gy = gy, .parts = n_parts(s, 16 * size),
        .total_size = 16 * size};
    const struct tiling *t = &job.tiling;
    int failed = -1, threads = quantized_net_threads();
    job.gy_size = s->h_out % 2 || s->w_out % 2
        ? round_up(4 * t->rows * t->columns * c_out, 16) : 0;
    job.scratch_size = t->frame_size + job.gy_size
        + 16 * (plane_of(t, c_in) + plane_of(t, c_out));
    job.totals = calloc(job.parts * job.total_size, sizeof(float));
    job.scratch = calloc(
        job.scratch_size * (size_t)threads, sizeof(float));
    if (job.totals != NULL && job.scratch != NULL) {
        quantized_net_parallel(
            do_winograd_gradient, &job, job.parts, threads);
        for (size_t part = 1; part < job.parts; ++part)
            for (size_t i = 0; i < job.total_size; ++i)
                job.totals[i] += job.totals[part * job.total_size + i];
        for (size_t o = 0; o < c_out; ++o) {
            size_t step;
            const float *from = packed(job.totals, &blocks, c_in, o, &step);
            for (size_t c = 0; c < c_in; ++c) {
                float t_[3][4];
                float *to = gW + (o * c_in + c) * 9;
                for (int j = 0; j < 4; ++j) {
                    const float *u = from + (size_t)j * size + c * step;
                    float middle = u[4 * size] + u[8 * size];
                    t_[0][j] = u[0] + middle / 2;
                    t_[1][j] = (u[4 * size] - u[8 * size]) / 2;
                    t_[2][j] = middle / 2 + u[12 * size];
                }
                for (int i = 0; i < 3; ++i) {
                    float middle = t_[i][1] + t_[i][2];
                    to[3 * i] = t_[i][0] + middle / 2;
                    to[3 * i + 1] = (t_[i][1] - t_[i][2]) / 2;
                    to[3 * i + 2] = middle / 2 + t_[i][3];
                }
            }
        }
        failed = 0;
    }
    free(job.totals);
    free(job.scratch);
    return failed;
}

int quantized_net_convolution_gradient_W(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *gy, float *gW)
{
    if (suits_winograd(s))
        return winograd_gradient_W(s, x, x_strides, gy, gW);
    size_t groups = (size_t)s->groups;
    size_t c_in = (size_t)s->c_in / groups, c_out = (size_t)s->c_out / groups;
    size_t taps = (size_t)(s->h_kernel * s->w_kernel);
    ptrdiff_t width = (s->w_out - 1) * s->w_stride
        + (s->w_kernel - 1) * s->w_dilate + 1;
    ptrdiff_t height = (s->h_out - 1) * s->h_stride
        + (s->h_kernel - 1) * s->h_dilate + 1;
    struct weight_gradient job = {
        .s = s, .x = *x_strides, .images = x, .gy = gy,
        .frame = {height, width, s->h_pad, s->w_pad}, .depth = taps * c_in,
        .c_in = c_in, .blocks = make_blocks(c_out)};
    size_t size = groups * job.depth * job.blocks.whole;
    int failed = -1, threads = quantized_net_threads();
    job.parts = n_parts(s, size);
    job.tasks_of_part = groups * n_blocks(&job.blocks);
    job.x_size = round_up((size_t)(height * width) * c_in + 1, 16);
    job.scratch_size = job.x_size + round_up(
        (size_t)(s->h_out * s->w_out) * 4 * job.blocks.lanes, 16);
    job.runs = malloc((taps + 1) * sizeof(struct run));
    job.totals = calloc(job.parts * size + 1, sizeof(float));
    job.scratch = calloc(
        job.scratch_size * (size_t)threads, sizeof(float));
    if (job.runs != NULL && job.totals != NULL && job.scratch != NULL) {
        for (ptrdiff_t i = 0; i < s->h_kernel; ++i)
            for (ptrdiff_t j = 0; j < s->w_kernel; ++j)
                job.n_runs = add_run(
                    job.runs, job.n_runs,
                    (i * s->h_dilate * width + j * s->w_dilate)
                        * (ptrdiff_t)c_in, c_in);
        quantized_net_parallel(
            do_weight_gradient, &job, job.parts * job.tasks_of_part,
            threads);
        for (size_t part = 1; part < job.parts; ++part)
            for (size_t i = 0; i < size; ++i)
                job.totals[i] += job.totals[part * size + i];
        for (size_t o = 0; o < (size_t)s->c_out; ++o) {
            size_t step;
            const float *from = packed(
                job.totals + o / c_out * job.depth * job.blocks.whole,
                &job.blocks, job.depth, o % c_out, &step);
            float *to = gW + o * c_in * taps;
            for (size_t t = 0; t < taps; ++t)
                for (size_t c = 0; c < c_in; ++c)
                    to[c * taps + t] = from[(t * c_in + c) * step];
        }
        failed = 0;
    }
    free(job.runs);
    free(job.totals);
    free(job.scratch);
    return failed;
}
