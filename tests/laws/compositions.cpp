// Transformations of cases, which nest in any order, and the laws of what comes out.
#include <algorithm>
#include <cmath>

#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/jets.h"
#include "laws/laws.h"
#include "laws/taps.h"
#include "ops/reference.h"
#include "transform/pipeline.h"
#include "transform/sparsity.h"
#include "transform/transform.h"

namespace viva::laws {
namespace {

Arrays joined(const Arrays& a, const Arrays& b) {
  Arrays r = a;
  r.insert(r.end(), b.begin(), b.end());
  return r;
}

// The first float64 parameter that is small enough for a whole Jacobian, or -1.
int64_t jacobian_parameter(const Case& c) {
  const Mask floats = float_params(*c.f);
  if (c.f->outputs().empty() || c.f->outputs()[0].dtype() != Dtype::float64 || numel(c.f->outputs()[0].shape()) > 64)
    return -1;
  for (size_t i = 0; i < floats.size(); ++i)
    if (floats[i] && c.args[i].dtype() == Dtype::float64 && c.args[i].size() > 0 && c.args[i].size() <= 6)
      return static_cast<int64_t>(i);
  return -1;
}

Mask only(const Case& c, int64_t parameter) {
  Mask m(c.args.size(), false);
  m[static_cast<size_t>(parameter)] = true;
  return m;
}

// Σ Re(y·(y/2 + w)) over the float64 and complex128 outputs, with numbers w of the seed: it bends even where the
// function is linear.
Body scalar_of(const Function& f, uint32_t seed) {
  Build b(f.name() + ".scalar");
  Values in;
  for (const Value& p : f.params()) in.push_back(b.parameter(p.type(), p.name()));
  Value sum = b.scalar(Dtype::float64, 0);
  for (const Value& y : b.inline_call(f, in)) {
    if (!is_double(y.dtype())) continue;
    const Value w = b.constant(direction(y.type(), seed++)), z = b.mul(y, b.add(b.scale(y, 0.5), w));
    sum = b.add(sum, b.reduce_sum(is_complex(z.dtype()) ? b.real(z) : z, iota_ints(y.rank())));
  }
  return b.finish({sum});
}

bool differentiable(const Case& c) {
  return has(float_params(*c.f)) &&
         std::ranges::any_of(c.f->output_types(), [](const Type& t) { return is_double(t.dtype); });
}

// The linear half of a linearization, its residuals computed.
Case linear_case(const Case& c, uint32_t seed) {
  const Mask active = float_params(*c.f);
  if (!differentiable(c)) return c;
  const Linearized l = linearize(c.f, active);
  const Arrays primal = interpret(*l.primal, c.args);
  return {l.linear, joined({primal.end() - l.residuals, primal.end()}, directions(c.f->param_types(), active, seed))};
}

Case grad_case(const Case& c, uint32_t seed) {
  if (!differentiable(c)) return c;
  return {grad(scalar_of(*c.f, seed), float_params(*c.f)), c.args};
}

Case hvp_case(const Case& c, uint32_t seed) {
  const Mask active = float_params(*c.f);
  if (!differentiable(c)) return c;
  return {hvp(scalar_of(*c.f, seed), active), joined(c.args, directions(c.f->param_types(), active, seed + 5))};
}

Case jacobian_case(const Case& c, uint32_t seed) {
  const int64_t parameter = jacobian_parameter(c);
  if (parameter < 0) return c;
  return {seed % 2 ? jacobian_forward(c.f, parameter) : jacobian_reverse(c.f, parameter), c.args};
}

Case sparse_jacobian_case(const Case& c, uint32_t) {
  const int64_t parameter = jacobian_parameter(c);
  if (parameter < 0) return c;
  return {sparse_jacobian(c.f, parameter).body, c.args};
}

Case simplify_case(const Case& c, uint32_t) { return {simplify(c.f), c.args}; }

constexpr Transformation list[] = {{"jvp", jvp_case},
                                   {"vjp", vjp_case},
                                   {"vmap", vmap_case},
                                   {"linear", linear_case},
                                   {"grad", grad_case},
                                   {"hvp", hvp_case},
                                   {"jacobian", jacobian_case},
                                   {"simplify", simplify_case},
                                   {"jet", jet_case},
                                   {"laplacian", laplacian_case},
                                   {"sparse_jacobian", sparse_jacobian_case},
                                   {"probe", probe_case},
                                   {"intervene", intervene_case}};

}  // namespace

std::span<const Transformation> transformations() { return list; }

Report jacobians_are_jvp(const Case& c, uint32_t seed) {
  const int64_t parameter = jacobian_parameter(c);
  if (parameter < 0) return "";
  const Mask active = only(c, parameter);
  const Array forward = interpret(*jacobian_forward(c.f, parameter), c.args)[0],
              reverse = interpret(*jacobian_reverse(c.f, parameter), c.args)[0];
  if (Report r = close({forward}, {reverse}, 1e-10); !r.empty()) return "forward against reverse: " + r;
  const Arrays t = directions(c.f->param_types(), active, seed);
  const Array tangent = interpret(*jvp(c.f, active), joined(c.args, t))[c.f->outputs().size()];
  Array product = Array::zeros(tangent.type());
  const int64_t columns = t[0].size();
  for (int64_t i = 0; i < forward.size(); ++i)
    product.as_mutable<double>()[static_cast<size_t>(i / columns)] += forward.at(i) * t[0].at(i % columns);
  return close({product}, {tangent}, 1e-10);
}

Report hvp_is_difference(const Case& c, uint32_t seed) {
  if (!differentiable(c)) return "";
  const Mask active = float_params(*c.f);
  const Body scalar = scalar_of(*c.f, seed);
  const Case gradient{grad(scalar, active), c.args};
  if (Report r = jvp_is_difference(gradient, active, seed + 5); !r.empty()) return r;
  const Arrays v = directions(c.f->param_types(), active, seed + 5), with = joined(c.args, v);
  const Arrays product = interpret(*hvp(scalar, active), with), both = interpret(*jvp(gradient.f, active), with);
  return close(product, {both.end() - static_cast<int64_t>(product.size()), both.end()}, 1e-12);
}

Report all_laws(const Case& c, uint32_t seed) {
  const Mask floats = float_params(*c.f);
  if (differentiable(c)) {
    if (Report r = jvp_is_difference(c, floats, seed); !r.empty()) return "jvp: " + r;
    if (Report r = vjp_is_adjoint(c, floats, seed); !r.empty()) return "vjp: " + r;
    if (Report r = jacobians_are_jvp(c, seed); !r.empty()) return "jacobian: " + r;
  }
  const bool at_end = seed % 2 != 0;
  if (Report r = vmap_is_loop(c, Mask(c.args.size(), true), at_end, seed); !r.empty()) return "vmap: " + r;
  return simplify_keeps_bits(c);
}

bool only_float64(const Case& c) {
  const auto fits = [](const Type& t) { return is_double(t.dtype) || !has_tangent(t.dtype); };
  return has(float_params(*c.f)) && std::ranges::all_of(c.f->param_types(), fits) &&
         std::ranges::all_of(c.f->output_types(), fits);
}

Case jvp_case(const Case& c, uint32_t seed) {
  const Mask active = float_params(*c.f);
  if (!differentiable(c)) return c;
  return {jvp(c.f, active), joined(c.args, directions(c.f->param_types(), active, seed))};
}

Case vjp_case(const Case& c, uint32_t seed) {
  if (!differentiable(c)) return c;
  const Body f = vjp(c.f, float_params(*c.f));
  Arrays args = c.args;
  for (size_t i = args.size(); i < f->params().size(); ++i)
    args.push_back(direction(f->params()[i].type(), seed + static_cast<uint32_t>(i)));
  return {f, args};
}

Case vmap_case(const Case& c, uint32_t seed) {
  std::vector<int> axes;
  Arrays args;
  for (size_t i = 0; i < c.args.size(); ++i) {
    // Every second input batched, so that rules meet both kinds; a single input always.
    const bool batched = c.args.size() == 1 || (i + seed) % 2 == 0;
    axes.push_back(batched ? 0 : -1);
    args.push_back(batched ? batch_of(c.args[i], 0, 2, seed + static_cast<uint32_t>(i)) : c.args[i]);
  }
  if (std::ranges::all_of(axes, [](int a) { return a < 0; })) return c;
  return {vmap(c.f, axes, 2), args};
}

}  // namespace viva::laws
