// dot_general: products summed over contracted dimensions, for each batch index.
#include <algorithm>
#include <array>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/complex_math.h"
#include "ops/record.h"
#include "ops/reference.h"
#include "ops/series.h"

namespace viva {
namespace {

struct Free {
  Ints lhs, rhs;  // dimensions that are neither batch nor contracted, ascending
  Free(const DotDims& d, int64_t lhs_rank, int64_t rhs_rank)
      : lhs(without(iota_ints(lhs_rank), joined(d.lhs_batch, d.lhs_contract))),
        rhs(without(iota_ints(rhs_rank), joined(d.rhs_batch, d.rhs_contract))) {}
};

std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 2);
  const Type &x = s.in[0], &y = s.in[1];
  const DotDims d = DotDims::from(s.attrs);
  const Dtype out = s.attrs.dtype("dtype");
  require(x.dtype == y.dtype, "operands {} and {} differ in dtype", spelled(x), spelled(y));
  require(same_class(x.dtype, out), "does not take {} to {}", name(x.dtype), name(out));
  require_dims(joined(d.lhs_batch, d.lhs_contract), x.rank(), "left dimension");
  require_dims(joined(d.rhs_batch, d.rhs_contract), y.rank(), "right dimension");
  require(d.lhs_batch.size() == d.rhs_batch.size() && d.lhs_contract.size() == d.rhs_contract.size(),
          "batch or contracted dimensions differ in number");
  const auto same_extents = [&](const Ints& a, const Ints& c) { return permute(x.shape, a) == permute(y.shape, c); };
  require(same_extents(d.lhs_batch, d.rhs_batch), "batch extents of {} and {} differ", spelled(x), spelled(y));
  require(same_extents(d.lhs_contract, d.rhs_contract), "contracted extents of {} and {} differ", spelled(x),
          spelled(y));
  const Free free(d, x.rank(), y.rank());
  return {{out, joined(permute(x.shape, d.lhs_batch), permute(x.shape, free.lhs), permute(y.shape, free.rhs))}};
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const DotDims d = DotDims::from(n.attrs);
  const Free free(d, in[0].type().rank(), in[1].type().rank());
  const Ints xs = row_major(in[0].shape()), ys = row_major(in[1].shape());
  const Shape contracted = permute(in[0].shape(), d.lhs_contract);
  // The position in each operand, as strides over (output index, contracted index).
  const Ints zero_l(free.lhs.size(), 0), zero_r(free.rhs.size(), 0);
  const Ints x_out = joined(permute(xs, d.lhs_batch), permute(xs, free.lhs), zero_r),
             x_in = permute(xs, d.lhs_contract);
  const Ints y_out = joined(permute(ys, d.rhs_batch), zero_l, permute(ys, free.rhs)),
             y_in = permute(ys, d.rhs_contract);
  Array out = Array::make(n.types[0]);
  dispatch(in[0].dtype(), [&](auto from) {
    dispatch(out.dtype(), [&](auto to) {
      using T = typename decltype(from)::type;
      using R = typename decltype(to)::type;
      if constexpr ((is_float_type<T> && is_float_type<R>) || (is_std_complex<T> && is_std_complex<R>) ||
                    (std::is_integral_v<T> && std::is_integral_v<R> && !std::is_same_v<R, bool>)) {
        using Sum = std::conditional_t<
            std::is_integral_v<R>, uint64_t,
            std::common_type_t<std::conditional_t<std::is_integral_v<T>, R, Compute<T>>, Compute<R>>>;
        const auto x = in[0].as<T>(), y = in[1].as<T>();
        auto o = out.as_mutable<R>();
        for_each_index(out.shape(), [&](const Ints& i, int64_t flat) {
          Sum sum = 0;
          const int64_t x0 = flat_index(i, x_out), y0 = flat_index(i, y_out);
          for_each_index(contracted, [&](const Ints& k, int64_t) {
            const auto at = [&](auto v, int64_t i) {
              return static_cast<Sum>(static_cast<Compute<T>>(v[static_cast<size_t>(i)]));
            };
            sum += product(at(x, x0 + flat_index(k, x_in)), at(y, y0 + flat_index(k, y_in)));
          });
          o[static_cast<size_t>(flat)] = static_cast<R>(sum);
        });
      }
    });
  });
  return {out};
}

Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  const Value left = t[0] ? b.repeat(n, {t[0], in[1]}).front() : Value{};
  const Value right = t[1] ? b.repeat(n, {in[0], t[1]}).front() : Value{};
  return {!left ? right : !right ? left : b.add(left, right)};
}

