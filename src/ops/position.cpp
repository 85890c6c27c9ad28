// Operations for which positions along a dimension count: argmax, cumsum.
#include <algorithm>
#include <array>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/reduction.h"

namespace viva {
namespace {

// argmax

std::vector<Type> argmax_infer(const Infer::Site& s) {
  require_operands(s, 1);
  require(in_domain<Ordered>(s.in[0].dtype), "takes {}, not {}", Ordered::text, spelled(s.in[0]));
  const int64_t dim = s.attrs.integer("dim");
  require_dims({dim}, s.in[0].rank(), "dimension");
  const Dtype d = s.attrs.dtype("dtype");
  require(d == Dtype::int32 || d == Dtype::int64, "gives i32 or i64, not {}", name(d));
  require(d == Dtype::int64 || s.in[0].shape[static_cast<size_t>(dim)] <= INT32_MAX, "{} has positions beyond i32",
          spelled(s.in[0]));
  return {{d, without(s.in[0].shape, std::array{dim})}};
}

std::vector<Array> argmax_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const int64_t dim = n.attrs.integer("dim");
  Array positions = Array::make({Dtype::int64, n.types[0].shape});
  dispatch(in[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Ordered::has<T>) {
      using A = Compute<T>;
      struct Best {
        A value{};
        int64_t at = 0, seen = 0;
        explicit operator int64_t() const { return at; }
      };
      fold<T, Best, int64_t>(in[0], positions, {dim}, Best{}, [](Best best, T v) {
        const A x = static_cast<A>(v);
        bool better = best.seen == 0 || x > best.value;
        if constexpr (std::is_floating_point_v<A>) better = !std::isnan(best.value) && (better || std::isnan(x));
        if (best.seen == 0 || better) best.value = x, best.at = best.seen;
        ++best.seen;
        return best;
      });
    }
  });
  return {positions.converted(n.types[0].dtype)};
}

Values argmax_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
                    Transforms&) {
  const int64_t dim = n.attrs.integer("dim"), moved = dim + (dim >= axis[0]);
  out_axis[0] = axis[0] - (moved < axis[0]);
  return {b.argmax(in[0], moved, n.types[0].dtype)};
}

Lowered argmax_lower(const Node& n) {
  loops::Register x;
  loops::Nest nest = reduction_nest(n, {n.attrs.integer("dim")}, x);
  nest.store(nest.reduce(loops::Reduction::argmax, {x}, n.types[0].dtype));
  return {std::move(nest)};
}

std::vector<Sample> argmax_samples() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto sample = [](std::string label, Array x, int64_t dim, Dtype d) {
    return Sample{std::move(label), {std::move(x)}, {{"dim", dim}, {"dtype", d}}, {}};
  };
  return {sample("rows", sample_floats({3, 4}, -2, 2, 0), 1, Dtype::int64),
          sample("columns", sample_floats({3, 4}, -2, 2, 1), 0, Dtype::int32),
          sample("ties", Array::of<double>({1, 3, 3, 2, 2, 2}, {2, 3}), 1, Dtype::int64),
          sample("nan", Array::of<double>({1, nan, nan, 2}, {4}), 0, Dtype::int64),
          sample("u8", sample_ints({2, 5}, 0, 3, 0, Dtype::uint8), 1, Dtype::int64),
          sample("empty", sample_floats({2, 0}, -2, 2, 0), 1, Dtype::int64)};
}

// cumsum

std::vector<Type> cumsum_infer(const Infer::Site& s) {
  require_operands(s, 1);
  require(in_domain<Numeric>(s.in[0].dtype), "takes {}, not {}", Numeric::text, spelled(s.in[0]));
  require_dims({s.attrs.integer("dim")}, s.in[0].rank(), "dimension");
  s.attrs.flag("reverse");
  return {s.in[0]};
}

