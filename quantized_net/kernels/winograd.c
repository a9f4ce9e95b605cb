/* Winograd's convolutions F(4x4, 3x3) and F(2x2, 5x5), arXiv:1509.09308: 4
   and 2.8 times fewer multiplications.  Both see 6x6 inputs in a tile. */

#include "convolution.h"
#include "vectors.h"

#define IN 6  /* inputs of a tile, in each direction */
#define PLANES (IN * IN)
#define LANES 16  /* output channels whose weights are transformed at once */

/* Where the sums of a tile start: four vectors. */
static const float zeros[64];

/* For kernels of 3x3 and 5x5 that move by one, over channels that fill whole
   vectors; its fractions are not exact. */
int quantized_net_suits_winograd(const struct sizes *s)
{
    size_t lanes = quantized_net_current_level()->lanes;
    int64_t kernel = s->h_kernel;
    return !s->exact && (kernel == 3 || kernel == 5)
        && s->w_kernel == kernel
        && s->h_stride == 1 && s->w_stride == 1 && s->h_dilate == 1
        && s->w_dilate == 1 && s->groups == 1 && s->h_pad < kernel
        && s->w_pad < kernel
        && s->h_out > 2 && s->w_out > 2 && s->h_in > 2 && s->w_in > 2
        && (size_t)s->c_in % lanes == 0 && (size_t)s->c_out % lanes == 0;
}

/* Tiles of some images, in rows that are gone through a few at a time: about
   as many tiles as the maker is told, and no more images than that. */
struct tiling {
    size_t kernel, out;  /* size of a kernel, and of a tile's outputs */
    size_t rows, columns;  /* of an image */
    size_t images, at_a_time;  /* images together, rows at a time */
    struct frame frame;
    size_t frame_size;
};

