/* The two-dimensional convolution and its gradients, for one width of
   vectors.  convolution_levels.c includes this file once for each level of
   processors, with these macros:

   LANES    floats in a vector
   BUDGET   vectors that the sums of a tile may take
   NAME(f)  f with the ending of the level

   Images are held channels-last.  Each is copied between the zeros of its
   padding into a buffer, where a row of the kernel is one run of floats that
   lie side by side; a tile of neighbouring outputs stays in registers while
   the runs are gone through. */

typedef float NAME(vector)
    __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t NAME(integers) __attribute__((vector_size(4 * LANES)));
#define VECTOR NAME(vector)
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, v) (*(VECTOR *)(p) = (v))
#define MAX_PIXELS 16
#define MAX_VECTORS 4
#define FOR_ALL_TILES(do_it) do { \
    switch (q) { \
    case 1: switch (p) { \
        case 1: do_it(1, 1); break; case 2: do_it(2, 1); break; \
        case 3: do_it(3, 1); break; case 4: do_it(4, 1); break; \
        case 5: do_it(5, 1); break; case 6: do_it(6, 1); break; \
        case 7: do_it(7, 1); break; case 8: do_it(8, 1); break; \
        case 9: do_it(9, 1); break; case 10: do_it(10, 1); break; \
        case 11: do_it(11, 1); break; case 12: do_it(12, 1); break; \
        case 13: do_it(13, 1); break; case 14: do_it(14, 1); break; \
        case 15: do_it(15, 1); break; case 16: do_it(16, 1); break; \
        } break; \
    case 2: switch (p) { \
        case 1: do_it(1, 2); break; case 2: do_it(2, 2); break; \
        case 3: do_it(3, 2); break; case 4: do_it(4, 2); break; \
        case 5: do_it(5, 2); break; case 6: do_it(6, 2); break; \
        case 7: do_it(7, 2); break; case 8: do_it(8, 2); break; \
        case 9: do_it(9, 2); break; case 10: do_it(10, 2); break; \
        case 11: do_it(11, 2); break; case 12: do_it(12, 2); break; \
        } break; \
    case 3: switch (p) { \
        case 1: do_it(1, 3); break; case 2: do_it(2, 3); break; \
        case 3: do_it(3, 3); break; case 4: do_it(4, 3); break; \
        case 5: do_it(5, 3); break; case 6: do_it(6, 3); break; \
        case 7: do_it(7, 3); break; case 8: do_it(8, 3); break; \
        } break; \
    case 4: switch (p) { \
        case 1: do_it(1, 4); break; case 2: do_it(2, 4); break; \
        case 3: do_it(3, 4); break; case 4: do_it(4, 4); break; \
        case 5: do_it(5, 4); break; case 6: do_it(6, 4); break; \
        } break; \
    } } while (0)

/* p pixels by q vectors of output channels: y = sum over runs of x * w. */
static inline __attribute__((always_inline)) void NAME(product_tile)(
    const int p, const int q, const float *x, ptrdiff_t x_step,
    const struct run *runs, size_t n_runs, const float *w, float *y,
    ptrdiff_t y_step, size_t n_out, const float *bias)
{
    VECTOR sums[MAX_PIXELS][MAX_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < p; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < q; ++j)
            sums[i][j] = LOAD(bias + j * LANES);
    for (size_t r = 0; r < n_runs; ++r) {
        const float *from = x + runs[r].offset;
        for (size_t k = 0; k < runs[r].length; ++k) {
            VECTOR weights[MAX_VECTORS];
#pragma GCC unroll 4
            for (int j = 0; j < q; ++j)
                weights[j] = LOAD(w + j * LANES);
            w += q * LANES;
#pragma GCC unroll 16
            for (int i = 0; i < p; ++i) {
                const float value = from[i * x_step + (ptrdiff_t)k];
#pragma GCC unroll 4
                for (int j = 0; j < q; ++j)
                    sums[i][j] += value * weights[j];
            }
        }
    }
    if (n_out == (size_t)(q * LANES)) {
#pragma GCC unroll 16
        for (int i = 0; i < p; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < q; ++j)
                STORE(y + i * y_step + j * LANES, sums[i][j]);
    } else {
        float all[MAX_PIXELS][MAX_VECTORS * LANES];
#pragma GCC unroll 16
        for (int i = 0; i < p; ++i)
#pragma GCC unroll 4
            for (int j = 0; j < q; ++j)
                STORE(all[i] + j * LANES, sums[i][j]);
        for (int i = 0; i < p; ++i)
            memcpy(y + i * y_step, all[i], n_out * sizeof(float));
    }
}

static __attribute__((noinline)) void NAME(products)(
    int p, int q, const float *x, ptrdiff_t x_step, const struct run *runs,
    size_t n_runs, const float *w, float *y, ptrdiff_t y_step, size_t n_out,
    const float *bias)
{
#define DO_IT(P, Q) NAME(product_tile)( \
    P, Q, x, x_step, runs, n_runs, w, y, y_step, n_out, bias)
    FOR_ALL_TILES(DO_IT);
