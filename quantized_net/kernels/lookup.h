/* Products of floats with weights of two, three or four values, looked up. */

#ifndef QUANTIZED_NET_LOOKUP_H
#define QUANTIZED_NET_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

/* The weights of n outputs and k inputs. */
struct lookup {
    size_t n, k, n_levels;  /* levels: 2, 3 or 4 */
    float levels[4];  /* what the codes stand for */
    const uint32_t *words;
};

/* Inputs whose weights are one index: levels to that power are at most 32. */
static inline size_t quantized_net_lookup_inputs(size_t n_levels)
{
    return n_levels == 2 ? 5 : n_levels == 3 ? 3 : 2;
}

#define LOOKUP_CHUNK 24

/* Words of an output. */
static inline size_t quantized_net_lookup_words(size_t k, size_t n_levels)
{
    size_t inputs = 6 * quantized_net_lookup_inputs(n_levels);
    return (k + inputs - 1) / inputs;
}

/* Whether this processor can. */
int quantized_net_has_lookup(void);

/* Floats of the tables. */
size_t quantized_net_lookup_scratch(void);

/* y = x W^T, of m rows. */
void quantized_net_look_up(
    const struct lookup *job, size_t m, const float *x, float *tables,
    float *y);

#endif
