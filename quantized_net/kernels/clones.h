/* One body of a function for each level of x86 processors, chosen when the
   library is loaded. */

#ifndef QUANTIZED_NET_CLONES_H
#define QUANTIZED_NET_CLONES_H

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) \
    && !defined(__clang__) && !defined(QUANTIZED_NET_NO_CLONES)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#endif
