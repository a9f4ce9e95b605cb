/* A whole network in one call: what comes from Python. */

#ifndef QUANTIZED_NET_NETWORK_H
#define QUANTIZED_NET_NETWORK_H

#include "convolution.h"

/* An operation and what follows it (struct finish).  Places are floats in an
   image's arena; -1 stands for none. */
struct operation {
    int64_t kind, in, residual, relu, y, z, relu_z, n_levels;
    struct sizes sizes;  /* of an image; sizes.n says nothing */
    const float *weights, *bias, *scale, *shift, *mean;
    const void *packed;  /* weights of other kinds */
    int64_t packed_bytes;
    float numbers[4];
};

struct network;

/* NULL: no memory.  The operations and their arrays are copied. */
struct network *quantized_net_make_network(
    const struct operation *operations, size_t n, size_t at_a_time,
    size_t arena, size_t in_size, size_t out_size, int64_t out);
void quantized_net_free_network(struct network *net);

/* y = net(x), for n images, floats or bytes; any number of threads may call it.  Answers -1
   where memory lacks, 1 where the network was made for another level of
   processors. */
int quantized_net_run_network(
    struct network *net, const void *x, float *y, size_t n);

#endif
