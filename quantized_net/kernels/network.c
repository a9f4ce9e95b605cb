/* A whole network in one call: a list of operations that have their weights
   packed or transformed once.

   Some images go through all of it at a time, channels last, so that what
   passes between two operations stays in the cache; the threads share out
   such groups of images.  A value between two operations is a place in the
   worker's arena. */

#include "bits.h"
#include "convolution.h"
#include "lookup.h"
#include "network.h"
#include "vectors.h"

#include <math.h>
#include <stdatomic.h>

/* As engine.py has them. */
enum kind {
    FLOATS, PIXELS, BYTES, CONVOLUTION, LINEAR, LOOKUP, SIGN_SUMS, PIXEL_SUMS,
    MAX_POOLING, AVERAGE_POOLING, FINISH, WIDEN, NORMALIZATION, SIGN, STEPS,
    POWERS, CLIP, LEAKY_RELU, MULTIPLY, ADD, PACK_SIGNS
};

struct step {
    struct operation is;
    struct winograd *winograd;
    struct product *product;
    struct lookup lookup;
    void *packed;
    float *bias, *scale, *shift, *mean;  /* copies */
};

struct network {
    size_t n_steps, at_a_time, arena, in_size, out_size;  /* in: bytes */
    int64_t out;  /* where the output is, in the arena of an image */
    int level;
    size_t memory;  /* floats of a worker: arena and scratch */
    struct step *steps;
    float *kept;  /* memory for the next call, or NULL; see lend() */
    size_t kept_workers;
    atomic_flag is_lent;
};

static float *copy_of(const float *from, size_t n)
{
    float *to = NULL;
    if (from != NULL && (to = calloc(n + 64, sizeof(float))) != NULL)
        memcpy(to, from, n * sizeof(float));
    return to;
}

static size_t channels_out(const struct operation *is)
{
    return (size_t)is->sizes.c_out;
}

static size_t pixels_out(const struct operation *is)
{
    return (size_t)(is->sizes.h_out * is->sizes.w_out);
}

static size_t size_in(const struct operation *is)
{
    return (size_t)(is->sizes.c_in * is->sizes.h_in * is->sizes.w_in);
}

static size_t size_out(const struct operation *is)
{
    return channels_out(is) * pixels_out(is);
}

static int has_finish(const struct operation *is)
{
    return is->residual >= 0 || is->relu || is->z >= 0;
}

/* Floats of scratch that a step needs. */
static size_t scratch_of(const struct network *net, const struct step *step)
{
    if (step->winograd != NULL)
        return quantized_net_winograd_scratch(step->winograd);
    size_t direct = step->product != NULL
        ? quantized_net_product_scratch(step->product)
        : step->is.kind == LOOKUP ? quantized_net_lookup_scratch()
        : step->is.kind == PIXEL_SUMS
        ? net->at_a_time * (size_in(&step->is) / 4 + 2) : 0;
    /* what a finish reads, where its result is not what is stored */
    return direct + net->at_a_time * size_out(&step->is) + 64;
}

static int make_step(
    const struct network *net, struct step *step,
    const struct operation *is)
{
    struct sizes s = is->sizes;
    step->is = *is;
    step->bias = copy_of(is->bias, channels_out(is));
    step->scale = copy_of(is->scale, channels_out(is));
    step->shift = copy_of(is->shift, channels_out(is));
    step->mean = copy_of(is->mean, is->kind == PIXELS
                         ? size_in(is) : channels_out(is));
    if (is->packed != NULL) {
        step->packed = malloc((size_t)is->packed_bytes + 64);
        if (step->packed == NULL)
            return -1;
        memcpy(step->packed, is->packed, (size_t)is->packed_bytes);
    }
    if ((is->mean != NULL) != (step->mean != NULL)
            || (is->bias != NULL) != (step->bias != NULL)
            || (is->scale != NULL) != (step->scale != NULL)
            || (is->shift != NULL) != (step->shift != NULL))
        return -1;
    if (is->kind == CONVOLUTION) {
        s.n = (int64_t)net->at_a_time;
        if (!quantized_net_suits_winograd(&s)) {
            step->product = quantized_net_plan_product(
                &s, is->weights, s.exact ? NULL : is->bias);
            return step->product == NULL ? -1 : 0;
        }
        if (step->bias == NULL)
            step->bias = calloc(channels_out(is) + 64, sizeof(float));
        if (step->bias != NULL)
            step->winograd = quantized_net_plan_winograd(
                &s, is->weights, step->bias);
        return step->winograd == NULL ? -1 : 0;
    }
    if (is->kind == LINEAR) {
        /* a row of images is one of pixels */
        s.n = s.h_in = s.h_out = s.h_kernel = s.w_kernel = 1;
        s.h_stride = s.w_stride = s.h_dilate = s.w_dilate = s.groups = 1;
        s.h_pad = s.w_pad = 0;
        s.c_in = (int64_t)size_in(is);
        s.w_in = s.w_out = (int64_t)net->at_a_time;
        step->product = quantized_net_plan_product(
            &s, is->weights, is->bias);
        return step->product == NULL ? -1 : 0;
    }
    if (is->kind == LOOKUP) {
        step->lookup = (struct lookup){
            .n = channels_out(is), .k = size_in(is),
            .n_levels = (size_t)is->n_levels, .words = step->packed};
        memcpy(step->lookup.levels, is->numbers, sizeof is->numbers);
    }
    return 0;
}

