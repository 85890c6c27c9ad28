// Reductions over dimensions.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/complex_math.h"
#include "ops/reduction.h"

namespace viva {
namespace {

Type reduced_type(const Node& n) { return n.types[0]; }
const Ints& dims_of(const Node& n) { return n.attrs.ints("dims"); }

template <class Domain> Shape reduced_shape(const Infer::Site& s) {
  require_operands(s, 1);
  require(in_domain<Domain>(s.in[0].dtype), "takes {}, not {}", Domain::text, spelled(s.in[0]));
  require_sorted_dims(s.attrs.ints("dims"), s.in[0].rank(), "dimension");
  return without(s.in[0].shape, s.attrs.ints("dims"));
}

struct Truth {
  static constexpr std::string_view text = "bool";
  template <class T> static constexpr bool has = std::is_same_v<T, bool>;
};

template <class Domain> std::vector<Type> infer_same(const Infer::Site& s) {
  return {{s.in.empty() ? Dtype::boolean : s.in[0].dtype, reduced_shape<Domain>(s)}};
}

// x put back along the reduced dimensions of the operand.
Value spread(Build& b, const Node& n, Value x) {
  const Shape& shape = n.in[0].shape();
  return b.broadcast(x, shape, without(iota_ints(n.in[0].rank()), dims_of(n)));
}

Values batch_dims(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
                  Transforms&) {
  Attrs a = n.attrs;
  const Ints dims = shifted(dims_of(n), axis[0]);
  a.set("dims", dims);
  out_axis[0] = axis[0] - static_cast<int>(std::ranges::count_if(dims, [&](int64_t d) { return d < axis[0]; }));
  return b.emit(*n.op, {in[0]}, std::move(a));
}

template <loops::Reduction kind> Lowered lower_reduction(const Node& n) {
  loops::Register x;
  loops::Nest nest = reduction_nest(n, dims_of(n), x);
  nest.store(nest.reduce(kind, {x}, n.types[0].dtype));
  return {std::move(nest)};
}

Values no_dims_simplify(Build&, const Node& n, Ins in) {
  return dims_of(n).empty() && n.types[0] == in[0].type() ? Values{in[0]} : Values{};
}

std::vector<Sample> reduction_samples(bool integers, bool bools, bool floats, bool linear, bool dtype, bool complex) {
  std::vector<Sample> all;
  const auto add = [&](std::string label, Array x, Ints dims, std::optional<Dtype> to = {}) {
    Sample s{std::move(label), {std::move(x)}, {{"dims", std::move(dims)}}, {}};
    if (dtype) s.attrs.set("dtype", to.value_or(s.in[0].dtype()));
    if (linear && (s.in[0].dtype() == Dtype::float64 || s.in[0].dtype() == Dtype::complex128)) s.linear = {{true}};
    all.push_back(std::move(s));
  };
  if (floats) {
    add("last", sample_floats({2, 3}, -2, 2, 0), {1}), add("first", sample_floats({5, 2}, -2, 2, 1), {0});
    add("outer two", sample_floats({2, 3, 4}, -2, 2, 2), {0, 2}), add("all", sample_floats({3, 2}, -2, 2, 3), {0, 1});
    add("none", sample_floats({3}, -2, 2, 4), {}), add("empty result", sample_floats({0, 3}, -2, 2, 5), {1});
    add("empty range", sample_floats({2, 0}, -2, 2, 5), {1});
    add("with a zero", Array::of<double>({1.5, 0, -2, 3}, {2, 2}), {1});
    if (complex) {
      add("c128", sample_complex({2, 3}, -2, 2, 6), {1}), add("c128 all", sample_complex({2, 2}, -2, 2, 7), {0, 1});
      add("c64", sample_complex({3, 2}, -2, 2, 8, Dtype::complex64), {0});
    }
  }
  if (integers)
    add("i32", sample_ints({3, 4}, -9, 9, 0), {0}), add("u8", sample_ints({2, 3}, 0, 200, 0, Dtype::uint8), {1});
  if (dtype) add("i8 to i32", sample_ints({3, 40}, 50, 120, 0, Dtype::int8), {1}, Dtype::int32);
  if (bools)
    add("bool", sample_ints({3, 4}, 0, 1, 0, Dtype::boolean), {1}),
        add("bool none", Array::zeros({Dtype::boolean, {2, 0}}), {1});
  return all;
}

// reduce_sum

std::vector<Type> sum_infer(const Infer::Site& s) {
  const Shape shape = reduced_shape<Numeric>(s);
  const Dtype from = s.in[0].dtype, to = s.attrs.dtype("dtype");
  require(same_class(from, to), "does not sum {} in {}", name(from), name(to));
  return {{to, shape}};
}

std::vector<Array> sum_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  if (dims_of(n).empty()) return {in[0].converted(reduced_type(n).dtype)};  // -0 stays -0
  Array out = Array::make(reduced_type(n));
  dispatch(in[0].dtype(), [&](auto from) {
    dispatch(out.dtype(), [&](auto to) {
      using T = typename decltype(from)::type;
      using R = typename decltype(to)::type;
      if constexpr (Numbers::has<T> && std::is_integral_v<T> && Numbers::has<R> && std::is_integral_v<R>)
        fold<T, uint64_t, R>(in[0], out, dims_of(n), uint64_t{0},
                             [](uint64_t a, auto v) { return a + static_cast<uint64_t>(v); });
      else if constexpr ((is_float_type<T> && is_float_type<R>) || (is_std_complex<T> && is_std_complex<R>)) {
        using A = std::common_type_t<Compute<T>, Compute<R>>;
        fold<T, A, R>(in[0], out, dims_of(n), A(0),
                      [](A a, T v) { return a + static_cast<A>(static_cast<Compute<T>>(v)); });
      }
    });
  });
  return {out};
}

Values sum_jvp(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0]}); }

