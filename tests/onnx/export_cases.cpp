#include "onnx/export_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "graph/build.h"
#include "graph/opdef.h"
#include "support/random_program.h"

namespace viva {
namespace {

// The sample with float64, or its integers, as another dtype; nothing where the operation does not take it.
std::optional<laws::Case> in_dtype(const OpDef& op, const Sample& s, Dtype from, Dtype to) {
  Sample r = s;
  for (Array& a : r.in)
    if (a.dtype() == from) a = a.converted(to);
  if (const Attr* d = s.attrs.find("dtype"))
    if (const auto* own = std::get_if<Dtype>(d); own && *own == from) r.attrs.set("dtype", to);
  if (op.name == "constant") r.attrs.set("value", s.attrs.array("value").converted(to));
  for (const Body& b : s.bodies)
    if (!b->params().empty()) return {};  // functions inside keep their types
  try {
    return laws::case_of(op, r);
  } catch (const Error&) { return {}; }
}

}  // namespace

std::vector<ExportCase> sample_cases() {
  std::vector<ExportCase> all;
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples()) {
      const std::string name = fmt::format("{} {}", op->name, s.label);
      all.push_back({name, laws::case_of(*op, s)});
      std::set<Dtype> used;
      for (const Array& a : s.in) used.insert(a.dtype());
      if (op->name == "constant") used.insert(s.attrs.array("value").dtype());
      for (const Dtype from : {Dtype::float64, Dtype::int32})
        for (int d = 0; d < dtype_count && used.contains(from); ++d) {
          const auto to = static_cast<Dtype>(d);
          if (to == from || is_complex(to) || is_float(to) != is_float(from)) continue;
          if (auto c = in_dtype(*op, s, from, to)) all.push_back({fmt::format("{} as {}", name, viva::name(to)), *c});
        }
    }
  return all;
}

std::vector<ExportCase> transformed_cases() {
  std::vector<ExportCase> all;
  uint32_t seed = 0;
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples()) {
      const laws::Case c = laws::case_of(*op, s);
      for (const laws::Transformation& t : laws::transformations()) {
        if (!laws::only_float64(c) && std::string_view(t.name) != "vmap") continue;
        laws::Case r = t.apply(c, ++seed);
        if (r.f != c.f) all.push_back({fmt::format("{} of {} {}", t.name, op->name, s.label), std::move(r)});
      }
    }
  return all;
}

std::vector<ExportCase> random_cases(uint32_t count) {
  std::vector<ExportCase> all;
  const auto list = laws::transformations();
  for (uint32_t seed = 0; seed < count; ++seed)
    for (const Dtype d : {Dtype::float64, Dtype::float32}) {
      laws::Case c{RandomProgram(seed, d, false).body(), {}};
      for (const Value& p : c.f->params())
        c.args.push_back(is_float(p.dtype())
                             ? laws::direction(p.type(), seed + 3 * static_cast<uint32_t>(c.args.size()))
                             : Array::full(p.type(), static_cast<double>(c.args.size() % 3)));
      all.push_back({fmt::format("random {} {}", seed, viva::name(d)), c});
      if (d != Dtype::float64 || seed % 4) continue;
      const auto &first = list[seed / 4 % list.size()], &second = list[seed / 3 % list.size()];
      laws::Case t = second.apply(first.apply(c, seed), seed + 1);
      if (t.f != c.f && t.f->nodes().size() < 3000)
        all.push_back({fmt::format("{} of {} of random {}", second.name, first.name, seed), std::move(t)});
    }
  return all;
}

namespace {

template <class T> Array vec(const std::vector<T>& v) { return Array::of<T>(v, {static_cast<int64_t>(v.size())}); }

// Every pair of two lists, as two vectors.
template <class T> std::vector<Array> pairs(const std::vector<T>& v) {
  std::vector<T> x, y;
  for (const T a : v)
    for (const T b : v) x.push_back(a), y.push_back(b);
  return {vec(x), vec(y)};
}
template <class T> std::vector<T> integers() {
  using L = std::numeric_limits<T>;
  return {L::min(),
          static_cast<T>(L::min() + 1),
          static_cast<T>(-7),
          static_cast<T>(-1),
          0,
          1,
          2,
          7,
          31,
          33,
          static_cast<T>(L::max() - 1),
          L::max()};
}

class Edges {
 public:
  using Make = std::function<Value(Build&, const Values&)>;
  void add(const std::string& name, std::vector<Array> args, const Make& make) {
    Build b("edge");
    Values in;
    for (const Array& a : args) in.push_back(b.parameter(a.type()));
    const Body f = b.finish({make(b, in)});
    all.push_back({"edge " + name, {f, std::move(args)}});
  }
  template <class T> void of_integers() {
    for (const char* op : {"div", "rem", "shift_left", "shift_right", "max", "min", "add", "sub", "mul"})
      add(fmt::format("{} {}", op, name(dtype_of<T>())), pairs(integers<T>()),
          [op](Build& b, const Values& v) { return b.emit(op, {v[0], v[1]}).front(); });
    for (const char* op : {"neg", "abs", "sign", "not", "square"})
      add(fmt::format("{} {}", op, name(dtype_of<T>())), {vec(integers<T>())},
          [op](Build& b, const Values& v) { return b.emit(op, {v[0]}).front(); });
    for (const Dtype to : {Dtype::int8, Dtype::uint16, Dtype::uint64, Dtype::float32, Dtype::boolean})
      add(fmt::format("{} to {}", name(dtype_of<T>()), name(to)), {vec(integers<T>())},
          [to](Build& b, const Values& v) { return b.convert(v[0], to); });
    add(fmt::format("reduce_max {}", name(dtype_of<T>())), {vec(integers<T>())},
        [](Build& b, const Values& v) { return b.reduce_max(v[0], {0}); });
    add(fmt::format("argmax {}", name(dtype_of<T>())), {vec(integers<T>())},
        [](Build& b, const Values& v) { return b.argmax(v[0], 0, Dtype::int32); });
  }
  std::vector<ExportCase> all;
};

}  // namespace

