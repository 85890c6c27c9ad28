// Gradients on their way to a rule: clipped, summed over steps; and means of parameters.
#include "optim/check.h"

namespace viva {

using optim::slot;
using tracing::usage_at;

Tensor global_norm(const std::vector<Tensor>& leaves, Loc l) {
  const optim::At at(l);
  Tensor total;
  for (const Tensor& t : leaves) {
    if (t.empty() || !is_float(t.dtype())) continue;
    const Tensor one = sum(square(optim::wide(t)));
    total = total.empty() ? one : total + one;
  }
  return total.empty() ? scalar(0.0) : sqrt(total);
}

namespace {

void check_limit(std::string_view rule, double max) {
  if (!(max > 0)) throw optim::refused(fmt::format("[{}] a limit of {}: give a number above 0", rule, max));
}

}  // namespace

ClipByGlobalNorm clip_by_global_norm(double max, Loc l) {
  const optim::At at(l);
  check_limit("clip_by_global_norm", max);
  return {max};
}

NoState ClipByGlobalNorm::transform(Parameters& p, State s) const {
  check_limit("clip_by_global_norm", max);
  std::vector<Tensor> all;
  for (const Parameter& q : p) all.push_back(q.update);
  const Tensor norm = global_norm(all, Loc::current());
  for (Parameter& q : p) q.update = where(norm < max, q.update, q.update / convert(norm, q.update.dtype()) * max);
  return s;
}

ClipByValue clip_by_value(double max, Loc l) {
  const optim::At at(l);
  check_limit("clip_by_value", max);
  return {max};
}

NoState ClipByValue::transform(Parameters& p, State s) const {
  check_limit("clip_by_value", max);
  for (Parameter& q : p) q.update = clip(q.update, -max, max);
  return s;
}

namespace optim {

void check_every(int64_t every, Loc l) {
  if (every < 1) throw usage_at(l, fmt::format("[accumulate] every {} gradients: give 1 or more", every));
}

Tensor accumulate(Parameters& p, Tensor& count, Slots& sum, int64_t every) {
  check_count(count);
  count = count + 1;
  for (Parameter& q : p) {
    Tensor& total = slot(sum, q);
    total = total + q.update;
    q.update = total / static_cast<double>(every);
  }
  return count % every == 0;
}

void keep_if(const Tensor& now, Parameters& p, Slots& sum) {
  for (Parameter& q : p) {
    q.update = where(now, q.update, 0);
    Tensor& total = slot(sum, q);
    total = where(now, 0, total);
  }
}

}  // namespace optim

// Average

Average::State Average::start(const Parameters& p) const {
  optim::fraction("Average", "decay", decay);
  return {scalar(0, Dtype::int64), optim::zeros(p)};
}

Average::State Average::add(const Parameters& p, State s) const {
  optim::fraction("Average", "decay", decay);
  optim::check_count(s.count);
  s.count = s.count + 1;
  for (const Parameter& q : p) {
    Tensor& mean = slot(s.mean, q);
    mean = optim::decayed(mean, decay, optim::wide(q.value), 1 - decay);
  }
  return s;
}

std::vector<Tensor> Average::mean_of(const Parameters& p, std::vector<Tensor> leaves, const State& s) const {
  optim::check_count(s.count);
  const Tensor weight = 1 - pow(scalar(decay, Dtype::float64), convert(s.count, Dtype::float64));
  State copy = s;
  for (const Parameter& q : p) {
    const Tensor& mean = slot(copy.mean, q);
    const Tensor corrected = convert(mean / convert(weight, mean.dtype()), q.value.dtype());
    leaves[q.leaf] = where(s.count == 0, q.value, corrected);
  }
  return leaves;
}

}  // namespace viva
