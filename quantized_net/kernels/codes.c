/* The convolution of small codes, whose sums are whole numbers and exact.

   Signs are packed into bits, 32 to a word, and other codes into bytes, 4 to
   a word; inner loops (codes_levels.c) count or multiply a word at a time,
   for vectors of outputs.  A row of kernel taps that lie side by side is read
   as words of its own; what a last word holds beyond it meets weights that
   are zero.  So no patch is ever copied.

   A filter of up to two values besides zero, a and b, is one row of weights
   where they are negatives of each other (or one), else two, a sum for each:
   y = a sum_a + b sum_b. */

#include "codes.h"
#include "convolution.h"
#include "vectors.h"

#include <math.h>
#include <stdatomic.h>

struct filter {
    float a, b;
};

struct job {
    const struct sizes *s;
    const float *x, *W, *bias;
    float *y, x_step, W_step;
    const struct filter *filters;  /* where the step of W is 0 */
    struct code_level level;
    int is_bits, rows_of_filter;
    int largest;  /* that weights may be, as bytes */
    int8_t *scratch;
    size_t scratch_size;
    struct frame frame;
    size_t c_in, c_out;  /* of a group */
    size_t pixel, row, size;  /* bytes of a frame */
    uint8_t *frames;  /* image, group, row, column, channel */
    ptrdiff_t *offsets;
    size_t n_words, vectors;
    /* of each group: */
    uint32_t *words;  /* block of vectors, word, vector, sign and mask, lane */
    int32_t *starts;  /* row of weights: its sum where nothing is counted */
    int32_t *taps;  /* tap, row: the sum of its weights */
    float *scales;  /* row */
    size_t bands, rows_of_band;
    atomic_int has_others;
};

static size_t words_of_vector(const struct job *job)
{
    return (job->is_bits ? 2 : 1) * CODE_LANES;
}

static size_t lanes_of(const struct job *job)
{
    return job->vectors * CODE_LANES;
}

static size_t taps_of(const struct sizes *s)
{
    return (size_t)(s->h_kernel * s->w_kernel);
}

/* The values of a filter besides zero, the largest and the smallest; answers
   whether there are no others, and all are finite. */
static CLONES int read_filter(
    const float *W, size_t n, struct filter *filter)
{
    float high[CODE_LANES], low[CODE_LANES];
    int others = 0;
    for (size_t j = 0; j < CODE_LANES; ++j) {
        high[j] = -INFINITY;
        low[j] = INFINITY;
    }
    for (size_t i = 0; i < n; i += CODE_LANES) {
        size_t m = n - i < CODE_LANES ? n - i : CODE_LANES;
        for (size_t j = 0; j < m; ++j) {
            float w = W[i + j], above = w != 0 ? w : -INFINITY;
            float below = w != 0 ? w : INFINITY;
            high[j] = above > high[j] ? above : high[j];
            low[j] = below < low[j] ? below : low[j];
        }
    }
    for (size_t j = 1; j < CODE_LANES; ++j) {
        high[0] = high[j] > high[0] ? high[j] : high[0];
        low[0] = low[j] < low[0] ? low[j] : low[0];
    }
    *filter = (struct filter){
        high[0] < low[0] ? 0 : high[0], high[0] < low[0] ? 0 : low[0]};
    for (size_t i = 0; i < n; ++i)
        others |= (W[i] - W[i] != 0) | ((W[i] != 0) & (W[i] != filter->a)
                                        & (W[i] != filter->b));
    return !others;
}

static int is_one_row(const struct filter *filter)
{
    return filter->b == -filter->a || filter->b == filter->a;
}

/* Weights as codes: multiples of a step, or 1 and -1 for the two values of
   their filter; answers the largest magnitude, and 999 where a weight is no
   code or does not fit. */
