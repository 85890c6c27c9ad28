// The greatest eigenvalues of a loss's Hessian, by Lanczos's method: products of the Hessian with vectors are enough,
// and hvp gives them without the matrix. Gradient descent on these rows is locally unstable above the step 2 /
// (greatest eigenvalue).
#include <viva/viva.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

using namespace viva;

struct Net {
  Dense hidden, out;
  static Net make(const Key& k) {
    const DenseOptions wide{.dtype = Dtype::float64};
    return {.hidden = Dense::make(k.fold(0), 2, 16, wide), .out = Dense::make(k.fold(1), 16, 2, wide)};
  }
  Tensor operator()(const Tensor& x) const { return out(tanh(hidden(x))); }
};

Tensor loss(const Net& m, const Tensor& x, const Tensor& labels) { return mean(cross_entropy(m(x), labels)); }

// Eigenvalues, ascending, of a symmetric matrix by Jacobi's rotations, each with the size of its eigenvector's last
// component, from which the residuals of Lanczos's method follow.
using Matrix = std::vector<std::vector<double>>;
std::vector<std::pair<double, double>> eigenvalues(Matrix a) {
  const size_t n = a.size();
  std::vector<double> last(n, 0);
  last[n - 1] = 1;
  for (int sweep = 0; sweep < 60; ++sweep)
    for (size_t p = 0; p < n; ++p)
      for (size_t q = p + 1; q < n; ++q) {
        if (std::abs(a[p][q]) < 1e-300) continue;
        const double t = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const double tangent = (t < 0 ? -1 : 1) / (std::abs(t) + std::sqrt(t * t + 1));
        const double c = 1 / std::sqrt(tangent * tangent + 1), s = tangent * c;
        const auto turn = [&](double& x, double& y) {
          const double old = x;
          x = c * x - s * y, y = s * old + c * y;
        };
        for (size_t i = 0; i < n; ++i) turn(a[i][p], a[i][q]);
        for (size_t i = 0; i < n; ++i) turn(a[p][i], a[q][i]);
        turn(last[p], last[q]);
      }
  std::vector<std::pair<double, double>> found;
  for (size_t i = 0; i < n; ++i) found.emplace_back(a[i][i], std::abs(last[i]));
  std::sort(found.begin(), found.end());
  return found;
}

double dot(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

// So many steps of Lanczos's method from a random vector, each made orthogonal to all before. Gives each eigenvalue of
// the tridiagonal matrix with its residual |A v - λ v|.
template <class Multiply>
std::vector<std::pair<double, double>> lanczos(const Multiply& multiply, Tensor q, size_t steps) {
  Matrix t(steps, std::vector<double>(steps, 0));
  std::vector<Tensor> basis;
  double beta = 0;
  q = q / std::sqrt(dot(q, q));
  for (size_t k = 0; k < steps; ++k) {
    basis.push_back(q);
    Tensor r = multiply(q);
    t[k][k] = dot(q, r);
    for (int twice = 0; twice < 2; ++twice)
      for (const Tensor& b : basis) r = r - dot(b, r) * b;
    beta = std::sqrt(dot(r, r));
    if (k + 1 < steps) t[k][k + 1] = t[k + 1][k] = beta;
    q = r / beta;
  }
  std::vector<std::pair<double, double>> found = eigenvalues(t);
  for (auto& [value, residual] : found) residual *= beta;
  return found;
}

int main() {
  // Two half moons.
  const int64_t n = 200;
  const Tensor angle = linspace(0, 3.14159265, n, Dtype::float64), side = iota({n}, 0) % 2;
  const Tensor sign = convert(1 - 2 * side, Dtype::float64);
  const Tensor x = stack({cos(angle) * sign + 0.5 * convert(side, Dtype::float64), sin(angle) * sign}, 1) +
                   0.1 * normal(key(1), {n, 2}, Dtype::float64);
  Net net = Net::make(key(2));
  const Adam rule{.rate = 0.03};
  Adam::State state = rule.init(net);
  auto step = compile([&](Net m, Adam::State s, const Tensor& rows, const Tensor& labels) {
    return rule.update(m, s, grad(loss)(m, rows, labels));
  });
  const auto flat = [&](const Tensor& w, const Tensor& rows, const Tensor& labels) {
    return loss(unravel(net, w), rows, labels);
  };
  const auto product = compile(hvp(flat));
  const auto report = [&](const char* when) {
    const Tensor w = ravel(net);
    const auto found =
        lanczos([&](const Tensor& v) { return product(w, x, side, v); }, normal(key(3), w.shape(), Dtype::float64), 40);
    std::printf("%s: loss %.4f\n", when, loss(net, x, side).item());
    for (size_t i = found.size(); i-- > found.size() - 3;)
      std::printf("  eigenvalue %8.4f, residual below 1e%+03.0f\n", found[i].first,
                  std::max(-9., std::ceil(std::log10(found[i].second + 1e-300))));
    std::printf("  smallest   %8.4f; 2 / greatest %.3f\n", found[0].first, 2 / found.back().first);
    // Small enough to look at all of it.
    const Tensor dense = hessian(flat)(w, x, side);
    const auto size = static_cast<size_t>(dense.dim(0));
    const Array values = dense.array();
    const std::span<const double> entries = values.as<double>();
    Matrix whole(size);
    for (size_t i = 0; i < size; ++i) whole[i].assign(entries.begin() + i * size, entries.begin() + (i + 1) * size);
    std::printf("  all %zu by %zu entries give %.4f\n", size, size, eigenvalues(whole).back().first);
  };
  report("at the start");
  for (int i = 0; i < 300; ++i) std::tie(net, state) = step(std::move(net), std::move(state), x, side);
  report("after 300 steps of Adam");
}
