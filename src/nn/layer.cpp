#include "nn/layer.h"

namespace viva::tracing {

Tensor parameter(const Initializer& given, const Initializer& otherwise, const Key& k, const Shape& shape, Fans fans,
                 Dtype d, Where where) {
  if (!has_tangent(d))
    throw usage_at(where, fmt::format("[init] {} is no float dtype: parameters are floats", name(d)));
  Tensor t = (given ? given : otherwise)(k, shape, fans, d);
  if (t.empty() || t.type() != Type{d, shape})
    throw usage_at(where, fmt::format("[init] the initialiser gives {}, not {}: it must give that shape and dtype",
                                      t.empty() ? "nothing" : to_string(t.type()), to_string(Type{d, shape})));
  return t;
}

Tensor floats(const Arg& x, std::string_view layer) {
  const Tensor t = as_tensor(x);
  if (!has_tangent(t.dtype()))
    throw usage_at(x.where,
                   fmt::format("[{}] {} is no float: use convert(x, Dtype::float32)", layer, to_string(t.type())));
  return t;
}

int64_t positive(int64_t n, std::string_view layer, std::string_view what, Where where) {
  if (n < 1) throw usage_at(where, fmt::format("[{}] {} {}: at least 1", layer, n, what));
  return n;
}

namespace {

Tensor along(const Tensor& v, const Tensor& x, int64_t axis, Where where) {
  return spread(v, x.shape(), {axis}, where);
}

void check_length(const Tensor& v, const Tensor& x, int64_t axis, Where where) {
  if (v.rank() != 1 || v.dim(0) != x.dim(axis))
    throw usage_at(where,
                   fmt::format("[layer] a parameter {} does not fit dimension {} of {}: make the layer for that extent",
                               to_string(v.type()), axis, to_string(x.type())));
}

}  // namespace

Tensor with_bias(const Tensor& x, const Tensor& bias, int64_t axis, Where where) {
  if (bias.empty()) return x;
  check_length(bias, x, axis, where);
  return x + along(bias, x, axis, where);
}

Tensor with_scale(const Tensor& x, const Tensor& scale, int64_t axis, Where where) {
  if (scale.empty()) return x;
  check_length(scale, x, axis, where);
  return x * along(scale, x, axis, where);
}

}  // namespace viva::tracing