static CLONES int find_codes(
    const float *restrict W, size_t n, float step,
    const struct filter *filter, int8_t *restrict codes)
{
    /* adding it, and taking it away, rounds to whole numbers */
    const float rounder = 12582912.f, inverse = 1 / step;
    const float a = filter->a, b = filter->b;
    int32_t largest = 0;
    if (step == 0) {
        for (size_t i = 0; i < n; ++i) {
            int above = W[i] == a, below = W[i] == b && b != a;
            codes[i] = (int8_t)((W[i] != 0) * (above - below));
        }
        return 1;
    }
    for (size_t i = 0; i < n; ++i) {
        float code = (W[i] * inverse + rounder) - rounder;
        int fits = (code * step == W[i]) & (code >= -128.f)
            & (code <= 127.f);
        int32_t whole = (int32_t)where(fits, code);
        int32_t magnitude = whole < 0 ? -whole : whole;
        magnitude = fits ? magnitude : 999;
        largest = magnitude > largest ? magnitude : largest;
        codes[i] = (int8_t)whole;
    }
    return largest;
}

/* The lowest bits of eight bytes as the bits of one. */
static uint8_t gather(uint64_t bytes)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return (uint8_t)((bytes & 0x0101010101010101u)
                     * 0x0102040810204080u >> 56);
}

/* The signs and the masks of codes, a bit each; of the one sign alone where
   a row holds that.  Answers the sum of the row. */
static int32_t pack_codes(
    const int8_t *codes, size_t n_bytes, int is_two, size_t row,
    uint8_t *signs, uint8_t *masks)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n_bytes; ++i) {
        uint64_t eight;
        memcpy(&eight, codes + 8 * i, sizeof eight);
        uint8_t sign = gather(eight >> 7), mask = gather(eight);
        if (is_two) {
            mask = (uint8_t)(row ? sign : mask & ~sign);
            sign = 0;
        }
        signs[i] = sign;
        masks[i] = mask;
        sum += __builtin_popcount(mask) - 2 * __builtin_popcount(sign);
    }
    return sum;
}

/* Where the row of an output channel of a group stands among the lanes. */
static size_t lane_of(const struct job *job, size_t channel, size_t row)
{
    size_t vector = channel / CODE_LANES * (size_t)job->rows_of_filter + row;
    return vector * CODE_LANES + channel % CODE_LANES;
}

/* Lays the words of a pixel's view out; answers how many there are.  They
   start where a row of taps does, or, spread by dilation, a tap. */
static size_t lay_out(struct job *job, ptrdiff_t *offsets)
{
    const struct sizes *s = job->s;
    size_t n = 0;
    int64_t runs = s->w_dilate == 1 ? 1 : s->w_kernel;
    size_t length = job->pixel * (size_t)(s->w_kernel / runs);
    for (int64_t i = 0; i < s->h_kernel; ++i)
        for (int64_t j = 0; j < runs; ++j)
            for (size_t byte = 0; byte < length; byte += 4, ++n)
                if (offsets != NULL)
                    offsets[n] = i * s->h_dilate * (ptrdiff_t)job->row
                        + j * s->w_dilate * (ptrdiff_t)job->pixel
                        + (ptrdiff_t)byte;
    return n;
}

/* A filter's rows of weights.  The buffer of a worker: the codes of a filter
   in their order, then tap by tap, then words. */
