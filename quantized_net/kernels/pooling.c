/* Max and average pooling of images that are held channels-last. */

#include "vectors.h"
#include "threads.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* As it comes from Python. */
struct pool {
    int64_t n, channels, h_in, w_in, h_out, w_out;
    int64_t h_kernel, w_kernel, h_stride, w_stride, h_pad, w_pad;
};

struct pooling {
    const struct pool *p;
    const float *from;
    float *to;
    uint8_t *places;  /* of the largest, in its window */
};

CLONES static void keep_larger(
    const float *restrict x, size_t n, uint8_t place, float *restrict best,
    uint8_t *restrict places)
{
    for (size_t i = 0; i < n; ++i) {
        /* the first of equals, and the first that is no number */
        int larger = (x[i] > best[i])
            | ((x[i] != x[i]) & (best[i] == best[i]));
        best[i] = larger ? x[i] : best[i];
        places[i] = larger ? place : places[i];
    }
}

CLONES static void add_where(
    const float *restrict gy, const uint8_t *restrict places, size_t n,
    uint8_t place, float *restrict gx)
{
    for (size_t i = 0; i < n; ++i)
        gx[i] += where(places[i] == place, gy[i]);
}

CLONES static void add(
    const float *restrict x, size_t n, float factor, float *restrict y)
{
    for (size_t i = 0; i < n; ++i)
        y[i] += factor * x[i];
}

/* What is done at a place of a window: the input's pixel, the output's. */
typedef void (*visit)(
    const struct pooling *job, size_t in, size_t out, unsigned place);

static void go_over(
    const struct pooling *job, size_t image, visit do_visit)
{
    const struct pool *p = job->p;
    for (int64_t oh = 0; oh < p->h_out; ++oh)
        for (int64_t ow = 0; ow < p->w_out; ++ow) {
            size_t out = (size_t)(
                ((int64_t)image * p->h_out + oh) * p->w_out + ow);
            for (int64_t i = 0; i < p->h_kernel; ++i) {
                int64_t h = oh * p->h_stride - p->h_pad + i;
                if (h < 0 || h >= p->h_in)
                    continue;
                for (int64_t j = 0; j < p->w_kernel; ++j) {
                    int64_t w = ow * p->w_stride - p->w_pad + j;
                    if (w < 0 || w >= p->w_in)
                        continue;
                    do_visit(
                        job, (size_t)(((int64_t)image * p->h_in + h)
                                      * p->w_in + w),
                        out, (unsigned)(i * p->w_kernel + j));
                }
            }
        }
}

static void visit_max(
    const struct pooling *job, size_t in, size_t out, unsigned place)
{
    size_t c = (size_t)job->p->channels;
    keep_larger(job->from + in * c, c, (uint8_t)place, job->to + out * c,
                job->places + out * c);
}

static void visit_max_gradient(
    const struct pooling *job, size_t in, size_t out, unsigned place)
{
    size_t c = (size_t)job->p->channels;
    add_where(job->from + out * c, job->places + out * c, c, (uint8_t)place,
              job->to + in * c);
}

static void visit_average(
    const struct pooling *job, size_t in, size_t out, unsigned place)
{
    size_t c = (size_t)job->p->channels;
    (void)place;
    add(job->from + in * c, c,
        1.f / (float)(job->p->h_kernel * job->p->w_kernel),
        job->to + out * c);
}

static void visit_average_gradient(
    const struct pooling *job, size_t in, size_t out, unsigned place)
{
    size_t c = (size_t)job->p->channels;
    (void)place;
    add(job->from + out * c, c,
        1.f / (float)(job->p->h_kernel * job->p->w_kernel),
        job->to + in * c);
}

static void fill(float *to, size_t n, float value)
{
    for (size_t i = 0; i < n; ++i)
        to[i] = value;
}

static void do_max(void *work, size_t image, int worker)
{
    const struct pooling *job = work;
    size_t size = (size_t)(
        job->p->h_out * job->p->w_out * job->p->channels);
    (void)worker;
    fill(job->to + image * size, size, -INFINITY);
    memset(job->places + image * size, 0, size);
    go_over(job, image, visit_max);
}

static void do_max_gradient(void *work, size_t image, int worker)
{
    const struct pooling *job = work;
    size_t size = (size_t)(job->p->h_in * job->p->w_in * job->p->channels);
    (void)worker;
    fill(job->to + image * size, size, 0);
    go_over(job, image, visit_max_gradient);
}

static void do_average(void *work, size_t image, int worker)
{
    const struct pooling *job = work;
    size_t size = (size_t)(
        job->p->h_out * job->p->w_out * job->p->channels);
    (void)worker;
    fill(job->to + image * size, size, 0);
    go_over(job, image, visit_average);
}

static void do_average_gradient(void *work, size_t image, int worker)
{
    const struct pooling *job = work;
    size_t size = (size_t)(job->p->h_in * job->p->w_in * job->p->channels);
    (void)worker;
    fill(job->to + image * size, size, 0);
    go_over(job, image, visit_average_gradient);
}

int quantized_net_max_pooling(
    const struct pool *p, const float *x, float *y, uint8_t *places)
{
    struct pooling job = {p, x, y, places};
    quantized_net_parallel(do_max, &job, (size_t)p->n, ALL_WORKERS);
    return 0;
}

int quantized_net_max_pooling_gradient(
    const struct pool *p, const float *gy, uint8_t *places, float *gx)
{
    struct pooling job = {p, gy, gx, places};
    quantized_net_parallel(do_max_gradient, &job, (size_t)p->n, ALL_WORKERS);
    return 0;
}

int quantized_net_average_pooling(
    const struct pool *p, const float *x, float *y)
{
    struct pooling job = {p, x, y, NULL};
    quantized_net_parallel(do_average, &job, (size_t)p->n, ALL_WORKERS);
    return 0;
}

int quantized_net_average_pooling_gradient(
    const struct pool *p, const float *gy, float *gx)
{
    struct pooling job = {p, gy, gx, NULL};
    quantized_net_parallel(
        do_average_gradient, &job, (size_t)p->n, ALL_WORKERS);
    return 0;
}
