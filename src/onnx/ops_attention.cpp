// Attention and rotary position embeddings (the ONNX operator's function body is the reference).
#include <array>
#include <cmath>

#include "onnx/op.h"

namespace viva {
namespace {

// [batch, sequence, heads · size] as [batch, heads, sequence, size].
Value split_heads(OnnxOp& o, Value x, int64_t heads) {
  if (heads < 1 || x.dim(2) % heads != 0) throw o.malformed("{} heads in {}", heads, to_string(x.type()));
  return o.b.transpose(o.b.reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), {0, 2, 1, 3});
}
Value merge_heads(Build& b, Value x) {
  return b.reshape(b.transpose(x, {0, 2, 1, 3}), {x.dim(0), x.dim(2), x.dim(1) * x.dim(3)});
}

// What a node asks for, resolved to 4-D operands [batch, heads, sequence, size].
struct Query {
  Value q, k, v;
  int64_t past = 0;  // keys before the block of queries
  bool causal = false;
  int64_t left = -1, right = -1;  // window sizes, -1: unbounded
  double scale = 1, softcap = 0;
  int64_t mode = 0;
  Dtype precision = Dtype::float32;
};

Value infinite(Build& b, const Type& t) { return b.full(t, -INFINITY); }

// The bias of the given mask, padded with -∞ to all keys and spread over [batch, heads, queries, keys].
Value mask_bias(OnnxOp& o, Value mask, const Type& full) {
  Build& b = o.b;
  const int64_t missing = full.shape[3] - (mask.rank() > 0 ? mask.dim(mask.rank() - 1) : full.shape[3]);
  if (is_bool(mask.dtype())) {
    const Type t{full.dtype, mask.shape()};
    mask = b.select(mask, b.full(t, 0), infinite(b, t));
  } else mask = b.convert(mask, full.dtype);
  if (missing > 0) {
    Ints low(mask.shape().size(), 0), high = low;
    high.back() = missing;
    mask = b.pad(mask, b.scalar(full.dtype, -INFINITY), low, high);
  }
  if (broadcast_shape(o, mask.shape(), full.shape) != full.shape)
    throw o.malformed("mask {} for scores {}", to_string(mask.type()), to_string(full));
  return b.broadcast_to(mask, full.shape);
}

// Where a query may look: keys up to its own position (causal), inside its window, and not padding.
Value allowed(OnnxOp& o, const Query& a, const Shape& shape, Value lengths) {
  Build& b = o.b;
  const Type index{Dtype::int64, shape};
  const Value key = b.iota(index, 3);
  Value position = b.iota(index, 2), keep;
  const auto both = [&](Value v) { keep = keep ? b.logical_and(keep, v) : v; };
  if (lengths) {
    const Value length = b.broadcast(lengths, shape, {0});
    both(b.compare(Direction::lt, key, length));
    position = b.add(position, b.sub(length, b.full_like(length, static_cast<double>(shape[2]))));
  } else position = b.add(position, b.full_like(position, static_cast<double>(a.past)));
  const auto bound = [&](int64_t by) { return b.add(position, b.full_like(position, static_cast<double>(by))); };
  if (a.causal) both(b.compare(Direction::le, key, position));
  if (a.left >= 0) both(b.compare(Direction::ge, key, bound(-a.left)));
  if (a.right >= 0) both(b.compare(Direction::le, key, bound(a.right)));
  return keep;
}

// Scores q·k with each group of query heads sharing one head of keys.
Value grouped(Build& b, Value x, Value y, int64_t x_contract, int64_t y_contract) {
  const int64_t heads = x.dim(1), shared = y.dim(1);
  const Value split = b.reshape(x, {x.dim(0), shared, heads / shared, x.dim(2), x.dim(3)});
  const Value r = b.dot_general(
      split, y,
      {.lhs_batch = {0, 1}, .rhs_batch = {0, 1}, .lhs_contract = {x_contract + 1}, .rhs_contract = {y_contract}});
  return b.reshape(r, {x.dim(0), heads, x.dim(2), r.dim(4)});
}

// Outputs: the result, and the scores at the stage that mode names. A query that may look nowhere gives zeros.
Values attend(Build& b, const Query& a, Value q, Value k, Value v, Value bias) {
  const Dtype d = q.dtype();
  const double root = std::sqrt(a.scale);
  Value scores = grouped(b, b.scale(q, root), b.scale(k, root), 3, 3), shown = scores;
  if (a.softcap > 0) scores = b.scale(b.tanh(b.scale(scores, 1 / a.softcap)), a.softcap);
  if (a.mode == 1) shown = scores;
  Value nowhere;
  if (bias) {
    const Value top = b.reduce_max(bias, {3});
    nowhere = spread(b, b.compare(Direction::eq, top, b.full_like(top, -INFINITY)), bias.shape(), {3});
    scores = b.add(scores, bias);
    if (a.mode == 2) shown = scores;
    scores = b.select(nowhere, b.zero(scores), scores);
  } else if (a.mode == 2) shown = scores;
  Value p = b.convert(softmax(b, b.convert(scores, a.precision), 3), d);
  if (nowhere) p = b.select(nowhere, b.zero(p), p);
  if (a.mode == 3) shown = p;
  return {grouped(b, p, v, 3, 2), shown};
}

Query read_query(OnnxOp& o) {
  Query a;
  a.q = o.in(0), a.k = o.in(1), a.v = o.in(2);
  if (a.q.rank() != a.k.rank() || a.q.rank() != a.v.rank() || (a.q.rank() != 3 && a.q.rank() != 4))
    throw o.malformed("Q, K and V are {}, {}, {}", to_string(o.type(0)), to_string(o.type(1)), to_string(o.type(2)));
  if (a.q.rank() == 3) {
    a.q = split_heads(o, a.q, o.integer("q_num_heads"));
    a.k = split_heads(o, a.k, o.integer("kv_num_heads"));
    a.v = split_heads(o, a.v, o.integer("kv_num_heads"));
  }
  if (o.has(4) != o.has(5)) throw o.malformed("past_key and past_value come together");
  if (o.has(4)) {
    a.past = o.type(4).shape.size() == 4 ? o.type(4).shape[2] : 0;
    a.k = o.b.concatenate({o.in(4), a.k}, 2);
    a.v = o.b.concatenate({o.in(5), a.v}, 2);
  }
  const bool fits = a.k.dim(0) == a.q.dim(0) && a.v.dim(0) == a.q.dim(0) && a.k.dim(1) >= 1 &&
                    a.q.dim(1) % a.k.dim(1) == 0 && a.k.dim(1) == a.v.dim(1) && a.k.dim(2) == a.v.dim(2) &&
                    a.q.dim(3) == a.k.dim(3);
  if (!fits)
    throw o.malformed("Q, K and V are {}, {}, {}", to_string(a.q.type()), to_string(a.k.type()), to_string(a.v.type()));
  a.causal = o.flag("is_causal");
  if (o.opset() >= 25) a.left = o.integer("left_window_size", -1), a.right = o.integer("right_window_size", -1);
  a.scale = o.number("scale", 1 / std::sqrt(static_cast<double>(std::max(a.q.dim(3), int64_t{1}))));
  if (!(a.scale >= 0)) throw o.malformed("scale {}", a.scale);
  a.softcap = o.number("softcap", 0);
  a.mode = o.integer("qk_matmul_output_mode", 0);
  a.precision = o.has_attribute("softmax_precision") ? o.dtype(o.integer("softmax_precision")) : a.q.dtype();
  if (!is_float(a.precision) || a.mode < 0 || a.mode > 3)
    throw o.malformed("softmax_precision {} or qk_matmul_output_mode {}", name(a.precision), a.mode);
  return a;
}

Items attention(OnnxOp& o) {
  Build& b = o.b;
  const Query a = read_query(o);
  const Type full{a.q.dtype(), {a.q.dim(0), a.q.dim(1), a.q.dim(2), a.k.dim(2)}};
  const Value lengths = o.has(6) ? b.reshape(b.convert(o.in(6), Dtype::int64), {full.shape[0]}) : Value{};
  Value bias = o.has(3) ? mask_bias(o, o.in(3), full) : Value{};
  if (const Value keep = allowed(o, a, full.shape, lengths)) {
    const Value more = b.select(keep, b.full(full, 0), infinite(b, full));
    bias = bias ? b.add(bias, more) : more;
  }
  Values operands{a.q, a.k, a.v};
  if (bias) operands.push_back(bias);
  const std::string key = fmt::format("{},{},{},{}", a.scale, a.softcap, a.mode, name(a.precision));
  const Values r = o.named("attention", key, operands, [&](Build& inner, Ins in) {
    return attend(inner, a, in[0], in[1], in[2], in.size() > 3 ? in[3] : Value{});
  });
  return {o.rank(0) == 3 ? merge_heads(b, r[0]) : r[0], a.k, a.v, r[1]};
}

// Pairs of components (x1, x2) turned by the angle of their position: halves of the vector, or neighbours.
Items rotary_embedding(OnnxOp& o) {
  Build& b = o.b;
  const bool packed = o.rank(0) == 3;
  if (!packed && o.rank(0) != 4) throw o.malformed("takes 3 or 4 dimensions, not {}", to_string(o.type(0)));
  const Value x = packed ? split_heads(o, o.in(0), o.integer("num_heads")) : o.in(0);  // [batch, heads, sequence, size]
  const int64_t size = x.dim(3), asked = o.integer("rotary_embedding_dim", 0), turned = asked == 0 ? size : asked,
                half = turned / 2;
  if (turned < 0 || turned > size || turned % 2 != 0) throw o.malformed("rotary_embedding_dim {} of {}", turned, size);
  const Shape parts{x.dim(0), x.dim(1), x.dim(2), half};
  const auto table = [&](size_t i) {
    Value t = o.in(i);
    if (o.has(3)) {
      if (t.rank() != 2) throw o.malformed("a table of {}", to_string(t.type()));
      GatherDims d;
      d.offset_dims = {2};
      d.collapsed = d.start_map = {0};
      d.slice_sizes = {1, t.dim(1)};
      d.mode = OutOfBounds::clip;
      const Value index = o.in(3);
      t = b.gather(t, b.unsqueeze(index, {index.rank()}), b.scalar(t.dtype(), 0), d);
    }
    if (t.shape() != Shape{parts[0], parts[2], half})
      throw o.malformed("a table of {} for {}", to_string(t.type()), to_string(x.type()));
    return b.broadcast(t, parts, {0, 2, 3});
  };
  const Value cosine = table(1), sine = table(2);
  const bool neighbours = o.flag("interleaved");
  const auto part = [&](int64_t i) {
    const int64_t start = neighbours ? i : i * half, limit = neighbours ? turned : start + half;
    return b.slice(x, {0, 0, 0, start}, {x.dim(0), x.dim(1), x.dim(2), limit}, {1, 1, 1, neighbours ? 2 : 1});
  };
  const Value first = part(0), second = part(1);
  const Value real = b.sub(b.mul(cosine, first), b.mul(sine, second)),
              imaginary = b.add(b.mul(sine, first), b.mul(cosine, second));
  Value y;
  if (neighbours)
    y = b.reshape(b.concatenate({b.unsqueeze(real, {4}), b.unsqueeze(imaginary, {4})}, 4),
                  {parts[0], parts[1], parts[2], turned});
  else y = b.concatenate({real, imaginary}, 3);
  if (turned < size) y = b.concatenate({y, b.slice(x, {0, 0, 0, turned}, x.shape())}, 3);
  return {packed ? merge_heads(b, y) : y};
}

constexpr std::array rows = {
    OnnxRow{"Attention", 23, latest, attention, true},
    OnnxRow{"RotaryEmbedding", 23, latest, rotary_embedding},
};

}  // namespace

std::span<const OnnxRow> onnx_ops::attention() { return rows; }

}  // namespace viva
