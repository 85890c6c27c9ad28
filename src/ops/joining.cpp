// Operations that put arrays beside each other: pad and concatenate.
#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/thread_pool.h"
#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/record.h"
#include "ops/reference.h"

namespace viva {
namespace {

// pad

struct Padding {
  const Ints &low, &high, &interior;
  explicit Padding(const Attrs& a) : low(a.ints("low")), high(a.ints("high")), interior(a.ints("interior")) {}
};

std::vector<Type> pad_infer(const Infer::Site& s) {
  require_operands(s, 2);
  const Padding p(s.attrs);
  const Shape& x = s.in[0].shape;
  require(s.in[1] == Type{s.in[0].dtype, {}}, "the value {} is not a scalar of {}", spelled(s.in[1]),
          name(s.in[0].dtype));
  require(p.low.size() == x.size() && p.high.size() == x.size() && p.interior.size() == x.size(),
          "low {}, high {} and interior {} do not fit {}", spelled(p.low), spelled(p.high), spelled(p.interior),
          spelled(s.in[0]));
  Shape shape;
  constexpr int64_t limit = int64_t{1} << 47;
  const auto between = [](int64_t v) { return -limit < v && v < limit; };
  for (size_t d = 0; d < x.size(); ++d) {
    require(p.interior[d] >= 0 && p.interior[d] < widest_step, "interior {} at dimension {} is not in [0, 2^31)",
            p.interior[d], d);
    require(between(p.low[d]) && between(p.high[d]) && p.interior[d] < limit / std::max<int64_t>(x[d], 1),
            "padding at dimension {} is too large", d);
    const int64_t spread = x[d] == 0 ? 0 : (x[d] - 1) * (p.interior[d] + 1) + 1;
    shape.push_back(spread + p.low[d] + p.high[d]);
    require(shape.back() >= 0, "padding crops more than dimension {} of {} has", d, spelled(s.in[0]));
  }
  return {{s.in[0].dtype, shape}};
}

std::vector<Array> pad_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const Padding p(n.attrs);
  const Ints strides = row_major(in[0].shape());
  const auto source = [&](const Ints& i) -> int64_t {
    int64_t from = 0;
    for (size_t d = 0; d < i.size(); ++d) {
      const int64_t spread = i[d] - p.low[d], step = p.interior[d] + 1;
      if (spread < 0 || spread % step || spread / step >= in[0].shape()[d]) return -1;
      from += spread / step * strides[d];
    }
    return from;
  };
  return {moved_elements(n.types[0], in[0], source, in[1])};
}

Values pad_jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  return b.repeat(n, {t[0] ? t[0] : b.zero(in[0]), t[1] ? t[1] : b.zero(in[1])});
}

// The transpose of padding is cropping: negative padding, then the strided slice that undoes the interior.
void pad_transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  const Padding p(n.attrs);
  Ints low = p.low, high = p.high, step = p.interior;
  for (size_t d = 0; d < low.size(); ++d) low[d] = -low[d], high[d] = -high[d], ++step[d];
  const Value cropped = b.pad(ct[0], b.scalar(ct[0].dtype(), 0), low, high);
  const Value inner = b.slice(cropped, Ints(low.size(), 0), cropped.shape(), step);
  if (!in[0]) r[0] = inner;
  if (!in[1]) r[1] = b.sub(b.reduce_sum(ct[0], iota_ints(ct[0].rank())), b.reduce_sum(inner, iota_ints(inner.rank())));
}

Values pad_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
                 Transforms&) {
  const Padding p(n.attrs);
  const auto padded = [&](Value x, Value value, int at) {
    return b.pad(x, value, inserted(p.low, at, 0), inserted(p.high, at, 0), inserted(p.interior, at, 0));
  };
  const int at = out_axis[0] = axis[0] < 0 ? 0 : axis[0];
  if (axis[1] < 0) return {padded(in[0], in[1], at)};
  // A value for each example: pad with anything, and take it where a mask padded alike shows a hole.
  const Value x = batched_at(b, in[0], axis[0], at, size);
  const Value data = padded(x, b.scalar(x.dtype(), 0), at);
  const Value hole = padded(b.full({Dtype::boolean, x.shape()}, 0), b.scalar(Dtype::boolean, 1), at);
  return {b.select(hole, b.broadcast(in[1], data.shape(), {at}), data)};
}

Lowered pad_lower(const Node& n) {
  const Padding p(n.attrs);
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  std::vector<loops::Index> at;
  std::vector<loops::Condition> conditions;
  for (size_t d = 0; d < p.low.size(); ++d) {
    at.push_back(nest.at(static_cast<int>(d), 1, -p.low[d], p.interior[d] + 1));
    if (p.low[d] > 0 || p.high[d] > 0 || p.interior[d] > 0) conditions.push_back({at.back(), n.in[0].shape()[d]});
  }
  const auto x = nest.load(0, at);
  if (conditions.empty()) nest.store(x);
  else nest.store(nest.select(nest.inside(std::move(conditions)), x, nest.load(1, {})));
  return {std::move(nest)};
}

