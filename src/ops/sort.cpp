// sort: the keys in ascending order, and arrays that are carried along.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"
#include "ops/series.h"

namespace viva {
namespace {

std::vector<Type> infer(const Infer::Site& s) {
  require(!s.in.empty(), "takes at least one operand");
  const Type& key = s.in[0];
  require(in_domain<Ordered>(key.dtype), "sorts by {}, not by {}", Ordered::text, spelled(key));
  for (const Type& t : s.in)
    require(t.shape == key.shape, "operands {} and {} differ in shape", spelled(key), spelled(t));
  require_dims({s.attrs.integer("dim")}, key.rank(), "dimension");
  return {s.in.begin(), s.in.end()};
}

// A total order: NaN after everything, equal keys by their places.
template <class C> struct Keyed {
  C key;
  int64_t place;
  friend bool operator<(const Keyed& a, const Keyed& b) {
    if constexpr (std::is_floating_point_v<C>) {
      const bool a_nan = std::isnan(a.key), b_nan = std::isnan(b.key);
      if (a_nan || b_nan) return a_nan == b_nan ? a.place < b.place : b_nan;
    }
    return a.key < b.key || (!(b.key < a.key) && a.place < b.place);
  }
};

// Every row along `dim`: `extent` elements `step` apart.
struct Rows {
  int64_t extent = 0, step = 1, count = 0;
  explicit Rows(const Node& n) {
    const Shape& shape = n.types[0].shape;
    const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
    extent = shape[dim], step = row_major(shape)[dim];
    count = extent == 0 ? 0 : numel(shape) / extent;
  }
  int64_t first(int64_t row) const { return row / step * step * extent + row % step; }
};

void carry(const std::byte* from, std::byte* to, int64_t element, const Rows& rows, int64_t first,
           std::span<const int64_t> places) {
  const auto width = static_cast<size_t>(element);
  for (size_t i = 0; i < places.size(); ++i)
    std::memcpy(to + (first + static_cast<int64_t>(i) * rows.step) * element,
                from + (first + places[i] * rows.step) * element, width);
}

// Rows [begin, end) of all operands.
void sort_rows(std::span<const Type> types, const Rows& rows, int64_t begin, int64_t end,
               std::span<const void* const> in, std::span<void* const> out) {
  dispatch(types[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Ordered::has<T>) {
      using C = Compute<T>;
      const auto* keys = static_cast<const T*>(in[0]);
      std::vector<Keyed<C>> row(static_cast<size_t>(rows.extent));
      std::vector<int64_t> places(row.size());
      for (int64_t r = begin; r < end; ++r) {
        const int64_t first = rows.first(r);
        for (int64_t i = 0; i < rows.extent; ++i)
          row[static_cast<size_t>(i)] = {static_cast<C>(keys[first + i * rows.step]), i};
        std::ranges::sort(row, std::less<Keyed<C>>{});
        std::ranges::transform(row, places.begin(), &Keyed<C>::place);
        for (size_t k = 0; k < types.size(); ++k)
          carry(static_cast<const std::byte*>(in[k]), static_cast<std::byte*>(out[k]), size_of(types[k].dtype), rows,
                first, places);
      }
    }
  });
}

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  std::vector<Array> results;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Type& t : n.types) results.push_back(Array::make(t));
  for (size_t i = 0; i < in.size(); ++i) from.push_back(in[i].data()), to.push_back(results[i].mutable_data());
  const Rows rows(n);
  sort_rows(n.types, rows, 0, rows.count, from, to);
  return results;
}

Lowered lower(const Node& n) {
  constexpr double part_work = 1 << 15;  // elements worth a part
  constexpr int64_t most_parts = 64;
  const Rows rows(n);
  const int64_t parts =
      std::min(even_parts(static_cast<double>(rows.count) * static_cast<double>(rows.extent) / part_work, most_parts),
               std::max<int64_t>(rows.count, 1));
  return {loops::Host{"sort", [types = n.types, rows, parts](auto in, auto out, ThreadPool& pool) {
                        pool.run(parts, [&](int64_t p) {
                          sort_rows(types, rows, rows.count * p / parts, rows.count * (p + 1) / parts, in, out);
                        });
                      }}};
}

// Tangents are carried along like any other array.
Values jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  Values all(in.begin(), in.end());
  for (const Value& v : t)
    if (v) all.push_back(v);
  const Values sorted = b.sort(std::move(all), n.attrs.integer("dim"));
  Values result;
  size_t next = in.size();
  for (const Value& v : t) result.push_back(v ? sorted[next++] : Value{});
  result.insert(result.end(), sorted.begin(), sorted.begin() + static_cast<int64_t>(in.size()));
  return result;
}

