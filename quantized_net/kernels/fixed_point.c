/* Rounding to whole multiples of a step, at random or to the nearest.

   The bits are those of the NumPy form (fixed_point.py), where the order of
   the random words stands, too. */

#include "threads.h"
#include "threefry.h"
#include "vectors.h"

#include <math.h>

#define CHUNK ((size_t)1 << 15)
#define HALF 32
#define GROUP (2 * HALF)  /* elements of HALF counters */

struct rounding {
    const float *x;
    float *y;
    size_t n;
    float scale, step, low, high;
    uint32_t key[2];
    int is_random;
};

/* Up where the fraction is above u. */
static inline void round_some(
    const struct rounding *r, size_t begin, size_t n, const float *u)
{
    const float *restrict x = r->x + begin;
    float *restrict y = r->y + begin;
    float scale = r->scale, step = r->step, low = r->low, high = r->high;
    for (size_t i = 0; i < n; ++i) {
        float t = x[i] * scale, whole = floorf(t);
        float level = whole + where(u[i] < t - whole, 1);
        level = level < low ? low : level;
        y[i] = (level > high ? high : level) * step;
    }
}

static inline void draw(const struct rounding *r, uint64_t group, float *u)
{
    uint32_t k0 = r->key[0], k1 = r->key[1];
    /* no carry within a group */
    uint32_t low = (uint32_t)(group * HALF);
    uint32_t high = (uint32_t)(group * HALF >> 32);
    for (uint32_t j = 0; j < HALF; ++j) {
        uint32_t a = low + j, b = high;
        threefry(k0, k1, &a, &b);
        u[j] = (float)(int32_t)(a >> 8) * 0x1p-24f;
        u[j + HALF] = (float)(int32_t)(b >> 8) * 0x1p-24f;
    }
}

static CLONES void do_round(void *work, size_t chunk, int worker)
{
    const struct rounding *r = work;
    size_t begin = chunk * CHUNK;
    size_t end = r->n - begin < CHUNK ? r->n : begin + CHUNK;
    float u[GROUP];
    (void)worker;
    for (size_t j = 0; j < GROUP; ++j)
        u[j] = .5f;
    for (size_t i = begin; i < end; i += GROUP) {
        if (r->is_random)
            draw(r, i / GROUP, u);
        if (end - i >= GROUP)
            round_some(r, i, GROUP, u);
        else
            round_some(r, i, end - i, u);
    }
}

int quantized_net_fixed_point(
    const float *x, float *y, size_t n, float scale, float step, float low,
    float high, const uint64_t *key, int is_random)
{
    struct rounding rounding = {
        .x = x, .y = y, .n = n, .scale = scale, .step = step, .low = low,
        .high = high, .key = {(uint32_t)*key, (uint32_t)(*key >> 32)},
        .is_random = is_random};
    quantized_net_parallel(
        do_round, &rounding, (n + CHUNK - 1) / CHUNK, ALL_WORKERS);
    return 0;
}