Values pad_simplify(Build&, const Node& n, Ins in) {
  const Padding p(n.attrs);
  const auto none = [](const Ints& v) { return std::ranges::all_of(v, [](int64_t i) { return i == 0; }); };
  return none(p.low) && none(p.high) && none(p.interior) ? Values{in[0]} : Values{};
}

std::vector<Sample> pad_samples() {
  const auto sample = [](std::string label, Shape shape, Ints low, Ints high, Ints interior) {
    return Sample{std::move(label),
                  {sample_floats(std::move(shape), -2, 2, 0), sample_floats({}, -2, 2, 5)},
                  {{"low", std::move(low)}, {"high", std::move(high)}, {"interior", std::move(interior)}},
                  {},
                  {{true, true}, {true, false}, {false, true}}};
  };
  std::vector<Sample> all{
      sample("outside", {2, 3}, {1, 0}, {0, 2}, {0, 0}), sample("inside", {3, 2}, {0, 1}, {1, 0}, {2, 1}),
      sample("cropped", {4, 5}, {-1, 1}, {-2, -3}, {0, 1}), sample("empty", {0, 2}, {1, 0}, {2, 0}, {3, 0})};
  all.push_back({"i32",
                 {sample_ints({3}, -9, 9, 0), Array::scalar(int32_t{7})},
                 {{"low", Ints{1}}, {"high", Ints{-1}}, {"interior", Ints{1}}},
                 {}});
  return all;
}

// concatenate

std::vector<Type> concatenate_infer(const Infer::Site& s) {
  require(!s.in.empty(), "takes at least one operand");
  const int64_t dim = s.attrs.integer("dim");
  require_dims({dim}, s.in[0].rank(), "dimension");
  Type t = s.in[0];
  auto& extent = t.shape[static_cast<size_t>(dim)];
  for (const Type& x : s.in.subspan(1)) {
    require(x.dtype == t.dtype && x.rank() == t.rank(), "operands {} and {} differ", spelled(s.in[0]), spelled(x));
    for (int64_t d = 0; d < t.rank(); ++d)
      require(d == dim || x.shape[static_cast<size_t>(d)] == t.shape[static_cast<size_t>(d)],
              "operands {} and {} differ outside dimension {}", spelled(s.in[0]), spelled(x), dim);
    extent += x.shape[static_cast<size_t>(dim)];
  }
  return {t};
}

std::vector<Array> concatenate_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
  const Ints strides = row_major(n.types[0].shape);
  Array out = Array::make(n.types[0]);
  int64_t offset = 0;
  for (const Array& x : in) {
    for_each_index(x.shape(), [&](const Ints& i, int64_t flat) {
      copy_element(out, flat_index(i, strides) + offset * strides[dim], x, flat);
    });
    offset += x.shape()[dim];
  }
  return {out};
}

Values concatenate_jvp(Build& b, const Node& n, Ins in, Ins, Ins t, Transforms&) {
  Values parts;
  for (size_t i = 0; i < in.size(); ++i) parts.push_back(t[i] ? t[i] : b.zero(in[i]));
  return b.repeat(n, std::move(parts));
}

void concatenate_transpose(Build& b, const Node& n, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
  Ints start(ct[0].shape().size(), 0), limit = ct[0].shape();
  for (size_t i = 0; i < in.size(); ++i) {
    limit[dim] = start[dim] + n.in[i].shape()[dim];
    if (!in[i]) r[i] = b.slice(ct[0], start, limit);
    start[dim] = limit[dim];
  }
}

Values concatenate_batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size,
                         std::span<int> out_axis, Transforms&) {
  Values parts;
  for (size_t i = 0; i < in.size(); ++i) parts.push_back(batched_front(b, in[i], axis[i], size));
  out_axis[0] = 0;
  return {b.concatenate(std::move(parts), n.attrs.integer("dim") + 1)};
}

// Each part copied to its range of every row of the result.
loops::Host copy_parts(const Node& n) {
  const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
  const auto row_bytes = [dim](const Type& t) {
    return static_cast<size_t>(numel(Shape(t.shape.begin() + static_cast<int64_t>(dim), t.shape.end())) *
                               size_of(t.dtype));
  };
  struct Part {
    size_t offset, bytes;
  };
  std::vector<Part> parts;
  for (const Value& x : n.in)
    parts.push_back({parts.empty() ? 0 : parts.back().offset + parts.back().bytes, row_bytes(x.type())});
  const Shape& shape = n.types[0].shape;
  const auto rows = static_cast<size_t>(numel(Shape(shape.begin(), shape.begin() + static_cast<int64_t>(dim))));
  return {"concatenate", [parts = std::move(parts), rows, pitch = row_bytes(n.types[0])](
                             std::span<const void* const> in, std::span<void* const> out, ThreadPool& pool) {
            pool.run(static_cast<int64_t>(parts.size()), [&](int64_t i) {
              const auto [offset, bytes] = parts[static_cast<size_t>(i)];
              const auto* from = static_cast<const std::byte*>(in[static_cast<size_t>(i)]);
              auto* to = static_cast<std::byte*>(out[0]) + offset;
              for (size_t r = 0; bytes > 0 && r < rows; ++r) std::memcpy(to + r * pitch, from + r * bytes, bytes);
            });
          }};
}

