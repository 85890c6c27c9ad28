#include <cmath>
#include <numbers>

#include "optim/check.h"

namespace viva::schedule {

using tracing::Line;

namespace {

double steps_of(std::string_view what, int64_t steps) {
  if (steps < 1) throw optim::refused(fmt::format("[schedule::{}] {} steps: give 1 or more", what, steps));
  return static_cast<double>(steps);
}
void finite(std::string_view what, std::initializer_list<double> numbers) {
  for (const double v : numbers)
    if (!std::isfinite(v)) throw optim::refused(fmt::format("[schedule::{}] {} is given: give numbers", what, v));
}

// from at part = 0, to at part = 1 and beyond, half a cosine between.
Tensor half_cosine(const Tensor& part, double from, double to) {
  return (1 + cos(minimum(part, 1) * std::numbers::pi)) * ((from - to) / 2) + to;
}

}  // namespace

Schedule constant(double value, Loc l) {
  const Line line(l);
  finite("constant", {value});
  return [=](const Tensor&) { return scalar(value, Dtype::float64); };
}

Schedule linear(double from, double to, int64_t steps, Loc l) {
  const Line line(l);
  finite("linear", {from, to});
  const double n = steps_of("linear", steps);
  return [=](const Tensor& t) { return from + (to - from) * minimum(t / n, 1); };
}

Schedule cosine(double peak, int64_t steps, int64_t warm_up, double end, Loc l) {
  const Line line(l);
  finite("cosine", {peak, end});
  const double all = steps_of("cosine", steps);
  if (warm_up < 0 || warm_up >= steps)
    throw optim::refused(fmt::format(
        "[schedule::cosine] a warm-up of {} of {} steps: give 0 or more, and fewer than the steps", warm_up, steps));
  const double w = static_cast<double>(warm_up), n = all - w;
  return [=](const Tensor& t) {
    const Tensor down = half_cosine((t - w) / n, peak, end);
    return warm_up == 0 ? down : where(t < w, t * (peak / w), down);
  };
}

Schedule exponential(double from, double factor, int64_t steps, Loc l) {
  const Line line(l);
  finite("exponential", {from, factor});
  const double n = steps_of("exponential", steps);
  return [=](const Tensor& t) { return from * pow(factor, t / n); };
}

Schedule step(double from, double factor, int64_t steps, Loc l) {
  const Line line(l);
  finite("step", {from, factor});
  const double n = steps_of("step", steps);
  return [=](const Tensor& t) { return from * pow(factor, floor(t / n)); };
}

Schedule one_cycle(double peak, int64_t steps, double rise, Loc l) {
  const Line line(l);
  finite("one_cycle", {peak});
  const double n = steps_of("one_cycle", steps), top = std::floor(rise * n);
  if (!(rise > 0 && rise < 1) || top < 1)
    throw optim::refused(
        fmt::format("[schedule::one_cycle] a rise over {} of {} steps: give a part that holds a step", rise, steps));
  return [=](const Tensor& t) {
    const double low = peak / 25, last = low / 1e4;
    return where(t < top, half_cosine(t / top, low, peak), half_cosine((t - top) / (n - top), peak, last));
  };
}

}  // namespace viva::schedule
