#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

// Settings are the axes; none: all.
Axes axes_of(const Ints& settings) { return settings.empty() ? Axes() : Axes(settings); }

template <auto reduce> Program over() {
  return [](In x, const Ints& axes) { return reduce(x[0], axes_of(axes), false); };
}
template <auto reduce> Program along() {
  return [](In x, const Ints& axis) { return reduce(x[0], axis[0]); };
}

Programs totals() {
  return {
      {"sum", over<sum>()},
      {"mean", over<mean>()},
      {"max", over<max>()},
      {"min", over<min>()},
      {"prod", over<prod>()},
      {"variance", [](In x, const Ints& axes) { return variance(x[0], axes_of(axes), true, 1); }},
      {"std_dev", [](In x, const Ints& axes) { return std_dev(x[0], axes_of(axes)); }},
      {"norm", [](In x, const Ints& axes) { return norm(x[0], axes_of(axes)); }},
      {"norm_order", [](In x, const Ints& s) { return norm(x[0], 1, true, static_cast<double>(s[0])); }},
      {"norm_max", [](In x) { return norm(x[0], 0, false, std::numeric_limits<double>::infinity()); }},
      {"logsumexp", over<logsumexp>()},
      {"average", [](In x) { return average(x[0], x[1], 1); }},
      {"ptp", over<ptp>()},
      {"nan_sum", over<nan_sum>()},
      {"nan_mean", over<nan_mean>()},
      {"nan_max", over<nan_max>()},
      {"nan_min", over<nan_min>()},
      {"count_nonzero", over<count_nonzero>()},
      {"all", [](In x) { return convert(all(x[0] > -1, 1), Dtype::int32); }},
      {"any", [](In x) { return convert(any(x[0] > 1, 1), Dtype::int32); }},
      {"argmax", along<argmax>()},
      {"argmin", along<argmin>()},
  };
}

Programs scans() {
  return {
      {"cumsum", [](In x, const Ints& s) { return cumsum(x[0], s[0], s[1] != 0); }},
      {"cumprod", along<cumprod>()},
      {"cummax", along<cummax>()},
      {"cummin", along<cummin>()},
      {"cumlogsumexp",
       [](In x) {
         const Tensor top = stop_gradient(max(x[0], 1, true));
         return log(cumsum(exp(x[0] - top), 1)) + top;
       }},
      {"softmax", [](In x, const Ints& s) { return softmax(x[0], s[0]); }},
      {"log_softmax", [](In x, const Ints& s) { return log_softmax(x[0], s[0]); }},
      {"diff", [](In x, const Ints& s) { return diff(x[0], s[0], s[1]); }},
      {"gradient", [](In x) { return gradient(x[0], .5, 1); }},
      {"trapezoid", [](In x) { return trapezoid(square(x[0]), .25, 0); }},
      {"whiten", [](In x) { return (x[0] - mean(x[0], 1, true)) * rsqrt(variance(x[0], 1, true) + 1e-3); }},
      {"entropy", [](In x) { return -sum(softmax(x[0]) * log_softmax(x[0]), -1); }},
      {"geometric_mean", [](In x) { return exp(mean(log(x[0]), 0)); }},
      {"sum_of_products", [](In x) { return prod(sum(x[0], 1) + 2) + sum(prod(x[0], 1)); }},
  };
}

}  // namespace

Programs reduction_programs() {
  Programs programs = totals();
  programs.merge(scans());
  return programs;
}

}  // namespace viva::peer
