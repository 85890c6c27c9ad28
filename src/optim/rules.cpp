// The learning rules.
#include <cmath>

#include "optim/check.h"

namespace viva {

using optim::above_zero;
using optim::at_least_zero;
using optim::fraction;

using optim::decayed;
using optim::decayed_square;
using optim::slot;

namespace {

Tensor start_count() { return scalar(0, Dtype::int64); }
Tensor next(const Tensor& count) { return count + 1; }

// 1 - βᵗ in float64, where it keeps its digits for β near 1.
Tensor correction(double beta, const Tensor& count) {
  return 1 - pow(scalar(beta, Dtype::float64), convert(count, Dtype::float64));
}

bool chosen(const Chosen& which, const Parameter& p) { return !which || which(p); }

// direction, and weight_decay·w where it concerns p.
Tensor with_decay(const Tensor& direction, double weight_decay, const Chosen& which, const Parameter& p) {
  if (weight_decay == 0 || !chosen(which, p)) return direction;
  return direction + optim::wide(p.value) * weight_decay;
}

Tensor descent(const Rate& rate, const Tensor& count, const Tensor& direction) {
  return -rate.at(count, direction.dtype()) * direction;
}

}  // namespace

Tensor Rate::at(const Tensor& count, Dtype d) const {
  if (!schedule_ && tensor_.empty()) {
    at_least_zero("optim", "rate", value_);
    return scalar(value_, d);
  }
  const Tensor given = schedule_ ? schedule_(convert(count, Dtype::float64)) : tensor_;
  if (given.empty() || given.rank() != 0)
    throw optim::refused(fmt::format("[optim] a rate that is {}: give a scalar",
                                     given.empty() ? "an empty tensor" : to_string(given.type())));
  if (!given.traced()) at_least_zero("optim", "rate", given.item());
  return convert(given, d);
}

bool is_matrix(const Parameter& p) { return p.value.rank() >= 2; }

// Sgd

namespace {

void check(const Sgd& r) {
  at_least_zero("Sgd", "momentum", r.momentum), at_least_zero("Sgd", "weight_decay", r.weight_decay);
  if (r.nesterov && r.momentum == 0) throw optim::refused("[Sgd] nesterov without momentum: give a momentum, 0.9 say");
}
void check(std::string_view rule, double beta1, double beta2) {
  fraction(rule, "beta1", beta1), fraction(rule, "beta2", beta2);
}
void check(const Adam& r) { check("Adam", r.beta1, r.beta2), above_zero("Adam", "epsilon", r.epsilon); }
void check(const AdamW& r) {
  check("AdamW", r.beta1, r.beta2), above_zero("AdamW", "epsilon", r.epsilon);
  at_least_zero("AdamW", "weight_decay", r.weight_decay);
}
void check(const Lion& r) { check("Lion", r.beta1, r.beta2), at_least_zero("Lion", "weight_decay", r.weight_decay); }
void check(const RmsProp& r) {
  fraction("RmsProp", "decay", r.decay), above_zero("RmsProp", "epsilon", r.epsilon);
  at_least_zero("RmsProp", "momentum", r.momentum);
}
void check(const Adagrad& r) {
  at_least_zero("Adagrad", "initial", r.initial), at_least_zero("Adagrad", "epsilon", r.epsilon);
}

}  // namespace

Sgd::State Sgd::start(const Parameters& p) const {
  check(*this);
  return {start_count(), momentum == 0 ? Slots() : optim::zeros(p)};
}

Sgd::State Sgd::transform(Parameters& p, State s) const {
  check(*this);
  optim::check_count(s.count);
  for (Parameter& q : p) {
    Tensor g = with_decay(q.update, weight_decay, decays, q);
    if (momentum != 0) {
      Tensor& m = slot(s.momentum, q);
      m = decayed(m, momentum, g, 1);
      g = nesterov ? g + m * momentum : m;
    }
    q.update = descent(rate, s.count, g);
  }
  s.count = next(s.count);
  return s;
}

// Adam

namespace {

Adam::State adam(Parameters& p, Adam::State s, const AdamW& a) {
  optim::check_count(s.count);
  const Tensor count = next(s.count), scale1 = correction(a.beta1, count), scale2 = correction(a.beta2, count);
  for (Parameter& q : p) {
    Tensor &m = slot(s.first, q), &v = slot(s.second, q);
    const Dtype d = q.update.dtype();
    m = decayed(m, a.beta1, q.update, 1 - a.beta1);
    v = decayed_square(v, a.beta2, q.update, 1 - a.beta2);
    const Tensor ratio = m / convert(scale1, d) / (sqrt(v / convert(scale2, d)) + a.epsilon);
    q.update = descent(a.rate, s.count, with_decay(ratio, a.weight_decay, a.decays, q));
  }
  s.count = count;
  return s;
}

}  // namespace

Adam::State Adam::start(const Parameters& p) const {
  check(*this);
  return {start_count(), optim::zeros(p), optim::zeros(p)};
}
Adam::State Adam::transform(Parameters& p, State s) const {
  check(*this);
  return adam(p, std::move(s), {rate, beta1, beta2, epsilon, 0, {}});
}

Adam::State AdamW::start(const Parameters& p) const {
  check(*this);
  return {start_count(), optim::zeros(p), optim::zeros(p)};
}
Adam::State AdamW::transform(Parameters& p, State s) const {
  check(*this);
  return adam(p, std::move(s), *this);
}

// Lion

Lion::State Lion::start(const Parameters& p) const {
  check(*this);
  return {start_count(), optim::zeros(p)};
}

Lion::State Lion::transform(Parameters& p, State s) const {
  check(*this);
  optim::check_count(s.count);
  for (Parameter& q : p) {
    Tensor& m = slot(s.momentum, q);
    const Tensor direction = sign(m * beta1 + q.update * (1 - beta1));
    m = decayed(m, beta2, q.update, 1 - beta2);
    q.update = descent(rate, s.count, with_decay(direction, weight_decay, decays, q));
  }
  s.count = next(s.count);
  return s;
}

// RmsProp

RmsProp::State RmsProp::start(const Parameters& p) const {
  check(*this);
  return {start_count(), optim::zeros(p), centered ? optim::zeros(p) : Slots(),
          momentum == 0 ? Slots() : optim::zeros(p)};
}

RmsProp::State RmsProp::transform(Parameters& p, State s) const {
  check(*this);
  optim::check_count(s.count);
  for (Parameter& q : p) {
    Tensor& v = slot(s.second, q);
    v = decayed_square(v, decay, q.update, 1 - decay);
    Tensor spread = v;
    if (centered) {
      Tensor& m = slot(s.first, q);
      m = decayed(m, decay, q.update, 1 - decay);
      spread = v - square(m);
    }
    q.update = descent(rate, s.count, q.update / (epsilon_inside ? sqrt(spread + epsilon) : sqrt(spread) + epsilon));
    if (momentum != 0) {
      Tensor& b = slot(s.momentum, q);
      b = decayed(b, momentum, q.update, 1);
      q.update = b;
    }
  }
  s.count = next(s.count);
  return s;
}

// Adagrad

Adagrad::State Adagrad::start(const Parameters& p) const {
  check(*this);
  Slots sum = optim::zeros(p);
  for (auto& [name, t] : sum) t = full_like(t, initial);
  return {start_count(), std::move(sum)};
}

Adagrad::State Adagrad::transform(Parameters& p, State s) const {
  check(*this);
  optim::check_count(s.count);
  for (Parameter& q : p) {
    Tensor& a = slot(s.sum, q);
    a = a + square(q.update);
    q.update = descent(rate, s.count, where(a > 0, rsqrt(a + epsilon), 0) * q.update);
  }
  s.count = next(s.count);
  return s;
}

}  // namespace viva
