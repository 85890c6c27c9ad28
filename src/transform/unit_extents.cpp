// Unit extents: a reshape that only puts in or takes out extents of 1 moves from before a pointwise operation or a
// window to behind it, until it meets its inverse. vmap over a network for one example leaves such a pair around each
// convolution, and a kernel reads through neither.
#include <algorithm>

#include "base/without_ones.h"
#include "transform/rewrite.h"

namespace viva {
namespace {

bool is(const Node* n, std::string_view name) { return n->op && n->op->name == name; }

bool same_but_ones(const Shape& a, const Shape& b) { return without_ones(a) == without_ones(b); }

bool moves_ones(Value v) {
  const Node* n = v.node();
  return is(n, "reshape") && n->in[0].shape() != v.shape() && same_but_ones(n->in[0].shape(), v.shape());
}

// For each dimension of `to` the one of `from` that has its extent, the k-th that is no 1 for the k-th; -1 for 1.
Ints matched(const Shape& to, const Shape& from) {
  Ints m;
  int64_t next = 0;
  const auto n = static_cast<int64_t>(from.size());
  for (const int64_t e : to) {
    while (e != 1 && next < n && from[static_cast<size_t>(next)] == 1) ++next;
    m.push_back(e == 1 ? -1 : next++);
  }
  return m;
}

Value reshaped(Build& b, Value v, const Shape& to) { return v.shape() == to ? v : b.reshape(v, to); }

// v in the shape `to` without another pass over its elements; null where there is no such form.
Value freely_reshaped(Build& b, Value v, const Shape& to) {
  const Node* n = v.node();
  if (v.shape() == to) return v;
  if (moves_ones(v)) return reshaped(b, n->in[0], to);
  if (is(n, "constant")) return b.reshape(v, to);
  if (!is(n, "broadcast")) return {};
  const Value x = n->in[0];
  const Ints &dims = n->attrs.ints("dims"), place = matched(v.shape(), to);
  Ints kept;
  for (size_t i = 0; i < dims.size(); ++i)
    if (x.shape()[i] != 1) kept.push_back(place[static_cast<size_t>(dims[i])]);
  return b.broadcast(reshaped(b, x, without_ones(x.shape())), to, kept);
}

// The shape under the first reshape among the operands.
const Shape* inner_shape(Ins in) {
  const auto moved = std::ranges::find_if(in, moves_ones);
  return moved == in.end() ? nullptr : &moved->node()->in[0].shape();
}

std::optional<Values> pointwise(Build& b, const Node& n, Ins in) {
  const Shape* shape = inner_shape(in);
  if (!shape) return std::nullopt;
  Values inner;
  for (const Value& v : in) {
    if (v.shape() != n.types[0].shape) return std::nullopt;
    inner.push_back(freely_reshaped(b, v, *shape));
    if (!inner.back()) return std::nullopt;
  }
  Values out = b.repeat(n, std::move(inner));
  for (size_t i = 0; i < out.size(); ++i) out[i] = b.reshape(out[i], n.types[i].shape);
  return out;
}

// What the entries of a window's attribute become, and a neutral one where `to` has an extent of 1 more.
Ints moved(const Ints& entries, const Ints& place, int64_t neutral) {
  Ints r;
  for (const int64_t p : place) r.push_back(p < 0 ? neutral : entries[static_cast<size_t>(p)]);
  return r;
}

bool is_plain(const WindowDims& w, size_t i) {
  return w.size[i] == 1 && w.strides[i] == 1 && w.pad_low[i] == 0 && w.pad_high[i] == 0 && w.base_dilation[i] == 1;
}

// Only windows that neither begin nor end with an extent of 1 where they extend, so that extents tell dimensions apart.
std::optional<Values> window(Build& b, const Node& n, Ins in) {
  if (!moves_ones(in[0])) return std::nullopt;
  const Shape &given = in[0].shape(), &shape = in[0].node()->in[0].shape(), &result = n.types[0].shape;
  WindowDims w = WindowDims::from(n.attrs);
  for (size_t i = 0; i < given.size(); ++i)
    if (!is_plain(w, i) && (given[i] == 1 || result[i] == 1)) return std::nullopt;
  const Ints place = matched(shape, given);
  for (Ints* entries : {&w.size, &w.strides, &w.base_dilation, &w.dilation}) *entries = moved(*entries, place, 1);
  for (Ints* entries : {&w.pad_low, &w.pad_high}) *entries = moved(*entries, place, 0);
  Shape inner_result;
  for (const int64_t p : place) inner_result.push_back(p < 0 ? 1 : result[static_cast<size_t>(p)]);
  Attrs attrs = n.attrs;
  w.put(attrs);
  if (n.attrs.find("shape")) attrs.set("shape", inner_result);
  Values inner{in[0].node()->in[0]};
  for (const Value& offsets : in.subspan(1)) {
    const bool one_for_each_operand = offsets.shape() == given;
    inner.push_back(freely_reshaped(b, offsets, one_for_each_operand ? shape : inner_result));
    if (!inner.back()) return std::nullopt;
  }
  return Values{b.reshape(b.emit(*n.op, std::move(inner), std::move(attrs), {}, n.where)[0], result)};
}

}  // namespace

Body unit_extents(const Body& f) {
  return rewrite(*f, [](Build& b, const Node& n, Ins in) -> std::optional<Values> {
    if (n.op->family == "pointwise") return pointwise(b, n, in);
    if (n.op->family == "window") return window(b, n, in);
    return std::nullopt;
  });
}

}  // namespace viva
