#include "graph/build.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "graph/dims.h"
#include "graph/opdef.h"
#include "graph/prune.h"

namespace viva {
namespace {

void check_rank(const Type& t) {
  if (t.rank() > max_rank) throw usage_error("{} dimensions: at most {} are possible", t.rank(), max_rank);
}

}  // namespace

Build::Build(std::string function_name) : f_(std::make_shared<Function>()) { f_->name_ = std::move(function_name); }

Function& Build::open(const Where& where) const {
  if (!f_) throw Error(ErrorKind::usage, "the function is finished: begin a new Build", place(where));
  return *f_;
}

void Build::check(std::string_view op, Ins values, const Where& where) const {
  open(where);
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& v = values[i];
    const auto refuse = [&](std::string_view what) {
      return Error(ErrorKind::usage, fmt::format("[{}] operand {} {}", op, i, what), place(where));
    };
    if (!v) throw refuse("is absent");
    if (!own_.contains(v.node())) throw refuse("is a value of another function: hand it over as an argument");
    if (v.port() < 0 || v.port() >= v.node()->outputs()) throw refuse("is no output of its node");
  }
}

const Type& Build::type_of(std::string_view op, Value x, const Where& where) const {
  check(op, std::array{x}, where);
  return x.type();
}

const Type& Build::like(std::string_view op, Value x, const Where& where) const {
  if (!x) throw Error(ErrorKind::usage, fmt::format("[{}] the operand is absent", op), place(where));
  return x.type();
}

Node& Build::add(const OpDef* op, std::vector<Type> types, Where where) {
  Node& n = f_->nodes_.emplace_back();
  n.op = op;
  n.types = std::move(types);
  n.names.resize(n.types.size());
  n.where = std::move(where);
  n.id = static_cast<int64_t>(f_->nodes_.size()) - 1;
  own_.insert(&n);
  return n;
}

Value Build::parameter(const Type& type, std::string name, Where l) {
  if (open(l).nodes_.size() != f_->params_.size())
    throw Error(ErrorKind::usage,
                fmt::format("[parameter]{}{}: parameters come before every operation", name.empty() ? "" : " ", name),
                place(l));
  return f_->params_.emplace_back(late_parameter(type, std::move(name), l));
}

Value Build::parameter_like(Value p) {
  const Value made = parameter(p.type(), p.name());
  f_->nodes_.back().where = p.node()->where;
  return made;
}

Value Build::late_parameter(const Type& type, std::string name, Where l) {
  open(l);
  try {
    check_rank(type), numel(type.shape);
  } catch (const Error& e) { throw Error(e.kind(), fmt::format("[parameter] {}", e.message()), place(l)); }
  Node& n = add(nullptr, {type}, place(l));
  n.names = {std::move(name)};
  return n.out();
}

Values Build::emit(std::string_view name, Values in, Attrs attrs, std::vector<Body> bodies, Where where) {
  return emit(op(name), std::move(in), std::move(attrs), std::move(bodies), std::move(where));
}

Values Build::emit(const OpDef& op, Values in, Attrs attrs, std::vector<Body> bodies, Where where) {
  where = place(where);
  check(op.name, in, where);
  std::vector<Type> types;
  int64_t depth = f_->depth_;
  try {
    for (const Body& f : bodies) {
      if (!f) throw usage_error("a function is absent");
      depth = std::max(depth, f->depth() + 1);
    }
    if (depth > most_nested) throw usage_error("functions nest deeper than {}: inline some of the calls", most_nested);
    check_attributes(op, attrs);
    types = (*op.infer)({types_of(in), attrs, bodies});
    for (const Type& t : types) check_rank(t), numel(t.shape);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("[{}] {}", op.name, e.message()), e.where() ? e.where() : where);
  }
  Node& n = add(&op, std::move(types), std::move(where));
  n.in = std::move(in);
  n.attrs = std::move(attrs);
  n.bodies = std::move(bodies);
  f_->depth_ = depth;
  return n.outs();
}

Values Build::repeat(const Node& n, Values in) {
  const Values out = emit(*n.op, std::move(in), n.attrs, n.bodies, Where{});
  if (n.where) f_->nodes_.back().where = n.where;
  return out;
}

Values Build::copy(const Node& n, Values in) {
  Values out = repeat(n, std::move(in));
  f_->nodes_.back().names = n.names;
  return out;
}

