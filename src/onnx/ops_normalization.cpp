// Normalisations, as named functions where the standard gives them a body.
#include <array>
#include <cmath>

#include "onnx/op.h"

namespace viva {
namespace {

Value plus(Build& b, Value x, double c) { return b.add(x, b.full_like(x, c)); }
Ints spatial(int64_t rank) { return iota_ints(rank - 2, 2); }
std::string word(double v) { return fmt::format("{}", v); }

void require_channels(OnnxOp& o, size_t i) {
  if (o.rank(0) < 2) throw o.malformed("takes a batch of channels, not {}", to_string(o.type(0)));
  if (o.type(i).shape != Shape{o.type(0).shape[1]})
    throw o.malformed("input {} is {} for {}", i, to_string(o.type(i)), to_string(o.type(0)));
}

// x - mean and 1/√(mean of its square + ε), over dims, both spread to x's shape; in float32 at least.
struct Standard {
  Value centred, scale, mean, inverse;
};
Standard standardize(Build& b, Value x, const Ints& dims, double epsilon) {
  Standard s;
  s.mean = mean(b, x, dims);
  s.centred = b.sub(x, spread(b, s.mean, x.shape(), dims));
  s.inverse = b.rsqrt(plus(b, mean(b, b.square(s.centred), dims), epsilon));
  s.scale = spread(b, s.inverse, x.shape(), dims);
  return s;
}

// Statistics per channel, or per element of a row where spatial is 0 (before opset 9).
Items batch_norm(OnnxOp& o, bool training) {
  Build& b = o.b;
  const Value x = o.in(0);
  const Dtype wide = widened(b, x).dtype();
  const bool per_element = o.opset() < 9 && !o.flag("spatial", true);
  if (!per_element)
    for (size_t i = 1; i < 5; ++i) require_channels(o, i);
  const Ints dims = per_element ? Ints{0} : without(iota_ints(x.rank()), std::array<int64_t, 1>{1});
  const auto stat = [&](size_t i) { return b.convert(o.in(i), wide); };
  const Value y = b.convert(x, wide);
  Value m = stat(3), var = stat(4);
  if (training) {
    o.note_training();
    m = mean(b, y, dims);
    var = mean(b, b.square(b.sub(y, spread(b, m, y.shape(), dims))), dims);
  }
  const Value factor = b.mul(stat(1), b.rsqrt(plus(b, var, o.number("epsilon", 1e-5f))));
  const Value centred = b.sub(y, spread(b, m, y.shape(), dims));
  const Value scaled = b.mul(centred, spread(b, factor, y.shape(), dims));
  Items r{b.convert(b.add(scaled, spread(b, stat(2), y.shape(), dims)), x.dtype())};
  if (!training || o.opset() < 14) return r;
  const double momentum = o.number("momentum", 0.9f);
  const auto running = [&](size_t i, Value now) {
    return b.convert(b.add(b.scale(stat(i), momentum), b.scale(now, 1 - momentum)), o.type(i).dtype);
  };
  r.emplace_back(running(3, m));
  r.emplace_back(running(4, var));
  return r;
}

// Training mode: an attribute (before 7, and from 14), else where statistics are asked for.
Items batch_normalization(OnnxOp& o) {
  if (o.opset() < 7) return batch_norm(o, !o.flag("is_test"));
  if (o.opset() < 14) return batch_norm(o, o.wants(1));
  return batch_norm(o, o.flag("training_mode"));
}

Items instance_normalization(OnnxOp& o) {
  for (size_t i = 1; i < 3; ++i) require_channels(o, i);
  const double epsilon = o.number("epsilon", 1e-5f);
  return {o.named("instance_norm", word(epsilon), {o.in(0), o.in(1), o.in(2)}, [&](Build& b, Ins in) {
    const Value x = widened(b, in[0]);
    const auto channel = [&](Value v) { return along(b, b.convert(v, x.dtype()), x.shape(), 1); };
    const Standard s = standardize(b, x, spatial(x.rank()), epsilon);
    return Values{b.convert(b.add(b.mul(b.mul(s.centred, s.scale), channel(in[1])), channel(in[2])), in[0].dtype())};
  })[0]};
}

// Scale and bias for each group (opset 18) or each channel (from 21).
Items group_normalization(OnnxOp& o) {
  const Shape& shape = o.type(0).shape;
  const int64_t groups = o.integer("num_groups"), channels = o.rank(0) < 2 ? 0 : shape[1];
  if (groups < 1 || channels % groups != 0 || o.rank(0) < 2)
    throw o.malformed("{} groups of {}", groups, to_string(o.type(0)));
  const bool per_group = o.opset() < 21;
  for (size_t i = 1; i < 3; ++i)
    if (o.type(i).shape != Shape{per_group ? groups : channels})
      throw o.malformed("input {} is {} for {}", i, to_string(o.type(i)), to_string(o.type(0)));
  const double epsilon = o.number("epsilon", 1e-5f);
  const std::string key = fmt::format("{},{},{}", groups, per_group, epsilon);
  return {o.named("group_norm", key, {o.in(0), o.in(1), o.in(2)}, [&](Build& b, Ins in) {
    const Value x = widened(b, in[0]);
    Shape split = x.shape();
    split[1] = groups;
    split.insert(split.begin() + 2, channels / groups);
    const Value grouped = b.reshape(x, split);
    const Standard s = standardize(b, grouped, iota_ints(grouped.rank() - 2, 2), epsilon);
    const Value y = b.mul(s.centred, s.scale);
    const auto affine = [&](Value v) {
      const Value w = b.convert(v, x.dtype());
      return per_group ? b.reshape(along(b, w, split, 1), x.shape()) : along(b, w, x.shape(), 1);
    };
    return Values{b.convert(b.add(b.mul(b.reshape(y, x.shape()), affine(in[1])), affine(in[2])), in[0].dtype())};
  })[0]};
}

Dtype stash(OnnxOp& o) {
  const Dtype d = o.dtype(o.integer("stash_type", 1));
  if (!is_float(d)) throw o.malformed("stash_type {}", name(d));
  return size_of(d) < size_of(o.type(0).dtype) ? o.type(0).dtype : d;
}

// Outputs: the result, and on demand mean and inverse deviation in the stash type.
Items layer_normalization(OnnxOp& o) {
  const int64_t axis = o.axis(o.integer("axis", -1), o.rank(0));
  const double epsilon = o.number("epsilon", 1e-5f);
  const Dtype wide = stash(o);
  Values in{o.in(0), o.in(1)};
  if (o.has(2)) in.push_back(o.in(2));
  const bool statistics = o.wants(1) || o.wants(2);
  const std::string key = fmt::format("{},{},{},{}", axis, epsilon, name(wide), statistics);
  const Values r = o.named("layer_norm", key, in, [&](Build& b, Ins v) {
    const Value x = b.convert(v[0], wide);
    const Ints dims = iota_ints(x.rank() - axis, axis);
    const Standard s = standardize(b, x, dims, epsilon);
    Value y = b.convert(b.mul(s.centred, s.scale), v[0].dtype());
    y = b.mul(y, b.broadcast_to(v[1], y.shape()));
    if (v.size() > 2) y = b.add(y, b.broadcast_to(v[2], y.shape()));
    Values all{y};
    if (statistics)
      all.insert(all.end(), {keep_dims(b, s.mean, x.shape(), dims), keep_dims(b, s.inverse, x.shape(), dims)});
    return all;
  });
  return {r.begin(), r.end()};
}

Items rms_normalization(OnnxOp& o) {
  const int64_t axis = o.axis(o.integer("axis", -1), o.rank(0));
  const double epsilon = o.number("epsilon", 1e-5f);
  const Dtype wide = stash(o);
  return {
      o.named("rms_norm", fmt::format("{},{},{}", axis, epsilon, name(wide)), {o.in(0), o.in(1)}, [&](Build& b, Ins v) {
        const Value x = b.convert(v[0], wide);
        const Ints dims = iota_ints(x.rank() - axis, axis);
        const Value inverse = b.rsqrt(plus(b, mean(b, b.square(x), dims), epsilon));
        const Value y = b.convert(b.mul(x, spread(b, inverse, x.shape(), dims)), v[1].dtype());
        return Values{b.mul(y, b.broadcast_to(v[1], y.shape()))};
      })[0]};
}

// x / (bias + alpha/size · Σ x² over size channels around)^beta; of an even size the larger half comes after.
Items lrn(OnnxOp& o) {
  Build& b = o.b;
  const Value x = o.in(0);
  const int64_t size = o.integer("size");
  if (x.rank() < 2 || size < 1 || size > 1 << 30) throw o.malformed("size {} over {}", size, to_string(x.type()));
  WindowDims w = WindowDims::plain(Ints(x.shape().size(), 1));
  w.size[1] = size;
  w.pad_low[1] = (size - 1) / 2;
  w.pad_high[1] = size - 1 - w.pad_low[1];
  const Value sum = b.window_sum(b.square(x), w);
  const Value base = plus(b, b.scale(sum, o.number("alpha", 1e-4f) / static_cast<double>(size)), o.number("bias", 1));
  return {b.div(x, b.pow(base, b.full_like(base, o.number("beta", 0.75f))))};
}

// x / norm, and 0 where the norm is 0.
Items lp_normalization(OnnxOp& o) {
  Build& b = o.b;
  const Value x = widened(b, o.in(0));
  const int64_t axis = o.axis(o.integer("axis", -1), x.rank()), p = o.integer("p", 2);
  if (p != 1 && p != 2) throw o.malformed("p is {}", p);
  const Value sum = b.reduce_sum(p == 1 ? b.abs(x) : b.square(x), {axis});
  const Value empty = b.compare(Direction::eq, sum, b.zero(sum)), safe = b.select(empty, b.one(sum), sum);
  const Value norm = p == 1 ? safe : b.sqrt(safe);
  return {b.convert(b.div(x, spread(b, norm, x.shape(), {axis})), o.type(0).dtype)};
}

// (x - E x) / (√(E x² - (E x)²) + 1e-9), the variance taken from the squared deviation.
Items mean_variance_normalization(OnnxOp& o) {
  Build& b = o.b;
  const Value x = widened(b, o.in(0));
  const Ints dims = o.axes(o.ints("axes", {0, 2, 3}), x.rank());
  const Value centred = b.sub(x, spread(b, mean(b, x, dims), x.shape(), dims));
  const Value deviation = plus(b, b.sqrt(mean(b, b.square(centred), dims)), 1e-9);
  return {b.convert(b.div(centred, spread(b, deviation, x.shape(), dims)), o.type(0).dtype)};
}

constexpr std::array rows = {
    OnnxRow{"BatchNormalization", 1, latest, batch_normalization, true},
    OnnxRow{"GroupNormalization", 18, latest, group_normalization},
    OnnxRow{"InstanceNormalization", 1, latest, instance_normalization},
    OnnxRow{"LRN", 1, latest, lrn, true},
    OnnxRow{"LayerNormalization", 17, latest, layer_normalization},
    OnnxRow{"LpNormalization", 1, latest, lp_normalization},
    OnnxRow{"MeanVarianceNormalization", 9, latest, mean_variance_normalization},
    OnnxRow{"RMSNormalization", 23, latest, rms_normalization},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::normalization() { return rows; }

}  // namespace viva
