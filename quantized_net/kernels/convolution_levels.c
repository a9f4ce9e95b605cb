/* The levels of processors: their inner loops, and which is in use. */

#include "convolution.h"

/* sums of products may be fused here: they are compared within rounding */
#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#else
#pragma GCC optimize("fp-contract=fast")
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

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
#include "tiles.h"
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
#include "tiles.h"
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
#include "tiles.h"

static const struct level *chosen_level;

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

const struct level *quantized_net_current_level(void)
{
    if (chosen_level == NULL)
        quantized_net_set_level(2);
    return chosen_level;
}

int quantized_net_level(void)
{
    size_t lanes = quantized_net_current_level()->lanes;
    return lanes == 16 ? 2 : lanes == 8 ? 1 : 0;
}

/* Copies channels of an image between the zeros of a frame, channels last.
   What is outside the frame is left out. */
void quantized_net_fill_frame(
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

/* Zeros around the image of a frame. */
void quantized_net_clear_around(
    float *buffer, const struct frame *f, size_t height, size_t width,
    size_t channels)
{
    size_t row = (size_t)f->width * channels;
    size_t right = (size_t)f->left + width;
    for (size_t i = 0; i < (size_t)f->height; ++i) {
        float *to = buffer + i * row;
        if (i < (size_t)f->top || i >= (size_t)f->top + height) {
            memset(to, 0, row * sizeof(float));
            continue;
        }
        memset(to, 0, (size_t)f->left * channels * sizeof(float));
        if (right < (size_t)f->width)
            memset(to + right * channels, 0,
                   ((size_t)f->width - right) * channels * sizeof(float));
    }
}
