/* Products of floats with weights of one or two bits, looked up. */

#ifndef QUANTIZED_NET_LOOKUP_H
#define QUANTIZED_NET_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

/* The weights of n outputs and k inputs. */
struct lookup {
    size_t n, k, bits;  /* bits: 1 or 2 */
    float levels[4];  /* what the codes stand for */
    const uint32_t *words;
};

/* Whether this processor can. */
int quantized_net_has_lookup(void);

/* Floats of the tables. */
size_t quantized_net_lookup_scratch(void);

/* y = x W^T, of m rows. */
void quantized_net_look_up(
    const struct lookup *job, size_t m, const float *x, float *tables,
    float *y);

#endif
