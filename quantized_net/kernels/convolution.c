/* The two-dimensional convolution and its gradients, the direct way: what is
   to be computed where.  The sums themselves are in tiles.h. */

#include "convolution.h"

/* Appends floats to the runs; those that go on where the last ends, to it. */
static size_t add_run(
    struct run *runs, size_t n, ptrdiff_t offset, size_t length)
{
    if (n && runs[n - 1].offset + (ptrdiff_t)runs[n - 1].length == offset) {
        runs[n - 1].length += length;
        return n;
    }
    runs[n].offset = offset;
    runs[n].length = length;
    return n + 1;
}

/* What all the outputs see of an image, with its padding. */
static struct frame input_frame(const struct sizes *s)
{
    return (struct frame){
        (s->h_out - 1) * s->h_stride + (s->h_kernel - 1) * s->h_dilate + 1,
        (s->w_out - 1) * s->w_stride + (s->w_kernel - 1) * s->w_dilate + 1,
        s->h_pad, s->w_pad};
}

/* The runs of an output's taps in that frame; answers how many. */
static size_t add_taps(
    struct run *runs, const struct sizes *s, size_t channels)
{
    ptrdiff_t width = input_frame(s).width;
    size_t n = 0;
    for (ptrdiff_t i = 0; i < s->h_kernel; ++i)
        for (ptrdiff_t j = 0; j < s->w_kernel; ++j)
            n = add_run(
                runs, n, (i * s->h_dilate * width + j * s->w_dilate)
                    * (ptrdiff_t)channels, channels);
    return n;
}

/* A product of framed images with packed weights, for a grid of outputs:
   the whole forward pass, or a phase of the gradient of the input. */
struct product {
    struct strides x;
    struct frame frame;
    size_t n, h_in, w_in, channels, groups;
    const float *images;
    struct run *runs;
    size_t n_runs, depth;  /* depth: floats of all runs */
    float *weights, *bias;  /* packed: group, block, float, channel */
    struct blocks blocks;
    ptrdiff_t row_step, column_step;  /* of the frame, for an output */
    float *y;
    struct strides y_strides;
    size_t rows, columns;
    float *scratch;
    size_t scratch_size;
};

static void do_product(void *work, size_t index, int worker)
{
    const struct product *job = work;
    const struct level *level = quantized_net_current_level();
    size_t image = index / job->groups, group = index % job->groups;
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    const float *weights = job->weights
        + group * job->depth * job->blocks.whole;
    const float *bias = job->bias + group * job->blocks.whole;
    float *y = job->y + (ptrdiff_t)image * job->y_strides.n
        + (ptrdiff_t)(group * job->blocks.channels);
    quantized_net_fill_frame(
        buffer, &job->frame, job->images + (ptrdiff_t)image * job->x.n
            + (ptrdiff_t)(group * job->channels) * job->x.c,
        &job->x, job->h_in, job->w_in, job->channels);
    for (size_t b = 0; b < n_blocks(&job->blocks); ++b) {
        size_t q = vectors_of(&job->blocks, b);
        size_t n_out = channels_of(&job->blocks, b);
        size_t tile = tile_of(job->columns, q);
        for (size_t row = 0; row < job->rows; ++row) {
            const float *x = buffer + (ptrdiff_t)row * job->row_step;
            float *to = y + (ptrdiff_t)row * job->y_strides.h;
            for (size_t column = 0; column < job->columns; column += tile) {
                size_t p = job->columns - column;
                p = p < tile ? p : tile;
                level->products(
                    (int)p, (int)q,
                    x + (ptrdiff_t)column * job->column_step,
                    job->column_step, job->runs, job->n_runs, weights,
                    to + (ptrdiff_t)column * job->y_strides.w,
                    job->y_strides.w, n_out, bias);
            }
        }
        weights += job->depth * q * job->blocks.lanes;
        bias += q * job->blocks.lanes;
        y += n_out;
    }
}

