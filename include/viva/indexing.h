// Indexing and updates by place: x(0, range(1, 3)), x(ellipsis, indices), x.at(i).add(v).
#pragma once

#include <concepts>

#include "viva/tensor.h"

namespace viva {

inline constexpr int64_t end = INT64_MAX;
struct Slice {
  int64_t start = 0, stop = end, step = 1;
};
// start, start + step, … before stop; from the end where negative; range() is a whole dimension. step > 0 (flip
// reverses).
inline Slice range(int64_t start = 0, int64_t stop = end, int64_t step = 1) { return {start, stop, step}; }
struct Ellipsis {};
struct NewAxis {};
inline constexpr Ellipsis ellipsis{};  // all dimensions that no other index names
inline constexpr NewAxis newaxis{};    // a dimension of extent 1

// An integer drops its dimension. Integer tensors are broadcast together, and their dimensions stand where the first of
// them stood; an index outside reads the nearest place inside, and drops an update. Negative ones count from the end.
struct Index {
  enum class Kind : uint8_t { integer, range, ellipsis, newaxis, tensor };
  template <std::integral T> Index(T i, Loc l = Loc::current()) : start(static_cast<int64_t>(i)), where(l) {
    if (std::is_unsigned_v<T> && start < 0) start = end;  // beyond every dimension
  }
  Index(const Slice& r, Loc l = Loc::current())
      : kind(Kind::range), start(r.start), stop(r.stop), step(r.step), where(l) {}
  Index(Ellipsis, Loc l = Loc::current()) : kind(Kind::ellipsis), where(l) {}
  Index(NewAxis, Loc l = Loc::current()) : kind(Kind::newaxis), where(l) {}
  Index(const Tensor& t, Loc l = Loc::current()) : kind(Kind::tensor), tensor(t), where(l) {}

  Kind kind = Kind::integer;
  int64_t start = 0, stop = 0, step = 1;
  Tensor tensor;
  Where where;
};

Tensor index(const Tensor& x, const std::vector<Index>& indices);

// Places of a tensor. Each update is a new tensor; where a place is named twice, add, mul, min and max combine all, and
// set keeps the last.
class At {
 public:
  At(Tensor x, std::vector<Index> indices) : x_(std::move(x)), indices_(std::move(indices)) {}
  Tensor get() const { return index(x_, indices_); }
  Tensor set(const Arg& v) const { return update("set", v); }
  Tensor add(const Arg& v) const { return update("add", v); }
  Tensor mul(const Arg& v) const { return update("mul", v); }
  Tensor min(const Arg& v) const { return update("min", v); }
  Tensor max(const Arg& v) const { return update("max", v); }

 private:
  Tensor update(const char* combine, const Arg& v) const;
  Tensor x_;
  std::vector<Index> indices_;
};

}  // namespace viva