#undef DO_IT
}

/* p places of a run by q vectors of output channels, summed over an image:
   sums += x * gy. */
static inline __attribute__((always_inline)) void NAME(gradient_tile)(
    const int p, const int q, const float *x, ptrdiff_t x_row,
    ptrdiff_t x_step, const float *gy, ptrdiff_t gy_step, size_t rows,
    size_t columns, float *total)
{
    VECTOR sums[MAX_PIXELS][MAX_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < p; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < q; ++j)
            sums[i][j] = LOAD(total + (i * q + j) * LANES);
    for (size_t row = 0; row < rows; ++row) {
        const float *from = x + (ptrdiff_t)row * x_row;
        for (size_t column = 0; column < columns; ++column) {
            VECTOR values[MAX_VECTORS];
#pragma GCC unroll 4
            for (int j = 0; j < q; ++j)
                values[j] = LOAD(gy + j * LANES);
            gy += gy_step;
#pragma GCC unroll 16
            for (int i = 0; i < p; ++i) {
                const float value = from[i];
#pragma GCC unroll 4
                for (int j = 0; j < q; ++j)
                    sums[i][j] += value * values[j];
            }
            from += x_step;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < p; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < q; ++j)
            STORE(total + (i * q + j) * LANES, sums[i][j]);
}

static __attribute__((noinline)) void NAME(gradients)(
    int p, int q, const float *x, ptrdiff_t x_row, ptrdiff_t x_step,
    const float *gy, ptrdiff_t gy_step, size_t rows, size_t columns,
    float *total)
{
#define DO_IT(P, Q) NAME(gradient_tile)( \
    P, Q, x, x_row, x_step, gy, gy_step, rows, columns, total)
    FOR_ALL_TILES(DO_IT);
#undef DO_IT
}

/* Winograd's transforms for one tile of 6x6 pixels and n x n outputs, where n
   is 4 for kernels of 3x3 and 2 for kernels of 5x5: what is called d, g and m
   in arXiv:1509.09308, eq. 7 and section 4.3.  A transformed value stands in
   one of 36 planes. */

/* B^T d, of a column or row */
static inline __attribute__((always_inline)) void NAME(input_line)(
    const VECTOR *d, VECTOR *to)
{
    VECTOR even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    VECTOR even2 = d[4] - d[2], odd2 = 2 * (d[3] - d[1]);
    to[0] = 4 * d[0] - 5 * d[2] + d[4];
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = even2 + odd2;
    to[4] = even2 - odd2;
    to[5] = 4 * d[1] - 5 * d[3] + d[5];
}

/* B^T d B */
static __attribute__((noinline)) void NAME(transform_input)(
    const float *x, ptrdiff_t row, size_t channels, float *to,
    ptrdiff_t plane)
{
    for (size_t c = 0; c < channels; c += LANES) {
        VECTOR t[6][6], d[6];
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) {
            const float *from = x + j * (ptrdiff_t)channels + (ptrdiff_t)c;
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i)
                d[i] = LOAD(from + i * row);
            NAME(input_line)(d, t[j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) {
            VECTOR line[6] = {
                t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i]};
            NAME(input_line)(line, d);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j)
                STORE(to + (6 * i + j) * plane + (ptrdiff_t)c, d[j]);
        }
    }
}

/* A^T m, of a column or row */
static inline __attribute__((always_inline)) void NAME(output_line)(
    const int n, const VECTOR *m, VECTOR *to)
{
    VECTOR sum = m[1] + m[2], difference = m[1] - m[2];
    VECTOR sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    to[0] = m[0] + sum + sum2;
    to[1] = difference + 2 * difference2;
    if (n == 4) {
        to[2] = sum + 4 * sum2;
        to[3] = difference + 8 * difference2;
    }
    to[n - 1] += m[5];
}

/* 0 where x is below it; what is no number stays so */
static inline __attribute__((always_inline)) VECTOR NAME(rectify)(VECTOR x)
{
    return (VECTOR)((NAME(integers))x & ~(x < 0));
}

/* What follows a convolution, on a vector of its outputs. */
static inline __attribute__((always_inline)) void NAME(finish_vector)(
    const struct finish *f, ptrdiff_t place, size_t channel, VECTOR y)
{
    if (f->residual != NULL)
        y += LOAD(f->residual + place);
    if (f->relu)
        y = NAME(rectify)(y);
    if (f->y != NULL)
        STORE(f->y + place, y);
    if (f->z != NULL) {
        y = y * LOAD(f->scale + channel) + LOAD(f->shift + channel);
        STORE(f->z + place, f->relu_z ? NAME(rectify)(y) : y);
    }
}

/* The same on whole pixels, whose channels fill no vectors; f->y holds what
   the convolution gave. */
