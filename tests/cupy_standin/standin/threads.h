/* The threads of a raw kernel: fibers of the host, one block at a time.
 *
 * A fiber runs until it is done or has to wait for its block or its warp, so
 * that nothing depends on time; races do not show.
 */
#pragma once
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>
#include "device_functions.h"

#define __shared__ static

struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;
static const int warpSize = 32;

enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber {
  ucontext_t context;
  State state;
  dim3 index;
  void* stack;
  uint64_t slot;  /* what a shuffle gives away */
};

static const size_t STACK = 1 << 16;
static std::vector<Fiber> fibers;
static size_t current;
static ucontext_t scheduler;
static void (*body)(void**);
static void** body_args;
static std::vector<char> standin_shared_memory;

static void standin_wait(State state) {
  fibers[current].state = state;
  swapcontext(&fibers[current].context, &scheduler);
}
static inline void __syncthreads() { standin_wait(AT_BLOCK); }
static inline void __syncwarp(unsigned = ~0u) { standin_wait(AT_WARP); }
static inline void __threadfence() {}

template<class T>
static T standin_shuffle(T value, unsigned lane, bool is_inside) {
  static_assert(sizeof(T) <= 8, "a shuffle of more than 8 bytes");
  size_t first = current / warpSize * warpSize;
  memcpy(&fibers[current].slot, &value, sizeof value);
  __syncwarp();
  if (is_inside && first + lane < fibers.size())
    memcpy(&value, &fibers[first + lane].slot, sizeof value);
  __syncwarp();
  return value;
}
template<class T>
static T __shfl_down_sync(unsigned, T value, unsigned n, int width = 32) {
  unsigned lane = current % warpSize;
  return standin_shuffle(value, lane + n, lane % width + n < (unsigned)width);
}
template<class T>
static T __shfl_up_sync(unsigned, T value, unsigned n, int width = 32) {
  unsigned lane = current % warpSize;
  return standin_shuffle(value, lane - n, lane % width >= n);
}
template<class T>
static T __shfl_xor_sync(unsigned, T value, unsigned n, int width = 32) {
  unsigned lane = current % warpSize;
  return standin_shuffle(value, lane ^ n, (lane % width ^ n) < (unsigned)width);
}
template<class T>
static T __shfl_sync(unsigned, T value, unsigned source, int width = 32) {
  unsigned lane = current % warpSize;
  return standin_shuffle(
      value, lane / width * width + source % width, true);
}

static void standin_enter() {
  body(body_args);
  fibers[current].state = DONE;
}

/* Lets those go on of whom all others have arrived too. */
static bool standin_release(size_t first, size_t last, State state) {
  size_t waiting = 0, done = 0;
  for (size_t t = first; t < last; ++t) {
    waiting += fibers[t].state == state;
    done += fibers[t].state == DONE;
  }
  if (!waiting || waiting + done < last - first) return false;
  for (size_t t = first; t < last; ++t)
    if (fibers[t].state == state) fibers[t].state = READY;
  return true;
}

/* Whether the block came to its end: not if some wait for ever. */
static bool standin_run_block() {
  for (;;) {
    bool is_done = true;
    for (current = 0; current < fibers.size(); ++current) {
      if (fibers[current].state == READY) {
        threadIdx = fibers[current].index;
        swapcontext(&scheduler, &fibers[current].context);
      }
      is_done &= fibers[current].state == DONE;
    }
    if (is_done) return true;
    bool goes_on = standin_release(0, fibers.size(), AT_BLOCK);
    for (size_t t = 0; t < fibers.size(); t += warpSize)
      goes_on |= standin_release(
          t, std::min(t + warpSize, fibers.size()), AT_WARP);
    if (!goes_on) return false;
  }
}

/* Where no thread waits for another they need no fibers. */
static void standin_run_all() {
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
        for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
          for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
              body(body_args);
}

static bool standin_launch(const unsigned* grid, const unsigned* block,
                           size_t shared, void** args, bool waits) {
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  body_args = args;
  standin_shared_memory.assign(shared, 77);
  if (!waits) {
    standin_run_all();
    return true;
  }
  fibers.assign((size_t)block[0] * block[1] * block[2], Fiber());
  for (Fiber& f : fibers) f.stack = malloc(STACK);
  bool is_whole = true;
  for (unsigned z = 0; z < grid[2] && is_whole; ++z)
    for (unsigned y = 0; y < grid[1] && is_whole; ++y)
      for (unsigned x = 0; x < grid[0] && is_whole; ++x) {
        blockIdx = {x, y, z};
        for (size_t t = 0; t < fibers.size(); ++t) {
          Fiber& f = fibers[t];
          f.state = READY;
          f.index = {(unsigned)(t % block[0]),
                     (unsigned)(t / block[0] % block[1]),
                     (unsigned)(t / block[0] / block[1])};
          getcontext(&f.context);
          f.context.uc_stack.ss_sp = f.stack;
          f.context.uc_stack.ss_size = STACK;
          f.context.uc_link = &scheduler;
          makecontext(&f.context, standin_enter, 0);
        }
        is_whole = standin_run_block();
      }
  for (Fiber& f : fibers) free(f.stack);
  return is_whole;
}

/* Calls a kernel with the arguments at these addresses. */
template<class... A, size_t... I>
static void standin_call(void (*f)(A...), void** args,
                         std::index_sequence<I...>) {
  f(*(typename std::decay<A>::type*)args[I]...);
}
template<class... A> static void standin_call(void (*f)(A...), void** args) {
  standin_call(f, args, std::index_sequence_for<A...>());
}
/* The sizes of the arguments of a kernel, then -1. */
template<class... A> static void standin_sizes(void (*)(A...), int* sizes) {
  int known[] = {(int)sizeof(A)..., -1};
  memcpy(sizes, known, sizeof known);
}