static size_t scratch_of(const struct product *job)
{
    return round_up(
        (size_t)(job->frame.height * job->frame.width)
        * job->channels + 1, 16);
}

/* Allocates what the workers need, and runs.  The frames start as zeros,
   and an image always covers the same part of its frame. */
static int run_product(struct product *job)
{
    int threads = quantized_net_threads();
    job->scratch_size = scratch_of(job);
    job->scratch = calloc(
        job->scratch_size * (size_t)threads, sizeof(float));
    if (job->scratch == NULL)
        return -1;
    quantized_net_parallel(do_product, job, job->n * job->groups, threads);
    free(job->scratch);
    return 0;
}

static void free_product(struct product *job)
{
    free(job->runs);
    free(job->weights);
    free(job->bias);
}

/* A forward pass with its weights packed; answers -1 where memory lacks. */
static int make_product(
    struct product *job, const struct sizes *s, const float *W,
    const float *b)
{
    size_t groups = (size_t)s->groups;
    size_t c_in = (size_t)s->c_in / groups, c_out = (size_t)s->c_out / groups;
    size_t taps = (size_t)(s->h_kernel * s->w_kernel);
    struct frame frame = input_frame(s);
    *job = (struct product){
        .frame = frame,
        .n = (size_t)s->n, .h_in = (size_t)s->h_in, .w_in = (size_t)s->w_in,
        .channels = c_in, .groups = groups,
        .depth = taps * c_in, .blocks = make_blocks(c_out),
        .row_step = s->h_stride * frame.width * (ptrdiff_t)c_in,
        .column_step = s->w_stride * (ptrdiff_t)c_in,
        .y_strides = {s->h_out * s->w_out * s->c_out, 1,
                      s->w_out * s->c_out, s->c_out},
        .rows = (size_t)s->h_out, .columns = (size_t)s->w_out};
    size_t whole = job->blocks.whole;
    job->runs = malloc((taps + 1) * sizeof(struct run));
    job->weights = calloc(groups * job->depth * whole + 1, sizeof(float));
    job->bias = calloc(groups * whole, sizeof(float));
    if (job->runs == NULL || job->weights == NULL || job->bias == NULL)
        return -1;
    job->n_runs = add_taps(job->runs, s, c_in);
    for (size_t o = 0; o < (size_t)s->c_out; ++o) {
        size_t group = o / c_out, step;
        float *to = packed(
            job->weights + group * job->depth * whole, &job->blocks,
            job->depth, o % c_out, &step);
        const float *from = W + o * c_in * taps;
        for (size_t t = 0; t < taps; ++t)
            for (size_t c = 0; c < c_in; ++c)
                to[(t * c_in + c) * step] = from[c * taps + t];
        if (b != NULL)
            job->bias[group * whole + o % c_out] = b[o];
    }
    return 0;
}

int quantized_net_convolution(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *W, const float *b, float *y)
{
    struct product job;
    int failed;
    if (quantized_net_suits_winograd(s))
        return quantized_net_winograd(s, x, x_strides, W, b, y);
    failed = make_product(&job, s, W, b);
    if (!failed) {
        job.images = x;
        job.x = *x_strides;
        job.y = y;
        failed = run_product(&job);
    }
    free_product(&job);
    return failed;
}

struct product *quantized_net_plan_product(
    const struct sizes *s, const float *W, const float *b)
{
    struct product *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return NULL;
    if (make_product(plan, s, W, b)) {
        quantized_net_free_product(plan);
        return NULL;
    }
    plan->x = (struct strides){
        s->h_in * s->w_in * s->c_in, 1, s->w_in * s->c_in, s->c_in};
    plan->scratch_size = scratch_of(plan);
    return plan;
}

void quantized_net_free_product(struct product *plan)
{
    if (plan != NULL)
        free_product(plan);
    free(plan);
}