Values Build::inline_call(const Function& f, Ins args, Where l) {
  const auto refuse = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("[call] {}{}", f.name(), what), place(l));
  };
  if (args.size() != f.params().size())
    throw refuse(fmt::format(" takes {} arguments, not {}", f.params().size(), args.size()));
  check("call", args, l);
  std::unordered_map<Value, Value, ValueHash> map;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].type() != f.params()[i].type())
      throw refuse(
          fmt::format(": argument {} is {}, not {}", i, to_string(args[i].type()), to_string(f.params()[i].type())));
    map[f.params()[i]] = args[i];
  }
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    Values in;
    for (const Value& v : n.in) in.push_back(map.at(v));
    const Values out = copy(n, std::move(in));
    for (int i = 0; i < n.outputs(); ++i) map[n.out(i)] = out[static_cast<size_t>(i)];
  }
  Values out;
  for (const Value& v : f.outputs()) out.push_back(map.at(v));
  return out;
}

void Build::set_name(Value v, std::string name, Loc l) {
  check("set_name", std::array{v}, l);
  f_->nodes_[static_cast<size_t>(v.node()->id)].names[static_cast<size_t>(v.port())] = std::move(name);
}

void Build::name_if_none(Value v, const std::string& name) {
  if (v && !name.empty() && v.name().empty()) set_name(v, name);
}

Body Build::finish(Values outputs, std::vector<std::string> output_names, Loc l) {
  check("return", outputs, l);
  output_names.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (output_names[i].empty()) output_names[i] = outputs[i].name();
  f_->outputs_ = std::move(outputs);
  f_->output_names_ = std::move(output_names);
  own_.clear();
  return std::move(f_);
}

Body Build::finish_with(Values params, Values outputs, std::vector<std::string> output_names, Loc l) {
  check("parameters", params, l);
  f_->params_ = std::move(params);
  const Body scattered = finish(std::move(outputs), std::move(output_names), l);
  // Pruning copies the function, parameters first.
  return pruned(*scattered);
}

Value Build::one_of(std::string_view op, Values in, Attrs attrs, Loc l) {
  return emit(op, std::move(in), std::move(attrs), {}, l).front();
}

Value Build::reduce(std::string_view op, Value x, Ints dims, Loc l) {
  std::ranges::sort(dims);
  return one_of(op, {x}, {{"dims", std::move(dims)}}, l);
}

Value Build::constant(Array value, Loc l) { return one_of("constant", {}, {{"value", std::move(value)}}, l); }
Value Build::scalar(Dtype dtype, double value, Loc l) { return constant(Array::full({dtype, {}}, value), l); }

Value Build::full(const Type& type, double value, Loc l) {
  const Value s = scalar(type.dtype, value, l);
  return type.shape.empty() ? s : broadcast(s, type.shape, {}, l);
}

Value Build::scale(Value x, double factor, Loc l) {
  const Dtype d = type_of("scale", x, l).dtype;
  if (is_integer(d) && Array::full({d, {}}, factor).at(0) != factor)
    throw Error(
        ErrorKind::usage,
        fmt::format("[scale] {} is no number of {}: convert the operand to a float dtype first", factor, name(d)),
        place(l));
  return mul(x, full_like(x, factor, l), l);
}

Value Build::iota(const Type& type, int64_t dim, Loc l) {
  return one_of("iota", {}, {{"dtype", type.dtype}, {"shape", type.shape}, {"dim", dim}}, l);
}

Value Build::rng_bits(Value key, Dtype dtype, Shape shape, Loc l) {
  return one_of("rng_bits", {key}, {{"dtype", dtype}, {"shape", std::move(shape)}}, l);
}

Value Build::compare(Direction d, Value x, Value y, Loc l) {
  return one_of("compare", {x, y}, {{"direction", std::string(to_string(d))}}, l);
}

Value Build::select(Value predicate, Value on_true, Value on_false, Loc l) {
  return one_of("select", {predicate, on_true, on_false}, {}, l);
}

Value Build::convert(Value x, Dtype to, Loc l) {
  return x && x.dtype() == to ? x : one_of("convert", {x}, {{"dtype", to}}, l);
}
Value Build::bitcast(Value x, Dtype to, Loc l) {
  return x && x.dtype() == to ? x : one_of("bitcast", {x}, {{"dtype", to}}, l);
}

