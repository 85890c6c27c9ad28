// Elementwise operations whose operands or results differ in dtype: compare, select, convert, bitcast.
#include <array>
#include <cstring>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"

namespace viva {
namespace {

// compare

template <class T, Direction d, bool one_right = false> void compare_tile(void* out, const void* const* in, int64_t n) {
  auto* __restrict o = static_cast<bool*>(out);
  const auto* __restrict x = static_cast<const T*>(in[0]), * __restrict y = static_cast<const T*>(in[1]);
  for (int64_t i = 0; i < n; ++i) {
    const auto a = static_cast<Compute<T>>(x[i]), b = static_cast<Compute<T>>(y[one_right ? 0 : i]);
    if constexpr (d == Direction::eq) o[i] = a == b;
    else if constexpr (d == Direction::ne) o[i] = a != b;
    else if constexpr (d == Direction::lt) o[i] = a < b;
    else if constexpr (d == Direction::le) o[i] = a <= b;
    else if constexpr (d == Direction::gt) o[i] = a > b;
    else o[i] = a >= b;
  }
}

// one_right: where operand 1 is one element for all.
template <class T, bool one_right> TileFn compare_tile_for(Direction d) {
  if constexpr (is_std_complex<T>)
    return d == Direction::eq ? compare_tile<T, Direction::eq> : compare_tile<T, Direction::ne>;
  else switch (d) {
      case Direction::eq:
        return compare_tile<T, Direction::eq, one_right>;
      case Direction::ne:
        return compare_tile<T, Direction::ne, one_right>;
      case Direction::lt:
        return compare_tile<T, Direction::lt, one_right>;
      case Direction::le:
        return compare_tile<T, Direction::le, one_right>;
      case Direction::gt:
        return compare_tile<T, Direction::gt, one_right>;
      default:
        return compare_tile<T, Direction::ge, one_right>;
    }
}

template <bool one_right = false> TileFn compare_tile_of(const Node& n) {
  const Direction d = direction_from(n.attrs.text("direction"));
  return dispatch(n.in[0].dtype(), [&](auto tag) -> TileFn {
    using T = typename decltype(tag)::type;
    if constexpr (one_right && !std::is_floating_point_v<T>) return nullptr;
    else return compare_tile_for<T, one_right>(d);
  });
}

std::vector<Type> compare_infer(const Infer::Site& s) {
  require_operands(s, 2);
  const Direction d = direction_from(s.attrs.text("direction"));
  require(!is_complex(s.in[0].dtype) || d == Direction::eq || d == Direction::ne,
          "complex numbers have no order: eq and ne compare {}, and real, imag or abs give what can be ordered",
          spelled(s.in[0]));
  require(s.in[0] == s.in[1], "operands {} and {} differ", spelled(s.in[0]), spelled(s.in[1]));
  return {{Dtype::boolean, s.in[0].shape}};
}

std::vector<Array> compare_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return pointwise::evaluate(compare_tile_of<>(n), n, in);
}

Lowered compare_lower(const Node& n) {
  return pointwise::lower_tile(n, compare_tile_of<>(n), to_string(direction_from(n.attrs.text("direction"))),
                               {nullptr, compare_tile_of<true>(n)});
}

std::vector<Sample> compare_samples() {
  std::vector<Sample> all;
  for (const char* d : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    const Attrs a{{"direction", std::string(d)}};
    all.push_back({std::string("f64 ") + d, {sample_floats({2, 3}, -2, 2, 0), sample_floats({2, 3}, -2, 2, 1)}, a, {}});
    if (std::string_view(d) == "eq" || std::string_view(d) == "ne")
      all.push_back({std::string("c128 ") + d, {sample_complex({3}, -2, 2, 0), sample_complex({3}, -2, 2, 0)}, a, {}});
    all.push_back({std::string("i32 ") + d, {sample_ints({5}, 0, 2, 0), sample_ints({5}, 0, 2, 1)}, a, {}});
  }
  return all;
}

// select

std::vector<Type> select_infer(const Infer::Site& s) {
  require_operands(s, 3);
  require(s.in[0] == Type{Dtype::boolean, s.in[1].shape}, "predicate {} does not fit {}", spelled(s.in[0]),
          spelled(s.in[1]));
  require(s.in[1] == s.in[2], "operands {} and {} differ", spelled(s.in[1]), spelled(s.in[2]));
  return {s.in[1]};
}

std::vector<Array> select_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(n.types[0]);
  const auto p = in[0].as<bool>();
  const auto width = static_cast<size_t>(size_of(out.dtype()));
  for (size_t i = 0; i < p.size(); ++i)
    std::memcpy(out.mutable_data() + i * width, in[p[i] ? 1 : 2].data() + i * width, width);
  return {out};
}