void quantized_net_free_network(struct network *net)
{
    if (net == NULL)
        return;
    for (size_t i = 0; net->steps != NULL && i < net->n_steps; ++i) {
        struct step *step = net->steps + i;
        quantized_net_free_winograd(step->winograd);
        quantized_net_free_product(step->product);
        free(step->packed);
        free(step->mean);
        free(step->bias);
        free(step->scale);
        free(step->shift);
    }
    free(net->steps);
    free(net->kept);
    free(net);
}

struct network *quantized_net_make_network(
    const struct operation *operations, size_t n, size_t at_a_time,
    size_t arena, size_t in_size, size_t out_size, int64_t out)
{
    struct network *net = calloc(1, sizeof *net);
    size_t scratch = 0;
    if (net == NULL)
        return NULL;
    net->n_steps = n;
    net->at_a_time = at_a_time;
    net->arena = arena;
    net->in_size = in_size;
    net->out_size = out_size;
    net->out = out;
    net->level = quantized_net_level();
    net->steps = calloc(n, sizeof *net->steps);
    for (size_t i = 0; i < n && net->steps != NULL; ++i) {
        if (make_step(net, net->steps + i, operations + i)) {
            quantized_net_free_network(net);
            return NULL;
        }
        size_t needs = scratch_of(net, net->steps + i);
        scratch = needs > scratch ? needs : scratch;
    }
    if (net->steps == NULL) {
        free(net);
        return NULL;
    }
    net->memory = round_up(arena * at_a_time, 16) + round_up(scratch, 16);
    atomic_flag_clear(&net->is_lent);
    return net;
}

static CLONES void pool(
    const struct operation *is, const float *x, float *y)
{
    const struct sizes *s = &is->sizes;
    size_t c = (size_t)s->c_in;
    int is_max = is->kind == MAX_POOLING;
    float factor = 1.f / (float)(s->h_kernel * s->w_kernel);
    for (int64_t i = 0; i < s->h_out; ++i)
        for (int64_t j = 0; j < s->w_out; ++j, y += c) {
            for (size_t k = 0; k < c; ++k)
                y[k] = is_max ? -INFINITY : 0;
            for (int64_t a = 0; a < s->h_kernel; ++a) {
                int64_t h = i * s->h_stride - s->h_pad + a;
                if (h < 0 || h >= s->h_in)
                    continue;
                for (int64_t b = 0; b < s->w_kernel; ++b) {
                    int64_t w = j * s->w_stride - s->w_pad + b;
                    if (w < 0 || w >= s->w_in)
                        continue;
                    const float *restrict from = x
                        + (size_t)(h * s->w_in + w) * c;
                    float *restrict to = y;
                    if (is_max)
                        for (size_t k = 0; k < c; ++k)
                            to[k] = from[k] <= to[k] ? to[k] : (
                                to[k] != to[k] ? to[k] : from[k]);
                    else
                        for (size_t k = 0; k < c; ++k)
                            to[k] += from[k];
                }
            }
            for (size_t k = 0; k < c && !is_max; ++k)
                y[k] *= factor;
        }
}

/* An image within a frame of zeros, and between channels of zeros:
   sizes.groups of them before. */
static void widen(const struct operation *is, const float *x, float *y)
{
    const struct sizes *s = &is->sizes;
    size_t in = (size_t)s->c_in, out = (size_t)s->c_out;
    size_t before = (size_t)s->groups;
    memset(y, 0, size_out(is) * sizeof(float));
    for (int64_t i = 0; i < s->h_in; ++i)
        for (int64_t j = 0; j < s->w_in; ++j, x += in)
            memcpy(y + (size_t)((i + s->h_pad) * s->w_out + j + s->w_pad)
                   * out + before, x, in * sizeof(float));
}

