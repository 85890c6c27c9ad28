// A loss is a C++ function; its gradient, curvature and per-example gradients are transformations of it.
#include <viva/viva.h>

#include <iostream>

using namespace viva;

struct Model {  // a module is a plain aggregate of tensors, modules and settings
  Tensor weight, offset;
  Tensor operator()(const Tensor& x) const { return sum(weight * x) + offset; }
};

Tensor loss(const Model& m, const Tensor& x, const Tensor& y) { return square(m(x) - y); }

int main() {
  const Model m{tensor({1, 0, -1}), scalar(0.5)};
  const Tensor x = tensor({1, 2, 3}), y = scalar(0);
  const Tensor xs = tensor({{1, 2, 3}, {2, 1, 0}}), ys = tensor({0, 1});

  const Model gradient = grad(loss)(m, x, y);
  const Model curved = hvp(loss)(m, x, y, Model{ones({3}), scalar(0)});
  const auto per_example = compile(vmap(grad(loss), in_axes(none, 0, 0)));

  std::cout << "gradient     " << gradient.weight << "\n"
            << "Hessian · 1  " << curved.weight << "\n"
            << "per example  " << per_example(m, xs, ys).weight << "\n";
}