std::vector<ExportCase> edge_cases() {
  Edges e;
  e.of_integers<int8_t>(), e.of_integers<int16_t>(), e.of_integers<int32_t>(), e.of_integers<int64_t>();
  e.of_integers<uint8_t>(), e.of_integers<uint16_t>(), e.of_integers<uint32_t>(), e.of_integers<uint64_t>();
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> odd{nan,  inf,   -inf,   0.0,   -0.0, 0.5,  -0.5, 1.5,  2.5,  -2.5, 1,    -1,
                                3e38, 1e-40, -1e-40, 127.6, 300,  -300, 3e9,  -3e9, 2e19, 88.9, -100, 1e-9};
  for (const Dtype d : {Dtype::float64, Dtype::float32, Dtype::float16, Dtype::bfloat16}) {
    const Array x = vec(odd).converted(d);
    for (const char* op : {"neg", "abs", "sign", "floor", "ceil", "round", "exp", "expm1", "log", "log1p", "softplus",
                           "sqrt", "rsqrt", "square", "tanh", "logistic", "erf", "is_finite"})
      e.add(fmt::format("{} {}", op, name(d)), {x},
            [op](Build& b, const Values& v) { return b.emit(op, {v[0]}).front(); });
    for (const Dtype to :
         {Dtype::int8, Dtype::int32, Dtype::int64, Dtype::uint8, Dtype::uint32, Dtype::uint64, Dtype::boolean})
      e.add(fmt::format("{} to {}", name(d), name(to)), {x},
            [to](Build& b, const Values& v) { return b.convert(v[0], to); });
    std::vector<Array> both = pairs(odd);
    for (Array& a : both) a = a.converted(d);
    for (const char* op : {"add", "sub", "mul", "div", "rem", "pow", "max", "min", "atan2"})
      e.add(fmt::format("{} {}", op, name(d)), both,
            [op](Build& b, const Values& v) { return b.emit(op, {v[0], v[1]}).front(); });
    for (const Direction c : {Direction::eq, Direction::ne, Direction::lt, Direction::le, Direction::gt, Direction::ge})
      e.add(fmt::format("{} {}", to_string(c), name(d)), both,
            [c](Build& b, const Values& v) { return b.compare(c, v[0], v[1]); });
    const Array rows = Array::of<double>({1, nan, 3, nan, 2, 2, -inf, 2, -0.0, 0, -1, -2}, {3, 4}).converted(d);
    e.add(fmt::format("reduce_max rows {}", name(d)), {rows},
          [](Build& b, const Values& v) { return b.reduce_max(v[0], {1}); });
    e.add(fmt::format("argmax rows {}", name(d)), {rows},
          [](Build& b, const Values& v) { return b.argmax(v[0], 1, Dtype::int64); });
    e.add(fmt::format("sort rows {}", name(d)), {rows},
          [](Build& b, const Values& v) { return b.sort({v[0], b.iota({Dtype::int64, {3, 4}}, 1)}, 1)[1]; });
    e.add(fmt::format("cumsum rows {}", name(d)), {rows}, [](Build& b, const Values& v) { return b.cumsum(v[0], 1); });
  }
  for (const OutOfBounds mode : {OutOfBounds::clip, OutOfBounds::fill})
    for (const Array& at :
         {vec<int64_t>({-5, -1, 0, 2, 3, 9, INT64_MAX, INT64_MIN}), vec<uint64_t>({0, 2, 3, UINT64_MAX, 1, 1, 2, 7})}) {
      const Array indices = at.reshaped({8, 1});
      const std::string label = fmt::format("{} {}", mode == OutOfBounds::clip ? "clip" : "fill", name(at.dtype()));
      GatherDims d{.offset_dims = {1},
                   .collapsed = {0},
                   .operand_batch = {},
                   .indices_batch = {},
                   .start_map = {0},
                   .slice_sizes = {1, 2},
                   .mode = mode};
      const Array x = Array::of<float>({1, 2, 3, 4, 5, 6}, {3, 2});
      e.add("gather " + label, {x, indices},
            [d](Build& b, const Values& v) { return b.gather(v[0], v[1], b.scalar(Dtype::float32, -9), d); });
      for (const Combine c : {Combine::set, Combine::add, Combine::mul, Combine::min, Combine::max})
        e.add(fmt::format("scatter {} {}", to_string(c), label),
              {x, indices, laws::direction({Dtype::float32, {8, 2}}, 5)},
              [d, c](Build& b, const Values& v) { return b.scatter(v[0], v[1], v[2], c, d); });
    }
  return e.all;
}

}  // namespace viva
