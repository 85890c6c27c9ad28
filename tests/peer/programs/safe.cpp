#include "peer/programs/programs.h"

namespace viva::peer {

// Derivatives where a careless rule gives NaN: at the edges of domains, behind masks, at ties and zeros.
Programs safe_programs() {
  return {
      {"masked_sqrt", [](In x) { return where(x[0] > 0, sqrt(x[0]), 0) + square(x[0]); }},
      {"masked_rsqrt", [](In x) { return where(x[0] > 0, rsqrt(x[0]), 0) + square(x[0]); }},
      {"masked_log", [](In x) { return where(x[0] > 0, log(x[0]), 0) + square(x[0]); }},
      {"masked_log1p", [](In x) { return where(x[0] > -1, log1p(x[0]), 0) + square(x[0]); }},
      {"masked_div", [](In x) { return where(x[1] == 0, 0, x[0] / x[1]) + x[0] * x[0]; }},
      {"masked_pow", [](In x) { return where(x[0] > 0, pow(x[0], 1.5), 0) + square(x[0]); }},
      {"masked_erf_inv", [](In x) { return where(abs(x[0]) < 1, erf_inv(x[0]), 0) + square(x[0]); }},
      {"entropy_zero",
       [](In x) { return sum(where(x[0] > 0, -x[0] * log(where(x[0] > 0, x[0], 1)), 0) + square(x[0])); }},
      {"norm_zero_row", [](In x) { return norm(x[0], 1); }},
      {"std_constant_row", [](In x) { return std_dev(x[0], 1); }},
      {"hypot_zero", hypot},
      {"unit_zero_row",
       [](In x) {
         const Tensor n = norm(x[0], 1, true);
         return where(n > 0, x[0] / n, 0);
       }},
      {"distances", [](In x) { return norm(expand_dims(x[0], 0) - expand_dims(x[0], 1), 2); }},
      {"pow_at_zero", [](In x) { return pow(x[0], stop_gradient(x[1])) + square(x[0]); }},
      {"pow_by_at_zero", [](In x, const Ints& n) { return pow(x[0], n[0]) * exp(x[0]); }},
      {"cond_domain",
       [](In x) {
         return vmap([](const Tensor& t) {
           return cond(t > 0, [](const Tensor& u) { return log(u); }, [](const Tensor& u) { return square(u); }, t);
         })(x[0]);
       }},
      {"logsumexp_none", [](In x) { return logsumexp(x[0], 1); }},
      {"logsumexp_some", [](In x) { return logsumexp(x[0], 1); }},
      {"logsumexp_infinite", [](In x) { return logsumexp(x[0], 1); }},
      {"softmax_masked", [](In x) { return softmax(where(x[1] > 0, x[0], -std::numeric_limits<double>::infinity())); }},
      {"log_softmax_large", [](In x) { return log_softmax(1e4 * x[0]); }},
      {"softplus_tails", softplus},
      {"sigmoid_tails", sigmoid},
      {"tanh_tails", tanh},
      {"logaddexp_infinite", [](In x) { return logaddexp(x[0], -std::numeric_limits<double>::infinity()) * x[0]; }},
      {"sinc_zero", sinc},
      {"abs_zero", [](In x) { return abs(x[0]) * x[0] + abs(x[0]); }},
      {"relu_zero", [](In x) { return relu(x[0]) + square(x[0]); }},
      {"maximum_tie", [](In x) { return maximum(sin(x[0]), sin(x[1])) * x[0]; }},
      {"max_ties", [](In x) { return square(max(sin(x[0]), 1)); }},
      {"prod_zeros", [](In x) { return prod(x[0], 1) * sum(x[0]); }},
      {"prod_of_zeros", [](In x) { return x[0] * x[0] * x[1]; }},
      {"masked_arcsine", [](In x) { return where(abs(x[0]) < 1, asin(x[0]), 0) + square(x[0]); }},
      {"clip_at_end", [](In x) { return clip(x[0], -1, 1) * x[0]; }},
      {"sort_ties", [](In x) { return sum(exp(sort(x[0])(range(2)))); }},
      {"eigh_equal", [](In x) { return sum(square(eigh(x[0]).values)); }},
      {"expm1_small", [](In x) { return expm1(x[0]) - log1p(x[0]); }},
      {"abs_complex_zero", [](In x) { return square(abs(x[0])); }},
  };
}

}  // namespace viva::peer
