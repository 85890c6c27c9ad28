// Initialisers: random tensors whose variance follows from the fans of a layer.
#include <Eigen/QR>
#include <cmath>

#include "trace/operand.h"
#include "viva/nn.h"

namespace viva {

using tracing::usage_at;

Fans fans_of(const Shape& shape, Loc l) {
  if (shape.size() < 2)
    throw usage_at(l, fmt::format("[init] {} has no fans: use constant, normal or uniform", to_string(shape)));
  int64_t space = 1;
  for (size_t i = 2; i < shape.size(); ++i) space *= shape[i];
  if (shape.size() == 2) return {shape[0], shape[1]};
  return {shape[1] * space, shape[0] * space};
}

namespace {

template <size_t N> Tensor polynomial(const double (&c)[N], const Tensor& x) {
  Tensor r = x * c[N - 1] + c[N - 2];
  for (size_t i = N - 2; i-- > 0;) r = r * x + c[i];
  return r;
}

// The x with P(normal <= x) = 1/2 + q. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37, 1988, without its far
// tail: |q| <= 1/2 - 1.4e-11.
Tensor normal_quantile(const Tensor& q) {
  static constexpr double a[]{3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                              1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                              3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double b[]{1.0,
                              4.2313330701600911252e+1,
                              6.8718700749205790830e+2,
                              5.3941960214247511077e+3,
                              2.1213794301586595867e+4,
                              3.9307895800092710610e+4,
                              2.8729085735721942674e+4,
                              5.2264952788528545610e+3};
  static constexpr double c[]{1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                              3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                              2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double d[]{1.0,
                              2.05319162663775882187e0,
                              1.67638483018380384940e0,
                              6.89767334985100004550e-1,
                              1.48103976427480074590e-1,
                              1.51986665636164571966e-2,
                              5.47593808499534494600e-4,
                              1.05075007164441684324e-9};
  const Tensor near = abs(q) <= 0.425;
  const Tensor r = 0.180625 - square(where(near, q, 0));
  const Tensor central = q * (polynomial(a, r) / polynomial(b, r));
  const Tensor s = sqrt(-log(0.5 - abs(where(near, 0.425, q)))) - 1.6;
  return where(near, central, sign(q) * (polynomial(c, s) / polynomial(d, s)));
}

constexpr double bound = 2;                             // deviations
constexpr double half_mass = 0.47724986805182079;       // P(0 <= normal <= 2)
constexpr double deviation_left = 0.87962566103423978;  // of a standard normal variable within the bound

Tensor truncated(const Key& k, const Shape& shape, double deviation, double mean, Dtype d) {
  const Dtype wide = tracing::summed_in(d);
  const Tensor q = uniform(k, shape, -half_mass, half_mass, wide);
  return convert(clip(normal_quantile(q), -bound, bound) * deviation + mean, d);
}

void check(double v, const char* what, Loc l) {
  if (!std::isfinite(v) || v < 0)
    throw tracing::usage_at(l, fmt::format("[init] {} is {}: give a number of at least 0", what, v));
}

double deviation_for(double scale, init::Fan fan, Fans fans) {
  const double in = static_cast<double>(fans.in), out = static_cast<double>(fans.out);
  const double n = fan == init::Fan::in ? in : fan == init::Fan::out ? out : (in + out) / 2;
  return n > 0 ? std::sqrt(scale / n) : 0;
}

}  // namespace

namespace init {

Initializer zeros() { return constant(0); }

Initializer constant(double value) {
  return [=](const Key&, const Shape& shape, Fans, Dtype d) { return full(shape, value, d); };
}

Initializer normal(double deviation, double mean, Loc l) {
  check(deviation, "the deviation", l);
  return [=](const Key& k, const Shape& shape, Fans, Dtype d) { return viva::normal(k, shape, d) * deviation + mean; };
}

Initializer truncated_normal(double deviation, double mean, Loc l) {
  check(deviation, "the deviation", l);
  return [=](const Key& k, const Shape& shape, Fans, Dtype d) { return truncated(k, shape, deviation, mean, d); };
}

Initializer uniform(double low, double high, Loc l) {
  return [=](const Key& k, const Shape& shape, Fans, Dtype d) { return viva::uniform(k, shape, low, high, d, l); };
}

Initializer variance_scaling(double scale, Fan fan, Law law, Loc l) {
  check(scale, "the scale", l);
  return [=](const Key& k, const Shape& shape, Fans fans, Dtype d) {
    const double s = deviation_for(scale, fan, fans);
    if (s == 0) return full(shape, 0, d);
    if (law == Law::normal) return viva::normal(k, shape, d) * s;
    if (law == Law::truncated_normal) return truncated(k, shape, s / deviation_left, 0, d);
    return viva::uniform(k, shape, -std::sqrt(3.0) * s, std::sqrt(3.0) * s, d);
  };
}

Initializer glorot_normal() { return variance_scaling(1, Fan::mean, Law::normal); }
Initializer glorot_uniform() { return variance_scaling(1, Fan::mean, Law::uniform); }
Initializer he_normal(Fan fan) { return variance_scaling(2, fan, Law::normal); }
Initializer he_uniform(Fan fan) { return variance_scaling(2, fan, Law::uniform); }
Initializer lecun_normal() { return variance_scaling(1, Fan::in, Law::truncated_normal); }
Initializer lecun_uniform() { return variance_scaling(1, Fan::in, Law::uniform); }

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Orthonormal columns of a tall matrix: those of a QR decomposition whose R has a positive diagonal.
Matrix orthonormal(const Matrix& m) {
  const Eigen::HouseholderQR<Matrix> qr(m);
  Matrix q = qr.householderQ() * Matrix::Identity(m.rows(), m.cols());
  for (Eigen::Index j = 0; j < m.cols(); ++j)
    if (qr.matrixQR()(j, j) < 0) q.col(j) *= -1;
  return q;
}

}  // namespace

Initializer orthogonal(double gain, Loc l) {
  return [=](const Key& k, const Shape& shape, Fans, Dtype d) {
    if (shape.size() < 2)
      throw tracing::usage_at(l,
                              fmt::format("[orthogonal] {} is no matrix: give 2 or more dimensions", to_string(shape)));
    if (k.bits.traced())
      throw tracing::usage_at(l,
                              "[orthogonal] the key is traced: make orthogonal weights outside compile, vmap and grad");
    const int64_t n = numel(shape), rows = shape[0], columns = rows > 0 ? n / rows : 0;
    if (n == 0) return full(shape, 0, d);
    const bool wide = columns > rows;
    Matrix m(wide ? columns : rows, wide ? rows : columns);
    const Array drawn = viva::normal(k, {m.rows(), m.cols()}, Dtype::float64).array();
    std::copy_n(drawn.as<double>().data(), n, m.data());
    Matrix q = orthonormal(m) * gain;
    if (wide) q.transposeInPlace();
    const std::vector<double> values(q.data(), q.data() + n);
    return tensor(values, shape, d);
  };
}

}  // namespace init
}  // namespace viva
