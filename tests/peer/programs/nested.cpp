#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

Tensor mlp(const Tensor& x, In w) { return sum(matmul(tanh(matmul(x, w[1])), w[2])); }
Tensor quartic(const Tensor& x) { return sum(square(square(x))) + prod(sin(x)); }

Programs derivatives_inside() {
  return {
      {"grad_of_grad", [](In x) { return grad([](const Tensor& t) { return sum(square(grad(quartic)(t))); })(x[0]); }},
      {"hessian", [](In x) { return hessian(quartic)(x[0]); }},
      {"hessian_trace", [](In x) { return trace(hessian([&](const Tensor& t) { return mlp(t, x); })(x[0])); }},
      {"laplacian", [](In x) { return laplacian([&](const Tensor& t) { return mlp(t, x); })(x[0]); }},
      {"hvp", [](In x) { return hvp(quartic)(x[0], x[1]); }},
      {"jacfwd",
       [](In x) { return jacfwd([](const Tensor& t) { return all_of({sin(t) * sum(t), square(t)}); })(x[0]); }},
      {"jacrev", [](In x) { return jacrev([](const Tensor& t) { return cumsum(exp(t), 0); })(x[0]); }},
      {"jvp_inside", [](In x) { return jvp([](const Tensor& t) { return t * sin(t); })(x[0], square(x[0])).second; }},
      {"vjp_inside", [](In x) { return vjp([](const Tensor& t) { return t * sin(t); })(x[0]).second(exp(x[0])); }},
      {"linearize_inside",
       [](In x) {
         const auto map = linearize([](const Tensor& t) { return exp(t) * sum(t); })(x[0]).second;
         return map(x[1]) * map(x[0]);
       }},
      {"jet_inside",
       [](In x) {
         const auto y = jet([](const Tensor& t) { return exp(sin(t)); })(x[0], {x[1], x[0], zeros_like(x[0])});
         return all_of(y.second);
       }},
      {"collapsed_jet", [](In x) { return collapsed_jet(quartic, 4)(x[0], x[1]).second; }},
      {"perturbations",
       [](In x) {
         const auto outer = [](const Tensor& a) {
           return sum(a * grad([&](const Tensor& b) { return sum(sin(a) * b * b * a); })(a));
         };
         return grad(outer)(x[0]);
       }},
      {"vmap_grad", [](In x) { return vmap(grad(quartic))(x[0]); }},
      {"vmap_hessian", [](In x) { return vmap(hessian(quartic))(x[0]); }},
      {"vmap_axes",
       [](In x) {
         return vmap([](const Tensor& a, const Tensor& b) { return sin(a) * sum(b * a); }, in_axes(1, 0), out_axes(1))(
             x[0], x[1]);
       }},
      {"vmap_twice",
       [](In x) {
         const auto pairwise = [](const Tensor& a, const Tensor& b) { return exp(-sum(square(a - b))); };
         return vmap([&](const Tensor& a) { return vmap(pairwise, in_axes(none, 0))(a, x[0]); })(x[0]);
       }},
      {"vmap_axis_sum",
       [](In x) {
         return vmap([](const Tensor& t) { return exp(t - .1) / axis_sum(exp(t), "batch"); },
                     VmapOptions{.axis_name = "batch"})(x[0]);
       }},
      {"per_example_norms",
       [](In x) {
         const auto g = [&](const Tensor& w, const Tensor& one) { return sum(square(tanh(matmul(one, w)))); };
         return vmap([&](const Tensor& one) { return sum(square(grad(g)(x[1], one))); })(x[0]);
       }},
      {"newton_step",
       [](In x) { return x[0] - solve(hessian(quartic)(x[0]) + 30 * eye(3, x[0].dtype()), grad(quartic)(x[0])); }},
      {"adapted_loss",
       [](In x) {
         const auto loss = [&](const Tensor& w) { return mean(square(matmul(x[1], tanh(w)) - x[2])); };
         return loss(x[0] - .1 * grad(loss)(x[0]));
       }},
      {"gradient_penalty",
       [](In x) {
         const auto score = [&](const Tensor& t) { return mlp(t, x); };
         return square(sqrt(sum(square(grad(score)(x[0])))) - 1);
       }},
      {"euler_lagrange",
       [](In x) {
         const auto lagrangian = [](const Tensor& q, const Tensor& v) {
           return sum(square(v) * exp(q)) / 2 + sum(cos(q));
         };
         const auto momentum = [&](const Tensor& q, const Tensor& v) { return grad(lagrangian, wrt<1>)(q, v); };
         const Tensor mass = jacfwd(momentum, wrt<1>)(x[0], x[1]);
         return solve(mass, grad(lagrangian)(x[0], x[1]) - matmul(jacfwd(momentum)(x[0], x[1]), x[1]));
       }},
      {"sparse_hessian",
       [](In x) {
         return dense(sparse_hessian([](const Tensor& t) { return sum(exp(t(range(1)) * t(range(0, -1)))); })(x[0]));
       }},
      {"divergence",
       [](In x) { return trace(jacobian([](const Tensor& t) { return sin(t) * sum(square(t)); })(x[0])); }},
  };
}

