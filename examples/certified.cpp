// Training for a guarantee: the loss is that of the worst logits that any input within `radius` of an example can give,
// by the bound of the network, and its gradient is taken like any other. What is certified holds in floating point.
#include <viva/viva.h>

#include <cstdio>

using namespace viva;

constexpr double radius = 0.12;

struct Net {
  Dense hidden, out;
  static Net make(const Key& k) {
    return {.hidden = Dense::make(k.fold(0), 2, 32), .out = Dense::make(k.fold(1), 32, 1)};
  }
  Tensor operator()(const Tensor& x) const { return out(relu(hidden(x))); }
};

// The least of sign · logit over the box around each row; at 0 the margin of the row itself.
Tensor margins(const Net& net, const Tensor& x, const Tensor& sign, double by) {
  const auto [low, high] = bound([](const Net& n, const Tensor& v) { return n(v); }, wrt<1>)(net, x - by, x + by);
  return where(sign > 0, low, -high);
}

Tensor loss(const Net& net, const Tensor& x, const Tensor& sign, double by) {
  return mean(softplus(-margins(net, x, sign, by)));
}

int main() {
  // Points inside and outside a circle, 0.3 apart.
  const Tensor inside = arange(400) % 2 == 0;
  const Tensor distance = where(inside, uniform(key(2), {400}, 0, 0.5), uniform(key(3), {400}, 0.8, 1.3));
  const Tensor angle = uniform(key(1), {400}, 0, 6.2831853);
  const Tensor x = stack({distance * cos(angle), distance * sin(angle)}, 1);
  const Tensor sign = reshape(where(inside, 1.F, -1.F), {400, 1});
  const auto report = [&](const char* how, const Net& net) {
    const auto share = [&](double by) { return mean(convert(margins(net, x, sign, by) > 0, Dtype::float32)).item(); };
    std::printf("%-22s right %.2f, certified within %.2f of each point %.2f\n", how, share(0), radius, share(radius));
  };
  for (const double by : {0.0, radius}) {
    Net net = Net::make(key(0));
    auto step = compile([by](const Net& n, const Tensor& rows, const Tensor& signs) {
      const Net g =
          grad([by](const Net& m, const Tensor& r, const Tensor& s) { return loss(m, r, s, by); })(n, rows, signs);
      return tree::map([](const Tensor& w, const Tensor& d) { return w - d * 0.5; }, n, g);
    });
    for (int i = 0; i < 600; ++i) net = step(net, x, sign);
    report(by > 0 ? "for the worst input:" : "for the points alone:", net);
  }
}
