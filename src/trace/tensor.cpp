#include "viva/tensor.h"

#include <ostream>

#include "trace/operand.h"

namespace viva {

using tracing::Access;
using tracing::usage_at;

Tensor::Tensor(Array value) : array_(std::move(value)) {}

const Type& Tensor::type() const {
  if (traced_) return traced_->type;
  if (array_.empty()) throw usage_error("an empty tensor has no type: give it a value first");
  return array_.type();
}

int64_t Tensor::dim(int64_t i) const { return shape()[static_cast<size_t>(tracing::axis_in(i, rank(), "dim", {}))]; }

int64_t Tensor::size() const { return numel(shape()); }

Array Tensor::array(Loc l) const { return tracing::value_of(*this, l); }

double Tensor::item(Loc l) const {
  if (size() != 1) throw usage_at(l, fmt::format("[item] {} has {} elements, not one", to_string(type()), size()));
  return tracing::value_of(*this, l).at(0);
}

Tensor::operator bool() const {
  if (size() != 1) throw usage_error("[bool] {} has {} elements: use all or any", to_string(type()), size());
  return tracing::value_of(*this, {}).at(0) != 0;
}

namespace {

Tensor filled(const Type& t, double v, Where where) {
  return tracing::spread(tracing::number(v, t.dtype, where), t.shape, {}, where);
}

}  // namespace

Tensor scalar(double v, Dtype d, Loc l) { return tracing::number(v, d, l); }
Tensor full(const Shape& shape, double v, Dtype d, Loc l) { return filled({d, shape}, v, l); }
Tensor zeros(const Shape& shape, Dtype d, Loc l) { return filled({d, shape}, 0, l); }
Tensor ones(const Shape& shape, Dtype d, Loc l) { return filled({d, shape}, 1, l); }
Tensor zeros_like(const Arg& x) { return full_like(x, 0); }
Tensor ones_like(const Arg& x) { return full_like(x, 1); }
Tensor full_like(const Arg& x, double v) { return filled(tracing::as_tensor(x).type(), v, x.where); }

Tensor tensor(const std::vector<double>& v, const Shape& shape, Dtype d) {
  return Array::of<double>(v, shape).converted(d);
}
Tensor tensor(std::initializer_list<double> v, Dtype d) {
  return tensor(std::vector<double>(v), {static_cast<int64_t>(v.size())}, d);
}
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, Dtype d) {
  std::vector<double> all;
  const size_t width = rows.size() ? rows.begin()->size() : 0;
  for (const auto& row : rows) {
    if (row.size() != width) throw usage_error("[tensor] rows of {} and {} elements", width, row.size());
    all.insert(all.end(), row);
  }
  return tensor(all, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(width)}, d);
}

Tensor iota(const Shape& shape, int64_t axis, Dtype d, Loc l) {
  const int64_t dim = tracing::axis_in(axis, static_cast<int64_t>(shape.size()), "iota", l);
  return tracing::emit("iota", {}, {{"dtype", d}, {"shape", shape}, {"dim", dim}}, l);
}

Tensor arange(int64_t stop, Dtype d, Loc l) { return iota({std::max<int64_t>(stop, 0)}, 0, d, l); }

Tensor arange(int64_t start, int64_t stop, int64_t step, Dtype d, Loc l) {
  const tracing::Line line(l);
  if (step == 0) throw usage_at(l, "[arange] a step of 0");
  const int64_t count = std::max<int64_t>(0, (stop - start + step - (step > 0 ? 1 : -1)) / step);
  return iota({count}, 0, d) * step + start;
}

Tensor linspace(double start, double stop, int64_t count, Dtype d, Loc l) {
  const tracing::Line line(l);
  if (count < 1) throw usage_at(l, fmt::format("[linspace] {} points: at least 1", count));
  return iota({count}, 0, d) * (count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0.0) + start;
}

Tensor eye(int64_t n, Dtype d, Loc l) {
  const tracing::Line line(l);
  return convert(iota({n, n}, 0) == iota({n, n}, 1), d);
}

namespace {

void print_elements(const Array& a, size_t dim, int64_t& at, std::string& out) {
  if (dim == a.shape().size()) {
    const double v = a.at(at++);
    out += is_bool(a.dtype()) ? (v != 0 ? "true" : "false") : fmt::format("{:.6g}", v);
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