static void pack_filter(void *work, size_t o, int worker)
{
    struct job *job = work;
    const struct sizes *s = job->s;
    size_t taps = taps_of(s), lanes = lanes_of(job), size = job->c_in * taps;
    size_t group = o / job->c_out, channel = o % job->c_out;
    size_t spread = job->is_bits ? 8 * job->pixel : job->c_in;
    size_t runs = s->w_dilate == 1
        ? (size_t)s->h_kernel : taps, taps_of_run = taps / runs;
    size_t words_of_run = job->n_words / runs;
    size_t per_vector = words_of_vector(job);
    int8_t *codes = job->scratch + (size_t)worker * job->scratch_size;
    int8_t *by_tap = codes + round_up(size, 8);
    uint8_t *signs = (uint8_t *)by_tap + taps * spread;
    uint8_t *masks = signs + 4 * words_of_run;
    if (atomic_load_explicit(&job->has_others, memory_order_relaxed))
        return;
    int largest = find_codes(
        job->W + o * size, size, job->W_step, &job->filters[o], codes);
    if (largest > (job->is_bits ? 1 : job->largest)) {
        atomic_store(&job->has_others, 1);
        return;
    }
    memset(by_tap, 0, taps * spread);
    for (size_t c = 0; c < job->c_in; ++c)
        for (size_t tap = 0; tap < taps; ++tap)
            by_tap[tap * spread + c] = codes[c * taps + tap];
    for (size_t row = 0; row < (size_t)job->rows_of_filter; ++row) {
        int is_two = job->rows_of_filter == 2
            && !is_one_row(&job->filters[o]);
        size_t lane = lane_of(job, channel, row);
        size_t vector = lane / CODE_LANES;
        size_t first = vector / CODE_VECTORS * CODE_VECTORS;
        size_t width = job->vectors - first;
        width = width < CODE_VECTORS ? width : CODE_VECTORS;
        uint32_t *to = job->words
            + (group * job->vectors + first) * job->n_words * per_vector
            + (vector - first) * per_vector + lane % CODE_LANES;
        int32_t start = 0, *tap_sums = job->taps + group * taps * lanes + lane;
        if (row && !is_two)  /* all in the first */
            break;
        job->scales[group * lanes + lane] = job->x_step * (
            job->W_step > 0 ? job->W_step
            : row ? job->filters[o].b : job->filters[o].a);
        for (size_t run = 0; run < runs; ++run) {
            memset(signs, 0, 8 * words_of_run);
            for (size_t i = 0; i < taps_of_run; ++i) {
                size_t tap = run * taps_of_run + i;
                const int8_t *from = by_tap + tap * spread;
                int32_t sum = 0;
                if (job->is_bits) {
                    sum = pack_codes(
                        from, job->pixel, is_two, row,
                        signs + i * job->pixel, masks + i * job->pixel);
                } else {
                    for (size_t c = 0; c < job->c_in; ++c) {
                        int8_t code = from[c];
                        if (is_two)
                            code = row ? code < 0 : code > 0;
                        signs[i * job->pixel + c] = (uint8_t)code;
                        sum += code;
                    }
                    start -= 128 * sum;
                }
                tap_sums[tap * lanes] = sum;
            }
            for (size_t word = 0; word < words_of_run; ++word) {
                memcpy(to, signs + 4 * word, 4);
                if (job->is_bits) {
                    memcpy(to + CODE_LANES, masks + 4 * word, 4);
                    uint32_t mask = to[CODE_LANES];
                    start += __builtin_popcount(mask);
                }
                to += width * per_vector;
            }
        }
        job->starts[group * lanes + lane] = start;
    }
}

