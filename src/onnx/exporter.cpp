#include "onnx/exporter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ranges>

#include "graph/opdef.h"
#include "ops/record.h"

namespace viva {
namespace {

constexpr uint32_t bit(Dtype d) { return 1u << static_cast<int>(d); }
template <class... D> constexpr uint32_t set_of(D... d) { return (bit(d) | ...); }
using enum Dtype;
constexpr uint32_t floats = set_of(float16, float32, float64);
constexpr uint32_t integers = set_of(int8, int16, int32, int64, uint8, uint16, uint32, uint64);
constexpr uint32_t wide = set_of(int32, int64) | floats;
constexpr uint32_t sums = set_of(int32, int64, float32, float64);  // 16-bit floats are summed in float32
constexpr uint32_t common = set_of(int8, int32, int64, uint8) | floats;

// The dtypes for which the schema of opset 21 and the CPU kernels of onnxruntime 1.32 take an operator; for float64 the
// schema alone decides, because no wider dtype could stand in for it. What is not listed takes all dtypes.
struct Kernels {
  std::string_view op;
  uint32_t dtypes;
};
// clang-format off
constexpr Kernels kernels[] = {
    {"Abs", integers | floats}, {"Add", integers | floats}, {"ArgMax", common}, {"Atan", floats},
    {"Ceil", floats}, {"Conv", floats}, {"Cos", floats}, {"CumSum", sums}, {"Div", integers | floats},
    {"Equal", bit(boolean) | integers | floats}, {"Erf", floats}, {"Exp", floats},
    {"Expand", bit(boolean) | integers | floats}, {"Floor", floats}, {"Gelu", floats}, {"Gemm", floats},
    {"Greater", integers | floats}, {"GreaterOrEqual", integers | floats}, {"IsNaN", floats},
    {"LayerNormalization", floats}, {"Less", integers | floats}, {"LessOrEqual", integers | floats}, {"Log", floats},
    {"LogSoftmax", floats}, {"MatMul", wide | set_of(uint32, uint64)}, {"Max", common | set_of(uint32, uint64)},
    {"MaxPool", set_of(int8, uint8) | floats}, {"Min", common | set_of(uint32, uint64)}, {"Mod", integers | floats},
    {"Mul", integers | floats}, {"Neg", set_of(int8, int16, int32, int64) | floats},
    {"Pad", common | set_of(boolean, uint32, uint64)}, {"Pow", wide}, {"ReduceMax", common | bit(boolean)},
    {"ReduceMin", common | bit(boolean)}, {"ReduceProd", sums}, {"ReduceSum", sums}, {"Relu", floats},
    {"Round", floats}, {"Sigmoid", floats}, {"Sign", integers | floats}, {"Sin", floats}, {"Softmax", floats},
    {"Softplus", floats}, {"Sqrt", floats}, {"Sub", integers | floats}, {"Tanh", floats},
    {"TopK", wide},
    {"Where", common | bit(uint32)},
};
// clang-format on

// Whether a shape becomes another by extents of 1 alone; which of the longer one's are the extra ones.
std::optional<Ints> extra_ones(const Shape& shorter, const Shape& longer) {
  Ints extra;
  size_t i = 0;
  for (size_t k = 0; k < longer.size(); ++k) {
    const size_t left = longer.size() - k, needed = shorter.size() - i;
    if (i < shorter.size() && longer[k] == shorter[i] && (longer[k] != 1 || left == needed)) ++i;
    else if (longer[k] == 1 && left > needed) extra.push_back(static_cast<int64_t>(k));
    else return std::nullopt;
  }
  return i == shorter.size() ? std::optional(extra) : std::nullopt;
}

bool all_equal(const Array& a) {
  const auto width = static_cast<size_t>(size_of(a.dtype()));
  for (int64_t i = 1; i < a.size(); ++i)
    if (!std::equal(a.data(), a.data() + width, a.data() + static_cast<size_t>(i) * width)) return false;
  return a.size() > 0;
}
Array first_of(const Array& a) {
  Array one = Array::make({a.dtype(), {}});
  std::copy_n(a.data(), size_of(a.dtype()), one.mutable_data());
  return one;
}

}  // namespace

Dtype computed_in(std::string_view op, Dtype d) {
  const auto* row = std::ranges::find(kernels, op, &Kernels::op);
  if (row == std::end(kernels) || row->dtypes & bit(d)) return d;
  if (is_float(d)) return float32;
  return size_of(d) < 4 ? int32 : int64;
}

Shape broadcast_of(const Shape& a, const Shape& b) {
  Shape r = a.size() < b.size() ? b : a;
  const Shape& other = a.size() < b.size() ? a : b;
  for (size_t i = 0; i < other.size(); ++i) {
    int64_t& extent = r[r.size() - other.size() + i];
    if (extent == 1) extent = other[i];
  }
  return r;
}

// Values

Out Exporter::thin(Value v) {
  const auto it = thin_.find(v);
  if (it == thin_.end()) throw internal_error("[export] a value is used before it is written");
  return it->second;
}

Out Exporter::full(Value v) {
  if (const auto it = full_.find(v); it != full_.end()) return it->second;
  return full_[v] = expand(thin(v), v.shape());
}

void Exporter::set(Out out, int port) { thin_[node_->out(port)] = std::move(out); }

// Nodes

Outs Exporter::emit(std::string_view op, std::span<const Out> in, std::span<const Type> types, DraftAttrs attrs) {
  DraftNode n{op, {}, {}, std::move(attrs), node_};
  for (const Out& x : in) n.in.push_back(x.id);
  Outs outs;
  for (const Type& t : types) outs.push_back({draft_.add(t), t}), n.out.push_back(outs.back().id);
  draft_.nodes.push_back(std::move(n));
  return outs;
}

Out Exporter::emit(std::string_view op, std::span<const Out> in, Type type, DraftAttrs attrs) {
  return emit(op, in, std::span(&type, 1), std::move(attrs)).front();
}

Out Exporter::pointwise(std::string_view op, std::initializer_list<Out> in, std::optional<Dtype> result,
                        DraftAttrs attrs) {
  const Dtype given = std::data(in)[in.size() - 1].dtype(), d = computed_in(op, given);
  Outs operands;
  Shape shape;
  for (const Out& x : in) {
    operands.push_back(x.dtype() == given ? cast(x, d) : x);
    shape = broadcast_of(shape, x.shape());
  }
  const Out r = emit(op, operands, {result.value_or(d), shape}, std::move(attrs));
  return result ? r : cast(r, given);
}

Out Exporter::where(Out p, Out yes, Out no) {
  if (yes.dtype() == boolean) return either(both(p, yes), both(negation(p), no));
  return pointwise("Where", {p, yes, no});
}

Out Exporter::cast(Out x, Dtype to) {
  if (x.dtype() == to) return x;
  if (is_complex(x.dtype()) || is_complex(to))
    refuse("no ONNX form is known: ONNX has no operators on complex numbers");
  if (is_constant(x)) return constant(known(x).converted(to));
  return emit("Cast", {x}, {to, x.shape()}, {{"to", onnx_number(to)}});
}

Out Exporter::bits(Out x, Dtype to) {
  if (x.dtype() == to) return x;
  return emit("BitCast", {x}, {to, x.shape()}, {{"to", onnx_number(to)}});
}

Out Exporter::constant(Array value) {
  Type type = value.type();
  return {draft_.add(type, "", std::move(value)), std::move(type)};
}

// Movement

Out Exporter::reshape(Out x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (is_constant(x)) return constant(known(x).reshaped(shape));
  const Type type{x.dtype(), shape};
  if (const auto extra = extra_ones(x.shape(), shape); extra && !extra->empty())
    return emit("Unsqueeze", {x, ints(*extra)}, type);
  if (const auto extra = extra_ones(shape, x.shape()); extra && !extra->empty())
    return emit("Squeeze", {x, ints(*extra)}, type);
  DraftAttrs attrs;
  if (contains(shape, 0)) attrs.emplace_back("allowzero", int64_t{1});
  return emit("Reshape", {x, ints(shape)}, type, std::move(attrs));
}

Out Exporter::transpose(Out x, const Ints& permutation) {
  if (permutation == iota_ints(x.rank())) return x;
  return emit("Transpose", {x}, {x.dtype(), permute(x.shape(), permutation)}, {{"perm", permutation}});
}

Out Exporter::expand(Out x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const Dtype given = x.dtype(), d = computed_in("Expand", given);
  return cast(emit("Expand", {cast(x, d), ints(shape)}, {d, shape}), given);
}

Out Exporter::slice(Out x, const Ints& start, const Ints& limit, const Ints& strides) {
  Ints axes, from, to, by;
  Shape shape = x.shape();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (start[i] == 0 && limit[i] == shape[i] && strides[i] == 1) continue;
    axes.push_back(static_cast<int64_t>(i)), by.push_back(strides[i]), from.push_back(start[i]);
    // Down to the first element: a limit of -1 would count from the end.
    to.push_back(strides[i] < 0 && limit[i] < 0 ? std::numeric_limits<int64_t>::min() : limit[i]);
    const int64_t span = strides[i] > 0 ? limit[i] - start[i] : start[i] - limit[i], step = std::abs(strides[i]);
    shape[i] = span <= 0 ? 0 : (span + step - 1) / step;
  }
  if (axes.empty()) return x;
  const Outs in{x, ints(from), ints(to), ints(axes), ints(by)};
  const bool plain = std::ranges::all_of(by, [](int64_t s) { return s == 1; });
  return emit("Slice", std::span(in).first(plain ? 4 : 5), {x.dtype(), shape});
}

