/* What the two ways of convolving share. */

#ifndef QUANTIZED_NET_CONVOLUTION_H
#define QUANTIZED_NET_CONVOLUTION_H

#include "threads.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Floats that lie side by side in the input and meet as many weights. */
struct run {
    ptrdiff_t offset;
    size_t length;
};

/* What follows a convolution (or stands alone): y = f(x + residual), and
   z = g(y * scale + shift), with f and g nothing or the ReLU.  Each is stored
   where it is wanted; all lie as the convolution's output. */
struct finish {
    const float *residual;  /* or NULL */
    int relu, relu_z;
    float *y, *z;  /* or NULL */
    const float *scale, *shift;  /* a channel */
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
        int n, const float *m, ptrdiff_t plane, size_t channels, const float *bias,
        float *y, ptrdiff_t row, int rows, int columns,
        const struct finish *finish, ptrdiff_t at);
    void (*transform_gradient)(
        int n, const float *gy, ptrdiff_t row, size_t channels, float *to,
        ptrdiff_t plane);
    void (*finish_pixels)(
        const struct finish *finish, const float *from, size_t pixels,
        size_t channels);
};

/* The level that this processor has, or that was set. */
const struct level *quantized_net_current_level(void);

/* As it comes from Python: sizes of a convolution. */
struct sizes {
    int64_t n, c_in, h_in, w_in, c_out, h_out, w_out, h_kernel, w_kernel;
    int64_t h_stride, w_stride, h_pad, w_pad, h_dilate, w_dilate, groups;
    int64_t exact;  /* whether whole numbers give whole numbers */
};

static inline size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* Output channels of a group go in blocks of at most four vectors. */
struct blocks {
    size_t channels, lanes, whole;  /* whole: channels, rounded up */
};

static inline struct blocks make_blocks(size_t channels)
{
    size_t lanes = quantized_net_current_level()->lanes;
    struct blocks blocks = {channels, lanes, round_up(channels, lanes)};
    return blocks;
}

static inline size_t n_blocks(const struct blocks *b)
{
    return (b->whole + 4 * b->lanes - 1) / (4 * b->lanes);
}

/* Vectors of the i-th block. */
static inline size_t vectors_of(const struct blocks *b, size_t i)
{
    size_t left = b->whole / b->lanes - 4 * i;
    return left < 4 ? left : 4;
}

/* Channels of the i-th block, those that are there. */
static inline size_t channels_of(const struct blocks *b, size_t i)
{
    size_t left = b->channels - 4 * i * b->lanes;
    return left < 4 * b->lanes ? left : 4 * b->lanes;
}

/* The largest tile that n can be cut into evenly. */
static inline size_t tile_of(size_t n, size_t q)
{
    size_t most = quantized_net_current_level()->budget / q;
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
void quantized_net_fill_frame(
    float *buffer, const struct frame *f, const float *image,
    const struct strides *s, size_t height, size_t width, size_t channels);

/* Zeros around the image of a frame. */
void quantized_net_clear_around(
    float *buffer, const struct frame *f, size_t height, size_t width,
    size_t channels);

/* The packed place of an output channel: its block's start and its lane. */
static inline float *packed(
    float *weights, const struct blocks *b, size_t depth, size_t channel,
    size_t *step)
{
    size_t block = channel / (4 * b->lanes);
    *step = vectors_of(b, block) * b->lanes;
    return weights + 4 * block * b->lanes * depth
        + channel % (4 * b->lanes);
}

/* Parts of a batch: at most 16, and 16 MB of sums where that leaves two. */
static inline size_t n_parts(const struct sizes *s, size_t size)
{
    size_t parts = size ? ((size_t)4 << 20) / size : 1;
    parts = parts > 16 ? 16 : parts < 2 ? 2 : parts;
    return parts < (size_t)s->n ? parts : (size_t)s->n;
}

/* The direct way with weights that are packed once, on up to n images that
   lie channels last.  NULL: no memory. */
struct product;
struct product *quantized_net_plan_product(
    const struct sizes *s, const float *W, const float *b);
void quantized_net_free_product(struct product *plan);
size_t quantized_net_product_scratch(const struct product *plan);
void quantized_net_run_product(
    const struct product *plan, size_t n, const float *x, float *scratch,
    float *y);

void quantized_net_run_row(
    const struct product *plan, size_t n, const float *x, float *scratch,
    float *y);

/* Winograd's way, winograd.c: whether it suits, and the same three functions
   as those of the direct way. */
int quantized_net_suits_winograd(const struct sizes *s);
int quantized_net_winograd(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *W, const float *b, float *y);
/* The same with weights that are transformed once, for up to s->n images at
   a time, channels last; the bias stays the caller's.  NULL: no memory. */
struct winograd;
struct winograd *quantized_net_plan_winograd(
    const struct sizes *s, const float *W, const float *bias);
void quantized_net_free_winograd(struct winograd *plan);
size_t quantized_net_winograd_scratch(const struct winograd *plan);
void quantized_net_run_winograd(
    const struct winograd *plan, size_t n, const float *x, float *scratch,
    const struct finish *finish);
int quantized_net_winograd_gradient_x(
    const struct sizes *s, const float *gy, const struct strides *gy_strides,
    const float *W, float *gx);
int quantized_net_winograd_gradient_W(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *gy, float *gW);

#endif
