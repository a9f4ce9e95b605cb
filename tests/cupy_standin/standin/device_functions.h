/* What CUDA C++ has beside the C++ library. */
#pragma once
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include "float16.h"

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __noinline__
#define __restrict__
#define __constant__ static const
#define __launch_bounds__(...)
#define __ldg(p) (*(p))
#define CUDART_INF (1.0 / 0.0)
#define CUDART_INF_F (1.0f / 0.0f)
#define CUDART_NAN (0.0 / 0.0)
#define CUDART_NAN_F (0.0f / 0.0f)

using std::abs; using std::atan2; using std::ceil; using std::copysign;
using std::cos; using std::cosh; using std::erf; using std::erfc;
using std::exp; using std::exp2; using std::expm1; using std::fabs;
using std::floor; using std::fmax; using std::fmin; using std::fmod;
using std::frexp; using std::isfinite; using std::isinf; using std::isnan;
using std::ldexp; using std::lgamma; using std::log; using std::log10;
using std::log1p; using std::log2; using std::pow; using std::rint;
using std::round; using std::signbit; using std::sin; using std::sinh;
using std::sqrt; using std::tan; using std::tanh; using std::trunc;

#define ONE(f) static inline float f(float16 x) { return f((float)x); }
ONE(abs) ONE(ceil) ONE(cos) ONE(exp) ONE(exp2) ONE(expm1) ONE(fabs)
ONE(floor) ONE(isfinite) ONE(isinf) ONE(isnan) ONE(log) ONE(log1p) ONE(log2)
ONE(rint) ONE(round) ONE(signbit) ONE(sin) ONE(sqrt) ONE(tanh)
#undef ONE

static inline float16 max(float16 a, float16 b) { return a < b ? b : a; }
static inline float16 min(float16 a, float16 b) { return b < a ? b : a; }
template<class A, class B>
static inline typename std::common_type<A, B>::type max(A a, B b) {
  return a < b ? b : a;
}
template<class A, class B>
static inline typename std::common_type<A, B>::type min(A a, B b) {
  return b < a ? b : a;
}
static inline float rsqrt(float x) { return 1 / std::sqrt(x); }
static inline double rsqrt(double x) { return 1 / std::sqrt(x); }
static inline float normcdff(float x) { return .5f * erfcf(-x * .70710678f); }
static inline double normcdf(double x) { return .5 * erfc(-x * M_SQRT1_2); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) {
  return __builtin_popcountll(x);
}
template<class To, class From> static inline To standin_bits(From x) {
  static_assert(sizeof(To) == sizeof(From), "bits of another size");
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}
static inline float __int_as_float(int x) { return standin_bits<float>(x); }
static inline int __float_as_int(float x) { return standin_bits<int>(x); }
static inline float __uint_as_float(unsigned x) {
  return standin_bits<float>(x);
}
static inline unsigned __float_as_uint(float x) {
  return standin_bits<unsigned>(x);
}
static inline double __longlong_as_double(long long x) {
  return standin_bits<double>(x);
}
static inline long long __double_as_longlong(double x) {
  return standin_bits<long long>(x);
}

/* One thread runs at a time. */
template<class T, class V, class F>
static inline T standin_atomic(T* p, V v, F f) {
  T old = *p;
  *p = f(old, (T)v);
  return old;
}
#define ATOMIC(name, expression) \
  template<class T, class V> static inline T name(T* p, V v) { \
    return standin_atomic(p, v, [](T a, T b) -> T { return expression; }); }
ATOMIC(atomicAdd, a + b) ATOMIC(atomicSub, a - b)
ATOMIC(atomicMax, a < b ? b : a) ATOMIC(atomicMin, b < a ? b : a)
ATOMIC(atomicAnd, a & b) ATOMIC(atomicOr, a | b) ATOMIC(atomicXor, a ^ b)
ATOMIC(atomicExch, b)
#undef ATOMIC
template<class T> static inline T atomicCAS(T* p, T compare, T value) {
  T old = *p;
  if (old == compare) *p = value;
  return old;
}