// As for every product; where both factors have directions that are to be summed, they are contracted.
bool jet(JetSite& s) {
  if (!s.summed) return product_jet(s);
  Terms sum(s);
  for (int64_t i = 0; i <= s.order; ++i) {
    const Coefficient x = s.in(0, i), y = x ? s.in(1, s.order - i) : Coefficient{};
    if (!y) continue;
    if (!x.directional || !y.directional) {
      sum.add(apply(s.b, s.node, std::array{x, y}, s.series.directions, s.transforms));
      continue;
    }
    const auto moved = [](Ints dims) {
      for (int64_t& d : dims) ++d;
      return dims;
    };
    const DotDims d = DotDims::from(s.node.attrs);
    const DotDims both{moved(d.lhs_batch), moved(d.rhs_batch), inserted(moved(d.lhs_contract), 0, 0),
                       inserted(moved(d.rhs_contract), 0, 0)};
    sum.add({s.b.dot_general(x.value, y.value, both, s.node.types[0].dtype)});
  }
  s.set(0, s.order, sum.total());
  return true;
}

// ct [batch, lhs free, rhs free] · the other operand over that one's free dimensions gives [batch, own free, contracted
// in the other's order], which is then put back in place.
void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  const DotDims d = DotDims::from(n.attrs);
  const Free free(d, n.in[0].rank(), n.in[1].rank());
  const auto batches = static_cast<int64_t>(d.lhs_batch.size()), left = static_cast<int64_t>(free.lhs.size()),
             right = static_cast<int64_t>(free.rhs.size());
  const bool for_lhs = !in[0];
  const Value other = b.convert(for_lhs ? in[1] : in[0], ct[0].dtype());
  const Ints &own_batch = for_lhs ? d.lhs_batch : d.rhs_batch, &other_batch = for_lhs ? d.rhs_batch : d.lhs_batch;
  const Ints &own_contract = for_lhs ? d.lhs_contract : d.rhs_contract,
             &other_contract = for_lhs ? d.rhs_contract : d.lhs_contract;
  const Ints &own_free = for_lhs ? free.lhs : free.rhs, &other_free = for_lhs ? free.rhs : free.lhs;
  const Ints ct_contract = for_lhs ? iota_ints(right, batches + left) : iota_ints(left, batches);
  const Value raw =
      b.dot_general(ct[0], other, {iota_ints(batches), other_batch, ct_contract, other_free}, ct[0].dtype());
  Ints order = joined(own_batch, own_free), remaining = other_contract;
  std::ranges::sort(remaining);
  for (int64_t dim : remaining)
    order.push_back(own_contract[static_cast<size_t>(std::ranges::find(other_contract, dim) - other_contract.begin())]);
  const Value result = b.convert(b.transpose(raw, inverse_permutation(order)), n.in[for_lhs ? 0 : 1].dtype());
  r[for_lhs ? 0 : 1] = result;
}

int64_t position(const Ints& dims, int64_t dim) { return std::ranges::find(dims, dim) - dims.begin(); }

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
             Transforms&) {
  DotDims d = DotDims::from(n.attrs);
  const auto batches = static_cast<int64_t>(d.lhs_batch.size());
  if (axis[0] >= 0) d.lhs_batch = shifted(d.lhs_batch, axis[0]), d.lhs_contract = shifted(d.lhs_contract, axis[0]);
  if (axis[1] >= 0) d.rhs_batch = shifted(d.rhs_batch, axis[1]), d.rhs_contract = shifted(d.rhs_contract, axis[1]);
  const Free free(d, in[0].rank(), in[1].rank());
  if (axis[0] >= 0 && axis[1] >= 0) {
    d.lhs_batch.insert(d.lhs_batch.begin(), axis[0]), d.rhs_batch.insert(d.rhs_batch.begin(), axis[1]);
    out_axis[0] = 0;
  } else if (axis[0] >= 0) {
    out_axis[0] = static_cast<int>(batches + position(free.lhs, axis[0]));
  } else {
    out_axis[0] = static_cast<int>(batches + static_cast<int64_t>(free.lhs.size()) + position(free.rhs, axis[1]));
  }
  return {b.dot_general(in[0], in[1], d, n.types[0].dtype)};
}