Out Exporter::reverse(Out x, const Ints& dims) {
  if (dims.empty() || contains(x.shape(), 0)) return x;
  const auto n = static_cast<int64_t>(dims.size());
  // From the last element on, however many there are.
  return emit("Slice",
              {x, ints(Ints(dims.size(), -1)), ints(Ints(dims.size(), std::numeric_limits<int64_t>::min())), ints(dims),
               ints(Ints(static_cast<size_t>(n), -1))},
              x.type);
}

Out Exporter::pad(Out x, Out value, const Ints& low, const Ints& high) {
  // Crops first: what padding adds behind a crop must be the value, not an element.
  Ints start, limit, before, after, axes;
  Shape shape = x.shape();
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t from = std::clamp<int64_t>(-low[i], 0, shape[i]);
    const int64_t to = std::clamp<int64_t>(high[i] < 0 ? shape[i] + high[i] : shape[i], from, shape[i]);
    start.push_back(from), limit.push_back(to);
    const int64_t total = shape[i] + low[i] + high[i], kept = to - from;
    const int64_t front = std::min(std::max<int64_t>(low[i], 0), total - kept);
    shape[i] = total;
    if (total == kept) continue;
    axes.push_back(static_cast<int64_t>(i)), before.push_back(front), after.push_back(total - kept - front);
  }
  x = slice(x, start, limit, Ints(shape.size(), 1));
  if (axes.empty()) return x;
  Ints pads = before;
  pads.insert(pads.end(), after.begin(), after.end());
  const Dtype given = x.dtype(), d = computed_in("Pad", given);
  Outs in{cast(x, d), ints(pads), cast(value, d), ints(axes)};
  if (axes == iota_ints(x.rank())) in.pop_back();
  return cast(emit("Pad", in, {d, shape}), given);
}

