#include <cmath>
#include <numbers>

#include "base/error.h"
#include "viva/optim.h"

namespace viva::schedule {
namespace {

double checked(const char* what, int64_t steps) {
  if (steps < 1) throw usage_error("[schedule::{}] {} steps: give 1 or more", what, steps);
  return static_cast<double>(steps);
}

// from at part = 0, to at part = 1 and beyond, half a cosine between.
Tensor half_cosine(const Tensor& part, double from, double to) {
  return (1 + cos(minimum(part, 1) * std::numbers::pi)) * ((from - to) / 2) + to;
}

}  // namespace

Schedule constant(double value) {
  return [=](const Tensor&) { return scalar(value, Dtype::float64); };
}

Schedule linear(double from, double to, int64_t steps) {
  const double n = checked("linear", steps);
  return [=](const Tensor& t) { return from + (to - from) * minimum(t / n, 1); };
}

Schedule cosine(double peak, int64_t steps, int64_t warm_up, double end) {
  const double n = checked("cosine", steps - warm_up), w = static_cast<double>(warm_up);
  if (warm_up < 0) throw usage_error("[schedule::cosine] a rise of {} steps: give 0 or more", warm_up);
  return [=](const Tensor& t) {
    const Tensor down = half_cosine((t - w) / n, peak, end);
    return warm_up == 0 ? down : where(t < w, t * (peak / w), down);
  };
}

Schedule exponential(double from, double factor, int64_t steps) {
  const double n = checked("exponential", steps);
  return [=](const Tensor& t) { return from * pow(factor, t / n); };
}

Schedule step(double from, double factor, int64_t steps) {
  const double n = checked("step", steps);
  return [=](const Tensor& t) { return from * pow(factor, floor(t / n)); };
}

Schedule one_cycle(double peak, int64_t steps, double rise) {
  const double n = checked("one_cycle", steps), top = std::floor(rise * n);
  if (!(rise > 0 && rise < 1) || top < 1)
    throw usage_error("[schedule::one_cycle] a rise over {} of {} steps: give a part that holds a step", rise, steps);
  return [=](const Tensor& t) {
    const double low = peak / 25, last = low / 1e4;
    return where(t < top, half_cosine(t / top, low, peak), half_cosine((t - top) / (n - top), peak, last));
  };
}

}  // namespace viva::schedule