size_t quantized_net_product_scratch(const struct product *plan)
{
    return plan->scratch_size;
}

/* A row of n pixels, of up to s->w_in. */
void quantized_net_run_row(
    const struct product *plan, size_t n, const float *x, float *scratch,
    float *y)
{
    struct product job = *plan;
    job.images = x;
    job.scratch = scratch;
    job.y = y;
    job.w_in = job.columns = n;
    do_product(&job, 0, 0);
}

void quantized_net_run_product(
    const struct product *plan, size_t n, const float *x, float *scratch,
    float *y)
{
    struct product job = *plan;
    job.images = x;
    job.scratch = scratch;
    job.y = y;
    quantized_net_clear_around(
        scratch, &job.frame, job.h_in, job.w_in, job.channels);
    for (size_t part = 0; part < n * job.groups; ++part)
        do_product(&job, part, 0);
}

/* Rows (or columns) i, i + stride, ... of the input's gradient see the taps
   k with (i + pad - k * dilate) divisible by the stride, through the output
   (i + pad - k * dilate) / stride. */
static int sees(int64_t i, int64_t pad, int64_t k, int64_t dilate,
                int64_t stride, ptrdiff_t *output)
{
    int64_t place = i + pad - k * dilate;
    if (place % stride != 0)
        return 0;
    *output = place / stride;
    return 1;
}

int quantized_net_convolution_gradient_x(
    const struct sizes *s, const float *gy, const struct strides *gy_strides,
    const float *W, float *gx)
{
    if (quantized_net_suits_winograd(s))
        return quantized_net_winograd_gradient_x(s, gy, gy_strides, W, gx);
    size_t groups = (size_t)s->groups;
    size_t c_in = (size_t)s->c_in / groups, c_out = (size_t)s->c_out / groups;
    size_t taps = (size_t)(s->h_kernel * s->w_kernel);
    struct product job = {
        .x = *gy_strides, .n = (size_t)s->n, .h_in = (size_t)s->h_out,
        .w_in = (size_t)s->w_out, .channels = c_out, .groups = groups,
        .images = gy, .blocks = make_blocks(c_in),
        .column_step = (ptrdiff_t)c_out,
        .y_strides = {
            s->h_in * s->w_in * s->c_in, 1, s->h_stride * s->w_in * s->c_in,
            s->w_stride * s->c_in}};
    size_t whole = job.blocks.whole;
    int failed = -1;
    job.runs = malloc((taps + 1) * sizeof(struct run));
    job.weights = malloc((groups * taps * c_out * whole + 1) * sizeof(float));
    job.bias = calloc(groups * whole, sizeof(float));
    if (job.runs == NULL || job.weights == NULL || job.bias == NULL)
        goto end;
    for (int64_t a = 0; a < s->h_stride && a < s->h_in; ++a) {
        for (int64_t b = 0; b < s->w_stride && b < s->w_in; ++b) {
            ptrdiff_t oh, ow, top = 0, left = 0, bottom, right;
            size_t t = 0;
            job.rows = (size_t)((s->h_in - a + s->h_stride - 1)
                                / s->h_stride);
            job.columns = (size_t)((s->w_in - b + s->w_stride - 1)
                                   / s->w_stride);
            bottom = s->h_out;
            right = s->w_out;
            for (int64_t i = 0; i < s->h_kernel; ++i)
                if (sees(a, s->h_pad, i, s->h_dilate, s->h_stride, &oh)) {
                    top = -oh > top ? -oh : top;
                    if (oh + (ptrdiff_t)job.rows > bottom)
                        bottom = oh + (ptrdiff_t)job.rows;
                }
            for (int64_t j = 0; j < s->w_kernel; ++j)
                if (sees(b, s->w_pad, j, s->w_dilate, s->w_stride, &ow)) {
                    left = -ow > left ? -ow : left;
                    if (ow + (ptrdiff_t)job.columns > right)
                        right = ow + (ptrdiff_t)job.columns;
                }
            job.frame = (struct frame){
                top + bottom, left + right, top, left};
            job.row_step = job.frame.width * (ptrdiff_t)c_out;
            job.n_runs = 0;
            job.depth = 0;
            memset(job.weights, 0,
                   groups * taps * c_out * whole * sizeof(float));
            /* from the last tap to the first, so that runs go on */
            for (int64_t i = s->h_kernel; i-- > 0;)
                for (int64_t j = s->w_kernel; j-- > 0;)
                    if (sees(a, s->h_pad, i, s->h_dilate, s->h_stride, &oh)
                            && sees(b, s->w_pad, j, s->w_dilate,
                                    s->w_stride, &ow)) {
                        job.n_runs = add_run(
                            job.runs, job.n_runs,
                            ((oh + top) * job.frame.width + ow + left)
                                * (ptrdiff_t)c_out, c_out);
                        job.depth += c_out;
                    }
            for (int64_t i = s->h_kernel; i-- > 0;)
                for (int64_t j = s->w_kernel; j-- > 0;) {
                    if (!sees(a, s->h_pad, i, s->h_dilate, s->h_stride, &oh)
                            || !sees(b, s->w_pad, j, s->w_dilate,
                                     s->w_stride, &ow))
                        continue;
                    for (size_t c = 0; c < (size_t)s->c_in; ++c) {
                        size_t group = c / c_in, step;
                        float *to = packed(
                            job.weights + group * job.depth * whole,
                            &job.blocks, job.depth, c % c_in, &step);
                        for (size_t o = 0; o < c_out; ++o)
                            to[(t * c_out + o) * step] =
                                W[((group * c_out + o) * c_in + c % c_in)
                                  * taps + (size_t)(i * s->w_kernel + j)];
                    }
                    ++t;
                }
            job.y = gx + (a * s->w_in + b) * s->c_in;
            if (run_product(&job))
                goto end;
        }
    }
    failed = 0;
end:
    free(job.runs);
    free(job.weights);
    free(job.bias);
    return failed;
}