// Loops: batch, left free, right free, then contracted.
Lowered lower(const Node& n) {
  const DotDims d = DotDims::from(n.attrs);
  const Free free(d, n.in[0].rank(), n.in[1].rank());
  const Shape contracted = permute(n.in[0].shape(), d.lhs_contract);
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  nest.extents.insert(nest.extents.end(), contracted.begin(), contracted.end());
  const auto batches = static_cast<int>(d.lhs_batch.size()), left = static_cast<int>(free.lhs.size()),
             out = static_cast<int>(n.types[0].rank());
  const auto access = [&](int64_t rank, const Ints& batch, const Ints& own, int own_loop, const Ints& contract) {
    std::vector<loops::Index> at(static_cast<size_t>(rank));
    const auto place = [&](const Ints& dims, int loop) {
      for (int64_t dim : dims) at[static_cast<size_t>(dim)] = nest.at(loop++);
    };
    place(batch, 0), place(own, own_loop), place(contract, out);
    return at;
  };
  const auto x = nest.load(0, access(n.in[0].rank(), d.lhs_batch, free.lhs, batches, d.lhs_contract));
  const auto y = nest.load(1, access(n.in[1].rank(), d.rhs_batch, free.rhs, batches + left, d.rhs_contract));
  nest.store(nest.reduce(loops::Reduction::dot, {x, y}, n.types[0].dtype));
  return {std::move(nest)};
}

std::vector<Sample> samples() {
  const auto sample = [](std::string label, Shape x, Shape y, const DotDims& d, Dtype from = Dtype::float64,
                         Dtype to = Dtype::float64) {
    const auto operand = [from](Shape shape, int seed) {
      return is_float(from)     ? sample_floats(std::move(shape), -2, 2, seed, from)
             : is_complex(from) ? sample_complex(std::move(shape), -2, 2, seed, from)
                                : sample_ints(std::move(shape), -9, 9, seed, from);
    };
    Sample s{std::move(label), {operand(std::move(x), 0), operand(std::move(y), 3)}, {{"dtype", to}}, {}};
    d.put(s.attrs);
    if (from == Dtype::float64 || from == Dtype::complex128) s.linear = {{true, false}, {false, true}};
    return s;
  };
  return {sample("matrix", {2, 3}, {3, 4}, {{}, {}, {1}, {0}}),
          sample("vectors", {3}, {3}, {{}, {}, {0}, {0}}),
          sample("batch", {2, 3, 4}, {4, 2, 5}, {{0}, {1}, {2}, {0}}),
          sample("two contracted", {4, 2, 3}, {3, 5, 4}, {{}, {}, {0, 2}, {2, 0}}),
          sample("two batches", {2, 3, 2}, {3, 2, 2}, {{0, 1}, {1, 0}, {2}, {2}}),
          sample("outer", {2}, {3}, {{}, {}, {}, {}}),
          sample("nothing contracted away", {2, 0}, {0, 3}, {{}, {}, {1}, {0}}),
          sample("c128", {2, 3}, {2, 3, 2}, {{0}, {0}, {1}, {1}}, Dtype::complex128, Dtype::complex128),
          sample("c64", {2, 3}, {3, 2}, {{}, {}, {1}, {0}}, Dtype::complex64, Dtype::complex64),
          sample("i8 to i32", {2, 3}, {3, 2}, {{}, {}, {1}, {0}}, Dtype::int8, Dtype::int32),
          sample("bf16 to f32", {2, 3}, {3, 2}, {{}, {}, {1}, {0}}, Dtype::bfloat16, Dtype::float32)};
}

constexpr OpDef dot_general_record = {.name = "dot_general",
                                      .family = "contraction",
                                      .doc = "sums of products over contracted dimensions, for each batch index",
                                      .attributes = "lhs_batch rhs_batch lhs_contract rhs_contract dtype",
                                      .infer = viva::infer,
                                      .eval = viva::eval,
                                      .jvp = viva::jvp,
                                      .split = plain_split,
                                      .transpose = viva::transpose,
                                      .batch = viva::batch,
                                      .lower = viva::lower,
                                      .prune = plain_prune,
                                      .bound = bounds::dot_general,
                                      .jet = viva::jet,
                                      .samples = viva::samples};

constexpr std::array records = {
    &dot_general_record,
};

}  // namespace

constinit const OpList ops::contraction = records;

}  // namespace viva
