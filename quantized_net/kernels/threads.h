/* One pool of threads for all the kernels. */

#ifndef QUANTIZED_NET_THREADS_H
#define QUANTIZED_NET_THREADS_H

#include <stddef.h>

/* Does the index-th part of the work; no two parts have the same worker at a
   time. */
typedef void (*quantized_net_part)(void *work, size_t index, int worker);

#define ALL_WORKERS 256

/* Calls part(work, i, worker) for each i below n, in any order, with workers
   below a limit. */
void quantized_net_parallel(
    quantized_net_part part, void *work, size_t n, int limit);

int quantized_net_threads(void);
void quantized_net_set_threads(int n);

#endif