void sum_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = spread(b, n, b.convert(ct[0], n.in[0].dtype()));
}

// reduce_max

std::vector<Array> max_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(reduced_type(n));
  dispatch(in[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Ordered::has<T>) {
      using A = Compute<T>;
      A lowest = std::numeric_limits<A>::lowest();
      if constexpr (std::is_floating_point_v<A>) lowest = -std::numeric_limits<A>::infinity();
      fold<T, A, T>(in[0], out, dims_of(n), lowest, [](A a, T v) {
        const A x = static_cast<A>(v);
        if constexpr (std::is_floating_point_v<A>) {
          if (std::isnan(a) || std::isnan(x)) return a + x;
          if (a == x) return std::signbit(a) ? x : a;
        }
        return x > a ? x : a;
      });
    }
  });
  return {out};
}

// The mean of the tangents of the greatest elements; of nothing, a constant, it is 0.
Values max_jvp(Build& b, const Node& n, Ins in, Ins out, Ins t, Transforms&) {
  if (numel(in[0].shape()) == 0) return {Value{}};
  const Value greatest = b.compare(Direction::eq, in[0], spread(b, n, out[0]));
  const Value tangents = b.select(greatest, t[0], b.zero(t[0])), winners = b.convert(greatest, in[0].dtype());
  return {b.div(b.reduce_sum(tangents, dims_of(n)), b.reduce_sum(winners, dims_of(n)))};
}

// reduce_prod

std::vector<Array> prod_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(reduced_type(n));
  dispatch(in[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Numeric::has<T>) {
      using A = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;
      fold<T, A, T>(in[0], out, dims_of(n), A(1),
                    [](A a, T v) { return product(a, static_cast<A>(static_cast<Compute<T>>(v))); });
    }
  });
  return {out};
}

// Halves are multiplied until one element is left. No division, so it is right beside zeros, at every order.
Values prod_jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  const Ints& dims = dims_of(n);
  const Ints kept = without(iota_ints(n.in[0].rank()), dims), order = joined(kept, dims);
  Shape flat = without(n.in[0].shape(), dims);
  int64_t count = 1;
  for (int64_t d : dims) count *= n.in[0].dim(d);
  flat.push_back(count);
  const int64_t last = static_cast<int64_t>(flat.size()) - 1;
  Value x = b.reshape(b.transpose(in[0], order), flat), tangent = b.reshape(b.transpose(t[0], order), flat);
  if (count == 0) return {Value{}};
  const auto part = [&](Value v, int64_t from, int64_t to) {
    Ints start(flat.size(), 0), limit = v.shape();
    start.back() = from, limit.back() = to;
    return b.slice(v, start, limit);
  };
  while (count > 1) {
    const int64_t half = count / 2;
    const Value p = part(x, 0, half), q = part(x, half, 2 * half), tp = part(tangent, 0, half),
                tq = part(tangent, half, 2 * half);
    Values xs{b.mul(p, q)}, ts{b.add(b.mul(tp, q), b.mul(p, tq))};
    if (count % 2) xs.push_back(part(x, 2 * half, count)), ts.push_back(part(tangent, 2 * half, count));
    x = b.concatenate(xs, last), tangent = b.concatenate(ts, last);
    count = half + count % 2;
  }
  return {b.reshape(tangent, n.types[0].shape)};
}

