// Tensor: a value of a program. Outside a transformation it holds its elements; inside, it stands for a value of the
// graph being traced, and the operations on it extend that graph.
#pragma once

#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "viva/array.h"

namespace viva {

namespace tracing {
struct Traced;
struct Access;
}  // namespace tracing

class At;
struct Index;
using Loc = std::source_location;

class Tensor {
 public:
  Tensor() = default;   // empty: stands for an absent leaf of a tree
  Tensor(Array value);  // holds these elements

  bool empty() const { return array_.empty() && !traced_; }
  bool traced() const { return traced_ != nullptr; }
  // These throw a usage error on an empty tensor.
  const Type& type(Loc = Loc::current()) const;
  Dtype dtype(Loc l = Loc::current()) const { return type(l).dtype; }
  const Shape& shape(Loc l = Loc::current()) const { return type(l).shape; }
  int64_t rank(Loc l = Loc::current()) const { return type(l).rank(); }
  int64_t dim(int64_t i, Loc = Loc::current()) const;  // from the end where negative
  int64_t size(Loc = Loc::current()) const;            // number of elements

  // The elements. Throws a usage error where the tensor is staged (under compile and vmap), or its scope is closed.
  Array array(Loc = Loc::current()) const;
  // The only element, as a number; errors as for array, and where there is not exactly one element.
  double item(Loc = Loc::current()) const;
  explicit operator bool() const;  // item() != 0

  // NumPy's indexing: integers, range(…), ellipsis, newaxis and integer tensors (viva/indexing.h), at most four of
  // them; index(x, {…}) and At(x, {…}) take any number.
  Tensor operator()(const Index& a) const;
  Tensor operator()(const Index& a, const Index& b) const;
  Tensor operator()(const Index& a, const Index& b, const Index& c) const;
  Tensor operator()(const Index& a, const Index& b, const Index& c, const Index& d) const;
  // The same places, for updates: x.at(i).add(v) is a new tensor.
  At at(const Index& a) const;
  At at(const Index& a, const Index& b) const;
  At at(const Index& a, const Index& b, const Index& c) const;
  At at(const Index& a, const Index& b, const Index& c, const Index& d) const;

 private:
  friend struct tracing::Access;
  Array array_;
  std::shared_ptr<const tracing::Traced> traced_;
};

// A C++ number, kept exactly. Where it becomes an element, a floating one is converted as conventions.md says, and an
// integer that an integer dtype does not hold is a usage error.
struct Number {
  template <class T>
    requires std::is_arithmetic_v<T>
  Number(T v) {
    if constexpr (std::is_same_v<T, bool>) value = v;
    else if constexpr (std::is_floating_point_v<T>) value = static_cast<double>(v);
    else if constexpr (std::is_signed_v<T>) value = static_cast<int64_t>(v);
    else value = static_cast<uint64_t>(v);
  }
  std::variant<bool, int64_t, uint64_t, double> value;
};

// An operand with the line that uses it: a Tensor, or a C++ number, whose dtype follows the other operands (promote).
struct Arg {
  enum class Kind : uint8_t { tensor, boolean, integer, real };
  Arg(const Tensor& t, Loc l = Loc::current()) : tensor(&t), where(l) {}
  Arg(const Tensor& t, Where w) : tensor(&t), where(w) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Arg(T v, Loc l = Loc::current())
      : number(v),
        kind(std::is_same_v<T, bool> ? Kind::boolean
             : std::is_integral_v<T> ? Kind::integer
                                     : Kind::real),
        where(l) {}
  Arg(const Arg&) = delete;
  Arg& operator=(const Arg&) = delete;

  const Tensor* tensor = nullptr;  // null: a number
  Number number = 0;
  Kind kind = Kind::tensor;
  Where where;
};

// The dtype of a result of operands a and b: bool < integers < floats < complex, and the wider within a class; float16
// with bfloat16 gives float32, an unsigned with a signed integer the narrowest signed that holds both. Throws a usage
// error for uint64 with a signed integer, which none holds.
Dtype promote(Dtype a, Dtype b);

// New tensors. A floating C++ number makes float32 and an integral one int32 unless a dtype is given.
Tensor scalar(const Number& v, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor full(const Shape& shape, const Number& v, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor zeros(const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor ones(const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor zeros_like(const Arg& x);
Tensor ones_like(const Arg& x);
Tensor full_like(const Arg& x, const Number& v);
// {} is a shape, not a dtype, which is why the latter is a template's: tensor({2.5}, {}) has no dimensions.
Tensor tensor(const std::vector<double>& v, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor tensor(std::initializer_list<double> v);
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, Loc = Loc::current());
namespace tracing {
Tensor of_rows(std::initializer_list<std::initializer_list<double>> rows, Dtype d, Loc where);
}
template <class D, std::enable_if_t<std::is_same_v<D, Dtype>, int> = 0>
Tensor tensor(std::initializer_list<double> v, D d) {
  return tensor(std::vector<double>(v), Shape{static_cast<int64_t>(v.size())}, d);
}
template <class D, std::enable_if_t<std::is_same_v<D, Dtype>, int> = 0>
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, D d, Loc where = Loc::current()) {
  return tracing::of_rows(rows, d, where);
}
Tensor iota(const Shape& shape, int64_t axis, Dtype d = Dtype::int32, Loc = Loc::current());
// start, start + step, … before stop, or above it where step < 0. Throws a usage error where an integer dtype does not
// hold them; floats are rounded once.
Tensor arange(int64_t stop, Dtype d = Dtype::int32, Loc = Loc::current());
Tensor arange(int64_t start, int64_t stop, int64_t step = 1, Dtype d = Dtype::int32, Loc = Loc::current());
// count >= 1 numbers of a float dtype from start to stop.
Tensor linspace(double start, double stop, int64_t count, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor eye(int64_t n, Dtype d = Dtype::float32, Loc = Loc::current());

// Type and elements, for people: f32[2,2] [[1, 2], [3, 4]]; at most 1,000 elements are written out.
std::string to_string(const Tensor& t);
std::ostream& operator<<(std::ostream& out, const Tensor& t);

// The threads that operations outside compile and compiled programs run on; at first VIVA_THREADS, or one for each
// core. Throws a usage error unless threads >= 1. Results are the same bits for any number.
void set_threads(int threads);

}  // namespace viva