Value Build::dot_general(Value lhs, Value rhs, const DotDims& dims, std::optional<Dtype> dtype, Loc l) {
  Attrs a{{"dtype", dtype.value_or(lhs ? lhs.dtype() : Dtype::float32)}};
  dims.put(a);
  return one_of("dot_general", {lhs, rhs}, std::move(a), l);
}

Value Build::dot(Value x, Value y, Loc l) {
  check("dot", std::array{x, y}, l);
  return dot_general(x, y, {.lhs_batch = {}, .rhs_batch = {}, .lhs_contract = {x.rank() - 1}, .rhs_contract = {0}}, {},
                     l);
}

Value Build::conv_general(Value lhs, Value rhs, const ConvDims& dims, std::optional<Dtype> dtype, Loc l) {
  Attrs a{{"dtype", dtype.value_or(lhs ? lhs.dtype() : Dtype::float32)}};
  dims.put(a);
  return one_of("conv_general", {lhs, rhs}, std::move(a), l);
}

Value Build::broadcast(Value x, Shape shape, Ints dims, Loc l) {
  if (x && x.shape() == shape && dims == iota_ints(x.rank())) return x;
  return one_of("broadcast", {x}, {{"shape", std::move(shape)}, {"dims", std::move(dims)}}, l);
}

Value Build::reshape(Value x, Shape shape, Loc l) {
  if (x && x.shape() == shape) return x;
  return one_of("reshape", {x}, {{"shape", std::move(shape)}}, l);
}

Value Build::transpose(Value x, Ints permutation, Loc l) {
  if (x && permutation == iota_ints(x.rank())) return x;
  return one_of("transpose", {x}, {{"permutation", std::move(permutation)}}, l);
}

Value Build::move_axis(Value x, int64_t from, int64_t to, Loc l) {
  const int64_t rank = type_of("move_axis", x, l).rank();
  for (int64_t d : {from, to})
    if (d < 0 || d >= rank)
      throw Error(ErrorKind::usage, fmt::format("[move_axis] dimension {} is outside {}", d, to_string(x.type())), l);
  Ints p = without(iota_ints(rank), std::array{from});
  p.insert(p.begin() + to, from);
  return transpose(x, std::move(p), l);
}

Value Build::reverse(Value x, Ints dims, Loc l) {
  check("reverse", std::array{x}, l);
  if (dims.empty()) return x;
  std::ranges::sort(dims);
  return one_of("reverse", {x}, {{"dims", std::move(dims)}}, l);
}

Value Build::slice(Value x, Ints start, Ints limit, Ints strides, Loc l) {
  if (strides.empty()) strides.assign(start.size(), 1);
  return one_of("slice", {x},
                {{"start", std::move(start)}, {"limit", std::move(limit)}, {"strides", std::move(strides)}}, l);
}

Value Build::pad(Value x, Value value, Ints low, Ints high, Ints interior, Loc l) {
  if (interior.empty()) interior.assign(low.size(), 0);
  return one_of("pad", {x, value},
                {{"low", std::move(low)}, {"high", std::move(high)}, {"interior", std::move(interior)}}, l);
}

Value Build::concatenate(Values xs, int64_t dim, Loc l) {
  if (xs.size() == 1) return xs.front();
  return one_of("concatenate", std::move(xs), {{"dim", dim}}, l);
}

Value Build::squeeze(Value x, const Ints& dims, Loc l) {
  check("squeeze", std::array{x}, l);
  for (int64_t d : dims)
    if (d < 0 || d >= x.rank() || x.dim(d) != 1)
      throw Error(ErrorKind::usage, fmt::format("[squeeze] {} has no dimension {} of extent 1", to_string(x.type()), d),
                  l);
  return reshape(x, without(x.shape(), dims), l);
}

Value Build::unsqueeze(Value x, const Ints& dims, Loc l) {
  Shape shape = type_of("unsqueeze", x, l).shape;
  Ints sorted = dims;
  std::ranges::sort(sorted);
  for (int64_t d : sorted) {
    if (d < 0 || d > static_cast<int64_t>(shape.size()))
      throw Error(ErrorKind::usage, fmt::format("[unsqueeze] dimension {} is outside {}", d, to_string(x.type())), l);
    shape.insert(shape.begin() + d, 1);
  }
  return reshape(x, std::move(shape), l);
}

