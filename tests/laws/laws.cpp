#include "laws/laws.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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
  std::ranges::copy_if(v, std::back_inserter(r), [](const Array& a) { return has_tangent(a.dtype()); });
  return r;
}

double inner(const Arrays& a, const Arrays& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const Array x = reals(a[i]), y = reals(b[i]);
    const bool pairs = is_complex(a[i].dtype());
    for (int64_t k = 0; k < x.size(); ++k) sum += (pairs && k % 2 ? -1 : 1) * x.at(k) * y.at(k);
  }
  return sum;
}

// Σ|terms| + 1
double size_of_all(const Arrays& a) {
  double size = 1;
  for (const Array& x : a) {
    const Array v = reals(x);
    for (int64_t k = 0; k < v.size(); ++k) size += std::abs(v.at(k));
  }
  return size;
}

// x + h · y, of doubles.
Array sum_of(const Array& x, double h, const Array& y) {
  const Array a = reals(x), b = reals(y);
  Array sum = Array::make(a.type());
  std::ranges::transform(a.as<double>(), b.as<double>(), sum.as_mutable<double>().begin(),
                         [h](double v, double w) { return v + h * w; });
  return packed(x.type(), sum);
}

// Of the float outputs along the tangents, by five points: the error is h⁴ f⁽⁵⁾/30.
Arrays central_difference(const Case& c, const Mask& active, const Arrays& t, double h) {
  const auto at = [&](double k) { return floats_of(interpret(*c.f, moved(c.args, active, t, k * h))); };
  const Arrays p2 = at(2), p1 = at(1), m1 = at(-1), m2 = at(-2);
  Arrays difference;
  for (size_t i = 0; i < p1.size(); ++i) {
    const Array a = reals(p2[i]), b = reals(p1[i]), e = reals(m1[i]), f = reals(m2[i]);
    Array d = Array::make({Dtype::float64, a.shape()});
    for (int64_t k = 0; k < d.size(); ++k)
      d.as_mutable<double>()[static_cast<size_t>(k)] = (8 * (b.at(k) - e.at(k)) - (a.at(k) - f.at(k))) / (12 * h);
    difference.push_back(packed(p1[i].type(), d.converted(a.dtype())));
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

Arrays moved(const Arrays& args, const Mask& active, const Arrays& tangents, double h) {
  Arrays r = args;
  for (size_t i = 0, t = 0; i < args.size(); ++i)
    if (active[i]) r[i] = sum_of(args[i], h, tangents[t++]);
  return r;
}

Case case_of(const OpDef& op, const Sample& s) {
  Build b(std::string(op.name));
  Values in;
  for (size_t i = 0; i < s.in.size(); ++i) in.push_back(b.parameter(s.in[i].type(), fmt::format("x{}", i)));
  return {b.finish(b.emit(op, in, s.attrs, s.bodies)), s.in};
}

Mask float_params(const Function& f) {
  Mask m;
  for (const Type& t : f.param_types()) m.push_back(is_double(t.dtype));
  return m;
}

bool is_double(Dtype d) { return d == Dtype::float64 || d == Dtype::complex128; }

Array reals(const Array& a) {
  if (!is_complex(a.dtype())) return a;
  Shape shape = a.shape();
  shape.push_back(2);
  Array r = Array::make({a.dtype() == Dtype::complex64 ? Dtype::float32 : Dtype::float64, shape});
  std::memcpy(r.mutable_data(), a.data(), static_cast<size_t>(a.bytes()));
  return r;
}

Array packed(const Type& t, const Array& numbers) {
  if (!is_complex(t.dtype)) return numbers;
  Array r = Array::make(t);
  std::memcpy(r.mutable_data(), numbers.data(), static_cast<size_t>(r.bytes()));
  return r;
}

bool has(const Mask& m) { return std::ranges::find(m, true) != m.end(); }

Report close(const Arrays& a, const Arrays& b, double tolerance) {
  if (a.size() != b.size()) return fmt::format("{} results against {}", a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].type() != b[i].type())
      return fmt::format("result {}: {} against {}", i, to_string(a[i].type()), to_string(b[i].type()));
    const Array p = reals(a[i]), q = reals(b[i]);
    for (int64_t k = 0; k < p.size(); ++k) {
      const double x = p.at(k), y = q.at(k);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      const double allowed = is_float(p.dtype()) ? tolerance * std::max({1.0, std::abs(x), std::abs(y)}) : 0;
      if (!(std::abs(x - y) <= allowed)) return fmt::format("result {} element {}: {} against {}", i, k, x, y);
    }
  }
  return "";
}

Array direction(const Type& t, uint32_t seed) {
  Shape shape = t.shape;
  if (is_complex(t.dtype)) shape.push_back(2);
  Array a = Array::make({Dtype::float64, shape});
  auto out = a.as_mutable<double>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = threefry2x32({seed, 77}, words_of(i))[0] * 0x1p-31 - 1;
  return is_complex(t.dtype) ? packed({Dtype::complex128, t.shape}, a).converted(t.dtype) : a.converted(t.dtype);
}

void set(Array& a, int64_t at, double value) {
  dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    a.as_mutable<T>()[static_cast<size_t>(at)] = convert_element<T>(value);
  });
}

// out[at] = factor · x[from], of complex numbers.
void scale(Array& out, int64_t at, const Array& x, int64_t from, double factor) {
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_std_complex<T>)
      out.as_mutable<T>()[static_cast<size_t>(at)] =
          x.as<T>()[static_cast<size_t>(from)] * static_cast<typename T::value_type>(factor);
  });
}

// Examples that differ from each other: floats and complex numbers by a percent; of integers, bool and keys each
// example has the sample's own values, one place on, so that they stay in the range that the sample means.
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
    const double factor = 1 + (i ? 0.01 * noise.at(flat) : 0);
    if (is_float(x.dtype())) set(out, flat, x.at(from) * factor);
    else if (is_complex(x.dtype())) scale(out, flat, x, from, factor);
    else if (x.size() > 1) copy_element(out, flat, x, (from + i) % x.size());
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
  const bool single = std::ranges::any_of(tangents, [](const Array& a) { return !is_double(a.dtype()); });
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
  const double size = size_of_all(jt);
  const bool single = std::ranges::any_of(jt, [](const Array& a) { return !is_double(a.dtype()); });
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
    if (!has_tangent(ax[i].dtype())) continue;  // a count, say
    moved.push_back(sum_of(ax[i], -1, offset[i]));
    against.push_back(y[i]);
  }
  const double left = inner(moved, against), right = inner(x, aty);
  const double size = size_of_all(moved);
  return std::abs(left - right) <= 1e-12 * size ? "" : fmt::format("⟨Ax, y⟩ = {}, ⟨x, Aᵀy⟩ = {}", left, right);
}

// Whether a vmap over the parameters marked is one that a sum over examples speaks of: then it is no loop.
static bool sums_over(const Function& f, const Mask& batched) {
  for (const Node& n : f.nodes())
    for (size_t i = 0; i < batched.size(); ++i)
      if (n.op && n.op->name == "axis_sum" && batched[i] && n.in[1] == f.params()[i]) return true;
  return false;
}

Report vmap_is_loop(const Case& c, const Mask& batched, bool at_end, uint32_t seed) {
  if (sums_over(*c.f, batched)) return "";
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
