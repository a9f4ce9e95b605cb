/* cupy/float16.cuh for the host: storage of 16 bits, arithmetic in float. */
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

static inline float standin_from_half(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff, bits;
  float f;
  if (rest >= 0x7c00) {  /* infinity and NaN */
    bits = sign | 0x7f800000 | (rest & 0x3ff) << 13;
  } else if (rest >= 0x400) {
    bits = sign | ((rest << 13) + ((127 - 15) << 23));
  } else {  /* subnormal: rest * 2^-24 */
    f = (float)rest * 5.9604644775390625e-8f;
    memcpy(&bits, &f, 4);
    bits |= sign;
  }
  memcpy(&f, &bits, 4);
  return f;
}

/* Rounds to nearest, ties to even. */
static inline uint16_t standin_to_half(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  uint16_t sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return sign | 0x7e00;  /* NaN */
  if (bits >= 0x477ff000) return sign | 0x7c00;  /* from 65520: infinity */
  if (bits < 0x38800000) {  /* below 2^-14: float rounds, at 2^-24 */
    float a;
    memcpy(&a, &bits, 4);
    a += 0.5f;
    memcpy(&bits, &a, 4);
    return sign | (uint16_t)(bits - 0x3f000000);
  }
  bits += 0xfff + (bits >> 13 & 1);
  return sign | (uint16_t)((bits - ((127 - 15) << 23)) >> 13);
}

/* What an operator of a float16 and a U gives. */
template<class U, bool = std::is_arithmetic<U>::value> struct Mixed {};
template<class U> struct Mixed<U, true> {
  typedef typename std::conditional<
    std::is_same<U, double>::value, double, float>::type type;
  typedef bool truth;
};

struct float16 {
  uint16_t bits;
  float16() {}
  float16(float v) : bits(standin_to_half(v)) {}
#define FROM(U) explicit float16(U v) : bits(standin_to_half((float)v)) {}
  FROM(bool) FROM(double) FROM(int) FROM(unsigned) FROM(long)
  FROM(long long) FROM(unsigned long long)
#undef FROM
  operator float() const { return standin_from_half(bits); }
  float16& operator=(const float16&) = default;
  template<class U> float16& operator=(U v) {
    bits = standin_to_half((float)v);
    return *this;
  }
  unsigned short to_bits() const { return bits; }
  static float16 from_bits(unsigned short b) {
    float16 x;
    x.bits = b;
    return x;
  }
  float16 operator+() const { return *this; }
#define ARITHMETIC(o) \
  friend float16 operator o(float16 a, float16 b) { \
    return float16((float)a o (float)b); } \
  template<class U> friend typename Mixed<U>::type operator o( \
      float16 a, U b) { return (float)a o b; } \
  template<class U> friend typename Mixed<U>::type operator o( \
      U a, float16 b) { return a o (float)b; } \
  template<class U> float16& operator o##=(U b) { \
    return *this = *this o b; }
  ARITHMETIC(+) ARITHMETIC(-) ARITHMETIC(*) ARITHMETIC(/)
#undef ARITHMETIC
#define COMPARISON(o) \
  friend bool operator o(float16 a, float16 b) { \
    return (float)a o (float)b; } \
  template<class U> friend typename Mixed<U>::truth operator o( \
      float16 a, U b) { return (float)a o b; } \
  template<class U> friend typename Mixed<U>::truth operator o( \
      U a, float16 b) { return a o (float)b; }
  COMPARISON(<) COMPARISON(>) COMPARISON(<=) COMPARISON(>=) COMPARISON(==)
  COMPARISON(!=)
#undef COMPARISON
};

typedef float16 half;
typedef float16 __half;
static inline float __half2float(float16 h) { return h; }
static inline float16 __float2half(float f) { return float16(f); }