/* An image into its frames, one for each group. */
static void pack_image(void *work, size_t image, int worker)
{
    struct job *job = work;
    const struct sizes *s = job->s;
    const float *from = job->x
        + image * (size_t)(s->h_in * s->w_in * s->c_in);
    size_t groups = (size_t)s->groups;
    ptrdiff_t width = job->frame.width - job->frame.left;
    int (*pack)(const float *, size_t, float, uint8_t *) = job->is_bits
        ? job->level.pack_bits : job->level.pack_bytes;
    int others = 0;
    (void)worker;
    if (atomic_load_explicit(&job->has_others, memory_order_relaxed))
        return;
    memset(job->frames + image * groups * job->size,
           job->is_bits ? 0 : 128, groups * job->size);
    width = width < s->w_in ? width : s->w_in;
    for (int64_t h = 0; h < s->h_in; ++h) {
        ptrdiff_t row = h + job->frame.top;
        if (row >= job->frame.height || width <= 0)
            break;
        for (size_t group = 0; group < groups; ++group) {
            const float *x = from + h * s->w_in * s->c_in
                + (ptrdiff_t)(group * job->c_in);
            uint8_t *to = job->frames + (image * groups + group) * job->size
                + row * (ptrdiff_t)job->row
                + job->frame.left * (ptrdiff_t)job->pixel;
            if (groups == 1 && (!job->is_bits || job->c_in % 8 == 0)) {
                others |= pack(x, (size_t)width * job->c_in, job->x_step, to);
                continue;
            }
            for (ptrdiff_t w = 0; w < width; ++w, x += s->c_in)
                others |= pack(
                    x, job->c_in, job->x_step,
                    to + w * (ptrdiff_t)job->pixel);
        }
        if (others) {
            atomic_store(&job->has_others, 1);
            return;
        }
    }
}

/* Whether a tap of an output looks beyond the image. */
static int is_outside(
    int64_t out, int64_t tap, int64_t stride, int64_t pad, int64_t dilate,
    int64_t size)
{
    int64_t place = out * stride + tap * dilate - pad;
    return place < 0 || place >= size;
}

/* The zeros around an image were counted as ones: takes their weights away
   from the sums of an output. */
static void take_padding_away(
    const struct job *job, int64_t row, int64_t column, const int32_t *taps,
    size_t n, int32_t *sums)
{
    const struct sizes *s = job->s;
    size_t lanes = lanes_of(job);
    for (int64_t i = 0; i < s->h_kernel; ++i) {
        int above = is_outside(
            row, i, s->h_stride, s->h_pad, s->h_dilate, s->h_in);
        for (int64_t j = 0; j < s->w_kernel; ++j, taps += lanes)
            if (above || is_outside(column, j, s->w_stride, s->w_pad,
                                    s->w_dilate, s->w_in))
                for (size_t lane = 0; lane < n; ++lane)
                    sums[lane] -= taps[lane];
    }
}

/* Whether all taps of the outputs of a row, or of a column, are inside. */
static int sees_all(
    int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilate,
    int64_t size)
{
    return !is_outside(out, 0, stride, pad, dilate, size)
        && !is_outside(out, kernel - 1, stride, pad, dilate, size);
}

static CLONES void scale_one_row(
    const int32_t *restrict sums, const int32_t *restrict starts, int factor,
    const float *restrict scales, const float *restrict bias, size_t n,
    float *restrict y)
{
    for (size_t l = 0; l < n; ++l)
        y[l] = scales[l] * (float)(starts[l] + factor * sums[l]);
    for (size_t l = 0; bias != NULL && l < n; ++l)
        y[l] += bias[l];
}

static CLONES void scale_two_rows(
    const int32_t *restrict sums, const int32_t *restrict starts, int factor,
    const float *restrict scales, const float *restrict bias, size_t n,
    float *restrict y)
{
    for (size_t l = 0; l < n; ++l) {
        size_t m = l + CODE_LANES;
        float a = scales[l] * (float)(starts[l] + factor * sums[l]);
        y[l] = a + scales[m] * (float)(starts[m] + factor * sums[m]);
    }
    for (size_t l = 0; bias != NULL && l < n; ++l)
        y[l] += bias[l];
}

