// scatter: updates combined into an operand at starts that are data; the transpose of gather, with the same numbers.
#include <array>
#include <cmath>

#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/complex_math.h"
#include "ops/indexing.h"
#include "ops/pointwise.h"

namespace viva {
namespace {

Combine combine_of(const Node& n) { return combine_from(n.attrs.text("combine")); }

std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 3);
  const Type updates{s.in[0].dtype, IndexMap(GatherDims::from(s.attrs), s.in[0], s.in[1]).result};
  require(s.in[2] == updates, "updates are {}, not {}", spelled(s.in[2]), spelled(updates));
  const Combine c = combine_from(s.attrs.text("combine"));
  const bool arithmetic = c == Combine::add || c == Combine::mul, ordered = c == Combine::min || c == Combine::max;
  require(!arithmetic || in_domain<Numeric>(updates.dtype), "{} takes {}, not {}", spelled(c), Numeric::text,
          name(updates.dtype));
  require(!ordered || in_domain<Ordered>(updates.dtype), "{} takes {}, not {}", spelled(c), Ordered::text,
          name(updates.dtype));
  return {s.in[0]};
}

template <class C> C combined(Combine how, C x, C u) {
  if (how == Combine::set) return u;
  if constexpr (is_std_complex<C>) {
    if (how == Combine::min || how == Combine::max)
      throw internal_error("[scatter] {} of complex numbers", to_string(how));
    return how == Combine::add ? x + u : product(x, u);
  } else if constexpr (std::is_floating_point_v<C>) {
    if (how == Combine::add) return x + u;
    if (how == Combine::mul) return x * u;
    if (std::isnan(x) || std::isnan(u)) return x + u;
    if (x == u) return std::signbit(x) == (how == Combine::max) ? u : x;  // max(-0, 0) = 0, min(-0, 0) = -0
    return (x > u) == (how == Combine::max) ? x : u;
  } else {
    if (how == Combine::add) return static_cast<C>(static_cast<uint64_t>(x) + static_cast<uint64_t>(u));
    if (how == Combine::mul) return static_cast<C>(static_cast<uint64_t>(x) * static_cast<uint64_t>(u));
    return (x > u) == (how == Combine::max) ? x : u;
  }
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Combine how = combine_of(n);
  Array out = Array::make(n.types[0]);
  dispatch(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto y = out.as_mutable<T>();
    std::ranges::copy(in[0].as<T>(), y.begin());
    const auto u = in[2].as<T>();
    for_each_match(IndexMap(n), in[1], [&](int64_t from, int64_t at) {
      if (at < 0) return;
      T& place = y[static_cast<size_t>(at)];
      const T update = u[static_cast<size_t>(from)];
      if constexpr (std::is_same_v<T, Compute<T>>) place = combined(how, place, update);
      else if (how == Combine::set) place = update;
      else place = T(combined(how, Compute<T>(place), Compute<T>(update)));
    });
  });
  return {out};
}

struct Dual {
  Value value, tangent;
};

// The product over dimension 0 with its tangent, by pairwise halving: made of products alone, it is exact to every
// order where factors are zero.
Dual product(Build& b, Dual x) {
  while (x.value.dim(0) > 1) {
    const int64_t n = x.value.dim(0), half = n / 2;
    const auto rows = [&](Value v, int64_t from, int64_t to) {
      Ints start(v.shape().size(), 0), limit = v.shape();
      start[0] = from, limit[0] = to;
      return b.slice(v, std::move(start), std::move(limit));
    };
    const Dual low{rows(x.value, 0, half), rows(x.tangent, 0, half)};
    const Dual high{rows(x.value, half, 2 * half), rows(x.tangent, half, 2 * half)};
    Dual pairs{b.mul(low.value, high.value), b.add(b.mul(low.tangent, high.value), b.mul(low.value, high.tangent))};
    if (n % 2) {
      pairs.value = b.concatenate({pairs.value, rows(x.value, n - 1, n)}, 0);
      pairs.tangent = b.concatenate({pairs.tangent, rows(x.tangent, n - 1, n)}, 0);
    }
    x = pairs;
  }
  return {b.squeeze(x.value, {0}), b.squeeze(x.tangent, {0})};
}

// The tangent of mul in its updates. Every index row gets a copy of the operand's shape, filled with ones but for its
// slice: no two updates meet there, and the product over the copies is differentiated exactly. Costs memory for as many
// copies as there are index rows to one entry of the batch.
Value mul_tangent_of_updates(Build& b, const Node& n, Ins in, Value t) {
  const GatherDims d = GatherDims::from(n.attrs);
  const IndexMap m(n);
  const Ints rows = without(iota_ints(static_cast<int64_t>(m.batch_dims.size())), d.indices_batch);
  const auto count = static_cast<int64_t>(rows.size());
  const auto up = [&](Ints dims) {
    for (int64_t& i : dims) i += count;
    return dims;
  };
  const Shape extents = permute(m.indices, rows);
  const GatherDims apart{d.offset_dims,
                         up(d.collapsed),
                         joined(iota_ints(count), up(d.operand_batch)),
                         joined(rows, d.indices_batch),
                         up(d.start_map),
                         joined(Ints(rows.size(), 1), d.slice_sizes),
                         d.mode};
  const Type copies{n.types[0].dtype, joined(extents, m.operand)};
  const auto spread = [&](Value updates, double elsewhere) {
    const Value v = b.scatter(b.full(copies, elsewhere), in[1], updates, Combine::set, apart);
    return b.reshape(v, joined({numel(extents)}, m.operand));
  };
  return b.mul(in[0], product(b, {spread(in[2], 1), spread(t, 0)}).tangent);
}

