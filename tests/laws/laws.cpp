#include "laws/laws.h"

#include <algorithm>
#include <cmath>

#include "base/threefry.h"
#include "graph/build.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "ops/reference.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva::laws {
namespace {

Arrays run(const Body& f, const Arrays& args) {
  verify(*f);
  return interpret(*f, args);
}

Arrays floats_of(const Arrays& v) {
  Arrays r;
  std::ranges::copy_if(v, std::back_inserter(r), [](const Array& a) { return is_float(a.dtype()); });
  return r;
}

double inner(const Arrays& a, const Arrays& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    for (int64_t k = 0; k < a[i].size(); ++k) sum += a[i].at(k) * b[i].at(k);
  return sum;
}

// args + h · tangents, at the inputs marked.
Arrays moved(const Arrays& args, const Mask& active, const Arrays& tangents, double h) {
  Arrays r = args;
  for (size_t i = 0, t = 0; i < args.size(); ++i) {
    if (!active[i]) continue;
    const auto x = args[i].as<double>(), d = tangents[t++].as<double>();
    Array y = Array::make(args[i].type());
    std::ranges::transform(x, d, y.as_mutable<double>().begin(), [h](double a, double b) { return a + h * b; });
    r[i] = y;
  }
  return r;
}

// Of the float outputs along the tangents, by five points: the error is h⁴ f⁽⁵⁾/30.
Arrays central_difference(const Case& c, const Mask& active, const Arrays& t, double h) {
  const auto at = [&](double k) { return floats_of(interpret(*c.f, moved(c.args, active, t, k * h))); };
  const Arrays p2 = at(2), p1 = at(1), m1 = at(-1), m2 = at(-2);
  Arrays difference;
  for (size_t i = 0; i < p1.size(); ++i) {
    Array d = Array::make({Dtype::float64, p1[i].shape()});
    for (int64_t k = 0; k < d.size(); ++k)
      d.as_mutable<double>()[static_cast<size_t>(k)] =
          (8 * (p1[i].at(k) - m1[i].at(k)) - (p2[i].at(k) - m2[i].at(k))) / (12 * h);
    difference.push_back(d.converted(p1[i].dtype()));
  }
  return difference;
}

Arrays joined(const Arrays& a, const Arrays& b) {
  Arrays r = a;
  r.insert(r.end(), b.begin(), b.end());
  return r;
}

Array example(const Array& x, int64_t axis, int64_t i) {
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  const Ints strides = row_major(x.shape());
  return moved_elements({x.dtype(), shape}, x, [&](const Ints& index) {
    int64_t from = i * strides[static_cast<size_t>(axis)];
    for (size_t d = 0; d < index.size(); ++d) from += index[d] * strides[d + (static_cast<int64_t>(d) >= axis)];
    return from;
  });
}

}  // namespace

Case case_of(const OpDef& op, const Sample& s) {
  Build b(std::string(op.name));
  Values in;
  for (size_t i = 0; i < s.in.size(); ++i) in.push_back(b.parameter(s.in[i].type(), fmt::format("x{}", i)));
  return {b.finish(b.emit(op, in, s.attrs, s.bodies)), s.in};
}

Mask float_params(const Function& f) {
  Mask m;
  for (const Type& t : f.param_types()) m.push_back(t.dtype == Dtype::float64);
  return m;
}

bool has(const Mask& m) { return std::ranges::find(m, true) != m.end(); }

Report close(const Arrays& a, const Arrays& b, double tolerance) {
  if (a.size() != b.size()) return fmt::format("{} results against {}", a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].type() != b[i].type())
      return fmt::format("result {}: {} against {}", i, to_string(a[i].type()), to_string(b[i].type()));
    for (int64_t k = 0; k < a[i].size(); ++k) {
      const double x = a[i].at(k), y = b[i].at(k);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      const double allowed = is_float(a[i].dtype()) ? tolerance * std::max({1.0, std::abs(x), std::abs(y)}) : 0;
      if (!(std::abs(x - y) <= allowed)) return fmt::format("result {} element {}: {} against {}", i, k, x, y);
    }
  }
  return "";
}