Values select_jvp(Build& b, const Node&, Ins in, Ins out, Ins t, Transforms&) {
  if (!t[1] && !t[2]) return {Value{}};
  const Value zero = t[1] && t[2] ? Value{} : b.zero(out[0]);
  return {b.select(in[0], t[1] ? t[1] : zero, t[2] ? t[2] : zero)};
}

void select_transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
  const Value zero = b.zero(ct[0]);
  if (!in[1]) r[1] = b.select(in[0], ct[0], zero);
  if (!in[2]) r[2] = b.select(in[0], zero, ct[0]);
}

Lowered select_lower(const Node& n) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  const auto p = nest.load(0), yes = nest.load(1), no = nest.load(2);
  nest.store(nest.select(p, yes, no));
  return {std::move(nest)};
}

Values select_simplify(Build&, const Node&, Ins in) {
  if (in[1] == in[2]) return {in[1]};
  if (const auto p = splat_value(in[0])) return {*p != 0 ? in[1] : in[2]};
  return {};
}

std::vector<Sample> select_samples() {
  const Array p = sample_ints({2, 3}, 0, 1, 4, Dtype::boolean);
  return {{"f64",
           {p, sample_floats({2, 3}, -2, 2, 0), sample_floats({2, 3}, -2, 2, 1)},
           {},
           {},
           {{false, true, true}, {false, true, false}}},
          {"c128",
           {p, sample_complex({2, 3}, -2, 2, 0), sample_complex({2, 3}, -2, 2, 1)},
           {},
           {},
           {{false, true, true}, {false, false, true}}},
          {"i32", {p, sample_ints({2, 3}, -9, 9, 0), sample_ints({2, 3}, -9, 9, 1)}, {}, {}}};
}

// convert

std::vector<Type> convert_infer(const Infer::Site& s) {
  require_operands(s, 1);
  require(!is_complex(s.in[0].dtype) || is_complex(s.attrs.dtype("dtype")),
          "{} does not become {}: take its real part, real(x), or another part first", spelled(s.in[0]),
          name(s.attrs.dtype("dtype")));
  return {{s.attrs.dtype("dtype"), s.in[0].shape}};
}

std::vector<Array> convert_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  return {in[0].converted(n.types[0].dtype)};
}

Values convert_jvp(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) {
  const Dtype to = n.types[0].dtype;
  return {has_tangent(to) ? b.convert(t[0], to) : Value{}};
}

void convert_transpose(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  const Dtype from = n.in[0].dtype();
  r[0] = b.convert(is_complex(ct[0].dtype()) && !is_complex(from) ? b.real(ct[0]) : ct[0], from);
}

Lowered convert_lower(const Node& n) {
  loops::Nest nest = loops::elementwise(n.types[0].shape, types_of(n.in));
  nest.store(nest.convert(nest.load(0), n.types[0].dtype));
  return {std::move(nest)};
}

// A conversion there and back is the identity where the middle dtype holds every value.
Values convert_simplify(Build&, const Node& n, Ins in) {
  if (in[0].dtype() == n.types[0].dtype) return {in[0]};
  const Node* before = in[0].node();
  if (!before->op || before->op->name != "convert" || before->in[0].dtype() != n.types[0].dtype) return {};
  const Dtype from = n.types[0].dtype, middle = in[0].dtype();
  const bool wider =
      (from == Dtype::float32 && middle == Dtype::float64) ||
      ((from == Dtype::float16 || from == Dtype::bfloat16) && (middle == Dtype::float32 || middle == Dtype::float64));
  return wider ? Values{before->in[0]} : Values{};
}

std::vector<Sample> convert_samples() {
  std::vector<Sample> all;
  const Array x = sample_floats({2, 3}, -3, 300, 0);
  for (const Dtype from :
       {Dtype::float64, Dtype::float32, Dtype::int32, Dtype::uint8, Dtype::boolean, Dtype::bfloat16, Dtype::float16})
    for (const Dtype to :
         {Dtype::float64, Dtype::float32, Dtype::int64, Dtype::int8, Dtype::boolean, Dtype::bfloat16, Dtype::float16}) {
      Sample s{fmt::format("{} to {}", name(from), name(to)), {x.converted(from)}, {{"dtype", to}}, {}};
      if (from == Dtype::float64 && to == Dtype::float64) s.linear = {{true}};
      all.push_back(std::move(s));
    }
  const auto complex = [&](std::string label, Array from, Dtype to) {
    all.push_back({std::move(label), {std::move(from)}, {{"dtype", to}}, {}});
    if (to == Dtype::complex128) all.back().linear = {{true}};
  };
  complex("f64 to c128", x, Dtype::complex128),
      complex("c128 to c128", sample_complex({2}, -2, 2, 0), Dtype::complex128);
  complex("bf16 to c64", x.converted(Dtype::bfloat16), Dtype::complex64);
  complex("c128 to c64", sample_complex({3}, -2, 2, 1), Dtype::complex64);
  complex("i32 to c64", x.converted(Dtype::int32), Dtype::complex64);
  return all;
}

