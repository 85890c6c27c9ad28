// Export of dot_general and conv_general.
#include <algorithm>
#include <array>

#include "graph/dims.h"
#include "onnx/exporter.h"
#include "ops/record.h"
#include "ops/window.h"

namespace viva {
namespace {

using enum Dtype;

// The dtype in which a contraction is written. Integers wrap at every width alike, so the result's is enough.
Dtype summed_in(std::string_view op, Dtype operands, Dtype result) {
  if (is_integer(result)) return size_of(result) <= 4 ? int32 : int64;
  if (operands == float64 || result == float64) return float64;
  return operands == result ? computed_in(op, result) : float32;
}

int64_t product(const Shape& shape, int64_t from, int64_t count) {
  int64_t n = 1;
  for (int64_t i = from; i < from + count; ++i) n *= shape[static_cast<size_t>(i)];
  return n;
}

// x with its dimensions in groups: the first `batches` as they are, then the next `first` and the rest as one each.
Out grouped(Exporter& e, Out x, size_t batches, size_t first) {
  const auto b = static_cast<int64_t>(batches), f = static_cast<int64_t>(first);
  Shape shape(x.shape().begin(), x.shape().begin() + b);
  shape.push_back(product(x.shape(), b, f));
  shape.push_back(product(x.shape(), b + f, x.rank() - b - f));
  return e.reshape(x, shape);
}

void write_dot(Exporter& e, const Node& n) {
  const DotDims d = DotDims::from(n.attrs);
  const Type& type = n.types[0];
  const Dtype wide = summed_in("MatMul", n.in[0].dtype(), type.dtype);
  Out x = e.cast(e.full(n.in[0]), wide), y = e.cast(e.full(n.in[1]), wide);
  const Ints x_free = without(iota_ints(x.rank()), joined(d.lhs_batch, d.lhs_contract));
  const Ints y_free = without(iota_ints(y.rank()), joined(d.rhs_batch, d.rhs_contract));
  const bool one = d.lhs_contract.size() == 1 && d.lhs_batch.empty();
  const auto finish = [&](Out r) { e.set(e.cast(e.reshape(r, type.shape), type.dtype)); };
  // A matrix that is turned round: Gemm says so.
  if (one && x.rank() == 2 && y.rank() == 2 && is_float(wide) && (d.lhs_contract[0] == 0 || d.rhs_contract[0] == 1)) {
    DraftAttrs attrs;
    if (d.lhs_contract[0] == 0) attrs.emplace_back("transA", int64_t{1});
    if (d.rhs_contract[0] == 1) attrs.emplace_back("transB", int64_t{1});
    return finish(e.emit("Gemm", {x, y}, {wide, type.shape}, std::move(attrs)));
  }
  const Ints x_order = joined(d.lhs_batch, x_free, d.lhs_contract),
             y_order = joined(d.rhs_batch, d.rhs_contract, y_free);
  // A vector stays one where nothing is turned round: onnxruntime 1.32 joins Transpose to a MatMul by a vector wrongly.
  const bool vector = x_free.empty() || y_free.empty();
  const bool turned = !std::ranges::is_sorted(x_order) || !std::ranges::is_sorted(y_order);
  x = e.transpose(x, x_order), y = e.transpose(y, y_order);
  if (one && y_free.size() <= 1 && !(vector && turned)) return finish(e.emit("MatMul", {x, y}, {wide, type.shape}));
  const size_t batches = d.lhs_batch.size();
  x = grouped(e, x, batches, x_free.size());
  y = grouped(e, y, batches, d.rhs_contract.size());
  Shape shape = x.shape();
  shape.back() = y.shape().back();
  finish(e.emit("MatMul", {x, y}, {wide, shape}));
}

// conv_general

// A batch of groups as features of groups: [groups·b, c, …] becomes [b, groups·c, …].
Out batch_groups_as_features(Exporter& e, Out x, int64_t groups) {
  Shape apart = x.shape();
  apart[0] /= groups;
  apart.insert(apart.begin(), groups);
  Ints order = iota_ints(static_cast<int64_t>(apart.size()));
  std::swap(order[0], order[1]);
  Shape together = x.shape();
  together[0] /= groups, together[1] *= groups;
  return e.reshape(e.transpose(e.reshape(x, apart), order), together);
}

// As sums over gathered windows, for dtypes that Conv does not take: x [batch, groups·in, …], w [groups·out, in, …].
Out gathered_convolution(Exporter& e, Out x, Out w, const std::vector<WindowAxis>& axes, int64_t groups,
                         const Shape& result) {
  std::vector<WindowAxis> all{{{.extent = x.shape()[0]}}, {{.extent = x.shape()[1]}}};
  all.insert(all.end(), axes.begin(), axes.end());
  Seen seen = windows_of(e, x, all);
  Out v = seen.inside.id < 0 ? seen.elements : e.where(seen.inside, seen.elements, e.scalar(x.dtype(), 0));
  const auto space = static_cast<int64_t>(axes.size());
  const int64_t batch = x.shape()[0], in = w.shape()[1], out = w.shape()[0] / groups;
  const int64_t places = product(result, 2, space), taps = product(w.shape(), 2, space);
  // [batch, groups, in, places, taps] to [groups, batch, places, in, taps].
  v = e.transpose(e.reshape(v, {batch, groups, in, places, taps}), {1, 0, 3, 2, 4});
  v = e.reshape(v, {groups, batch * places, in * taps});
  w = e.transpose(e.reshape(w, {groups, out, in * taps}), {0, 2, 1});
  Out r = e.emit("MatMul", {v, w}, {x.dtype(), {groups, batch * places, out}});
  r = e.transpose(e.reshape(r, {groups, batch, places, out}), {1, 0, 3, 2});
  return e.reshape(r, result);
}

}  // namespace

// Emits Conv with a bias where there is one (id -1: none); the result is in the order of the node's output.
Out convolution(Exporter& e, const Node& n, Out bias) {
  const ConvDims d = ConvDims::from(n.attrs);
  const Type& type = n.types[0];
  const Dtype wide = summed_in("Conv", n.in[0].dtype(), type.dtype);
  Out x = e.transpose(e.cast(e.full(n.in[0]), wide), d.lhs_spec);
  Out w = e.transpose(e.cast(e.full(n.in[1]), wide), d.rhs_spec);
  const int64_t groups = std::max(d.feature_groups, d.batch_groups);
  if (d.batch_groups > 1) x = batch_groups_as_features(e, x, groups);
  Ints backwards;
  for (size_t i = 0; i < d.spatial(); ++i)
    if (d.reversal[i]) backwards.push_back(static_cast<int64_t>(i) + 2);
  w = e.reverse(w, backwards);
  const Shape shape = permute(type.shape, d.out_spec);
  const auto back = [&](Out r) { return e.cast(e.transpose(r, inverse_permutation(d.out_spec)), type.dtype); };
  std::vector<WindowAxis> axes;
  for (size_t i = 0; i < d.spatial(); ++i)
    axes.push_back({x.shape()[i + 2], w.shape()[i + 2], d.strides[i], d.pad_low[i], d.pad_high[i], d.lhs_dilation[i],
                    d.rhs_dilation[i]});
  const bool nothing = contains(shape, 0), empty = contains(x.shape(), 0) || contains(w.shape(), 0);
  if (nothing || empty) return back(e.expand(e.scalar(wide, 0), shape));
  if (!is_float(wide) || d.spatial() == 0) return back(gathered_convolution(e, x, w, axes, groups, shape));
  // Conv takes neither holes in the input nor padding below zero.
  Ints by{1, 1}, low{0, 0}, high{0, 0}, pads;
  for (const WindowAxis& a : axes) {
    by.push_back(a.base_dilation), low.push_back(std::min<int64_t>(a.low, 0)),
        high.push_back(std::min<int64_t>(a.high, 0));
  }
  const Out zero = e.scalar(wide, 0);
  x = e.pad(e.spread(x, zero, by), zero, low, high);
  for (const WindowAxis& a : axes) pads.push_back(std::max<int64_t>(a.low, 0));
  for (const WindowAxis& a : axes) pads.push_back(std::max<int64_t>(a.high, 0));
  DraftAttrs attrs{{"kernel_shape", Ints(w.shape().begin() + 2, w.shape().end())}};
  const auto unless = [&](std::string_view name, const Ints& v, int64_t otherwise) {
    if (std::ranges::any_of(v, [&](int64_t i) { return i != otherwise; })) attrs.emplace_back(name, v);
  };
  unless("strides", d.strides, 1), unless("dilations", d.rhs_dilation, 1), unless("pads", pads, 0);
  if (groups > 1) attrs.emplace_back("group", groups);
  const Outs in = bias.id < 0 ? Outs{x, w} : Outs{x, w, e.cast(bias, wide)};
  return back(e.emit("Conv", in, {wide, shape}, std::move(attrs)));
}

namespace {

void write_conv(Exporter& e, const Node& n) { e.set(convolution(e, n, {})); }

constexpr std::array rows = {
    ExportRow{"dot_general", write_dot, "MatMul, Gemm; Transpose and Reshape around it", "sums run in another order"},
    ExportRow{"conv_general", write_conv,
              "Conv; Unsqueeze, Pad, Reshape, Slice where the input is dilated; of integers Gather and MatMul",
              "sums run in another order; onnxruntime 1.32 has no float64 kernel"},
};

}  // namespace

std::span<const ExportRow> onnx_export::contraction() { return rows; }

}  // namespace viva
