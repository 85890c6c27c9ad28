// Parts of a graph that one ONNX operator says: found by their bodies, so that other tools see standard layers.
#include <algorithm>
#include <array>
#include <cmath>

#include "graph/dims.h"
#include "onnx/exporter.h"
#include "ops/record.h"

namespace viva {
namespace {

using enum Dtype;
using Uses = std::unordered_map<Value, int, ValueHash>;

const Node* made_by(Value v, std::string_view op) {
  const Node* n = v.node();
  return n->op && n->op->name == op ? n : nullptr;
}
bool is_number(Value v, double c) {
  const auto s = splat_value(v);
  return s && *s == c;
}
// The operand beside a number c, as it is in v's dtype.
Value beside_number(const Node& n, double c) {
  const double rounded = Array::full({n.in[0].dtype(), {}}, c).at(0);
  for (size_t i : {0, 1})
    if (is_number(n.in[i], rounded)) return n.in[1 - i];
  return {};
}
bool alone(const Uses& uses, Value v) { return uses.at(v) == 1; }

// select(x > 0, x, 0)
std::optional<Fused> relu(const Node& n, const Uses&) {
  if (n.op->name != "select" || !is_float(n.types[0].dtype) || !is_number(n.in[2], 0)) return {};
  const Node* p = made_by(n.in[0], "compare");
  if (!p || p->attrs.text("direction") != "gt" || p->in[0] != n.in[1] || !is_number(p->in[1], 0)) return {};
  return Fused{"Relu", {n.in[1]}, [x = n.in[1]](Exporter& e) { e.set(e.pointwise("Relu", {e.thin(x)})); }};
}

// What is spread over dimension dim of a shape: its value of one dimension less, or of extent 1 there.
Value spread_over(Value v, int64_t dim) {
  const Node* b = made_by(v, "broadcast");
  if (!b) return {};
  const Shape& shape = v.shape();
  const Value u = b->in[0];
  Shape kept = shape;
  kept[static_cast<size_t>(dim)] = 1;
  const Ints all = iota_ints(v.rank()), others = without(all, std::array{dim});
  const Ints& dims = b->attrs.ints("dims");
  const bool whole =
      (dims == all && u.shape() == kept) || (dims == others && u.shape() == without(shape, std::array{dim}));
  return whole ? u : Value{};
}
// The operand of a reduction over dim, up to a reshape that keeps the dimension.
Value reduced_from(Value v, std::string_view op, int64_t dim) {
  if (const Node* r = made_by(v, "reshape")) v = r->in[0];
  const Node* n = made_by(v, op);
  return n && n->attrs.ints("dims") == Ints{dim} && n->types[0].dtype == n->in[0].dtype() ? n->in[0] : Value{};
}
Value without_stop(Value v) {
  const Node* back = made_by(v, "bitcast");
  const Node* there = back ? made_by(back->in[0], "bitcast") : nullptr;
  return there && there->in[0].dtype() == v.dtype() ? there->in[0] : v;
}

// x where v is x less its maximum over dim, or less 0 where that is not finite; dim is found.
Value shifted_from(Value v, int64_t& dim) {
  const Node* s = made_by(v, "sub");
  if (!s) return {};
  for (dim = 0; dim < v.rank(); ++dim) {
    const Value shift = spread_over(s->in[1], dim);
    if (!shift) continue;
    const Node* choice = made_by(shift, "select");
    if (!choice || !is_number(choice->in[2], 0)) continue;
    const Node* finite = made_by(choice->in[0], "is_finite");
    if (!finite || finite->in[0] != choice->in[1]) continue;
    if (reduced_from(without_stop(choice->in[1]), "reduce_max", dim) == s->in[0]) return s->in[0];
  }
  return {};
}

std::optional<Fused> normalised(std::string_view op, Value x, int64_t dim) {
  return Fused{op, {x}, [=](Exporter& e) { e.set(e.pointwise(op, {e.full(x)}, {}, {{"axis", dim}})); }};
}

// e / Σe with e = exp(x - max x)
std::optional<Fused> softmax(const Node& n, const Uses&) {
  const Node* exp = n.op->name == "div" ? made_by(n.in[0], "exp") : nullptr;
  int64_t dim = 0;
  const Value x = exp ? shifted_from(exp->in[0], dim) : Value{};
  const Value sum = x ? spread_over(n.in[1], dim) : Value{};
  if (!sum || reduced_from(sum, "reduce_sum", dim) != n.in[0]) return {};
  return normalised("Softmax", x, dim);
}
// s - log Σ e^s with s = x - max x
std::optional<Fused> log_softmax(const Node& n, const Uses&) {
  int64_t dim = 0;
  const Value x = n.op->name == "sub" ? shifted_from(n.in[0], dim) : Value{};
  const Value spread = x ? spread_over(n.in[1], dim) : Value{};
  const Node* log = spread ? made_by(spread, "log") : nullptr;
  if (!log) return {};
  const Value e = reduced_from(log->in[0], "reduce_sum", dim);
  const Node* exp = e ? made_by(e, "exp") : nullptr;
  return exp && exp->in[0] == n.in[0] ? normalised("LogSoftmax", x, dim) : std::nullopt;
}

// x · ((erf(x / √2) + 1) / 2). Of float64 runtimes have no Gelu.
std::optional<Fused> gelu(const Node& n, const Uses&) {
  if (n.op->name != "mul" || n.types[0].dtype != float32) return {};
  for (size_t i : {0, 1}) {
    const Node* half = made_by(n.in[i], "mul");
    const Value sum = half ? beside_number(*half, 0.5) : Value{};
    const Node* add = sum ? made_by(sum, "add") : nullptr;
    const Value e = add ? beside_number(*add, 1) : Value{};
    const Node* erf = e ? made_by(e, "erf") : nullptr;
    const Node* scaled = erf ? made_by(erf->in[0], "mul") : nullptr;
    const Value x = scaled ? beside_number(*scaled, std::sqrt(0.5)) : Value{};
    if (x && x == n.in[1 - i]) return Fused{"Gelu", {x}, [x](Exporter& e) { e.set(e.pointwise("Gelu", {e.thin(x)})); }};
  }
  return {};
}

// The mean over the last dimensions, kept with extents of 1 and spread over all of v again: of which value.
Value spread_mean_of(Value kept, const Ints& dims, const Shape& shape) {
  Shape ones = shape;
  double count = 1;
  for (const int64_t d : dims)
    count *= static_cast<double>(shape[static_cast<size_t>(d)]), ones[static_cast<size_t>(d)] = 1;
  const Node* scaled = made_by(kept, "mul");
  const Value total = scaled && kept.shape() == ones ? beside_number(*scaled, 1 / count) : Value{};
  const Node* reshaped = total ? made_by(total, "reshape") : nullptr;
  const Node* sum = reshaped ? made_by(reshaped->in[0], "reduce_sum") : nullptr;
  return sum && sum->attrs.ints("dims") == dims && sum->in[0].shape() == shape ? sum->in[0] : Value{};
}
Value spread_from(Value v) {
  const Node* b = made_by(v, "broadcast");
  return b && b->attrs.ints("dims") == iota_ints(v.rank()) ? b->in[0] : Value{};
}

struct Standardised {
  Value x;
  float eps = 0;
};
// (x - mean) · 1 / √(mean of its square + eps) over the last dimensions.
std::optional<Standardised> standardised(Value v, const Ints& dims) {
  const Node* n = made_by(v, "mul");
  for (size_t i = 0; n && i < 2; ++i) {
    const Node* centred = made_by(n->in[i], "sub");
    const Value inverse = centred ? spread_from(n->in[1 - i]) : Value{};
    const Node* root = inverse ? made_by(inverse, "rsqrt") : nullptr;
    const Node* sum = root ? made_by(root->in[0], "add") : nullptr;
    for (size_t k = 0; sum && k < 2; ++k) {
      const auto eps = splat_value(sum->in[k]);
      const Value squares = eps ? spread_mean_of(sum->in[1 - k], dims, v.shape()) : Value{};
      const Node* square = squares ? made_by(squares, "square") : nullptr;
      const Value mean = square && square->in[0] == n->in[i] ? spread_from(centred->in[1]) : Value{};
      if (mean && spread_mean_of(mean, dims, v.shape()) == centred->in[0])
        return Standardised{centred->in[0], static_cast<float>(*eps)};
    }
  }
  return {};
}

// What is spread over all but the last dimensions.
Value trailing(Value v) {
  const Node* b = made_by(v, "broadcast");
  if (!b || b->in[0].rank() == 0 || b->in[0].rank() >= v.rank()) return {};
  const int64_t skip = v.rank() - b->in[0].rank();
  const bool last = b->attrs.ints("dims") == iota_ints(b->in[0].rank(), skip) &&
                    b->in[0].shape() == Shape(v.shape().begin() + skip, v.shape().end());
  return last ? b->in[0] : Value{};
}

// A standardised value times a weight, plus an offset where there is one. Of float32: eps is an attribute of that type.
std::optional<Fused> layer_norm(const Node& n, const Uses&) {
  if (n.types[0].dtype != float32 || (n.op->name != "add" && n.op->name != "mul")) return {};
  const bool offset = n.op->name == "add";
  for (size_t i : {0, 1}) {
    const Node* product = offset ? made_by(n.in[i], "mul") : &n;
    const Value bias = offset ? trailing(n.in[1 - i]) : Value{};
    if (!product || (offset && !bias)) continue;
    for (size_t k : {0, 1}) {
      const Value weight = trailing(product->in[k]);
      if (!weight || (bias && bias.shape() != weight.shape())) continue;
      const int64_t axis = n.types[0].rank() - weight.rank();
      const auto s = standardised(product->in[1 - k], iota_ints(weight.rank(), axis));
      if (!s) continue;
      Values in{s->x, weight};
      if (bias) in.push_back(bias);
      return Fused{"LayerNormalization", in, [in, axis, eps = s->eps, type = n.types[0]](Exporter& e) {
                     Outs operands;
                     for (const Value& v : in) operands.push_back(e.full(v));
                     e.set(e.emit("LayerNormalization", operands, type, {{"axis", axis}, {"epsilon", eps}}));
                   }};
    }
  }
  return {};
}

// What is added along one dimension alone, and spread over all others: its vector, or that with extents of 1 around it.
Value bias_along(Value v, int64_t dim) {
  const Node* b = made_by(v, "broadcast");
  if (!b) return {};
  const Value u = b->in[0];
  const Ints& dims = b->attrs.ints("dims");
  if (numel(u.shape()) != v.dim(dim)) return {};
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] == dim && u.shape()[i] == v.dim(dim)) {
      const Node* r = made_by(u, "reshape");
      return r && r->in[0].rank() == 1 ? r->in[0] : u;
    }
  return {};
}
Out vector(Exporter& e, Value bias) { return e.reshape(e.full(bias), {numel(bias.shape())}); }

