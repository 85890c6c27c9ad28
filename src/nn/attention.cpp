// Attention and rotary positions.
#include <cmath>

#include "nn/layer.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

namespace {

void check_operands(const Tensor& q, const Tensor& k, const Tensor& v, Where where) {
  const auto refuse = [&](std::string_view why) {
    return usage_at(where, fmt::format("[attention] {}, {} and {}: {}", to_string(q.type()), to_string(k.type()),
                                       to_string(v.type()), why));
  };
  if (q.rank() < 3 || k.rank() != q.rank() || v.rank() != q.rank()) throw refuse("takes [batch…, heads, time, width]");
  if (q.dim(-1) != k.dim(-1)) throw refuse("queries and keys differ in width: give both the same");
  if (k.dim(-2) != v.dim(-2) || k.dim(-3) != v.dim(-3))
    throw refuse("keys and values differ in heads or time: give both the same");
  if (k.dim(-3) == 0 || q.dim(-3) % k.dim(-3) != 0)
    throw refuse("the heads of the keys must divide those of the queries");
  for (int64_t i = 0; i < q.rank() - 3; ++i)
    if (q.dim(i) != k.dim(i) || q.dim(i) != v.dim(i)) throw refuse("batches differ: give all the same");
}

// Query heads as [batch…, kv heads, group · time, width]: each group of heads meets its keys in one product.
Tensor grouped(const Tensor& q, int64_t kv_heads) {
  Shape shape = q.shape();
  const size_t heads = shape.size() - 3;
  shape[heads + 1] *= shape[heads] / kv_heads;
  shape[heads] = kv_heads;
  return reshape(q, shape);
}

Tensor masked(Tensor scores, const AttentionOptions& o) {
  if (!o.mask.empty()) {
    if (is_bool(o.mask.dtype())) scores = where(o.mask, scores, -INFINITY);
    else scores = scores + convert(o.mask, scores.dtype());
  }
  if (o.causal) {
    const Shape shape{scores.dim(-2), scores.dim(-1)};
    scores = where(iota(shape, 0) >= iota(shape, 1), scores, -INFINITY);
  }
  return scores;
}

// softmax over the last axis, with 0 where a row has only -∞.
Tensor weights_of(const Tensor& scores) {
  const Tensor top = stop_gradient(max(scores, -1, true));
  const Tensor e = exp(scores - where(top == -INFINITY, 0, top));
  const Tensor total = sum(e, -1, true);
  return e / where(total == 0, 1, total);
}

Tensor attended(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o, Where at) {
  const Dtype d = q.dtype();
  const Dtype wide = tracing::summed_in(d);
  const double scale = o.scale ? *o.scale : 1 / std::sqrt(static_cast<double>(q.dim(-1)));
  Shape shape = q.shape();
  shape.back() = k.dim(-2);
  const bool groups = q.dim(-3) != k.dim(-3);
  const Tensor product = matmul(groups ? grouped(q, k.dim(-3)) : q, swap_axes(k, -1, -2), wide);
  const Tensor scores = masked((groups ? reshape(product, shape) : product) * scale, o);
  if (scores.shape() != shape)
    throw usage_at(at, fmt::format("[attention] the mask {} does not fit scores {}: its extents must be those, or 1",
                                   to_string(o.mask.type()), to_string(shape)));
  // Without a mask each row sees a key.
  const Tensor weights = k.dim(-2) == 0 ? scores : o.mask.empty() ? softmax(scores) : weights_of(scores);
  const Tensor p = convert(weights, d);
  const Tensor r = matmul(groups ? grouped(p, k.dim(-3)) : p, v);
  shape.back() = v.dim(-1);
  return groups ? reshape(r, shape) : r;
}

}  // namespace

Tensor attention(const Arg& query, const Arg& key, const Arg& value, const AttentionOptions& o) {
  const Line line(query.where);
  const Dtype d = tracing::common_dtype({&query, &key, &value});
  const Tensor q = tracing::as_tensor(query, d), k = tracing::as_tensor(key, d), v = tracing::as_tensor(value, d);
  check_operands(q, k, v, query.where);
  if (!o.mask.empty() && !is_bool(o.mask.dtype()) && !is_float(o.mask.dtype()))
    throw usage_at(query.where,
                   fmt::format("[attention] the mask is {}: takes bool, or a float to add", to_string(o.mask.type())));
  const auto body = [&](const tracing::Tensors& in) -> tracing::Tensors {
    return {attended(in[0], in[1], in[2], {.causal = o.causal, .mask = in[3], .scale = o.scale}, query.where)};
  };
  return tracing::named("attention", body, {q, k, v, o.mask}, query.where).front();
}

