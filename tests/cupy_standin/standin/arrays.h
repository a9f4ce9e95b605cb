/* cupy/carray.cuh for the host: arrays that check their indices. */
#pragma once
#include <cstddef>
#include <type_traits>

struct Argument {
  void* data;
  ptrdiff_t size;
  int ndim, contiguous;
  const ptrdiff_t *shape, *strides;
};

struct BadIndex { ptrdiff_t index, size; };

template<class T> class CArray {
  const Argument& a;

  template<class I> T& at(const I* index) const {
    char* p = (char*)a.data;
    for (int k = 0; k < a.ndim; ++k) {
      if (index[k] < 0 || index[k] >= a.shape[k])
        throw BadIndex{(ptrdiff_t)index[k], a.shape[k]};
      p += index[k] * a.strides[k];
    }
    return *(T*)p;
  }

public:
  explicit CArray(const Argument& argument) : a(argument) {}
  ptrdiff_t size() const { return a.size; }
  const ptrdiff_t* shape() const { return a.shape; }
  const ptrdiff_t* strides() const { return a.strides; }
  template<class I>
  typename std::enable_if<std::is_integral<I>::value, T&>::type
  operator[](I index) const {
    ptrdiff_t i = index;
    if (i < 0 || i >= a.size) throw BadIndex{i, a.size};
    if (a.contiguous) return ((T*)a.data)[i];
    char* p = (char*)a.data;
    for (int k = a.ndim; k--; ) {
      p += (i % a.shape[k]) * a.strides[k];
      i /= a.shape[k];
    }
    return *(T*)p;
  }
  T& operator[](const ptrdiff_t* index) const { return at(index); }
  T& operator[](const int* index) const { return at(index); }
};

struct CIndexer {
  ptrdiff_t n, i;
  ptrdiff_t size() const { return n; }
  void set(ptrdiff_t j) { i = j; }
  ptrdiff_t get() const { return i; }
};
