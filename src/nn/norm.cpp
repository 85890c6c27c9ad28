// Normalisations. Statistics of float16 and bfloat16 are taken in float32, and the result is rounded once.
#include "nn/layer.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

namespace {

Tensor widened(const Tensor& t, Where where) { return tracing::converted(t, tracing::summed_in(t.dtype()), where); }

Tensor scale_of(bool wanted, const Shape& shape, Dtype d) { return wanted ? ones(shape, d) : Tensor(); }
Tensor offset_of(bool wanted, const Shape& shape, Dtype d) { return wanted ? zeros(shape, d) : Tensor(); }

void check_float(Dtype d, Where where) {
  if (!has_tangent(d))
    throw usage_at(where, fmt::format("[norm] {} is no float dtype: parameters are floats", name(d)));
}

// [batch, channels, space…] or, with the weight's length, a refusal.
void check_channels(const Tensor& x, const Tensor& vector, std::string_view layer, Where where) {
  if (x.rank() < 2)
    throw usage_at(where, fmt::format("[{}] takes [batch, channels, space…], not {}", layer, to_string(x.type())));
  if (!vector.empty() && x.dim(1) != vector.size())
    throw usage_at(where, fmt::format("[{}] {} into a layer of {} channels: its second extent must be that", layer,
                                      to_string(x.type()), vector.size()));
}

// x · weight + bias along the channels, rounded to a dtype.
Tensor transformed(const Tensor& x, const Tensor& weight, const Tensor& bias, Dtype d, Where where) {
  const auto fitting = [&](const Tensor& t) { return t.empty() ? t : tracing::converted(t, x.dtype(), where); };
  const Tensor scaled = tracing::with_scale(x, fitting(weight), 1, where);
  return convert(tracing::with_bias(scaled, fitting(bias), 1, where), d);
}

}  // namespace

Tensor standardize(const Arg& x, const Axes& axes, double eps) {
  const Line line(x.where);
  const Tensor given = tracing::as_float(x), t = widened(given, x.where);
  const Tensor centred = t - mean(t, axes, true);
  return convert(centred * rsqrt(mean(square(centred), axes, true) + eps), given.dtype());
}

LayerNorm LayerNorm::make(const Shape& shape, const NormOptions& o, Loc l) {
  const Line line(l);
  check_float(o.dtype, l);
  if (shape.empty()) throw usage_at(l, "[layer_norm] there is no axis to normalise: give the extents of the last axes");
  if (!o.weight) throw usage_at(l, "[layer_norm] the weight says what is normalised: use standardize without one");
  return {ones(shape, o.dtype), offset_of(o.bias, shape, o.dtype), o.eps};
}

LayerNorm LayerNorm::make(int64_t features, const NormOptions& o, Loc l) { return make(Shape{features}, o, l); }

Tensor LayerNorm::operator()(const Arg& x) const {
  const Line line(x.where);
  const Tensor given = tracing::floats(x, "layer_norm"), t = widened(given, x.where);
  tracing::check_not_empty(weight, x.where);
  const int64_t n = weight.rank();
  if (t.rank() < n || !std::equal(weight.shape().begin(), weight.shape().end(), t.shape().end() - n))
    throw usage_at(x.where, fmt::format("[layer_norm] {} into a layer of {}: its last extents must be those",
                                        to_string(t.type()), to_string(weight.type())));
  const auto body = [&](const tracing::Tensors& in) -> tracing::Tensors {
    const Tensor scaled = standardize(in[0], Axes(iota_ints(n, t.rank() - n)), eps) * in[1];
    return {convert(in[2].empty() ? scaled : scaled + in[2], given.dtype())};
  };
  return tracing::named("layer_norm", body, {t, weight, bias}, x.where).front();
}

RmsNorm RmsNorm::make(int64_t features, double eps, Dtype d, Loc l) {
  const Line line(l);
  check_float(d, l);
  return {ones({features}, d), eps};
}

Tensor RmsNorm::operator()(const Arg& x) const {
  const Line line(x.where);
  const Tensor given = tracing::floats(x, "rms_norm"), t = widened(given, x.where);
  tracing::check_not_empty(weight, x.where);
  if (t.rank() == 0 || weight.rank() != 1 || t.dim(-1) != weight.dim(0))
    throw usage_at(x.where, fmt::format("[rms_norm] {} into a layer of {}: its last extent must be that",
                                        to_string(t.type()), to_string(weight.type())));
  const auto body = [&](const tracing::Tensors& in) -> tracing::Tensors {
    return {convert(in[0] * rsqrt(mean(square(in[0]), -1, true) + eps) * in[1], given.dtype())};
  };
  return tracing::named("rms_norm", body, {t, weight}, x.where).front();
}

