// Operators that make arrays from attributes and shapes, masks, and those that only pass on or choose.
#include <array>
#include <cmath>
#include <numbers>

#include "onnx/op.h"

namespace viva {
namespace {

constexpr int64_t longest_range = int64_t{1} << 24;

Items constant(OnnxOp& o) {
  const AttributeDef* list = nullptr;
  if (o.has_attribute("value")) return {o.tensor("value")};
  if (o.has_attribute("value_float"))
    return {o.in_precision(Array::scalar(static_cast<float>(o.number("value_float"))))};
  if (o.has_attribute("value_int")) return {Array::scalar(o.integer("value_int"))};
  if ((list = o.node().find("value_floats")))
    return {o.in_precision(Array::of(list->floats, {static_cast<int64_t>(list->floats.size())}))};
  if ((list = o.node().find("value_ints"))) return {Array::of(list->ints, {static_cast<int64_t>(list->ints.size())})};
  if (o.has_attribute("sparse_value")) throw unsupported("sparse tensors");
  if (o.has_attribute("value_string") || o.has_attribute("value_strings")) throw unsupported("tensors of string");
  throw o.malformed("no value");
}

Items constant_of_shape(OnnxOp& o) {
  const Shape shape = o.known_ints(0);
  for (const int64_t d : shape)
    if (d < 0) throw o.malformed("shape {}", to_string(shape));
  const Array value = o.has_attribute("value") ? o.tensor("value") : o.in_precision(Array::scalar(0.0f));
  if (value.size() != 1) throw o.malformed("the value must be one number, not {}", to_string(value.type()));
  const Value v = o.b.constant(value.reshaped({}));
  return {o.b.broadcast(v, shape, {})};
}

// start + i·delta for i < ceil((limit - start) / delta), in the type itself; 16-bit floats in float32.
Items range(OnnxOp& o) {
  const Dtype d = o.type(0).dtype;
  const double start = o.known_number(0), limit = o.known_number(1), delta = o.known_number(2);
  const double count = std::max(0.0, std::ceil((limit - start) / delta));
  if (delta == 0 || !(count <= longest_range))
    throw o.malformed("the range from {} to {} by {} is too long", start, limit, delta);
  Array r = Array::make({d, {static_cast<int64_t>(count)}});
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!is_std_complex<T> && !std::is_same_v<T, bool>) {
      // Wrapping arithmetic for integers.
      using W = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;
      const auto widen = [&](size_t i) {
        return static_cast<W>(static_cast<Compute<T>>(o.known(i).template as<T>()[0]));
      };
      const W first = widen(0), step = widen(2);
      auto out = r.as_mutable<T>();
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<T>(static_cast<Compute<T>>(first + static_cast<W>(i) * step));
    } else throw o.malformed("a range of {}", name(d));
  });
  return {r};
}

// Where row + k compares so with column, over the last two dimensions.
Value diagonal_mask(Build& b, const Shape& shape, Direction d, int64_t k) {
  const auto rank = static_cast<int64_t>(shape.size());
  const Type index{Dtype::int64, shape};
  const Value row = b.iota(index, rank - 2), column = b.iota(index, rank - 1);
  return b.compare(d, column, b.add(row, b.full_like(row, static_cast<double>(k))));
}

Items eye_like(OnnxOp& o) {
  if (o.rank(0) != 2) throw o.malformed("takes a matrix, not {}", to_string(o.type(0)));
  const Dtype d = o.has_attribute("dtype") ? o.dtype(o.integer("dtype")) : o.type(0).dtype;
  return {o.b.convert(diagonal_mask(o.b, o.type(0).shape, Direction::eq, o.integer("k", 0)), d)};
}

Items trilu(OnnxOp& o) {
  if (o.rank(0) < 2) throw o.malformed("takes matrices, not {}", to_string(o.type(0)));
  const int64_t k = o.has(1) ? static_cast<int64_t>(o.known_number(1)) : 0;
  const Value x = o.in(0),
              keep = diagonal_mask(o.b, x.shape(), o.flag("upper", true) ? Direction::ge : Direction::le, k);
  return {o.b.select(keep, x, o.b.zero(x))};
}

