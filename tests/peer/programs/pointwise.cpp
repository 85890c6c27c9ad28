#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

Programs of_one() {
  return {
      {"neg", [](In x) { return -x[0]; }},
      {"reciprocal", [](In x) { return 1 / x[0]; }},
      {"abs", abs},
      {"sign", sign},
      {"floor", floor},
      {"ceil", ceil},
      {"round", round},
      {"trunc", trunc},
      {"exp", exp},
      {"exp2", exp2},
      {"expm1", expm1},
      {"log", log},
      {"log1p", log1p},
      {"log2", log2},
      {"log10", log10},
      {"sqrt", sqrt},
      {"rsqrt", rsqrt},
      {"cbrt", cbrt},
      {"square", square},
      {"sin", sin},
      {"cos", cos},
      {"tan", tan},
      {"asin", asin},
      {"acos", acos},
      {"atan", atan},
      {"sinh", sinh},
      {"cosh", cosh},
      {"tanh", tanh},
      {"asinh", asinh},
      {"acosh", acosh},
      {"atanh", atanh},
      {"sinc", sinc},
      {"erf", erf},
      {"erf_inv", erf_inv},
      {"lgamma", lgamma},
      {"digamma", digamma},
      {"polygamma", [](In x, const Ints& order) { return polygamma(order[0], x[0]); }},
      {"nan_to_num", [](In x) { return nan_to_num(x[0]); }},
      {"angle", angle},
      {"real", real},
      {"imag", imag},
      {"conj", conj},
  };
}

Programs of_two() {
  return {
      {"add", [](In x) { return x[0] + x[1]; }},
      {"sub", [](In x) { return x[0] - x[1]; }},
      {"mul", [](In x) { return x[0] * x[1]; }},
      {"div", [](In x) { return x[0] / x[1]; }},
      {"rem", [](In x) { return x[0] % x[1]; }},
      {"remainder", remainder},
      {"floor_divide", floor_divide},
      {"pow", pow},
      {"pow_by", [](In x, const Ints& n) { return pow(x[0], n[0]); }},
      {"pow_root", [](In x) { return pow(x[0], 2.5); }},
      {"pow_of", [](In x) { return pow(1.7, x[0]); }},
      {"maximum", maximum},
      {"minimum", minimum},
      {"atan2", atan2},
      {"hypot", hypot},
      {"logaddexp", logaddexp},
      {"copysign", copysign},
      {"where", [](In x) { return where(x[0] > x[1], sin(x[0]), x[1] * x[1]); }},
      {"clip", [](In x) { return clip(x[0], -.6, .8) * x[0]; }},
      {"clip_by", [](In x) { return clip(x[0], x[1], x[1] + 1); }},
      {"select", [](In x) { return select({x[0] < -1, x[0] < 1}, {exp(x[0]), square(x[0])}, log1p(square(x[0]))); }},
      {"convert", [](In x) { return convert(convert(x[0], Dtype::float64) * x[1], x[0].dtype()); }},
      {"complex", [](In x) { return complex(x[0], x[1]) * complex(x[1], -x[0]); }},
      {"compare", [](In x) { return convert((x[0] < x[1]) ^ (x[0] >= 0.5), Dtype::int32); }},
      {"bits", [](In x) { return (x[0] & x[1]) | (shift_left(x[0], 3) ^ shift_right(x[1], 1)); }},
      {"integers", [](In x) { return x[0] * x[1] - x[0] / x[1] + x[0] % x[1]; }},
  };
}

Programs compounds() {
  return {
      {"sin_of_exp", [](In x) { return sin(exp(x[0])); }},
      {"logistic_chain", [](In x) { return sigmoid(3 * tanh(x[0]) - softplus(x[0])); }},
      {"rational", [](In x) { return (x[0] * x[0] - 1) / (x[0] * x[0] + 1); }},
      {"gaussian", [](In x) { return exp(-square(x[0] - x[1]) / (2 * square(x[2]))) / x[2]; }},
      {"rosenbrock",
       [](In x) {
         const Tensor a = x[0](range(1)), b = x[0](range(0, -1));
         return sum(100 * square(a - square(b)) + square(1 - b));
       }},
      {"von_mises", [](In x) { return exp(x[1] * cos(x[0] - x[2])); }},
      {"student",
       [](In x) { return lgamma((x[1] + 1) / 2) - lgamma(x[1] / 2) - (x[1] + 1) / 2 * log1p(square(x[0]) / x[1]); }},
      {"beta_density",
       [](In x) {
         const Tensor n = lgamma(x[1] + x[2]) - lgamma(x[1]) - lgamma(x[2]);
         return n + (x[1] - 1) * log(x[0]) + (x[2] - 1) * log1p(-x[0]);
       }},
      {"lens", [](In x) { return sqrt(1 - square(sin(x[0]) / x[1])); }},
      {"iterated_sine",
       [](In x) {
         Tensor y = x[0];
         for (int i = 0; i < 5; ++i) y = sin(2 * y + .3);
         return y;
       }},
      {"newton_root",
       [](In x) {
         Tensor y = ones_like(x[0]);
         for (int i = 0; i < 6; ++i) y = (y + x[0] / y) / 2;
         return y;
       }},
      {"quadratic_root", [](In x) { return (-x[1] + sqrt(square(x[1]) + 4 * x[0])) / 2; }},
  };
}

}  // namespace

Programs pointwise_programs() {
  Programs all = of_one();
  all.merge(of_two());
  all.merge(compounds());
  return all;
}

}  // namespace viva::peer