std::vector<Array> cumsum_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
  const bool reverse = n.attrs.flag("reverse");
  const int64_t extent = in[0].shape()[dim], step = row_major(in[0].shape())[dim];
  Array out = Array::make(n.types[0]);
  dispatch(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Numeric::has<T>) {
      using A = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;
      const auto x = in[0].as<T>();
      auto o = out.as_mutable<T>();
      for_each_index(out.shape(), [&](const Ints& i, int64_t flat) {
        if (i[dim] != 0) return;
        A sum = 0;
        for (int64_t k = 0; k < extent; ++k) {
          const auto at = static_cast<size_t>(flat + (reverse ? extent - 1 - k : k) * step);
          sum += static_cast<A>(static_cast<Compute<T>>(x[at]));
          o[at] = static_cast<T>(sum);
        }
      });
    }
  });
  return {out};
}

Values cumsum_jvp(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0]}); }

void cumsum_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = b.cumsum(ct[0], n.attrs.integer("dim"), !n.attrs.flag("reverse"));
}

Values cumsum_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
                    Transforms&) {
  const int64_t dim = n.attrs.integer("dim");
  out_axis[0] = axis[0];
  return {b.cumsum(in[0], dim + (dim >= axis[0]), n.attrs.flag("reverse"))};
}

Lowered cumsum_lower(const Node& n) {
  loops::Register x;
  const int64_t dim = n.attrs.integer("dim");
  loops::Nest nest = reduction_nest(n, {dim}, x);
  nest.store(nest.scan(loops::Reduction::sum, x, n.types[0].dtype, n.attrs.flag("reverse")));
  const Ints strides = row_major(n.types[0].shape);
  nest.stores[0].strides = joined(without(strides, std::array{dim}), Ints{strides[static_cast<size_t>(dim)]});
  nest.stores[0].size = numel(n.types[0].shape);
  return {std::move(nest)};
}

std::vector<Sample> cumsum_samples() {
  const auto sample = [](std::string label, Array x, int64_t dim, bool reverse) {
    Sample s{std::move(label), {std::move(x)}, {{"dim", dim}, {"reverse", reverse}}, {}};
    if (has_tangent(s.in[0].dtype())) s.linear = {{true}};
    return s;
  };
  return {sample("rows", sample_floats({2, 5}, -2, 2, 0), 1, false),
          sample("columns reversed", sample_floats({4, 2}, -2, 2, 1), 0, true),
          sample("empty", sample_floats({0, 2}, -2, 2, 1), 0, false),
          sample("c128", sample_complex({2, 3}, -2, 2, 2), 1, false),
          sample("i32", sample_ints({6}, -9, 9, 0), 0, true)};
}

constexpr OpDef argmax_record = {
    .name = "argmax",
    .family = "reduction",
    .doc = "the position of the first greatest element, or of the first NaN; 0 over nothing",
    .attributes = "dim dtype",
    .infer = argmax_infer,
    .eval = argmax_eval,
    .jvp = integer_result,
    .split = plain_split,
    .transpose = Absent{Reason::not_linear, "a nonlinear function of the elements"},
    .batch = argmax_batch,
    .lower = argmax_lower,
    .prune = plain_prune,
    .bound = bounds::argmax,
    .samples = argmax_samples};
constexpr OpDef cumsum_record = {.name = "cumsum",
                                 .family = "reduction",
                                 .doc = "inclusive sums from the first position on, or in reverse from the last",
                                 .attributes = "dim reverse",
                                 .infer = cumsum_infer,
                                 .eval = cumsum_eval,
                                 .jvp = cumsum_jvp,
                                 .split = plain_split,
                                 .transpose = cumsum_transpose,
                                 .batch = cumsum_batch,
                                 .lower = cumsum_lower,
                                 .prune = plain_prune,
                                 .bound = bounds::cumsum,
                                 .samples = cumsum_samples};

constexpr std::array records = {
    &argmax_record,
    &cumsum_record,
};

}  // namespace

constinit const OpList ops::position = records;

}  // namespace viva