Array direction(const Type& t, uint32_t seed) {
  Array a = Array::make({Dtype::float64, t.shape});
  auto out = a.as_mutable<double>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = threefry2x32({seed, 77}, words_of(i))[0] * 0x1p-31 - 1;
  return a.converted(t.dtype);
}

void set(Array& a, int64_t at, double value) {
  dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    a.as_mutable<T>()[static_cast<size_t>(at)] = convert_element<T>(value);
  });
}

// Examples that differ from each other: floats by a percent; of integers, bool and keys each example has the sample's
// own values, one place on, so that they stay in the range that the sample means.
Array batch_of(const Array& x, int64_t axis, int64_t n, uint32_t seed) {
  Shape shape = x.shape();
  shape.insert(shape.begin() + axis, n);
  const Array noise = direction({Dtype::float64, shape}, seed);
  const Ints strides = row_major(x.shape());
  Array out = Array::make({x.dtype(), shape});
  for_each_index(shape, [&](const Ints& index, int64_t flat) {
    int64_t from = 0;
    for (size_t d = 0; d < index.size(); ++d)
      if (static_cast<int64_t>(d) != axis) from += index[d] * strides[d - (static_cast<int64_t>(d) > axis)];
    const int64_t i = index[static_cast<size_t>(axis)];
    if (is_float(x.dtype())) set(out, flat, x.at(from) * (1 + (i ? 0.01 * noise.at(flat) : 0)));
    else if (x.size() > 1 || is_complex(x.dtype())) copy_element(out, flat, x, (from + i) % x.size());
    else
      set(out, flat,
          is_bool(x.dtype()) ? (x.at(0) + static_cast<double>(i % 2) == 1) : x.at(0) + static_cast<double>(i));
  });
  return out;
}

Arrays directions(const std::vector<Type>& types, const Mask& which, uint32_t seed) {
  Arrays r;
  for (size_t i = 0; i < types.size(); ++i)
    if (which[i]) r.push_back(direction(types[i], seed + 101 * static_cast<uint32_t>(i)));
  return r;
}

Report jvp_is_difference(const Case& c, const Mask& active, uint32_t seed) {
  const Arrays t = directions(c.f->param_types(), active, seed);
  const Arrays got = run(jvp(c.f, active), joined(c.args, t));
  const Arrays value(got.begin(), got.begin() + static_cast<int64_t>(c.f->outputs().size()));
  if (Report r = close(value, run(c.f, c.args), 1e-12); !r.empty()) return "primal: " + r;
  const Arrays tangents(got.begin() + static_cast<int64_t>(value.size()), got.end());
  const bool single = std::ranges::any_of(tangents, [](const Array& a) { return a.dtype() != Dtype::float64; });
  // The greater step loses less to rounding, the lesser one fits what bends more.
  Report r;
  for (const double h : {1e-3, 2e-4}) {
    // What is rounded to single precision inside, the samples of convert alone, is linear: a wide step costs nothing.
    r = close(tangents, central_difference(c, active, t, single ? 0.1 : h), single ? 1e-3 : 2e-7);
    if (r.empty()) break;
  }
  return r;
}