/* A block of vectors for some pixels of a row of outputs. */
static void do_pixels(
    const struct job *job, size_t group, size_t first, const uint8_t *x,
    int64_t row, size_t column, size_t pixels, float *y)
{
    const struct sizes *s = job->s;
    int32_t sums[CODE_PIXELS * CODE_VECTORS * CODE_LANES];
    size_t lanes = lanes_of(job), vectors = job->vectors - first;
    size_t start = group * lanes + first * CODE_LANES;
    size_t channel = first / (size_t)job->rows_of_filter * CODE_LANES;
    size_t n = job->c_out - channel, most;
    const float *bias = job->bias == NULL ? NULL
        : job->bias + group * job->c_out + channel;
    int row_sees_all = sees_all(
        row, s->h_kernel, s->h_stride, s->h_pad, s->h_dilate, s->h_in);
    vectors = vectors < CODE_VECTORS ? vectors : CODE_VECTORS;
    most = vectors * CODE_LANES / (size_t)job->rows_of_filter;
    n = n < most ? n : most;
    (job->is_bits ? job->level.count_bits : job->level.count_bytes)(
        (int)pixels, (int)vectors,
        x + (ptrdiff_t)column * s->w_stride * (ptrdiff_t)job->pixel,
        s->w_stride * (ptrdiff_t)job->pixel, job->offsets, job->n_words,
        job->words + (group * job->vectors + first) * job->n_words
            * words_of_vector(job), sums);
    for (size_t i = 0; i < pixels; ++i) {
        int32_t starts[CODE_VECTORS * CODE_LANES];
        const int32_t *from = job->starts + start;
        if (job->is_bits && !(row_sees_all && sees_all(
                (int64_t)(column + i), s->w_kernel, s->w_stride, s->w_pad,
                s->w_dilate, s->w_in))) {
            memcpy(starts, from, vectors * CODE_LANES * sizeof *starts);
            take_padding_away(
                job, row, (int64_t)(column + i),
                job->taps + group * taps_of(s) * lanes + first * CODE_LANES,
                vectors * CODE_LANES, starts);
            from = starts;
        }
        (job->rows_of_filter == 2 ? scale_two_rows : scale_one_row)(
            sums + i * CODE_VECTORS * CODE_LANES, from,
            job->is_bits ? -2 : 1, job->scales + start, bias, n,
            y + (ptrdiff_t)i * s->c_out + (ptrdiff_t)channel);
    }
}

/* Some rows of the outputs of an image and a group. */
static void do_band(void *work, size_t index, int worker)
{
    const struct job *job = work;
    const struct sizes *s = job->s;
    size_t groups = (size_t)s->groups, width = (size_t)s->w_out;
    size_t band = index % job->bands, group = index / job->bands % groups;
    size_t image = index / job->bands / groups;
    size_t row = band * job->rows_of_band, last = row + job->rows_of_band;
    size_t tiles = (width + CODE_PIXELS - 1) / CODE_PIXELS;
    size_t tile = (width + tiles - 1) / tiles;
    const uint8_t *frame = job->frames
        + (image * groups + group) * job->size;
    (void)worker;
    last = last < (size_t)s->h_out ? last : (size_t)s->h_out;
    for (; row < last; ++row)
        for (size_t first = 0; first < job->vectors; first += CODE_VECTORS)
            for (size_t column = 0; column < width; column += tile)
                do_pixels(
                    job, group, first, frame
                        + row * (size_t)s->h_stride * job->row,
                    (int64_t)row, column,
                    width - column < tile ? width - column : tile,
                    job->y + (((ptrdiff_t)image * s->h_out + (ptrdiff_t)row)
                              * s->w_out + (ptrdiff_t)column) * s->c_out
                        + (ptrdiff_t)(group * job->c_out));
}

/* Packs weights and images as bits or as bytes, and convolves.  Answers as
   the function below. */