static CLONES void to_channels_last(
    const struct operation *is, const float *restrict x, float *restrict y)
{
    size_t c = (size_t)is->sizes.c_in, pixels = pixels_out(is);
    for (size_t i = 0; i < c; ++i)
        for (size_t j = 0; j < pixels; ++j)
            y[j * c + i] = x[i * pixels + j];
}

/* What 8-bit pixels stand for, (pixel - mean) / divisor. */
static CLONES void from_pixels(
    const struct step *step, const uint8_t *restrict x, float *restrict y)
{
    size_t c = (size_t)step->is.sizes.c_in, pixels = pixels_out(&step->is);
    float divisor = step->is.numbers[0];
    for (size_t i = 0; i < c; ++i)
        for (size_t j = 0; j < pixels; ++j) {
            float value = x[i * pixels + j];
            if (step->mean != NULL)
                value -= step->mean[i * pixels + j];
            y[j * c + i] = value / divisor;
        }
}

/* The element-wise operations, as reference.py has them, bit by bit. */

static CLONES void normalize(
    const struct step *step, const float *restrict x, float *restrict y,
    size_t pixels)
{
    size_t channels = channels_out(&step->is);
    const float *restrict mean = step->mean, *restrict scale = step->scale;
    const float *restrict shift = step->shift;
    for (size_t i = 0; i < pixels; ++i, x += channels, y += channels)
        for (size_t j = 0; j < channels; ++j)
            y[j] = (x[j] - mean[j]) * scale[j] + shift[j];
}

static CLONES void map(
    int64_t kind, const float *numbers, const float *restrict x,
    const float *restrict other, float *restrict y, size_t n)
{
    float a = numbers[0], low = numbers[1], high = numbers[2];
    switch (kind) {
    case SIGN:
        for (size_t i = 0; i < n; ++i)
            y[i] = x[i] >= 0 ? 1.f : x[i] < 0 ? -1.f : x[i];
        break;
    case STEPS:
        for (size_t i = 0; i < n; ++i) {
            float value = rintf(x[i] / a) * a;
            value = value < low ? low : value;
            y[i] = value > high ? high : value;
        }
        break;
    case CLIP:
        for (size_t i = 0; i < n; ++i) {
            float value = x[i] < low ? low : x[i];
            y[i] = value > high ? high : value;
        }
        break;
    case LEAKY_RELU:
        for (size_t i = 0; i < n; ++i)
            y[i] = x[i] <= 0 ? x[i] * a : x[i];
        break;
    case MULTIPLY:
        for (size_t i = 0; i < n; ++i)
            y[i] = x[i] * (other == NULL ? a : other[i]);
        break;
    case ADD:
        for (size_t i = 0; i < n; ++i)
            y[i] = x[i] + (other == NULL ? a : other[i]);
        break;
    default:  /* POWERS: 2^a is the largest, 2^low the smallest */
        for (size_t i = 0; i < n; ++i) {
            float c = x[i] > a ? a : x[i];
            uint32_t bits;
            c = c < -a ? -a : c;
            memcpy(&bits, &c, sizeof bits);
            if (c == c)
                bits = (bits + (0x800000u - 0x3504f4u)) & 0xff800000u;
            memcpy(&c, &bits, sizeof bits);
            y[i] = fabsf(c) < low ? c * 0 : c;
        }
    }
}

/* Signs to words and a word that says whether one was no number. */
static void pack_signs(const float *x, size_t n, uint64_t *words)
{
    words[(n + 63) / 64] = (uint64_t)quantized_net_pack_signs(x, n, words);
}

static void sum_signs(
    const struct step *step, size_t n, const uint64_t *x, float *y)
{
    size_t k = size_in(&step->is), out = size_out(&step->is);
    size_t words = (k + 63) / 64;
    quantized_net_sign_sums(x, words + 1, step->packed, n, k, out, y);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < out && x[i * (words + 1) + words]; ++j)
            y[i * out + j] = NAN;
}

static CLONES void add_bias(
    float *restrict y, const float *restrict bias, size_t n, size_t channels)
{
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < channels; ++j)
            y[i * channels + j] += bias[j];
}