static struct tiling make_tiling(
    int64_t kernel, int64_t height, int64_t width, int64_t h_pad,
    int64_t w_pad, size_t channels, size_t tiles, size_t most_images)
{
    struct tiling t;
    t.kernel = (size_t)kernel;
    t.out = IN + 1 - t.kernel;
    t.rows = ((size_t)height + t.out - 1) / t.out;
    t.columns = ((size_t)width + t.out - 1) / t.out;
    t.images = tiles / (t.rows * t.columns);
    t.images = t.images < most_images ? t.images : most_images;
    t.images = t.images ? t.images : 1;
    t.at_a_time = (tiles + t.columns - 1) / t.columns;
    if (t.at_a_time > t.images * t.rows)
        t.at_a_time = t.images * t.rows;
    t.frame = (struct frame){
        (ptrdiff_t)(t.out * t.rows + t.kernel - 1),
        (ptrdiff_t)(t.out * t.columns + t.kernel - 1), h_pad, w_pad};
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

/* The inputs of rows of tiles into planes of tiles x channels. */
static void transform_inputs(
    const struct tiling *t, const float *frames, size_t first, size_t rows,
    size_t channels, float *planes)
{
    ptrdiff_t plane = (ptrdiff_t)plane_of(t, channels);
    const struct level *level = quantized_net_current_level();
    for (size_t row = first; row < first + rows; ++row) {
        const float *from = frames + row / t->rows * t->frame_size
            + t->out * (row % t->rows) * (size_t)t->frame.width * channels;
        for (size_t j = 0; j < t->columns; ++j) {
            level->transform_input(
                from + t->out * j * channels,
                t->frame.width * (ptrdiff_t)channels, channels, planes,
                plane);
            planes += channels;
        }
    }
}

struct winograd {
    struct tiling tiling;
    struct strides x;
    const float *images;
    size_t n, h_in, w_in, c_in, c_out;
    ptrdiff_t h_out, w_out;
    const float *W;
    ptrdiff_t of_out, of_in, of_row, of_column;  /* strides of W */
    float *weights;  /* packed: plane, block, input channel, channel */
    const float *bias;
    const struct finish *finish;  /* or NULL */
    float *y, *scratch;
    size_t scratch_size;
};

/* G g, of a column or row of a kernel, for some output channels */
static inline void kernel_line(
    size_t kernel, float g[5][LANES], float to[IN][LANES])
{
    for (int i = 0; i < LANES; ++i) {
        float even = g[0][i] + g[2][i], odd = g[1][i];
        float even2 = g[0][i] + 4 * g[2][i], odd2 = 2 * g[1][i];
        if (kernel == 5) {
            even += g[4][i];
            odd += g[3][i];
            even2 += 16 * g[4][i];
            odd2 += 8 * g[3][i];
        }
        to[0][i] = g[0][i] / 4;
        to[1][i] = (even + odd) / -6;
        to[2][i] = (even - odd) / -6;
        to[3][i] = (even2 + odd2) / 24;
        to[4][i] = (even2 - odd2) / 24;
        to[5][i] = g[kernel - 1][i];
    }
}

/* G g G^T for some output channels and all input channels. */
static CLONES void transform_weights(void *work, size_t part, int worker)
{
    const struct winograd *job = work;
    struct blocks blocks = make_blocks(job->c_out);
    size_t kernel = job->tiling.kernel, plane = job->c_in * job->c_out;
    size_t o = part * LANES, n = job->c_out - o, step;
    (void)worker;
    n = n < LANES ? n : LANES;
    for (size_t c = 0; c < job->c_in; ++c) {
        /* a column, row or channel a time */
        float g[5][LANES] = {{0}}, u[5][IN][LANES], v[IN][LANES];
        for (size_t j = 0; j < kernel; ++j) {
            for (size_t k = 0; k < n; ++k)
                for (size_t i = 0; i < kernel; ++i)
                    g[i][k] = job->W[
                        (ptrdiff_t)(o + k) * job->of_out
                        + (ptrdiff_t)c * job->of_in
                        + (ptrdiff_t)i * job->of_row
                        + (ptrdiff_t)j * job->of_column];
            kernel_line(kernel, g, u[j]);
        }
        for (int i = 0; i < IN; ++i) {
            for (size_t j = 0; j < kernel; ++j)
                memcpy(g[j], u[j][i], sizeof g[j]);
            kernel_line(kernel, g, v);
            for (size_t k = 0; k < n; k += blocks.lanes) {
                float *to = packed(
                    job->weights, &blocks, job->c_in, o + k, &step);
                for (int j = 0; j < IN; ++j)
                    memcpy(to + (size_t)(IN * i + j) * plane + c * step,
                           v[j] + k, blocks.lanes * sizeof(float));
            }
        }
    }
}

static void do_winograd(void *work, size_t part, int worker)
{
    const struct winograd *job = work;
    const struct tiling *t = &job->tiling;
    const struct level *level = quantized_net_current_level();
    struct blocks blocks = make_blocks(job->c_out);
    float *frames = job->scratch + (size_t)worker * job->scratch_size;
    float *in = frames + t->images * t->frame_size;
    size_t in_plane = plane_of(t, job->c_in);
    size_t out_plane = plane_of(t, job->c_out);
    float *out = in + PLANES * in_plane;
    struct run run = {0, job->c_in};
    size_t image = part * t->images, images = job->n - image;
    images = images < t->images ? images : t->images;
    for (size_t i = 0; i < images; ++i)
        quantized_net_fill_frame(
            frames + i * t->frame_size, &t->frame,
            job->images + (ptrdiff_t)(image + i) * job->x.n, &job->x,
            job->h_in, job->w_in, job->c_in);
    for (size_t row = 0; row < images * t->rows; row += t->at_a_time) {
        size_t rows = images * t->rows - row;
        rows = rows < t->at_a_time ? rows : t->at_a_time;
        size_t tiles = rows * t->columns;
        transform_inputs(t, frames, row, rows, job->c_in, in);
        for (size_t plane = 0; plane < PLANES; ++plane) {
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
        const float *from = out;
        for (size_t i = row; i < row + rows; ++i)
            for (size_t j = 0; j < t->columns; ++j) {
                ptrdiff_t all = (ptrdiff_t)t->out;
                ptrdiff_t h = all * (ptrdiff_t)(i % t->rows);
                ptrdiff_t w = all * (ptrdiff_t)j;
                ptrdiff_t h_left = job->h_out - h, w_left = job->w_out - w;
                ptrdiff_t at = (
                    ((ptrdiff_t)(image + i / t->rows) * job->h_out + h)
                    * job->w_out + w) * (ptrdiff_t)job->c_out;
                level->transform_output(
                    (int)all, from, (ptrdiff_t)out_plane, job->c_out,
                    job->bias, job->finish == NULL ? job->y + at : NULL,
                    job->w_out * (ptrdiff_t)job->c_out,
                    (int)(h_left < all ? h_left : all),
                    (int)(w_left < all ? w_left : all), job->finish, at);
                from += job->c_out;
            }
    }
}

static size_t scratch_of(const struct winograd *job)
{
    const struct tiling *t = &job->tiling;
    return t->images * t->frame_size
        + PLANES * (plane_of(t, job->c_in) + plane_of(t, job->c_out));
}

static int run_winograd(struct winograd *job)
{
    const struct tiling *t = &job->tiling;
    int failed = -1, threads = quantized_net_threads();
    float *no_bias = NULL;
    job->scratch_size = scratch_of(job);
    job->scratch = calloc(
        job->scratch_size * (size_t)threads, sizeof(float));
    job->weights = malloc(
        PLANES * job->c_in * job->c_out * sizeof(float));
    if (job->bias == NULL)
        job->bias = no_bias = calloc(job->c_out, sizeof(float));
    if (job->scratch != NULL && job->weights != NULL && job->bias != NULL) {
        quantized_net_parallel(
            transform_weights, job, (job->c_out + LANES - 1) / LANES,
            threads);
        quantized_net_parallel(
            do_winograd, job, (job->n + t->images - 1) / t->images, threads);
        failed = 0;
    }
    free(job->scratch);
    free(job->weights);
    free(no_bias);
    return failed;
}

/* Images that go together: there are to be sixteen parts for the threads. */
static size_t most_images(int64_t n)
{
    return ((size_t)n + 15) / 16;
}

static struct winograd make_winograd(
    const struct sizes *s, const float *W, size_t images_together)
{
    return (struct winograd){
        .tiling = make_tiling(
            s->h_kernel, s->h_out, s->w_out, s->h_pad, s->w_pad,
            (size_t)s->c_in, 16, images_together),
        .n = (size_t)s->n, .h_in = (size_t)s->h_in, .w_in = (size_t)s->w_in,
        .c_in = (size_t)s->c_in, .c_out = (size_t)s->c_out,
        .h_out = s->h_out, .w_out = s->w_out,
        .W = W, .of_out = s->c_in * s->h_kernel * s->h_kernel,
        .of_in = s->h_kernel * s->h_kernel, .of_row = s->h_kernel,
        .of_column = 1};
}

int quantized_net_winograd(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *W, const float *b, float *y)
{
    struct winograd job = make_winograd(s, W, most_images(s->n));
    job.images = x;
    job.x = *x_strides;
    job.bias = b;
    job.y = y;
    return run_winograd(&job);
}

struct winograd *quantized_net_plan_winograd(
    const struct sizes *s, const float *W, const float *bias)
{
    struct winograd *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return NULL;
    *plan = make_winograd(s, W, (size_t)s->n);
    plan->x = (struct strides){
        s->h_in * s->w_in * s->c_in, 1, s->w_in * s->c_in, s->c_in};
    plan->bias = bias;
    plan->scratch_size = scratch_of(plan);
    plan->weights = malloc(
        PLANES * plan->c_in * plan->c_out * sizeof(float));
    if (plan->weights == NULL) {
        free(plan);
        return NULL;
    }
    for (size_t part = 0; part < (plan->c_out + LANES - 1) / LANES; ++part)
        transform_weights(plan, part, 0);
    plan->W = NULL;
    return plan;
}

void quantized_net_free_winograd(struct winograd *plan)
{
    if (plan != NULL)
        free(plan->weights);
    free(plan);
}

size_t quantized_net_winograd_scratch(const struct winograd *plan)
{
    return plan->scratch_size;
}

void quantized_net_run_winograd(
    const struct winograd *plan, size_t n, const float *x, float *scratch,
    const struct finish *finish)
{
    struct winograd job = *plan;
    const struct tiling *t = &job.tiling;
    job.images = x;
    job.n = n;
    job.finish = finish;
    job.scratch = scratch;
    for (size_t i = 0; i < t->images; ++i)
        quantized_net_clear_around(
            scratch + i * t->frame_size, &t->frame, job.h_in, job.w_in,
            job.c_in);
    for (size_t part = 0; part < (n + t->images - 1) / t->images; ++part)
        do_winograd(&job, part, 0);
}

/* The same with the roles of the channels changed, the kernels turned
   around, and what is missing of the whole padding. */
int quantized_net_winograd_gradient_x(
    const struct sizes *s, const float *gy, const struct strides *gy_strides,
    const float *W, float *gx)
{
    int64_t all = s->h_kernel * s->h_kernel, most = s->h_kernel - 1;
    struct winograd job = {
        .tiling = make_tiling(
            s->h_kernel, s->h_in, s->w_in, most - s->h_pad, most - s->w_pad,
            (size_t)s->c_out, 16, most_images(s->n)),
        .x = *gy_strides, .images = gy, .n = (size_t)s->n,
        .h_in = (size_t)s->h_out, .w_in = (size_t)s->w_out,
        .c_in = (size_t)s->c_out, .c_out = (size_t)s->c_in,
        .h_out = s->h_in, .w_out = s->w_in,
        .W = W + all - 1, .of_out = all, .of_in = s->c_in * all,
        .of_row = -s->h_kernel, .of_column = -1, .y = gx};
    return run_winograd(&job);
}

/* Winograd's way for the gradient of the weights: G^T (sum of the tiles'
   (A g A^T) times (B^T d B)) G. */
struct winograd_gradient {
    const struct sizes *s;
    struct tiling tiling;
    struct strides x;
    const float *images, *gy;
    size_t parts;
    float *totals, *gW, *scratch;
    size_t total_size, scratch_size, gy_size;
};

static void do_winograd_gradient(void *work, size_t part, int worker)
{
    const struct winograd_gradient *job = work;
    const struct sizes *s = job->s;
    const struct tiling *t = &job->tiling;
    const struct level *level = quantized_net_current_level();
    size_t c_in = (size_t)s->c_in, c_out = (size_t)s->c_out;
    struct blocks blocks = make_blocks(c_out);
    float *frames = job->scratch + (size_t)worker * job->scratch_size;
    float *gradients = frames + t->images * t->frame_size;
    float *in = gradients + t->images * job->gy_size;
    size_t in_plane = plane_of(t, c_in), out_plane = plane_of(t, c_out);
    float *out = in + PLANES * in_plane;
    float *total = job->totals + part * job->total_size;
    struct frame whole = {
        (ptrdiff_t)(t->out * t->rows), (ptrdiff_t)(t->out * t->columns), 0,
        0};
    struct strides gy_strides = {
        s->h_out * s->w_out * s->c_out, 1, s->w_out * s->c_out, s->c_out};
    size_t image = part * (size_t)s->n / job->parts;
    size_t last = (part + 1) * (size_t)s->n / job->parts;
    for (; image < last; image += t->images) {
        size_t images = last - image;
        const float *gy = job->gy + (ptrdiff_t)image * gy_strides.n;
        images = images < t->images ? images : t->images;
        for (size_t i = 0; i < images; ++i) {
            quantized_net_fill_frame(
                frames + i * t->frame_size, &t->frame,
                job->images + (ptrdiff_t)(image + i) * job->x.n, &job->x,
                (size_t)s->h_in, (size_t)s->w_in, c_in);
            if (job->gy_size)
                quantized_net_fill_frame(
                    gradients + i * job->gy_size, &whole,
                    gy + (ptrdiff_t)i * gy_strides.n, &gy_strides,
                    (size_t)s->h_out, (size_t)s->w_out, c_out);
        }
        if (job->gy_size)
            gy = gradients;
        for (size_t row = 0; row < images * t->rows; row += t->at_a_time) {
            size_t rows = images * t->rows - row;
            rows = rows < t->at_a_time ? rows : t->at_a_time;
            transform_inputs(t, frames, row, rows, c_in, in);
            /* whole rows of tiles: those of the next image follow */
            for (size_t i = 0; i < rows; ++i)
                for (size_t j = 0; j < t->columns; ++j)
                    level->transform_gradient(
                        (int)t->out, gy + t->out * ((row + i) * (size_t)whole.width + j)
                            * c_out,
                        whole.width * (ptrdiff_t)c_out, c_out,
                        out + (i * t->columns + j) * c_out,
                        (ptrdiff_t)out_plane);
            for (size_t plane = 0; plane < PLANES; ++plane) {
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

/* A plane of the totals of all parts into that of the first. */
static CLONES void add_totals(void *work, size_t plane, int worker)
{
    const struct winograd_gradient *job = work;
    size_t size = job->total_size / PLANES;
    float *restrict to = job->totals + plane * size;
    (void)worker;
    for (size_t part = 1; part < job->parts; ++part) {
        const float *restrict from = to + part * job->total_size;
        for (size_t i = 0; i < size; ++i)
            to[i] += from[i];
    }
}

/* G^T u, of a column or row of planes, for some output channels */
static inline void gradient_line(
    size_t kernel, float u[IN][LANES], float to[5][LANES])
{
    for (int i = 0; i < LANES; ++i) {
        float sum = (u[1][i] + u[2][i]) / -6, sum2 = (u[3][i] + u[4][i]) / 24;
        float difference = (u[2][i] - u[1][i]) / 6;
        float difference2 = (u[3][i] - u[4][i]) / 24;
        to[0][i] = u[0][i] / 4 + sum + sum2;
        to[1][i] = difference + 2 * difference2;
        to[2][i] = sum + 4 * sum2;
        to[3][i] = difference + 8 * difference2;
        to[4][i] = sum + 16 * sum2;
        to[kernel - 1][i] += u[5][i];
    }
}

/* The gradients of the kernels of some output channels. */
static CLONES void transform_totals(void *work, size_t part, int worker)
{
    const struct winograd_gradient *job = work;
    size_t c_in = (size_t)job->s->c_in, c_out = (size_t)job->s->c_out;
    size_t kernel = job->tiling.kernel;
    struct blocks blocks = make_blocks(c_out);
    size_t o = part * LANES, n = c_out - o, step;
    (void)worker;
    n = n < LANES ? n : LANES;
    for (size_t c = 0; c < c_in; ++c) {
        float u[IN][LANES] = {{0}}, v[IN][5][LANES], g[5][LANES];
        for (int j = 0; j < IN; ++j) {
            for (size_t k = 0; k < n; k += blocks.lanes) {
                const float *from = packed(
                    job->totals, &blocks, c_in, o + k, &step) + c * step;
                for (int i = 0; i < IN; ++i)
                    memcpy(u[i] + k,
                           from + (size_t)(IN * i + j) * c_in * c_out,
                           blocks.lanes * sizeof(float));
            }
            gradient_line(kernel, u, v[j]);
        }
        for (size_t i = 0; i < kernel; ++i) {
            for (int j = 0; j < IN; ++j)
                memcpy(u[j], v[j][i], sizeof u[j]);
            gradient_line(kernel, u, g);
            for (size_t k = 0; k < n; ++k)
                for (size_t j = 0; j < kernel; ++j)
                    job->gW[(((o + k) * c_in + c) * kernel + i) * kernel
                            + j] = g[j][k];
        }
    }
}

int quantized_net_winograd_gradient_W(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *gy, float *gW)
{
    size_t c_in = (size_t)s->c_in, c_out = (size_t)s->c_out;
    size_t size = PLANES * c_in * c_out;
    struct winograd_gradient job = {
        .s = s, .x = *x_strides, .images = x, .gy = gy, .gW = gW,
        .total_size = size};
    struct tiling *t = &job.tiling;
    int failed = -1, threads = quantized_net_threads();
    /* fewer parts where there are few tiles, for whom adding them up would
       take longer than the rest */
    *t = make_tiling(
        s->h_kernel, s->h_out, s->w_out, s->h_pad, s->w_pad, c_in, 32,
        (size_t)s->n);
    size_t most = (size_t)s->n * t->rows * t->columns / 64;
    job.parts = n_parts(s, size);
    if (job.parts > most)
        job.parts = most > 1 ? most : s->n > 1 ? 2 : 1;
    job.gy_size = (size_t)s->h_out % t->out || (size_t)s->w_out % t->out
        ? t->out * t->out * t->rows * t->columns * c_out : 0;
    job.scratch_size = round_up(
        t->images * (t->frame_size + job.gy_size), 16)
        + PLANES * (plane_of(t, c_in) + plane_of(t, c_out));
    job.totals = calloc(job.parts * job.total_size, sizeof(float));
    job.scratch = calloc(
        job.scratch_size * (size_t)threads, sizeof(float));
    if (job.totals != NULL && job.scratch != NULL) {
        quantized_net_parallel(
            do_winograd_gradient, &job, job.parts, threads);
        quantized_net_parallel(add_totals, &job, PLANES, threads);
        quantized_net_parallel(
            transform_totals, &job, (c_out + LANES - 1) / LANES, threads);
        failed = 0;
    }
    free(job.totals);
    free(job.scratch);
    return failed;
}