// reduce_and, reduce_or

template <bool all> std::vector<Array> truth_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(reduced_type(n));
  fold<bool, bool, bool>(in[0], out, dims_of(n), all, [](bool a, bool v) { return all ? a && v : a || v; });
  return {out};
}

std::vector<Sample> sum_samples() { return reduction_samples(true, false, true, true, true, true); }
std::vector<Sample> prod_samples() { return reduction_samples(true, false, true, false, false, true); }
std::vector<Sample> truth_samples() { return reduction_samples(false, true, false, false, false, false); }
std::vector<Sample> max_samples() {
  std::vector<Sample> all = reduction_samples(true, true, true, false, false, false);
  std::erase_if(all, [](const Sample& s) { return s.label == "empty range"; });  // -inf has no tangent to share
  return all;
}

constexpr Absent not_linear{Reason::not_linear, "a nonlinear function of the elements"};

constexpr OpDef reduce_sum_record = {.name = "reduce_sum",
                                     .family = "reduction",
                                     .doc = "the sum over dimensions, accumulated and given in dtype; 0 over nothing",
                                     .attributes = "dims dtype",
                                     .infer = sum_infer,
                                     .eval = sum_eval,
                                     .jvp = sum_jvp,
                                     .split = plain_split,
                                     .transpose = sum_transpose,
                                     .batch = batch_dims,
                                     .lower = lower_reduction<loops::Reduction::sum>,
                                     .prune = plain_prune,
                                     .bound = bounds::reduce_sum,
                                     .simplify = no_dims_simplify,
                                     .samples = sum_samples};
constexpr OpDef reduce_max_record = {
    .name = "reduce_max",
    .family = "reduction",
    .doc =
        "the greatest over dimensions; NaN propagates; equal maxima share the tangent; the lowest value over nothing",
    .attributes = "dims",
    .infer = infer_same<Ordered>,
    .eval = max_eval,
    .jvp = max_jvp,
    .split = plain_split,
    .transpose = not_linear,
    .batch = batch_dims,
    .lower = lower_reduction<loops::Reduction::max>,
    .prune = plain_prune,
    .bound = bounds::reduce_max,
    .simplify = no_dims_simplify,
    .samples = max_samples};
constexpr OpDef reduce_prod_record = {.name = "reduce_prod",
                                      .family = "reduction",
                                      .doc = "the product over dimensions; 1 over nothing",
                                      .attributes = "dims",
                                      .infer = infer_same<Numeric>,
                                      .eval = prod_eval,
                                      .jvp = prod_jvp,
                                      .split = plain_split,
                                      .transpose = not_linear,
                                      .batch = batch_dims,
                                      .lower = lower_reduction<loops::Reduction::product>,
                                      .prune = plain_prune,
                                      .bound = bounds::reduce_prod,
                                      .simplify = no_dims_simplify,
                                      .samples = prod_samples};
constexpr OpDef reduce_and_record = {.name = "reduce_and",
                                     .family = "reduction",
                                     .doc = "whether all hold; true over nothing",
                                     .attributes = "dims",
                                     .infer = infer_same<Truth>,
                                     .eval = truth_eval<true>,
                                     .jvp = integer_result,
                                     .split = plain_split,
                                     .transpose = not_linear,
                                     .batch = batch_dims,
                                     .lower = lower_reduction<loops::Reduction::all>,
                                     .prune = plain_prune,
                                     .bound = bounds::moves_all,
                                     .simplify = no_dims_simplify,
                                     .samples = truth_samples};
constexpr OpDef reduce_or_record = {.name = "reduce_or",
                                    .family = "reduction",
                                    .doc = "whether any holds; false over nothing",
                                    .attributes = "dims",
                                    .infer = infer_same<Truth>,
                                    .eval = truth_eval<false>,
                                    .jvp = integer_result,
                                    .split = plain_split,
                                    .transpose = not_linear,
                                    .batch = batch_dims,
                                    .lower = lower_reduction<loops::Reduction::any>,
                                    .prune = plain_prune,
                                    .bound = bounds::moves_all,
                                    .simplify = no_dims_simplify,
                                    .samples = truth_samples};
constexpr std::array records = {
    &reduce_sum_record, &reduce_max_record, &reduce_prod_record, &reduce_and_record, &reduce_or_record,
};

}  // namespace

constinit const OpList ops::reduction = records;

}  // namespace viva
