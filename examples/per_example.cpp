// test: | sed -E -e 's/: 3[3-7]/: 33 to 37/' -e 's/ 8[789] %/ 8x %/' -e 's/ 9[345] %/ 9x %/g'
//
// Which rows of a data set pull a network hardest? The gradient of each example alone is one transformation more than
// the gradient, and one compiled program for all examples. Mislabelled rows stand out: a network early in training
// agrees with the many, so the few that contradict them have long gradients (Paul et al., "Deep learning on a data
// diet", 2021). Here 40 of 1,000 labels are changed on purpose, and found again.
#include <viva/viva.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

using namespace viva;

struct Network {
  Dense hidden, out;
  static Network make(const Key& k) { return {Dense::make(k.fold(0), 16, 64), Dense::make(k.fold(1), 64, 5)}; }
  Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
};

// Of one example, or of many.
Tensor loss(const Network& m, const Tensor& x, const Tensor& y) { return mean(cross_entropy(m(x), y)); }

struct Rows {
  Tensor x, y;
};

// Five overlapping clouds of 16 numbers.
Rows clouds(const Key& k, int64_t n) {
  const Tensor centres = normal(key(1), {5, 16}) * .85;
  const Tensor y = randint(k.fold(0), {n}, 0, 5);
  return {take(centres, y, 0) + normal(k.fold(1), {n, 16}), y};
}

Network trained(const Rows& rows, int steps) {
  const Adam adam{.rate = .01};
  Network m = Network::make(key(2));
  Adam::State state = adam.init(m);
  const auto step = compile([&](Network model, Adam::State s, const Tensor& x, const Tensor& y) {
    const Network gradient = grad(loss)(model, x, y);
    return adam.update(std::move(model), std::move(s), gradient);
  });
  for (int i = 0; i < steps; ++i) std::tie(m, state) = step(std::move(m), std::move(state), rows.x, rows.y);
  return m;
}

int main() {
  Rows rows = clouds(key(3), 1000);
  const Rows test = clouds(key(4), 5000);
  constexpr int64_t wrong = 40;
  const Tensor truth = rows.y;
  rows.y = rows.y.at(range(0, wrong)).set((rows.y(range(0, wrong)) + randint(key(5), {wrong}, 1, 5)) % 5);

  const Network m = trained(rows, 60);
  const auto per_example = compile(vmap(grad(loss), in_axes(none, 0, 0)));
  const Network each = per_example(m, rows.x, rows.y);  // every tensor has a first axis of 1,000 examples
  std::cout << "one gradient        " << to_string(m.hidden.weight.type()) << "\n"
            << "one for each row    " << to_string(each.hidden.weight.type()) << "\n";

  // Their mean is the gradient of the mean loss.
  const Network gradient = grad(loss)(m, rows.x, rows.y);
  const Network apart =
      tree::map([](const Tensor& a, const Tensor& g) { return max(abs(mean(a, 0) - g)); }, each, gradient);
  std::cout << "their mean differs from the gradient by less than 1e-6: "
            << (max(ravel(apart)).item() < 1e-6 ? "yes" : "no") << "\n";

  Tensor squares = zeros({1000});
  for (const Tensor& t : tree::flatten(each)) squares += sum(reshape(square(t), {1000, -1}), 1);
  const Array length = sqrt(squares).array();
  std::vector<int64_t> order(1000);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return length.at(a) > length.at(b); });
  const auto found = std::count_if(order.begin(), order.begin() + wrong, [](int64_t i) { return i < wrong; });
  std::cout << "mislabelled among the " << wrong << " rows of longest gradient: " << found << "\n";

  // What it is worth: the same network, trained to the end on all rows, and without those.
  std::vector<double> rest(order.begin() + wrong, order.end());
  const Tensor kept = tensor(rest, {static_cast<int64_t>(rest.size())}, Dtype::int32);
  const auto score = [&](const Rows& r) {
    return std::to_string(std::lround(100 * accuracy(trained(r, 400)(test.x), test.y).item())) + " %";
  };
  std::cout << "accuracy on " << test.y.size() << " clean rows: all " << score(rows) << ", without the suspects "
            << score({take(rows.x, kept, 0), take(rows.y, kept, 0)}) << ", with true labels " << score({rows.x, truth})
            << "\n";
}