// Indices in [-depth, depth) count from either end; others give a row of off values.
Items one_hot(OnnxOp& o) {
  Build& b = o.b;
  const double given = o.known_number(1);
  if (!(given >= 0 && given <= 1e12)) throw o.malformed("depth {}", given);
  const auto depth = static_cast<int64_t>(given);
  if (numel(o.type(2).shape) != 2) throw o.malformed("values must be two numbers, not {}", to_string(o.type(2)));
  const Value index = b.convert(o.in(0), Dtype::int64);
  const int64_t axis = o.axis(o.integer("axis", -1), index.rank() + 1);
  const Value wrapped = b.select(b.compare(Direction::lt, index, b.zero(index)),
                                 b.add(index, b.full_like(index, static_cast<double>(depth))), index);
  Shape shape = index.shape();
  shape.insert(shape.begin() + axis, depth);
  const Value hit = b.compare(Direction::eq, b.iota({Dtype::int64, shape}, axis), spread(b, wrapped, shape, {axis}));
  const Value values = b.reshape(o.in(2), {2});
  const auto value = [&](int64_t i) { return b.broadcast(b.reshape(b.slice(values, {i}, {i + 1}), {}), shape, {}); };
  return {b.select(hit, value(1), value(0))};
}

// In inference the input; training is random.
Items dropout(OnnxOp& o) {
  bool training = false;
  if (o.opset() < 7) training = !o.flag("is_test");
  else if (o.opset() >= 12 && o.has(2)) training = o.known_number(2) != 0 && (!o.has(1) || o.known_number(1) != 0);
  if (training) throw unsupported("dropout in training mode: its random numbers are not specified by ONNX");
  Items r{o.item(0)};
  if (o.wants(1)) r.emplace_back(o.b.full({o.opset() < 10 ? o.type(0).dtype : Dtype::boolean, o.type(0).shape}, 1));
  return r;
}

Items if_(OnnxOp& o) {
  const Array* condition = o.is_known(0) ? &o.known(0) : nullptr;
  if (!condition) throw unsupported("its condition depends on data");
  if (condition->size() != 1 || condition->dtype() != Dtype::boolean)
    throw o.malformed("the condition is {}", to_string(condition->type()));
  return o.inline_graph(o.graph(condition->at(0) != 0 ? "then_branch" : "else_branch"));
}

// Σ cᵢ cos(2π i n / N) over n positions with N = n, or n - 1 where the window is symmetric.
Items cosine_window(OnnxOp& o, const std::array<double, 3>& c) {
  const double size = o.known_number(0);
  if (!(size >= 0 && size <= static_cast<double>(longest_range))) throw o.malformed("a window of {} positions", size);
  const auto n = static_cast<int64_t>(size);
  const double period = o.flag("periodic", true) ? size : size - 1;
  Array r = Array::make({Dtype::float64, {n}});
  auto out = r.as_mutable<double>();
  for (int64_t i = 0; i < n; ++i) {
    const double phase = period > 0 ? 2 * std::numbers::pi * static_cast<double>(i) / period : 0;
    out[static_cast<size_t>(i)] = c[0] + c[1] * std::cos(phase) + c[2] * std::cos(2 * phase);
  }
  return {r.converted(o.dtype(o.integer("output_datatype", 1)))};
}
Items hann(OnnxOp& o) { return cosine_window(o, {0.5, -0.5, 0}); }
Items hamming(OnnxOp& o) { return cosine_window(o, {25.0 / 46, -21.0 / 46, 0}); }
Items blackman(OnnxOp& o) { return cosine_window(o, {0.42, -0.5, 0.08}); }

constexpr std::array rows = {
    OnnxRow{"BlackmanWindow", 17, latest, blackman},
    OnnxRow{"Constant", 1, latest, constant},
    OnnxRow{"ConstantOfShape", 9, latest, constant_of_shape},
    OnnxRow{"Dropout", 1, latest, dropout},
    OnnxRow{"EyeLike", 9, latest, eye_like},
    OnnxRow{"HammingWindow", 17, latest, hamming},
    OnnxRow{"HannWindow", 17, latest, hann},
    OnnxRow{"If", 1, latest, if_, true},
    OnnxRow{"OneHot", 9, latest, one_hot},
    OnnxRow{"Range", 11, latest, range},
    OnnxRow{"Trilu", 14, latest, trilu},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::source() { return rows; }

}  // namespace viva