/* The gradient of the weights.  The images are cut into parts that do not
   depend on the number of threads, and the parts' sums are added in order:
   the result is the same for any number. */
struct weight_gradient {
    const struct sizes *s;
    struct strides x;
    const float *images, *gy;
    struct frame frame;
    struct run *runs;
    size_t n_runs, depth, c_in;
    struct blocks blocks;
    size_t parts, tasks_of_part;  /* a task: a part, a group and a block */
    float *totals;
    float *scratch;
    size_t x_size, scratch_size;
};

static void do_weight_gradient(void *work, size_t index, int worker)
{
    const struct weight_gradient *job = work;
    const struct sizes *s = job->s;
    const struct level *level = quantized_net_current_level();
    size_t part = index / job->tasks_of_part;
    size_t task = index % job->tasks_of_part;
    size_t group = task / n_blocks(&job->blocks);
    size_t block = task % n_blocks(&job->blocks);
    size_t q = vectors_of(&job->blocks, block), lanes = job->blocks.lanes;
    size_t channels = channels_of(&job->blocks, block);
    size_t pixels = (size_t)(s->h_out * s->w_out);
    size_t first = part * (size_t)s->n / job->parts;
    size_t last = (part + 1) * (size_t)s->n / job->parts;
    float *buffer = job->scratch + (size_t)worker * job->scratch_size;
    float *spread = buffer + job->x_size;
    float *total = job->totals
        + (part * (size_t)s->groups + group) * job->depth * job->blocks.whole
        + 4 * block * lanes * job->depth;
    for (size_t image = first; image < last; ++image) {
        const float *gy = job->gy
            + image * pixels * (size_t)s->c_out
            + group * job->blocks.channels + 4 * block * lanes;
        ptrdiff_t gy_step = s->c_out;
        float *to = total;
        quantized_net_fill_frame(
            buffer, &job->frame, job->images + (ptrdiff_t)image * job->x.n
                + (ptrdiff_t)(group * job->c_in) * job->x.c,
            &job->x, (size_t)s->h_in, (size_t)s->w_in, job->c_in);
        if (channels < q * lanes) {
            for (size_t i = 0; i < pixels; ++i) {
                memcpy(spread + i * q * lanes, gy + i * (size_t)s->c_out,
                       channels * sizeof(float));
                memset(spread + i * q * lanes + channels, 0,
                       (q * lanes - channels) * sizeof(float));
            }
            gy = spread;
            gy_step = (ptrdiff_t)(q * lanes);
        }
        for (size_t r = 0; r < job->n_runs; ++r) {
            size_t tile = tile_of(job->runs[r].length, q);
            for (size_t k = 0; k < job->runs[r].length; k += tile) {
                size_t p = job->runs[r].length - k;
                p = p < tile ? p : tile;
                level->gradients(
                    (int)p, (int)q,
                    buffer + job->runs[r].offset + (ptrdiff_t)k,
                    s->h_stride * job->frame.width * (ptrdiff_t)job->c_in,
                    s->w_stride * (ptrdiff_t)job->c_in, gy, gy_step,
                    (size_t)s->h_out, (size_t)s->w_out, to);
                to += p * q * lanes;
            }
        }
    }
}