Values jvp_mul(Build& b, const Node& n, Ins in, Ins t) {
  Value sum = t[0] ? b.repeat(n, {t[0], in[1], in[2]})[0] : Value{};
  if (t[2] && numel(n.in[2].shape()) > 0) {
    const Value second = mul_tangent_of_updates(b, n, in, t[2]);
    sum = sum ? b.add(sum, second) : second;
  }
  return {sum};
}

// All that attain an extreme share its tangent equally.
Values jvp_extreme(Build& b, const Node& n, Ins in, Value out, Ins t) {
  const GatherDims d = GatherDims::from(n.attrs);
  const Value there = b.gather(out, in[1], b.scalar(out.dtype(), 0), d);  // what it reads outside is dropped again
  const Value x_wins = b.compare(Direction::eq, in[0], out), u_wins = b.compare(Direction::eq, in[2], there);
  const auto total = [&](Value x, Value u) {
    x = x ? b.select(x_wins, x, b.zero(x)) : b.zero(out);
    return u ? b.scatter(x, in[1], b.select(u_wins, u, b.zero(u)), Combine::add, d) : x;
  };
  const Value winners = total(b.one(out), b.one(in[2]));
  return {b.div(total(t[0], t[2]), b.max(winners, b.one(winners)))};  // none wins where the result is NaN
}

Values jvp(Build& b, const Node& n, Ins in, Ins out, Ins t, Transforms&) {
  const Combine how = combine_of(n);
  if (how == Combine::mul) return jvp_mul(b, n, in, t);
  if (how == Combine::min || how == Combine::max) return jvp_extreme(b, n, in, out[0], t);
  // The order of updates is fixed, so for given indices the same update wins in the tangents.
  if (how == Combine::add && !t[2]) return {t[0]};
  return b.repeat(n, {t[0] ? t[0] : b.zero(in[0]), in[1], t[2] ? t[2] : b.zero(in[2])});
}

// True for the updates that stay: their numbers are scattered and those that are read back as they were have won.
Value winners_of_set(Build& b, const Node& n, Value indices) {
  const GatherDims d = GatherDims::from(n.attrs);
  const Shape& updates = n.in[2].shape();
  const Value numbers = b.reshape(b.iota({Dtype::int64, {numel(updates)}}, 0), updates);
  const Value none = b.full({Dtype::int64, n.types[0].shape}, -1);
  const Value last = b.scatter(none, indices, numbers, Combine::set, d);
  return b.compare(Direction::eq, b.gather(last, indices, b.scalar(Dtype::int64, -1), d), numbers);
}

void transpose_scatter(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> result, Transforms&) {
  const Combine how = combine_of(n);
  const GatherDims d = GatherDims::from(n.attrs);
  if (how == Combine::min || how == Combine::max || (how == Combine::mul && !in[2]))
    throw internal_error("[scatter] {} is not linear in its updates", to_string(how));
  const auto read_back = [&] { return b.gather(ct[0], in[1], b.scalar(ct[0].dtype(), 0), d); };
  if (how == Combine::add) {
    if (!in[0]) result[0] = ct[0];
    if (!in[2]) result[2] = read_back();
  } else if (how == Combine::mul) {
    result[0] = b.repeat(n, {ct[0], in[1], in[2]})[0];
  } else {
    const Value zeros = b.full(n.in[2].type(), 0);
    if (!in[0]) result[0] = b.scatter(ct[0], in[1], zeros, Combine::set, d);
    if (!in[2]) result[2] = b.select(winners_of_set(b, n, in[1]), read_back(), zeros);
  }
}

// Indices of their own for each entry pair up with the operand; shared indices move whole rows of entries.
Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  const GatherDims d = GatherDims::from(n.attrs);
  const Value x = batched_front(b, in[0], axis[0], size), updates = batched_front(b, in[2], axis[2], size);
  const Value indices = axis[1] < 0 ? in[1] : b.move_axis(in[1], axis[1], 0);
  out_axis[0] = 0;
  return {b.scatter(x, indices, updates, combine_of(n), axis[1] < 0 ? with_operand_axis(d, size) : with_both_axes(d))};
}