namespace {

Tensor group_norm(const Tensor& given, const Tensor& weight, const Tensor& bias, int64_t groups, double eps,
                  Where where) {
  const Tensor x = widened(given, where);
  if (groups < 1 || x.dim(1) % groups != 0)
    throw usage_at(where,
                   fmt::format("[group_norm] {} groups do not divide {} channels: give a divisor", groups, x.dim(1)));
  const auto body = [&](const tracing::Tensors& in) -> tracing::Tensors {
    const Shape parts{x.dim(0), groups, x.size() == 0 ? 0 : x.size() / (x.dim(0) * groups)};
    const Tensor y = x.size() == 0 ? in[0] : reshape(standardize(reshape(in[0], parts), 2, eps), x.shape());
    return {transformed(y, in[1], in[2], given.dtype(), where)};
  };
  return tracing::named("group_norm", body, {x, weight, bias}, where).front();
}

}  // namespace

GroupNorm GroupNorm::make(int64_t groups, int64_t channels, const NormOptions& o, Loc l) {
  const Line line(l);
  check_float(o.dtype, l);
  if (groups < 1 || channels < 1 || channels % groups != 0)
    throw usage_at(l,
                   fmt::format("[group_norm] {} groups do not divide {} channels: give a divisor", groups, channels));
  return {scale_of(o.weight, {channels}, o.dtype), offset_of(o.bias, {channels}, o.dtype), groups, o.eps};
}

Tensor GroupNorm::operator()(const Arg& x) const {
  const Line line(x.where);
  const Tensor t = tracing::floats(x, "group_norm");
  check_channels(t, weight, "group_norm", x.where);
  return group_norm(t, weight, bias, groups, eps, x.where);
}

InstanceNorm InstanceNorm::make(int64_t channels, const NormOptions& o, Loc l) {
  const Line line(l);
  check_float(o.dtype, l);
  tracing::positive(channels, "instance_norm", "channels", l);
  return {scale_of(o.weight, {channels}, o.dtype), offset_of(o.bias, {channels}, o.dtype), o.eps};
}

Tensor InstanceNorm::operator()(const Arg& x) const {
  const Line line(x.where);
  const Tensor t = tracing::floats(x, "instance_norm");
  check_channels(t, weight, "instance_norm", x.where);
  return group_norm(t, weight, bias, t.dim(1), eps, x.where);
}

BatchNorm BatchNorm::make(int64_t channels, const NormOptions& o, double momentum, Loc l) {
  const Line line(l);
  check_float(o.dtype, l);
  tracing::positive(channels, "batch_norm", "channels", l);
  const Shape shape{channels};
  const Dtype d = tracing::summed_in(o.dtype);
  return {scale_of(o.weight, shape, o.dtype),
          offset_of(o.bias, shape, o.dtype),
          {zeros(shape, d)},
          {ones(shape, d)},
          momentum,
          o.eps};
}

// As one factor and one offset a channel, which costs nothing where a convolution comes before.
Tensor BatchNorm::operator()(const Arg& x) const {
  const Line line(x.where);
  const Tensor given = tracing::floats(x, "batch_norm"), t = widened(given, x.where);
  check_channels(t, running_mean.value, "batch_norm", x.where);
  const Tensor inverse = rsqrt(running_variance.value + eps);
  const Tensor scale = weight.empty() ? inverse : inverse * weight;
  const Tensor shift = -(running_mean.value * scale);
  return transformed(t, scale, bias.empty() ? shift : shift + bias, given.dtype(), x.where);
}

std::pair<Tensor, BatchNorm> BatchNorm::train(const Arg& x) const {
  const Line line(x.where);
  const Tensor given = tracing::floats(x, "batch_norm"), t = widened(given, x.where);
  check_channels(t, running_mean.value, "batch_norm", x.where);
  const int64_t n = t.dim(1) == 0 ? 0 : t.size() / t.dim(1);
  if (n < 2)
    throw usage_at(x.where, fmt::format("[batch_norm] training on {}: a variance takes two values a channel",
                                        to_string(t.type())));
  Ints axes = iota_ints(t.rank());
  axes.erase(axes.begin() + 1);
  const Tensor centre = mean(t, Axes(axes), true), centred = t - centre;
  const Tensor spread = mean(square(centred), Axes(axes), true);
  const auto moved = [&](const Buffer& old, const Tensor& now, double factor) {
    const Tensor seen = convert(stop_gradient(reshape(now, {t.dim(1)})), old.value.dtype());
    return Buffer{old.value * (1 - momentum) + seen * (momentum * factor)};
  };
  const double unbiased = static_cast<double>(n) / static_cast<double>(n - 1);
  BatchNorm next = *this;
  next.running_mean = moved(running_mean, centre, 1);
  next.running_variance = moved(running_variance, spread, unbiased);
  return {transformed(centred * rsqrt(spread + eps), weight, bias, given.dtype(), x.where), next};
}

}  // namespace viva