static void NAME(finish_pixels)(
    const struct finish *f, const float *from, size_t pixels, size_t channels)
{
    for (size_t i = 0; i < pixels; ++i) {
        ptrdiff_t place = (ptrdiff_t)(i * channels);
        size_t c = 0;
        for (; c + LANES <= channels; c += LANES)
            NAME(finish_vector)(
                f, place + (ptrdiff_t)c, c,
                LOAD(from + place + (ptrdiff_t)c));
        for (; c < channels; ++c) {
            ptrdiff_t at = place + (ptrdiff_t)c;
            float y = from[at];
            if (f->residual != NULL)
                y += f->residual[at];
            if (f->relu)
                y = y < 0 ? 0 : y;
            if (f->y != NULL)
                f->y[at] = y;
            if (f->z != NULL) {
                y = y * f->scale[c] + f->shift[c];
                f->z[at] = f->relu_z && y < 0 ? 0 : y;
            }
        }
    }
}

/* A^T m A plus bias, as much of it as is there */
static inline __attribute__((always_inline)) void NAME(output_tile)(
    const int n, const float *m, ptrdiff_t plane, size_t channels,
    const float *bias, float *y, ptrdiff_t row, int rows, int columns,
    const struct finish *finish, ptrdiff_t at)
{
    for (size_t c = 0; c < channels; c += LANES) {
        VECTOR t[6][4], line[6], to[4], start = LOAD(bias + c);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) {
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i)
                line[i] = LOAD(m + (6 * i + j) * plane + (ptrdiff_t)c);
            NAME(output_line)(n, line, t[j]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < n; ++i) {
            if (i >= rows)
                break;
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j)
                line[j] = t[j][i];
            NAME(output_line)(n, line, to);
#pragma GCC unroll 4
            for (int j = 0; j < n; ++j) {
                ptrdiff_t place = i * row + j * (ptrdiff_t)channels
                    + (ptrdiff_t)c;
                if (j >= columns)
                    break;
                if (finish == NULL)
                    STORE(y + place, to[j] + start);
                else
                    NAME(finish_vector)(
                        finish, at + place, c, to[j] + start);
            }
        }
    }
}

static __attribute__((noinline)) void NAME(transform_output)(
    int n, const float *m, ptrdiff_t plane, size_t channels,
    const float *bias, float *y, ptrdiff_t row, int rows, int columns,
    const struct finish *finish, ptrdiff_t at)
{
    if (n == 4)
        NAME(output_tile)(
            4, m, plane, channels, bias, y, row, rows, columns, finish, at);
    else
        NAME(output_tile)(
            2, m, plane, channels, bias, y, row, rows, columns, finish, at);
}

/* A g, of a column or row */
static inline __attribute__((always_inline)) void NAME(gradient_line)(
    const int n, const VECTOR *g, VECTOR *to)
{
    VECTOR even = g[0], odd = g[1], even2 = g[0], odd2 = 2 * g[1];
    if (n == 4) {
        even += g[2];
        odd += g[3];
        even2 += 4 * g[2];
        odd2 += 8 * g[3];
    }
    to[0] = g[0];
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = even2 + odd2;
    to[4] = even2 - odd2;
    to[5] = g[n - 1];
}

/* A g A^T, of the gradient of a tile's outputs */
static inline __attribute__((always_inline)) void NAME(gradient_of_tile)(
    const int n, const float *gy, ptrdiff_t row, size_t channels, float *to,
    ptrdiff_t plane)
{
    for (size_t c = 0; c < channels; c += LANES) {
        VECTOR t[4][6], g[4], line[6];
#pragma GCC unroll 4
        for (int j = 0; j < n; ++j) {
#pragma GCC unroll 4
            for (int i = 0; i < n; ++i)
                g[i] = LOAD(gy + i * row + j * (ptrdiff_t)channels
                            + (ptrdiff_t)c);
            NAME(gradient_line)(n, g, t[j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) {
#pragma GCC unroll 4
            for (int j = 0; j < n; ++j)
                g[j] = t[j][i];
            NAME(gradient_line)(n, g, line);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j)
                STORE(to + (6 * i + j) * plane + (ptrdiff_t)c, line[j]);
        }
    }
}

static __attribute__((noinline)) void NAME(transform_gradient)(
    int n, const float *gy, ptrdiff_t row, size_t channels, float *to,
    ptrdiff_t plane)
{
    if (n == 4)
        NAME(gradient_of_tile)(4, gy, row, channels, to, plane);
    else
        NAME(gradient_of_tile)(2, gy, row, channels, to, plane);
}

const struct level NAME(quantized_net_level) = {
    LANES, BUDGET, NAME(products), NAME(gradients), NAME(transform_input),
    NAME(transform_output), NAME(transform_gradient), NAME(finish_pixels)};

#undef VECTOR
#undef LOAD
#undef STORE
#undef MAX_PIXELS
#undef MAX_VECTORS
#undef FOR_ALL_TILES
#undef LANES
#undef BUDGET
#undef NAME