Tensor rotary(const Arg& x, double base, const Arg& first) {
  const Line line(x.where);
  const Tensor given = tracing::as_float(x), t = tracing::converted(given, tracing::summed_in(given.dtype()), x.where);
  if (t.rank() < 2 || t.dim(-1) % 2 != 0)
    throw usage_at(x.where,
                   fmt::format("[rotary] takes [batch…, time, width] of an even width, not {}", to_string(t.type())));
  const int64_t half = t.dim(-1) / 2;
  const Tensor place = convert(iota({t.dim(-2), 1}, 0) + first, t.dtype());
  const Tensor rate = exp(iota({1, half}, 1, t.dtype()) * (-std::log(base) / static_cast<double>(half)));
  const Tensor angle = place * rate, c = cos(angle), s = sin(angle);
  const std::vector<Tensor> parts = split(t, 2, -1);
  const Tensor turned = concatenate({parts[0] * c - parts[1] * s, parts[1] * c + parts[0] * s}, -1);
  return convert(turned, given.dtype());
}

MultiHeadAttention MultiHeadAttention::make(const Key& k, int64_t width, int64_t heads, const MultiHeadOptions& s,
                                            Loc l) {
  const Line line(l);
  tracing::positive(width, "attention", "features", l), tracing::positive(heads, "attention", "heads", l);
  const int64_t kv = s.kv_heads == 0 ? heads : s.kv_heads;
  if (width % heads != 0)
    throw usage_at(l, fmt::format("[attention] {} heads do not divide a width of {}: give a divisor", heads, width));
  if (kv < 1 || heads % kv != 0)
    throw usage_at(l,
                   fmt::format("[attention] {} heads of keys do not divide {} of queries: give a divisor", kv, heads));
  if (s.rotary_base != 0 && width / heads % 2 != 0)
    throw usage_at(l, fmt::format("[attention] rotary positions take an even width of a head, not {}", width / heads));
  const DenseOptions o{.bias = s.bias, .weight = s.weight ? s.weight : init::glorot_uniform(), .dtype = s.dtype};
  const int64_t narrow = width / heads * kv;
  return {.query = Dense::make(k.fold(0), width, width, o, l),
          .key = Dense::make(k.fold(1), width, narrow, o, l),
          .value = Dense::make(k.fold(2), width, narrow, o, l),
          .out = Dense::make(k.fold(3), width, width, o, l),
          .heads = heads,
          .kv_heads = kv,
          .causal = s.causal,
          .rotary_base = s.rotary_base};
}

namespace {

// [batch…, time, heads · width] to [batch…, heads, time, width], and back.
Tensor apart(const Tensor& x, int64_t heads) {
  Shape shape = x.shape();
  shape.back() /= heads;
  shape.insert(shape.end() - 1, heads);
  return swap_axes(reshape(x, shape), -3, -2);
}
Tensor together(const Tensor& x) {
  const Tensor t = swap_axes(x, -3, -2);
  Shape shape = t.shape();
  shape[shape.size() - 2] *= shape.back();
  shape.pop_back();
  return reshape(t, shape);
}

}  // namespace

Tensor MultiHeadAttention::operator()(const Arg& x, const Arg& context, const Tensor& mask) const {
  const Line line(x.where);
  const Tensor from = tracing::as_float(x), to = tracing::as_float(context);
  if (from.rank() < 2 || to.rank() != from.rank())
    throw usage_at(x.where, fmt::format("[attention] takes [batch…, time, width], not {} and {}",
                                        to_string(from.type()), to_string(to.type())));
  Tensor q = apart(query(from), heads), k = apart(key(to), kv_heads);
  if (rotary_base != 0) q = rotary(q, rotary_base), k = rotary(k, rotary_base);
  return out(together(attention(q, k, apart(value(to), kv_heads), {.causal = causal, .mask = mask})));
}

Tensor MultiHeadAttention::operator()(const Arg& x, const Tensor& mask) const { return (*this)(x, x, mask); }

}  // namespace viva