// Each element with by - 1 of value behind it, without those behind the last.
Out Exporter::spread(Out x, Out value, const Ints& by) {
  for (size_t i = 0; i < by.size(); ++i) {
    const int64_t extent = x.shape()[i];
    if (by[i] == 1 || extent <= 1) continue;
    Shape apart = x.shape();
    apart.insert(apart.begin() + static_cast<int64_t>(i) + 1, 1);
    Ints low(apart.size(), 0), high(apart.size(), 0);
    high[i + 1] = by[i] - 1;
    Out wide = pad(reshape(x, apart), value, low, high);
    Shape shape = x.shape(), start(shape.size(), 0);
    shape[i] = extent * by[i];
    wide = reshape(wide, shape);
    shape[i] -= by[i] - 1;
    x = slice(wide, start, shape, Ints(shape.size(), 1));
  }
  return x;
}

Out Exporter::concatenate(std::span<const Out> xs, int64_t dim) {
  Type type = xs.front().type;
  int64_t& extent = type.shape[static_cast<size_t>(dim)];
  extent = 0;
  for (const Out& x : xs) extent += x.shape()[static_cast<size_t>(dim)];
  return xs.size() == 1 ? xs.front() : emit("Concat", xs, type, {{"axis", dim}});
}

Out Exporter::gather(Out x, Out indices, int64_t axis) {
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, indices.shape().begin(), indices.shape().end());
  return emit("Gather", {x, indices}, {x.dtype(), shape}, {{"axis", axis}});
}

Out Exporter::range(int64_t n, int64_t step) {
  const Out r = emit("Range", {integer(0), integer(n), integer(1)}, {int64, {n}});
  return step == 1 ? r : pointwise("Mul", {r, integer(step)});
}

Out Exporter::along(int64_t n, int64_t step, int64_t dim, int64_t rank) {
  Shape shape(static_cast<size_t>(rank - dim), 1);
  shape.front() = n;
  return reshape(range(n, step), shape);
}

namespace {

// What a reduction gives over nothing.
Array neutral(std::string_view op, Dtype d) {
  if (op == "ReduceSum") return Array::full({d, {}}, 0);
  if (op == "ReduceProd") return Array::full({d, {}}, 1);
  return dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) return Array::full({d, {}}, op == "ReduceMax" ? -INFINITY : INFINITY);
    else if constexpr (std::is_integral_v<T>)
      return Array::scalar(op == "ReduceMax" ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max());
    else return Array();
  });
}

}  // namespace