// One guarded load a part, chosen by position: fuses, but visits every part for each element, so it is for few parts.
Lowered concatenate_lower(const Node& n) {
  constexpr size_t most_guarded = 8;
  if (n.in.size() > most_guarded) return {copy_parts(n)};
  const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  loops::Register joined = loops::no_register;
  int64_t offset = n.types[0].shape[dim];
  for (size_t i = n.in.size(); i-- > 0;) {
    offset -= n.in[i].shape()[dim];
    std::vector<loops::Index> at;
    for (size_t d = 0; d < nest.extents.size(); ++d)
      at.push_back(nest.at(static_cast<int>(d), 1, d == dim ? -offset : 0));
    const auto part = nest.load(static_cast<int>(i), at);
    if (joined == loops::no_register) joined = part;
    else joined = nest.select(nest.inside({{at[dim], n.in[i].shape()[dim]}}), part, joined);
  }
  nest.store(joined);
  return {std::move(nest)};
}

Values concatenate_simplify(Build& b, const Node& n, Ins in) {
  const int64_t dim = n.attrs.integer("dim");
  Values parts;
  for (const Value& x : in)
    if (x.dim(dim) > 0) parts.push_back(x);
  if (parts.size() == in.size() && in.size() > 1) return {};
  return {parts.empty() ? in[0] : b.concatenate(std::move(parts), dim)};
}

std::vector<Sample> concatenate_samples() {
  return {{"rows",
           {sample_floats({1, 3}, -2, 2, 0), sample_floats({2, 3}, -2, 2, 1)},
           {{"dim", int64_t{0}}},
           {},
           {{true, true}, {false, true}}},
          {"columns",
           {sample_floats({2, 2}, -2, 2, 0), sample_floats({2, 0}, -2, 2, 1), sample_floats({2, 3}, -2, 2, 2)},
           {{"dim", int64_t{1}}},
           {},
           {{true, true, true}}},
          {"nine",
           {sample_floats({2, 1}, -2, 2, 0), sample_floats({2, 2}, -2, 2, 1), sample_floats({2, 0}, -2, 2, 2),
            sample_floats({2, 1}, -2, 2, 3), sample_floats({2, 3}, -2, 2, 4), sample_floats({2, 1}, -2, 2, 5),
            sample_floats({2, 1}, -2, 2, 6), sample_floats({2, 2}, -2, 2, 7), sample_floats({2, 1}, -2, 2, 8)},
           {{"dim", int64_t{1}}},
           {},
           {Mask(9, true)}},
          {"one", {sample_floats({2}, -2, 2, 0)}, {{"dim", int64_t{0}}}, {}, {{true}}},
          {"u8",
           {sample_ints({2}, 0, 9, 0, Dtype::uint8), sample_ints({3}, 0, 9, 1, Dtype::uint8)},
           {{"dim", int64_t{0}}},
           {}}};
}

constexpr OpDef pad_record = {.name = "pad",
                              .family = "movement",
                              .doc = "elements of a value before, after and between; negative counts crop",
                              .attributes = "low high interior",
                              .infer = pad_infer,
                              .eval = pad_eval,
                              .jvp = pad_jvp,
                              .split = plain_split,
                              .transpose = pad_transpose,
                              .batch = pad_batch,
                              .lower = pad_lower,
                              .prune = plain_prune,
                              .bound = bounds::moves_all,
                              .simplify = pad_simplify,
                              .samples = pad_samples};
constexpr OpDef concatenate_record = {.name = "concatenate",
                                      .family = "movement",
                                      .doc = "arrays one after the other along a dimension",
                                      .attributes = "dim",
                                      .infer = concatenate_infer,
                                      .eval = concatenate_eval,
                                      .jvp = concatenate_jvp,
                                      .split = plain_split,
                                      .transpose = concatenate_transpose,
                                      .batch = concatenate_batch,
                                      .lower = concatenate_lower,
                                      .prune = plain_prune,
                                      .bound = bounds::moves_all,
                                      .simplify = concatenate_simplify,
                                      .samples = concatenate_samples};

constexpr std::array records = {
    &pad_record,
    &concatenate_record,
};

}  // namespace

constinit const OpList ops::joining = records;

}  // namespace viva
