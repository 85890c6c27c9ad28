// One member of Build for each operation, and the common compositions of them.
#include <algorithm>

#include "graph/build.h"

namespace viva {

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

Value Build::polygamma(Value x, int64_t order, Loc l) { return one_of("polygamma", {x}, {{"order", order}}, l); }

Value Build::widen(Value x, bool up, int64_t ulps, Loc l) {
  return one_of("widen", {x}, {{"direction", std::string(up ? "up" : "down")}, {"ulps", ulps}}, l);
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

Values Build::sort(Values xs, int64_t dim, Loc l) { return emit("sort", std::move(xs), {{"dim", dim}}, {}, l); }

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

Value Build::window_gather(Value x, Value offset, const WindowDims& dims, Loc l) {
  Attrs a;
  dims.put(a);
  return one_of("window_gather", {x, offset}, std::move(a), l);
}

Value Build::window_scatter(Value y, Value offset, const Shape& shape, const WindowDims& dims, Loc l) {
  Attrs a{{"shape", shape}};
  dims.put(a);
  return one_of("window_scatter", {y, offset}, std::move(a), l);
}

Value Build::triangular_solve(Value a, Value b, const Triangle& t, Loc l) {
  return one_of("triangular_solve", {a, b},
                {{"lower", t.lower}, {"transpose", t.transpose}, {"conjugate", t.conjugate}, {"unit", t.unit}}, l);
}
Values Build::lu(Value x, Loc l) { return emit("lu", {x}, {}, {}, l); }
Values Build::qr(Value x, Loc l) { return emit("qr", {x}, {}, {}, l); }
Values Build::eigh(Value x, Loc l) { return emit("eigh", {x}, {}, {}, l); }
Values Build::svd(Value x, Loc l) { return emit("svd", {x}, {}, {}, l); }
Value Build::fft(Value x, int64_t dim, bool inverse, Loc l) {
  return one_of("fft", {x}, {{"dim", dim}, {"inverse", inverse}}, l);
}

Values Build::call(const Body& f, Values args, std::string policy, Loc l) {
  return emit("call", std::move(args), {{"policy", std::move(policy)}}, {f}, l);
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