Out Exporter::reduce(std::string_view op, Out x, const Ints& dims, bool keep) {
  if (dims.empty()) return x;
  const Dtype given = x.dtype(), d = computed_in(op, given);
  Shape shape = without(x.shape(), dims);
  if (keep) {
    shape = x.shape();
    for (int64_t i : dims) shape[static_cast<size_t>(i)] = 1;
  }
  if (contains(x.shape(), 0)) return expand(constant(neutral(op, given)), shape);
  return cast(emit(op, {cast(x, d), ints(dims)}, {d, shape}, {{"keepdims", int64_t{keep}}}), given);
}

// The walk

Exporter::Exporter(const Body& f) {
  draft_.function = f;
  for (const Value& p : f->params()) {
    const int id = draft_.add(p.type(), p.name());
    draft_.inputs.push_back(id);
    thin_[p] = full_[p] = {id, p.type()};
  }
}

namespace {

std::string place_of(const Node& n) { return n.where ? fmt::format(" at {}", to_string(n.where)) : ""; }

std::string described(const Node& n) {
  std::string types;
  for (const Value& v : n.in) types += fmt::format("{}{}", types.empty() ? "" : ", ", to_string(v.type()));
  return fmt::format("{}({}){}", n.op->name, types, place_of(n));
}

}  // namespace

void Exporter::write(const Node& n) {
  node_ = &n;
  try {
    const ExportRow* row = find_export_row(n.op->name);
    if (!row) refuse("no ONNX form is known");
    if (!row->write) refuse("{}", row->as);
    const auto complex = [](const Type& t) { return is_complex(t.dtype); };
    if (std::ranges::any_of(types_of(n.in), complex) || std::ranges::any_of(n.types, complex))
      refuse("no ONNX form is known: ONNX has no operators on complex numbers");
    row->write(*this, n);
  } catch (const Refused& r) {
    if (refused_.empty()) first_refused_ = n.where;
    const std::string text = fmt::format("{}: {}", described(n), r.reason);
    if (std::ranges::find(refused_, text) == refused_.end()) refused_.push_back(text);
    // What follows is looked at too, so that all refusals are told at once.
    for (int i = 0; i < n.outputs(); ++i)
      set({draft_.add(n.types[static_cast<size_t>(i)]), n.types[static_cast<size_t>(i)]}, i);
  }
  for (int i = 0; i < n.outputs(); ++i) {
    std::string& name = draft_.tensors[static_cast<size_t>(thin(n.out(i)).id)].name;
    if (name.empty()) name = n.names[static_cast<size_t>(i)];
  }
  node_ = nullptr;
}

void Exporter::finish() {
  if (!refused_.empty()) {
    std::string all;
    for (const std::string& r : refused_ | std::views::take(8)) all += fmt::format("{}{}", all.empty() ? "" : "; ", r);
    if (refused_.size() > 8) all += fmt::format("; and {} more", refused_.size() - 8);
    throw Error(ErrorKind::unsupported, "[export_onnx] " + all, first_refused_);
  }
  std::unordered_set<int> taken(draft_.inputs.begin(), draft_.inputs.end());
  for (const Value& v : draft_.function->outputs()) {
    Out out = full(v);
    // An output is made by a node, and by no other output's.
    if (is_constant(out) || !taken.insert(out.id).second) out = emit("Identity", {out}, out.type);
    taken.insert(out.id);
    draft_.outputs.push_back(out.id);
  }
}

Draft Exporter::run() {
  const Function& f = *draft_.function;
  std::unordered_map<Value, int, ValueHash> uses;
  for (const Node& n : f.nodes())
    for (const Value& v : n.in) ++uses[v];
  for (const Value& v : f.outputs()) ++uses[v];
  // Backwards: what is needed, with a part that one operator says needing its inputs alone.
  std::unordered_set<const Node*> needed;
  std::unordered_map<const Node*, Fused> fused;
  for (const Value& v : f.outputs()) needed.insert(v.node());
  for (const Node& n : f.nodes() | std::views::reverse) {
    if (!n.op || !needed.contains(&n)) continue;
    const auto found = fuse_for_export(n, uses);
    for (const Value& v : found ? found->in : n.in) needed.insert(v.node());
    if (found) fused.emplace(&n, *found);
  }
  for (const Node& n : f.nodes()) {
    if (!n.op || !needed.contains(&n)) continue;
    if (n.op->name == "constant") {
      const Array& a = n.attrs.array("value");
      node_ = &n;
      set(constant(a.size() > 1 && !is_complex(a.dtype()) && all_equal(a) ? first_of(a) : a));
      node_ = nullptr;
    } else if (const auto it = fused.find(&n); it != fused.end()) {
      node_ = &n;
      it->second.write(*this);
      node_ = nullptr;
    } else write(n);
  }
  finish();
  return std::move(draft_);
}

}  // namespace viva