Lowered lower(const Node& n) {
  const IndexMap m(n);
  loops::Nest nest = loops::elementwise(m.result, types_of(n.in));
  MatchAccess access = match_access(nest, m, 1);
  const loops::Register updates = nest.load(2);
  loops::Scatter s{.target = m.operand,
                   .at = std::move(access.at),
                   .combine = static_cast<loops::Combine>(combine_of(n)),
                   .mask = access.fits,
                   .initial = 0};
  nest.stores.push_back({.reg = updates, .scatter = std::move(s)});
  return {std::move(nest)};
}

Values simplify(Build&, const Node& n, Ins in) { return numel(n.in[2].shape()) == 0 ? Values{in[0]} : Values{}; }

struct Case {
  std::string label;
  Shape x;
  Array indices;
  Shape updates;
  GatherDims dims;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (OutOfBounds mode : {OutOfBounds::fill, OutOfBounds::clip}) {
    const std::string m = mode == OutOfBounds::fill ? " fill " : " clip ";
    all.push_back({m + "rows repeated and outside",
                   {4, 2},
                   Array::of<int64_t>({2, -1, 4, 2, 2}, {5, 1}),
                   {5, 2},
                   {{1}, {0}, {}, {}, {0}, {1, 2}, mode}});
    all.push_back({m + "windows that overlap",
                   {4, 3},
                   Array::of<uint8_t>({0, 1, 1, 0, 3, 0}, {3, 2}),
                   {3, 2, 2},
                   {{1, 2}, {}, {}, {}, {0, 1}, {2, 2}, mode}});
    all.push_back({m + "batches",
                   {3, 2, 3},
                   Array::of<int16_t>({0, 2, 1, 1, 9, -2, 0, 1, 1, 1, 2, 2}, {2, 3, 2, 1}),
                   {2, 3, 2},
                   {{}, {2}, {0, 1}, {1, 0}, {2}, {1, 1, 1}, mode}});
    all.push_back({m + "no updates",
                   {2, 2},
                   Array::zeros({Dtype::int32, {0, 1}}),
                   {0, 2},
                   {{1}, {0}, {}, {}, {0}, {1, 2}, mode}});
    all.push_back({m + "one place", {}, Array::zeros({Dtype::int32, {3, 0}}), {3}, {{}, {}, {}, {}, {}, {}, mode}});
  }
  return all;
}

Sample sample(const Case& c, Combine how, Array x, Array updates) {
  Sample s{std::string(to_string(how)) + c.label,
           {std::move(x), c.indices, std::move(updates)},
           {{"combine", std::string(to_string(how))}},
           {}};
  c.dims.put(s.attrs);
  return s;
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  for (const Case& c : cases())
    for (Combine how : {Combine::set, Combine::add, Combine::mul, Combine::min, Combine::max}) {
      Sample s = sample(c, how, sample_floats(c.x, -2, 2, 1), sample_floats(c.updates, -1.7, 2.2, 2));
      if (how == Combine::add || how == Combine::set) s.linear = {{true, false, true}};
      if (how == Combine::mul) s.linear = {{true, false, false}};
      all.push_back(std::move(s));
      s = sample(c, how, sample_ints(c.x, 0, 3, 1), sample_ints(c.updates, 0, 3, 2));
      s.label += ", i32 with ties";
      all.push_back(std::move(s));
    }
  // Zeros at one place: the product's derivatives there need the other factors.
  const Case c = cases().front();
  Array zeros = sample_floats(c.updates, -2, 2, 3);
  for (size_t i : {size_t{0}, size_t{1}, size_t{6}}) zeros.as_mutable<double>()[i] = 0;
  Sample s = sample(c, Combine::mul, sample_floats(c.x, -2, 2, 1), std::move(zeros));
  s.label += ", zero factors", s.linear = {{true, false, false}};
  all.push_back(std::move(s));
  for (const Combine how : {Combine::set, Combine::add, Combine::mul}) {
    Sample z = sample(c, how, sample_complex(c.x, -2, 2, 1), sample_complex(c.updates, -1.7, 2.2, 2));
    z.label += ", c128", z.linear = {{true, false, how != Combine::mul}};
    all.push_back(std::move(z));
  }
  return all;
}

constexpr OpDef scatter_record = {
    .name = "scatter",
    .family = "indexing",
    .doc =
        "x with updates combined into it (set, add, mul, min, max) at the starts in indices, one after the other in "
        "row-major order; an update that does not fit is moved inside (clip) or dropped (fill)",
    .attributes =
        "offset_dims collapsed operand_batch indices_batch start_map "
        "slice_sizes mode combine",
    .infer = infer,
    .eval = eval,
    .jvp = jvp,
    .split = plain_split,
    .transpose = transpose_scatter,
    .batch = batch,
    .lower = lower,
    .prune = plain_prune,
    .bound = bounds::scatter,
    .simplify = simplify,
    .samples = samples,
};

constexpr std::array records = {
    &scatter_record,
};

}  // namespace

constinit const OpList ops::scatter = records;

}  // namespace viva