std::optional<Fused> biased(const Node& n, const Uses& uses) {
  if (n.op->name != "add" || !is_float(n.types[0].dtype)) return {};
  for (size_t i : {0, 1}) {
    const Node* conv = made_by(n.in[i], "conv_general");
    if (conv && alone(uses, n.in[i]) && conv->in[0].dtype() == n.types[0].dtype && conv->in[0].rank() > 2) {
      const Value b = bias_along(n.in[1 - i], ConvDims::from(conv->attrs).out_spec[1]);
      if (b && numel(n.types[0].shape) > 0 && numel(conv->in[0].shape()) > 0 && numel(conv->in[1].shape()) > 0)
        return Fused{"Conv", {conv->in[0], conv->in[1], b}, [conv, b](Exporter& e) {
                       e.set(convolution(e, *conv, vector(e, b)));
                     }};
    }
    const Node* dot = made_by(n.in[i], "dot_general");
    const bool matrices = dot && alone(uses, n.in[i]) && dot->in[0].rank() == 2 && dot->in[1].rank() == 2 &&
                          dot->in[0].dtype() == n.types[0].dtype && size_of(n.types[0].dtype) > 2;
    const DotDims d = matrices ? DotDims::from(dot->attrs) : DotDims{};
    if (!matrices || d.lhs_contract != Ints{1} || d.rhs_contract.size() != 1) continue;
    const Value b = bias_along(n.in[1 - i], 1);
    if (!b) continue;
    return Fused{
        "Gemm", {dot->in[0], dot->in[1], b}, [dot, b, turned = d.rhs_contract[0], type = n.types[0]](Exporter& e) {
          DraftAttrs attrs;
          if (turned) attrs.emplace_back("transB", int64_t{1});
          e.set(e.emit("Gemm", {e.full(dot->in[0]), e.full(dot->in[1]), vector(e, b)}, type, attrs));
        }};
  }
  return {};
}

