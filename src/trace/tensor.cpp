#include "viva/tensor.h"

#include <ostream>

#include "trace/operand.h"

namespace viva {

using tracing::Access;
using tracing::usage_at;

Tensor::Tensor(Array value) : array_(std::move(value)) {}

const Type& Tensor::type(Loc l) const {
  if (traced_) return traced_->type;
  if (array_.empty())
    throw usage_at(l,
                   "an empty tensor has no type: give it a value first, or keep a copy where std::move gives it away");
  return array_.type();
}

int64_t Tensor::dim(int64_t i, Loc l) const {
  return shape(l)[static_cast<size_t>(tracing::axis_in(i, rank(l), "dim", l))];
}

int64_t Tensor::size(Loc l) const { return numel(shape(l)); }

Array Tensor::array(Loc l) const { return tracing::value_of(*this, l); }

double Tensor::item(Loc l) const {
  if (size(l) != 1) throw usage_at(l, fmt::format("[item] {} has {} elements, not one", to_string(type()), size()));
  return tracing::value_of(*this, l).at(0);
}

Tensor::operator bool() const {
  if (size() != 1) throw usage_error("[bool] {} has {} elements: use all or any", to_string(type()), size());
  return tracing::value_of(*this, {}).at(0) != 0;
}

namespace {

Tensor filled(const Type& t, const Number& v, Where where) {
  return tracing::spread(tracing::number(v, t.dtype, where), t.shape, {}, where);
}

}  // namespace

Tensor scalar(const Number& v, Dtype d, Loc l) { return tracing::number(v, d, l); }
Tensor full(const Shape& shape, const Number& v, Dtype d, Loc l) { return filled({d, shape}, v, l); }
Tensor zeros(const Shape& shape, Dtype d, Loc l) { return filled({d, shape}, 0, l); }
Tensor ones(const Shape& shape, Dtype d, Loc l) { return filled({d, shape}, 1, l); }
Tensor zeros_like(const Arg& x) { return full_like(x, 0); }
Tensor ones_like(const Arg& x) { return full_like(x, 1); }
Tensor full_like(const Arg& x, const Number& v) { return filled(tracing::as_tensor(x).type(), v, x.where); }

Tensor tensor(const std::vector<double>& v, const Shape& shape, Dtype d, Loc l) {
  if (numel(shape) != static_cast<int64_t>(v.size()))
    throw usage_at(
        l, fmt::format("[tensor] {} numbers for {}: give as many as the shape holds", v.size(), to_string(shape)));
  return Array::of<double>(v, shape).converted(d);
}
Tensor tensor(std::initializer_list<double> v) { return tensor(v, Dtype::float32); }
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, Loc l) {
  return tracing::of_rows(rows, Dtype::float32, l);
}

Tensor tracing::of_rows(std::initializer_list<std::initializer_list<double>> rows, Dtype d, Loc l) {
  std::vector<double> all;
  const size_t width = rows.size() ? rows.begin()->size() : 0;
  for (const auto& row : rows) {
    if (row.size() != width)
      throw usage_at(l,
                     fmt::format("[tensor] rows of {} and {} elements: give all the same number", width, row.size()));
    all.insert(all.end(), row);
  }
  return tensor(all, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(width)}, d, l);
}

Tensor iota(const Shape& shape, int64_t axis, Dtype d, Loc l) {
  const int64_t dim = tracing::axis_in(axis, static_cast<int64_t>(shape.size()), "iota", l);
  return tracing::emit("iota", {}, {{"dtype", d}, {"shape", shape}, {"dim", dim}}, l);
}

Tensor arange(int64_t stop, Dtype d, Loc l) { return arange(0, stop, 1, d, l); }

namespace {

// How many of start, start + step, … come before stop.
uint64_t steps_between(int64_t start, int64_t stop, int64_t step) {
  if (step > 0 ? stop <= start : stop >= start) return 0;
  const auto a = static_cast<uint64_t>(start), b = static_cast<uint64_t>(stop), by = static_cast<uint64_t>(step);
  return step > 0 ? (b - a - 1) / by + 1 : (a - b - 1) / (0 - by) + 1;
}

}  // namespace

Tensor arange(int64_t start, int64_t stop, int64_t step, Dtype d, Loc l) {
  const tracing::Line line(l);
  if (step == 0) throw usage_at(l, "[arange] a step of 0");
  const uint64_t count = steps_between(start, stop, step);
  if (count > INT64_MAX)
    throw usage_at(l, fmt::format("[arange] {} to {} in steps of {}: {} elements", start, stop, step, count));
  const auto last = static_cast<int64_t>(static_cast<uint64_t>(start) + (count - 1) * static_cast<uint64_t>(step));
  if (count > 0 && !(tracing::holds(d, start) && tracing::holds(d, last)))
    throw usage_at(l, fmt::format("[arange] {} does not hold {} to {}", name(d), start, last));
  const Shape shape{static_cast<int64_t>(count)};
  if (start == 0 && step == 1) return iota(shape, 0, d);
  // Integers wrap, so that a step or start outside the dtype still leads to elements inside.
  const Dtype exact = is_float(d) ? Dtype::int64 : d;
  const auto wrapped = [&](int64_t v) { return tracing::constant(Array::scalar(v).converted(exact), l); };
  return convert(iota(shape, 0, exact) * wrapped(step) + wrapped(start), d);
}

Tensor linspace(double start, double stop, int64_t count, Dtype d, Loc l) {
  const tracing::Line line(l);
  if (count < 1) throw usage_at(l, fmt::format("[linspace] {} points: at least 1", count));
  if (!is_float(d))
    throw usage_at(l, fmt::format("[linspace] {} is no float dtype: convert the result, or use arange", name(d)));
  return iota({count}, 0, d) * (count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0.0) + start;
}

Tensor eye(int64_t n, Dtype d, Loc l) {
  const tracing::Line line(l);
  return convert(iota({n, n}, 0) == iota({n, n}, 1), d);
}

namespace {

std::string element(const Array& a, int64_t at) {
  return dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T>) return fmt::format("{}", a.as<T>()[static_cast<size_t>(at)]);
    else return fmt::format("{:.6g}", a.at(at));
  });
}

void print_elements(const Array& a, size_t dim, int64_t& at, std::string& out) {
  if (dim == a.shape().size()) {
    out += element(a, at++);
    return;
  }
  out += '[';
  for (int64_t i = 0; i < a.shape()[dim]; ++i) {
    if (i > 0) out += ", ";
    print_elements(a, dim + 1, at, out);
  }
  out += ']';
}

}  // namespace

std::string to_string(const Tensor& t) {
  if (t.empty()) return "empty";
  std::string out = to_string(t.type());
  if (t.traced()) return out + " (traced)";
  if (t.size() > 1000) return out;
  out += ' ';
  int64_t at = 0;
  print_elements(Access::array(t), 0, at, out);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }

}  // namespace viva