Value Build::dynamic_slice(Value x, Values starts, Ints sizes, Loc l) {
  starts.insert(starts.begin(), x);
  return one_of("dynamic_slice", std::move(starts), {{"sizes", std::move(sizes)}}, l);
}

Value Build::dynamic_update_slice(Value x, Value update, Values starts, Loc l) {
  starts.insert(starts.begin(), {x, update});
  return one_of("dynamic_update_slice", std::move(starts), {}, l);
}

Value Build::gather(Value x, Value indices, Value fill, const GatherDims& dims, Loc l) {
  Attrs a;
  dims.put(a);
  return one_of("gather", {x, indices, fill}, std::move(a), l);
}

Value Build::scatter(Value x, Value indices, Value updates, Combine combine, const GatherDims& dims, Loc l) {
  Attrs a{{"combine", std::string(to_string(combine))}};
  dims.put(a);
  return one_of("scatter", {x, indices, updates}, std::move(a), l);
}

Value Build::reduce_sum(Value x, Ints dims, std::optional<Dtype> dtype, Loc l) {
  std::ranges::sort(dims);
  return one_of("reduce_sum", {x},
                {{"dims", std::move(dims)}, {"dtype", dtype.value_or(x ? x.dtype() : Dtype::float32)}}, l);
}

Value Build::argmax(Value x, int64_t dim, Dtype index, Loc l) {
  return one_of("argmax", {x}, {{"dim", dim}, {"dtype", index}}, l);
}

Value Build::cumsum(Value x, int64_t dim, bool reverse, Loc l) {
  return one_of("cumsum", {x}, {{"dim", dim}, {"reverse", reverse}}, l);
}

Value Build::window_sum(Value x, const WindowDims& dims, Loc l) {
  Attrs a;
  dims.put(a);
  return one_of("window_sum", {x}, std::move(a), l);
}

Value Build::window_argmax(Value x, const WindowDims& dims, Dtype index, Loc l) {
  Attrs a{{"dtype", index}};
  dims.put(a);
  return one_of("window_argmax", {x}, std::move(a), l);
}

Values Build::call(const Body& f, Values args, bool recompute, Loc l) {
  return emit("call", std::move(args), {{"policy", std::string(recompute ? "recompute" : "save")}}, {f}, l);
}

Values Build::barrier(Values xs, Loc l) { return emit("barrier", std::move(xs), {}, {}, l); }

Value Build::tap(Value x, std::string name, Loc l) { return one_of("tap", {x}, {{"name", std::move(name)}}, l); }

Value Build::broadcast_to(Value x, const Shape& shape, Loc l) {
  const auto skip = static_cast<int64_t>(shape.size()) - type_of("broadcast", x, l).rank();
  if (skip < 0)
    throw Error(ErrorKind::usage,
                fmt::format("[broadcast] {} has more dimensions than {}", to_string(x.type()), to_string(shape)), l);
  return broadcast(x, shape, iota_ints(x.rank(), skip), l);
}

Value Build::relu(Value x, Loc l) {
  check("relu", std::array{x}, l);
  const Value z = zero(x, l);
  return select(compare(Direction::gt, x, z, l), x, z, l);
}

Value Build::reduce_mean(Value x, const Ints& dims, Loc l) {
  if (const Type& t = type_of("reduce_mean", x, l); !is_float(t.dtype))
    throw Error(ErrorKind::usage, fmt::format("[reduce_mean] {}: convert it to a float dtype first", to_string(t)),
                place(l));
  const Dtype wide = size_of(x.dtype()) == 2 ? Dtype::float32 : x.dtype();  // sums of halves overflow
  const Value sum = reduce_sum(x, dims, wide, l);
  double count = 1;
  for (int64_t d : dims) count *= static_cast<double>(x.dim(d));
  return convert(scale(sum, 1 / count, l), x.dtype(), l);
}

Value Build::reduce_min(Value x, const Ints& dims, Loc l) {
  const bool is_real = is_float(type_of("reduce_min", x, l).dtype);
  const Value flipped = is_real ? neg(x, l) : logical_not(x, l);
  const Value r = reduce_max(flipped, dims, l);
  return is_real ? neg(r, l) : logical_not(r, l);
}

}  // namespace viva