// All coefficients are carried along at once; directions by as many sorts as have them.
bool jet(JetSite& s) {
  if (s.series.directions > 0) return false;
  const size_t operands = s.node.in.size();
  Values all;
  for (size_t i = 0; i < operands; ++i) all.push_back(s.in(i, 0).value);
  const Mask present = present_coefficients(s);
  const auto order = static_cast<size_t>(s.series.order);
  for (size_t c = 0; c < present.size(); ++c)
    if (present[c]) all.push_back(s.in(c / order, static_cast<int64_t>(c % order) + 1).value);
  const Values sorted = s.b.sort(std::move(all), s.node.attrs.integer("dim"));
  for (size_t i = 0; i < operands; ++i) s.set(i, 0, {sorted[i]});
  for (size_t c = 0, next = operands; c < present.size(); ++c)
    if (present[c]) s.set(c / order, static_cast<int64_t>(c % order) + 1, {sorted[next++]});
  s.finish();
  return true;
}

// Where the keys are known, so is what is carried of known arrays; the rest is carried on the unknown side.
void split(SplitSite& s, const Node& n, std::span<Value> out_known, std::span<Value> out_unknown, Transforms& t) {
  if (!s.in_known[0]) return plain_split(s, n, out_known, out_unknown, t);
  const int64_t dim = n.attrs.integer("dim");
  Values known, unknown;
  for (size_t i = 0; i < n.in.size(); ++i)
    if (s.in_known[i]) known.push_back(s.in_known[i]);
  if (known.size() < n.in.size()) unknown.push_back(s.residual(s.in_known[0]));
  for (size_t i = 0; i < n.in.size(); ++i)
    if (!s.in_known[i]) unknown.push_back(s.in_unknown[i]);
  known = s.known.sort(std::move(known), dim);
  if (!unknown.empty()) unknown = s.unknown.sort(std::move(unknown), dim);
  for (size_t i = 0, k = 0, u = 1; i < n.in.size(); ++i)
    if (s.in_known[i]) out_known[i] = known[k++];
    else out_unknown[i] = unknown[u++];
}

// Sorting the places from which elements came brings them back.
void transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  const int64_t dim = n.attrs.integer("dim");
  const Value places = b.sort({in[0], b.iota({Dtype::int64, in[0].shape()}, dim)}, dim)[1];
  Values back{places};
  for (size_t i = 1; i < in.size(); ++i)
    if (!in[i] && ct[i]) back.push_back(ct[i]);
  back = b.sort(std::move(back), dim);
  size_t next = 1;
  for (size_t i = 1; i < in.size(); ++i)
    if (!in[i] && ct[i]) r[i] = back[next++];
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  Values all;
  for (size_t i = 0; i < in.size(); ++i) all.push_back(batched_front(b, in[i], axis[i], size));
  std::ranges::fill(out_axis, 0);
  return b.sort(std::move(all), n.attrs.integer("dim") + 1);
}

Values prune(Build& b, const Node& n, Ins in, const Mask& used, Pruner&) {
  Values kept{in[0]};
  for (size_t i = 1; i < in.size(); ++i)
    if (used[i]) kept.push_back(in[i]);
  const Values sorted = b.sort(std::move(kept), n.attrs.integer("dim"));
  Values out(in.size());
  out[0] = sorted[0];
  for (size_t i = 1, next = 1; i < in.size(); ++i)
    if (used[i]) out[i] = sorted[next++];
  return out;
}

// A result depends on the keys and on its own operand.
Mask needs(const Node&, const Mask& used) {
  Mask needed = used;
  needed[0] = std::ranges::find(used, true) != used.end();
  return needed;
}

Values simplify(Build&, const Node& n, Ins in) { return Rows(n).extent <= 1 ? Values(in.begin(), in.end()) : Values{}; }

std::vector<Sample> samples() {
  const Array ties = sample_ints({3, 4}, 0, 2, 3);
  const Attrs first{{"dim", int64_t{0}}}, second{{"dim", int64_t{1}}};
  return {{"rows", {sample_floats({2, 5}, -2, 2, 0)}, second, {}},
          {"columns, carried",
           {sample_floats({4, 3}, -2, 2, 1), sample_floats({4, 3}, -2, 2, 2)},
           first,
           {},
           {{false, true}}},
          {"carried i32", {sample_floats({2, 3, 2}, -2, 2, 1), sample_ints({2, 3, 2}, -9, 9, 0)}, second, {}},
          {"ties keep their order", {ties, sample_floats({3, 4}, -2, 2, 4)}, second, {}},
          {"one element", {sample_floats({3, 1}, -2, 2, 5)}, second, {}},
          {"empty", {sample_floats({2, 0}, -2, 2, 5)}, second, {}}};
}

constexpr OpDef record = {.name = "sort",
                          .family = "reduction",
                          .doc = "all operands in the order of the first: ascending, stable, NaN last",
                          .needs = needs,
                          .attributes = "dim",
                          .infer = infer,
                          .eval = eval,
                          .jvp = jvp,
                          .split = split,
                          .transpose = transpose,
                          .batch = batch,
                          .lower = lower,
                          .prune = prune,
                          .bound = bounds::sort,
                          .jet = jet,
                          .simplify = simplify,
                          .samples = samples};

constexpr std::array records = {&record};

}  // namespace

constinit const OpList ops::sorting = records;

}  // namespace viva
