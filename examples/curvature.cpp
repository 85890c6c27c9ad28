// A loss written as a program; its gradient, curvature and per-example gradients are transformations of it.
#include <fmt/format.h>

#include "cpu/executable.h"
#include "graph/build.h"
#include "transform/transform.h"

using namespace viva;

int main() {
  // The squared error of a linear model on one example: w [3], x [3], y a number.
  Build b("loss");
  const Value w = b.parameter({Dtype::float64, {3}}, "w");
  const Value x = b.parameter({Dtype::float64, {3}}, "x"), y = b.parameter({Dtype::float64, {}}, "y");
  const Body loss = b.finish({b.square(b.sub(b.dot(w, x), y))});

  ThreadPool pool(2);
  const auto run = [&](const Body& f, std::vector<Array> args) {
    return compile(f).call(std::move(args), pool).take();
  };
  const Array weights = Array::of<double>({1, 0, -1}, {3}), one = Array::of<double>({1, 2, 3}, {3});
  const Array labels = Array::of<double>({0, 1}, {2}), examples = Array::of<double>({1, 2, 3, 0, 1, 0}, {2, 3});
  const Array direction = Array::of<double>({1, 1, 1}, {3}), label = Array::scalar(0.0);

  const Array gradient = run(grad(loss, {true, false, false}), {weights, one, label})[0];
  const Array curved = run(hvp(loss, {true, false, false}), {weights, one, label, direction})[0];
  const Array each = run(per_example_grad(loss, {true, false, false}, {-1, 0, 0}, 2), {weights, examples, labels})[0];

  fmt::print("gradient          {}\n", fmt::join(gradient.as<double>(), " "));
  fmt::print("Hessian · 1       {}\n", fmt::join(curved.as<double>(), " "));
  fmt::print("per example       {}\n", fmt::join(each.as<double>(), " "));
}