// bitcast

std::vector<Type> bitcast_infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Dtype to = s.attrs.dtype("dtype");
  require(size_of(to) == size_of(s.in[0].dtype), "{} and {} differ in size", name(s.in[0].dtype), name(to));
  require(!is_bool(to) || is_bool(s.in[0].dtype), "not every byte is a bool");
  return {{to, s.in[0].shape}};
}

std::vector<Array> bitcast_eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(n.types[0]);
  std::memcpy(out.mutable_data(), in[0].data(), static_cast<size_t>(out.bytes()));
  return {out};
}

template <size_t width> void copy_tile(void* out, const void* const* in, int64_t n) {
  std::memcpy(out, in[0], static_cast<size_t>(n) * width);
}

Lowered bitcast_lower(const Node& n) {
  constexpr TileFn copies[] = {copy_tile<1>, copy_tile<2>, copy_tile<4>, copy_tile<8>, copy_tile<16>};
  return pointwise::lower_tile(n, copies[std::countr_zero(static_cast<uint64_t>(size_of(n.types[0].dtype)))]);
}

std::vector<Sample> bitcast_samples() {
  return {{"f32 to u32", {sample_floats({2, 3}, -2, 2, 0, Dtype::float32)}, {{"dtype", Dtype::uint32}}, {}},
          {"i64 to f64", {sample_ints({4}, 1, 9, 0, Dtype::int64)}, {{"dtype", Dtype::float64}}, {}}};
}

constexpr OpDef compare_record = {.name = "compare",
                                  .family = "pointwise",
                                  .doc = "eq, ne, lt, le, gt or ge; every comparison with NaN but ne is false",
                                  .attributes = "direction",
                                  .infer = compare_infer,
                                  .eval = compare_eval,
                                  .jvp = integer_result,
                                  .split = plain_split,
                                  .transpose = Absent{Reason::not_linear, "a truth value"},
                                  .batch = pointwise::batch,
                                  .lower = compare_lower,
                                  .prune = plain_prune,
                                  .bound = bounds::compare,
                                  .samples = compare_samples};
constexpr OpDef select_record = {.name = "select",
                                 .family = "pointwise",
                                 .doc = "elementwise: the second operand where the first holds, else the third",
                                 .infer = select_infer,
                                 .eval = select_eval,
                                 .jvp = select_jvp,
                                 .split = plain_split,
                                 .transpose = select_transpose,
                                 .batch = pointwise::batch,
                                 .lower = select_lower,
                                 .prune = plain_prune,
                                 .bound = bounds::select,
                                 .simplify = select_simplify,
                                 .samples = select_samples};
constexpr OpDef convert_record = {
    .name = "convert",
    .family = "pointwise",
    .doc = "another dtype: float to integer saturates and takes NaN to 0, integers wrap, bool is 'not zero'",
    .attributes = "dtype",
    .infer = convert_infer,
    .eval = convert_eval,
    .jvp = convert_jvp,
    .split = plain_split,
    .transpose = convert_transpose,
    .batch = pointwise::batch,
    .lower = convert_lower,
    .prune = plain_prune,
    .bound = bounds::convert,
    .simplify = convert_simplify,
    .samples = convert_samples};
constexpr OpDef bitcast_record = {.name = "bitcast",
                                  .family = "pointwise",
                                  .doc = "the same bits read as another dtype of the same size",
                                  .attributes = "dtype",
                                  .infer = bitcast_infer,
                                  .eval = bitcast_eval,
                                  .jvp = Absent{Reason::no_tangent, "bits carry no derivative"},
                                  .split = plain_split,
                                  .transpose = Absent{Reason::not_linear, "a reading of bits"},
                                  .batch = pointwise::batch,
                                  .lower = bitcast_lower,
                                  .prune = plain_prune,
                                  .bound = bounds::bitcast,
                                  .samples = bitcast_samples};

constexpr std::array records = {
    &compare_record,
    &select_record,
    &convert_record,
    &bitcast_record,
};

}  // namespace

constinit const OpList ops::elementwise = records;

}  // namespace viva
