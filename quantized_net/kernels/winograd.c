/* Winograd's convolution F(2x2, 3x3), arXiv:1509.09308. */

#include "convolution.h"

/* Where the sums of a tile start: four vectors. */
static const float zeros[64];

/* Winograd's way, which takes 4/9 of the multiplications: for kernels of 3x3
   that move by one, over channels that fill whole vectors. */
int quantized_net_suits_winograd(const struct sizes *s)
{
    size_t lanes = quantized_net_current_level()->lanes;
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
            quantized_net_current_level()->transform_input(
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
    const struct level *level = quantized_net_current_level();
    struct blocks blocks = make_blocks(job->c_out);
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    float *in = buffer + t->frame_size;
    size_t in_plane = plane_of(t, job->c_in);
    size_t out_plane = plane_of(t, job->c_out);
    float *out = in + 16 * in_plane;
    struct run run = {0, job->c_in};
    float *y = job->y + (ptrdiff_t)image * job->h_out * job->w_out
        * (ptrdiff_t)job->c_out;
    quantized_net_fill_frame(
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

int quantized_net_winograd(
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
int quantized_net_winograd_gradient_x(
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
    const struct level *level = quantized_net_current_level();
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
        quantized_net_fill_frame(
            buffer, &t->frame, job->images + (ptrdiff_t)image * job->x.n,
            &job->x, (size_t)s->h_in, (size_t)s->w_in, c_in);
        const float *gy = job->gy + (ptrdiff_t)image * gy_strides.n;
        if (s->h_out % 2 || s->w_out % 2) {
            quantized_net_fill_frame(gradients, &whole, gy, &gy_strides,
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

int quantized_net_winograd_gradient_W(
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