static void do_step(
    const struct network *net, const struct step *step, size_t n,
    const uint8_t *images, float *arena, float *scratch)
{
    const struct operation *is = &step->is;
#define PLACE(at) ((at) < 0 ? NULL : arena + (size_t)(at) * net->at_a_time)
    const float *x = PLACE(is->in);
    struct finish finish = {
        .residual = PLACE(is->residual), .relu = (int)is->relu,
        .relu_z = (int)is->relu_z, .y = PLACE(is->y), .z = PLACE(is->z),
        .scale = step->scale, .shift = step->shift};
#undef PLACE
    size_t in = size_in(is), out = size_out(is);
    if (step->winograd != NULL) {
        quantized_net_run_winograd(step->winograd, n, x, scratch, &finish);
        return;
    }
    /* where the result stands before it is finished */
    float *y = finish.y;
    if (y == NULL && is->kind != FINISH) {
        y = scratch;
        scratch += round_up(n * out, 16);
    }
    switch (is->kind) {
    case FLOATS:
        for (size_t i = 0; i < n; ++i)
            to_channels_last(
                is, (const float *)(const void *)images + i * in, y + i * out);
        break;
    case PIXELS:
        for (size_t i = 0; i < n; ++i)
            from_pixels(step, images + i * in, y + i * out);
        break;
    case BYTES:
        for (size_t i = 0; i < n; ++i) {
            uint8_t *to = (uint8_t *)y + i * round_up(in, 4);
            memcpy(to, images + i * in, in);
            memset(to + in, 0, round_up(in, 4) - in);
        }
        break;
    case CONVOLUTION:
        quantized_net_run_product(step->product, n, x, scratch, y);
        if (is->sizes.exact && step->bias != NULL)
            add_bias(y, step->bias, n * pixels_out(is), channels_out(is));
        break;
    case LINEAR:
        quantized_net_run_row(step->product, n, x, scratch, y);
        break;
    case LOOKUP:
        quantized_net_look_up(&step->lookup, n, x, scratch, y);
        if (step->bias != NULL)
            add_bias(y, step->bias, n, out);
        break;
    case SIGN_SUMS:
        sum_signs(step, n, (const uint64_t *)x, y);
        break;
    case PIXEL_SUMS:
        quantized_net_pixel_sums(
            (const uint8_t *)x, step->packed, n, round_up(in, 4), out,
            (uint16_t *)scratch, y);
        break;
    case PACK_SIGNS:
        for (size_t i = 0; i < n; ++i)
            pack_signs(x + i * in, in,
                       (uint64_t *)y + i * ((in + 63) / 64 + 1));
        return;
    case NORMALIZATION:
        normalize(step, x, y, n * pixels_out(is));
        break;
    case WIDEN:
        for (size_t i = 0; i < n; ++i)
            widen(is, x + i * in, y + i * out);
        break;
    case FINISH:
        quantized_net_current_level()->finish_pixels(
            &finish, x, n * pixels_out(is), channels_out(is));
        return;
    case MAX_POOLING:
    case AVERAGE_POOLING:
        for (size_t i = 0; i < n; ++i)
            pool(is, x + i * in, y + i * out);
        break;
    default:
        map(is->kind, is->numbers, x, finish.residual, y, n * out);
        return;
    }
    if (has_finish(is))
        quantized_net_current_level()->finish_pixels(
            &finish, y, n * pixels_out(is), channels_out(is));
}

struct call {
    const struct network *net;
    const uint8_t *x;
    float *y, *memory;
    size_t n, at_a_time;
};

static void do_images(void *work, size_t part, int worker)
{
    const struct call *call = work;
    const struct network *net = call->net;
    float *arena = call->memory + (size_t)worker * net->memory;
    float *scratch = arena + round_up(net->arena * net->at_a_time, 16);
    size_t first = part * call->at_a_time, n = call->n - first;
    n = n < call->at_a_time ? n : call->at_a_time;
    for (size_t i = 0; i < net->n_steps; ++i)
        do_step(net, net->steps + i, n, call->x + first * net->in_size,
                arena, scratch);
    memcpy(call->y + first * net->out_size,
           arena + (size_t)net->out * net->at_a_time,
           n * net->out_size * sizeof(float));
}

int quantized_net_run_network(
    struct network *net, const void *x, float *y, size_t n)
{
    size_t workers = (size_t)quantized_net_threads();
    struct call call = {
        .net = net, .x = x, .y = y, .n = n,
        .at_a_time = (n + workers - 1) / workers};
    if (net->level != quantized_net_level())
        return 1;
    if (call.at_a_time > net->at_a_time)
        call.at_a_time = net->at_a_time;
    /* one call at a time has the memory that is kept */
    int has_kept = !atomic_flag_test_and_set(&net->is_lent);
    if (has_kept && net->kept_workers < workers) {
        free(net->kept);
        net->kept = malloc(workers * net->memory * sizeof(float));
        net->kept_workers = net->kept == NULL ? 0 : workers;
    }
    call.memory = has_kept ? net->kept
        : malloc(workers * net->memory * sizeof(float));
    if (call.memory != NULL)
        quantized_net_parallel(
            do_images, &call, (n + call.at_a_time - 1) / call.at_a_time,
            (int)workers);
    if (has_kept)
        atomic_flag_clear(&net->is_lent);
    else
        free(call.memory);
    return call.memory == NULL ? -1 : 0;
}
