/* What the inner loops over codes, codes_levels.c, and the convolution of
   codes, codes.c, share.

   A word is 32 bits of a row of pixels, and meets a word of the weights for
   each output: 32 signs as bits, or 4 numbers as bytes. */

#ifndef QUANTIZED_NET_CODES_H
#define QUANTIZED_NET_CODES_H

#include <stddef.h>
#include <stdint.h>

#define CODE_LANES 16  /* outputs in a vector */
#define CODE_VECTORS 2  /* vectors in a block */
#define CODE_PIXELS 12  /* pixels whose sums stay in registers */

/* Adds up what some pixels, a step apart, give with the vectors of a block.

   Signs: the bits of (x ^ sign) & mask; the words are, one after the other
   for each word of x, a vector of signs and one of masks for each vector.
   Numbers: the products of bytes with and without a sign.  The sums are in
   [pixel][vector][lane], a row of CODE_VECTORS vectors for each pixel. */
typedef void (*quantized_net_count)(
    int pixels, int vectors, const uint8_t *x, ptrdiff_t step,
    const ptrdiff_t *offsets, size_t n_words, const uint32_t *words,
    int32_t *sums);

struct code_level {
    quantized_net_count count_bits, count_bytes;  /* bytes: perhaps NULL */
    int largest;  /* of the weights that count_bytes takes */
    /* Signs to bits, as many bytes as 8 of them fill, the last one's rest
       zero; answers whether there were others than -one and one. */
    int (*pack_bits)(const float *x, size_t n, float one, uint8_t *to);
    /* Multiples of a step to bytes, 128 for 0; answers whether there were
       others, or some that do not fit. */
    int (*pack_bytes)(const float *x, size_t n, float step, uint8_t *to);
};

/* That of the level in use, and of what else this processor has. */
struct code_level quantized_net_code_level(void);

#endif
