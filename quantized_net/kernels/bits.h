/* Products of signs with signs and with pixels. */

#ifndef QUANTIZED_NET_BITS_H
#define QUANTIZED_NET_BITS_H

#include <stddef.h>
#include <stdint.h>

int quantized_net_pack_signs(const float *x, size_t n, uint64_t *words);
void quantized_net_sign_sums(
    const uint64_t *x, size_t step, const uint64_t *weights, size_t m,
    size_t k, size_t n, float *y);

/* Whether this processor can. */
int quantized_net_has_pixels(void);
void quantized_net_pixel_sums(
    const uint8_t *x, const int8_t *weights, size_t m, size_t k, size_t n,
    uint16_t *scratch, float *y);

#endif