// A rule that halves: derivatives are of the rule, not of the function.
Programs rules() {
  return {
      {"custom_jvp",
       [](In x) {
         const auto f = custom_jvp([](const Tensor& t) { return sin(t); },
                                   [](const Tensor& t, const Tensor& d) { return std::pair(sin(t), cos(t) * d / 2); });
         return f(x[0]) * x[0];
       }},
      {"custom_vjp",
       [](In x) {
         const auto f =
             custom_vjp([](const Tensor& t) { return sin(t); }, [](const Tensor& t) { return std::pair(sin(t), t); },
                        [](const Tensor& t, const Tensor& c) { return c * cos(t); });
         return f(x[0]) * exp(x[0]);
       }},
      {"custom_vjp_halved",
       [](In x) {
         const auto f = custom_vjp([](const Tensor& t) { return square(t); },
                                   [](const Tensor& t) { return std::pair(square(t), t); },
                                   [](const Tensor& t, const Tensor& c) { return c * t; });
         return f(x[0]) * x[0];
       }},
      {"custom_vjp_solution",
       [](In x) {
         const auto root = custom_vjp([](const Tensor& t) { return sqrt(t); },
                                      [](const Tensor& t) { return std::pair(sqrt(t), sqrt(t)); },
                                      [](const Tensor& y, const Tensor& c) { return c / (2 * y); });
         return root(1 + square(x[0]));
       }},
      {"custom_in_scan",
       [](In x) {
         const auto f = custom_jvp(
             [](const Tensor& t) { return tanh(t); },
             [](const Tensor& t, const Tensor& d) { return std::pair(tanh(t), (1 - square(tanh(t))) * d * .5); });
         return scan([&](const Tensor& c, const Tensor& t) { return std::pair(f(c + t), c); }, x[0](0), x[0]).second;
       }},
      {"custom_true_in_scan",
       [](In x) {
         const auto f =
             custom_jvp([](const Tensor& t) { return tanh(t); },
                        [](const Tensor& t, const Tensor& d) { return std::pair(tanh(t), (1 - square(tanh(t))) * d); });
         return scan([&](const Tensor& c, const Tensor& t) { return std::pair(f(c + t), c); }, x[0](0), x[0]).second;
       }},
      {"linear_call",
       [](In x) {
         const auto y = linear_call([](const Tensor& a, const Tensor& t) { return matmul(a, t); },
                                    [](const Tensor& a, const Tensor& c) { return matmul(transpose(a), c); },
                                    stop_gradient(x[1]), x[0]);
         return square(y);
       }},
      {"stop_gradient", [](In x) { return x[0] * stop_gradient(exp(x[0])) + square(x[0]); }},
      {"straight_through",
       [](In x) { return square(straight_through([](const Tensor& t) { return round(t); })(3 * x[0])); }},
      {"gradient_reversal", [](In x) { return sin(gradient_reversal(square(x[0]), .5)); }},
      {"checkpoint",
       [](In x) { return checkpoint([](const Tensor& t) { return exp(sin(t)) * sum(square(t)); })(x[0]); }},
      {"tap", [](In x) { return square(tap(sin(x[0]), "middle")); }},
  };
}

}  // namespace

Programs nested_programs() {
  Programs all = derivatives_inside();
  all.merge(rules());
  return all;
}

}  // namespace viva::peer