Report vjp_is_adjoint(const Case& c, const Mask& active, uint32_t seed) {
  const Arrays t = directions(c.f->param_types(), active, seed);
  const auto outputs = static_cast<int64_t>(c.f->outputs().size());
  const Arrays forward = run(jvp(c.f, active), joined(c.args, t));
  const Arrays jt(forward.begin() + outputs, forward.end());
  std::vector<Type> out_types;
  for (const Array& a : jt) out_types.push_back(a.type());
  const Arrays ct = directions(out_types, Mask(jt.size(), true), seed + 7);
  const Arrays backward = run(vjp(c.f, active), joined(c.args, ct));
  const Arrays value(backward.begin(), backward.begin() + outputs);
  if (Report r = close(value, run(c.f, c.args), 1e-12); !r.empty()) return "primal: " + r;
  const double left = inner(jt, ct), right = inner(t, {backward.begin() + outputs, backward.end()});
  double size = 1;
  for (const Array& a : jt)
    for (int64_t k = 0; k < a.size(); ++k) size += std::abs(a.at(k));
  const bool single = std::ranges::any_of(jt, [](const Array& a) { return a.dtype() != Dtype::float64; });
  return std::abs(left - right) <= (single ? 1e-6 : 1e-11) * size || (std::isnan(left) && std::isnan(right))
             ? ""
             : fmt::format("⟨Jt, c⟩ = {}, ⟨t, Jᵀc⟩ = {}", left, right);
}

Report transpose_is_adjoint(const Case& c, const Mask& linear, uint32_t seed) {
  const Arrays x = directions(c.f->param_types(), linear, seed),
               y = directions(c.f->output_types(), Mask(c.f->outputs().size(), true), seed + 3);
  Arrays args = c.args, origin = c.args, known;
  for (size_t i = 0, next = 0; i < args.size(); ++i) {
    if (linear[i]) args[i] = x[next++], origin[i] = Array::zeros(args[i].type());
    else known.push_back(args[i]);
  }
  // What the other inputs contribute by themselves is no part of the linear map.
  const Arrays ax = run(c.f, args), offset = run(c.f, origin), aty = run(transpose(c.f, linear), joined(known, y));
  Arrays moved, against;
  for (size_t i = 0; i < ax.size(); ++i) {
    if (ax[i].dtype() != Dtype::float64) continue;  // a count, say
    Array difference = Array::make(ax[i].type());
    std::ranges::transform(ax[i].as<double>(), offset[i].as<double>(), difference.as_mutable<double>().begin(),
                           std::minus<>());
    moved.push_back(difference), against.push_back(y[i]);
  }
  const double left = inner(moved, against), right = inner(x, aty);
  double size = 1;
  for (const Array& a : moved)
    for (int64_t k = 0; k < a.size(); ++k) size += std::abs(a.at(k));
  return std::abs(left - right) <= 1e-12 * size ? "" : fmt::format("⟨Ax, y⟩ = {}, ⟨x, Aᵀy⟩ = {}", left, right);
}

Report vmap_is_loop(const Case& c, const Mask& batched, bool at_end, uint32_t seed) {
  constexpr int64_t n = 3;
  std::vector<int> axes;
  Arrays args;
  for (size_t i = 0; i < c.args.size(); ++i) {
    axes.push_back(!batched[i] ? -1 : at_end ? static_cast<int>(c.args[i].type().rank()) : 0);
    args.push_back(batched[i] ? batch_of(c.args[i], axes[i], n, seed + static_cast<uint32_t>(i)) : c.args[i]);
  }
  const Arrays got = run(vmap(c.f, axes, n), args);
  for (int64_t e = 0; e < n; ++e) {
    Arrays one, mine;
    for (size_t i = 0; i < args.size(); ++i) one.push_back(batched[i] ? example(args[i], axes[i], e) : args[i]);
    for (const Array& a : got) mine.push_back(example(a, 0, e));
    if (Report r = close(mine, interpret(*c.f, one), 1e-11); !r.empty()) return fmt::format("example {}: {}", e, r);
  }
  return "";
}

Report simplify_keeps_bits(const Case& c) {
  PassOptions options;
  options.verify = true;
  const Arrays before = run(c.f, c.args), after = run(simplify(c.f, options), c.args);
  if (before.size() != after.size()) return "the number of outputs changed";
  for (size_t i = 0; i < before.size(); ++i)
    if (!same_bits(before[i], after[i])) return fmt::format("output {} changed: {}", i, close(before, after, 0));
  return "";
}

}  // namespace viva::laws