int quantized_net_convolution_gradient_W(
    const struct sizes *s, const float *x, const struct strides *x_strides,
    const float *gy, float *gW)
{
    if (quantized_net_suits_winograd(s))
        return quantized_net_winograd_gradient_W(s, x, x_strides, gy, gW);
    size_t groups = (size_t)s->groups;
    size_t c_in = (size_t)s->c_in / groups, c_out = (size_t)s->c_out / groups;
    size_t taps = (size_t)(s->h_kernel * s->w_kernel);
    struct frame frame = input_frame(s);
    struct weight_gradient job = {
        .s = s, .x = *x_strides, .images = x, .gy = gy,
        .frame = frame, .depth = taps * c_in,
        .c_in = c_in, .blocks = make_blocks(c_out)};
    size_t size = groups * job.depth * job.blocks.whole;
    int failed = -1, threads = quantized_net_threads();
    job.parts = n_parts(s, size);
    job.tasks_of_part = groups * n_blocks(&job.blocks);
    job.x_size = round_up(
        (size_t)(frame.height * frame.width) * c_in + 1, 16);
    job.scratch_size = job.x_size + round_up(
        (size_t)(s->h_out * s->w_out) * 4 * job.blocks.lanes, 16);
    job.runs = malloc((taps + 1) * sizeof(struct run));
    job.totals = calloc(job.parts * size + 1, sizeof(float));
    job.scratch = calloc(
        job.scratch_size * (size_t)threads, sizeof(float));
    if (job.runs != NULL && job.totals != NULL && job.scratch != NULL) {
        job.n_runs = add_taps(job.runs, s, c_in);
        quantized_net_parallel(
            do_weight_gradient, &job, job.parts * job.tasks_of_part,
            threads);
        for (size_t part = 1; part < job.parts; ++part)
            for (size_t i = 0; i < size; ++i)
                job.totals[i] += job.totals[part * size + i];
        for (size_t o = 0; o < (size_t)s->c_out; ++o) {
            size_t step;
            const float *from = packed(
                job.totals + o / c_out * job.depth * job.blocks.whole,
                &job.blocks, job.depth, o % c_out, &step);
            float *to = gW + o * c_in * taps;
            for (size_t t = 0; t < taps; ++t)
                for (size_t c = 0; c < c_in; ++c)
                    to[c * taps + t] = from[(t * c_in + c) * step];
        }
        failed = 0;
    }
    free(job.runs);
    free(job.totals);
    free(job.scratch);
    return failed;
}