// Windows in the dimensions behind batch and channels.
std::optional<DraftAttrs> pool_attributes(const WindowDims& d) {
  const size_t rank = d.size.size();
  if (rank < 3 || rank > 5 || d.size[0] != 1 || d.size[1] != 1 || d.strides[0] != 1 || d.strides[1] != 1) return {};
  Ints pads, high;
  for (size_t i = 0; i < rank; ++i) {
    if (d.base_dilation[i] != 1 || d.dilation[i] != 1) return {};
    const bool odd = d.pad_low[i] < 0 || d.pad_high[i] < 0 || d.pad_low[i] >= d.size[i] || d.pad_high[i] >= d.size[i];
    if (odd) return {};
    if (i >= 2) pads.push_back(d.pad_low[i]), high.push_back(d.pad_high[i]);
  }
  pads.insert(pads.end(), high.begin(), high.end());
  DraftAttrs attrs{{"kernel_shape", Ints(d.size.begin() + 2, d.size.end())},
                   {"strides", Ints(d.strides.begin() + 2, d.strides.end())}};
  if (std::ranges::any_of(pads, [](int64_t p) { return p != 0; })) attrs.emplace_back("pads", pads);
  return attrs;
}

// The element at the offset of the maximum.
std::optional<Fused> max_pool(const Node& n, const Uses&) {
  const Node* offset = n.op->name == "window_gather" ? made_by(n.in[1], "window_argmax") : nullptr;
  if (!offset || offset->in[0] != n.in[0] || !is_float(n.types[0].dtype)) return {};
  const WindowDims d = WindowDims::from(n.attrs);
  const auto attrs = pool_attributes(d);
  if (!attrs || numel(d.size) < 2 || d != WindowDims::from(offset->attrs)) return {};
  return Fused{"MaxPool", {n.in[0]}, [x = n.in[0], attrs = *attrs, type = n.types[0]](Exporter& e) {
                 const Dtype c = computed_in("MaxPool", type.dtype);
                 e.set(e.cast(e.emit("MaxPool", {e.cast(e.full(x), c)}, {c, type.shape}, attrs), type.dtype));
               }};
}