static int convolve(struct job *job)
{
    const struct sizes *s = job->s;
    size_t groups = (size_t)s->groups, n = (size_t)s->n;
    size_t taps = taps_of(s), lanes = groups * lanes_of(job);
    int result = -1, threads = quantized_net_threads();
    job->pixel = job->is_bits ? (job->c_in + 7) / 8 : job->c_in;
    job->row = (size_t)job->frame.width * job->pixel;
    job->size = (size_t)job->frame.height * job->row;
    job->n_words = lay_out(job, NULL);
    job->scratch_size = round_up(
        round_up(job->c_in * taps, 8) + taps * (job->c_in + 7)
        + 8 * job->n_words, 64);
    atomic_store(&job->has_others, 0);
    job->scratch = malloc(job->scratch_size * (size_t)threads);
    job->offsets = malloc(job->n_words * sizeof(ptrdiff_t));
    job->words = calloc(groups * job->vectors * job->n_words
                            * words_of_vector(job), sizeof(uint32_t));
    job->starts = calloc(lanes, sizeof(int32_t));
    job->taps = calloc(lanes * taps, sizeof(int32_t));
    job->scales = calloc(lanes, sizeof(float));
    /* a word goes at most 3 bytes beyond the end */
    job->frames = malloc(n * groups * job->size + 4);
    if (job->scratch == NULL || job->offsets == NULL || job->words == NULL
            || job->starts == NULL || job->taps == NULL
            || job->scales == NULL || job->frames == NULL)
        goto end;
    result = 1;
    lay_out(job, job->offsets);
    quantized_net_parallel(pack_filter, job, (size_t)s->c_out, threads);
    if (atomic_load(&job->has_others))
        goto end;
    memset(job->frames + n * groups * job->size, 0, 4);
    quantized_net_parallel(pack_image, job, n, threads);
    if (atomic_load(&job->has_others))
        goto end;
    result = 0;
    job->bands = 16 / (n * groups) + 1;
    job->bands = job->bands < (size_t)s->h_out ? job->bands
        : (size_t)s->h_out;
    job->rows_of_band = ((size_t)s->h_out + job->bands - 1) / job->bands;
    quantized_net_parallel(do_band, job, n * groups * job->bands, threads);
end:
    free(job->scratch);
    free(job->offsets);
    free(job->words);
    free(job->starts);
    free(job->taps);
    free(job->scales);
    free(job->frames);
    return result;
}

/* x, channels last, holds multiples of a step.  W holds multiples of its step,
   or, where that is 0, two values and zero in each filter.  Answers 0 where
   it was done, -1 where memory lacked, and 1 where the values are others, are
   too large for bytes, or this processor has no way for them. */
int quantized_net_convolve_codes(
    const struct sizes *s, const float *x, const float *W, const float *b,
    float *y, float x_step, float W_step)
{
    struct filter *filters;
    int result = 1;
    if (s->c_in % s->groups || s->c_out % s->groups
            || !(x_step > 0 && W_step >= 0))
        return 1;
    struct job job = {
        .s = s, .x = x, .W = W, .bias = b, .y = y, .x_step = x_step,
        .W_step = W_step,
        .level = quantized_net_code_level(), .rows_of_filter = 1,
        .c_in = (size_t)(s->c_in / s->groups),
        .c_out = (size_t)(s->c_out / s->groups),
        .frame = {
            (s->h_out - 1) * s->h_stride + (s->h_kernel - 1) * s->h_dilate
                + 1,
            (s->w_out - 1) * s->w_stride + (s->w_kernel - 1) * s->w_dilate
                + 1, s->h_pad, s->w_pad}};
    size_t size = job.c_in * taps_of(s);
    job.filters = filters = calloc((size_t)s->c_out, sizeof(struct filter));
    if (filters == NULL)
        return -1;
    for (size_t o = 0; W_step == 0 && o < (size_t)s->c_out; ++o) {
        if (!read_filter(W + o * size, size, &filters[o]))
            goto end;
        if (!is_one_row(&filters[o]))
            job.rows_of_filter = 2;
    }
    job.vectors = (job.c_out + CODE_LANES - 1) / CODE_LANES
        * (size_t)job.rows_of_filter;
    job.is_bits = 1;
    result = convolve(&job);
    if (result == 1 && job.level.count_bytes != NULL) {
        job.is_bits = 0;
        job.largest = job.level.largest;
        result = convolve(&job);
    }
end:
    free(filters);
    return result;
}