// Sums of windows over how many elements they see: all of them, or those inside. Of float32: it alone has a kernel.
std::optional<Fused> mean_pool(const Node& n, const Uses&) {
  if (n.types[0].dtype != float32 || (n.op->name != "mul" && n.op->name != "div")) return {};
  const bool divides = n.op->name == "div";
  for (size_t i = 0; i < (divides ? 1u : 2u); ++i) {
    const Node* sum = made_by(n.in[i], "window_sum");
    if (!sum) continue;
    const WindowDims d = WindowDims::from(sum->attrs);
    const auto attrs = pool_attributes(d);
    const double share = Array::full({float32, {}}, 1 / static_cast<double>(numel(d.size))).at(0);
    const Node* count = divides ? made_by(n.in[1], "window_sum") : nullptr;
    const bool inside = count && is_number(count->in[0], 1) && viva::same(count->attrs, sum->attrs);
    const bool padded = std::ranges::any_of(d.pad_low, [](int64_t p) { return p != 0; }) ||
                        std::ranges::any_of(d.pad_high, [](int64_t p) { return p != 0; });
    if (!attrs || !(inside || (!divides && !padded && is_number(n.in[1 - i], share)))) continue;
    return Fused{"AveragePool", {sum->in[0]}, [x = sum->in[0], attrs = *attrs, type = n.types[0]](Exporter& e) {
                   e.set(e.emit("AveragePool", {e.full(x)}, type, attrs));
                 }};
  }
  return {};
}

// A bitcast there and back keeps derivatives out; ONNX has none to keep.
std::optional<Fused> stopped(const Node& n, const Uses&) {
  if (n.op->name != "bitcast") return {};
  const Value x = without_stop(n.out());
  if (x == n.out()) return {};
  return Fused{"", {x}, [x](Exporter& e) { e.set(e.thin(x)); }};
}

}  // namespace

std::optional<Fused> fuse_for_export(const Node& n, const Uses& uses) {
  for (const auto find : {relu, softmax, log_softmax, gelu, layer_norm, biased, max_pool, mean_pool, stopped})
    if (auto found = find(n, uses)) return found;
  return {};
}

}  // namespace viva
