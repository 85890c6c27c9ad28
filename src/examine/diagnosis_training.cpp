// Confidence that a temperature mends, and training that one more step mends.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "examine/detectable.h"
#include "examine/diagnosis.h"
#include "examine/digits.h"
#include "examine/lanczos.h"
#include "examine/loss_programs.h"
#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/temperature.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr double material_gap = .02, material_share = .1, material_nats = .01;
constexpr int64_t most_rows = 2000, most_steps = 20;

struct Step {
  double length = 0;
  std::vector<double> gain;  // of each row of half B: loss before less after
  double before = 0;         // half B's mean loss
};

// One step along the gradient of half A, as long as 2^k / lambda with the k that suits half A best.
std::optional<Step> step_of(Context& x, const RowSource& train) {
  const std::vector<int64_t> drawn =
      drawn_rows(x.seed, Stream::loss_rows, train.size(), std::min(most_rows, train.size()));
  const auto [a, b] = halves_of(x.seed, train, drawn);
  if (a.empty() || b.empty()) return std::nullopt;
  const LossPrograms programs(x.subject, x.subject.network(program_rows));
  const LabelledRows of_a = labelled_rows(train, a, x.subject), of_b = labelled_rows(train, b, x.subject);
  const Spectrum s =
      lanczos([&](auto v) { return programs.hessian_product(of_a, v, x.pool, x.cancel); },
              lanczos_start(x.seed, 1, programs.parameters()), {.most_steps = most_steps, .tolerance = 1e-2});
  const std::vector<double> g = programs.gradient(of_a, x.pool, x.cancel);
  if (!(s.largest.value > 0) || !std::ranges::all_of(g, [](double v) { return std::isfinite(v); })) return std::nullopt;
  Step best;
  double least = INFINITY;
  for (int k = -4; k <= 4; ++k) {
    const double length = std::ldexp(1, k) / s.largest.value;
    const double loss = mean_of(programs.losses_at(of_a, g, -length, x.pool, x.cancel));
    if (loss < least) least = loss, best.length = length;
  }
  const std::vector<double> before = programs.losses_at(of_b, g, 0, x.pool, x.cancel),
                            after = programs.losses_at(of_b, g, -best.length, x.pool, x.cancel);
  for (size_t i = 0; i < before.size(); ++i) best.gain.push_back(before[i] - after[i]);
  best.before = mean_of(before);
  x.add_work(std::ssize(a), 9 * static_cast<double>(s.products) + 3 + 9);
  x.add_work(std::ssize(b), 2);
  return best;
}

}  // namespace

int64_t training_plan_rows(const Context& x) {
  const int64_t half = std::min(most_rows, x.train ? x.train->size() : 0) / 2;
  return half * (most_steps + 2 + 2) + half;
}

Looked look_at_confidence(Context& x) {
  const Evaluation& e = x.evaluation();
  if (!has_scores(e.kind)) return {{}, fmt::format("outputs are {}", to_string(e.kind))};
  if (!e.nan_rows.empty() || !e.infinite_out.empty())
    return {{},
            fmt::format("{} NaN or an infinity",
                        counted(std::ssize(e.nan_rows) + std::ssize(e.infinite_out), "row gives", "rows give"))};
  const LabelledLogits l = labelled_logits(e, x.data);
  std::vector<double> confidence, gaps;
  std::vector<bool> right;
  for (int64_t i = 0; i < l.rows(); ++i) {
    const auto at = static_cast<size_t>(i);
    confidence.push_back(std::exp(-log_loss_at(l.row(i), e.predicted[at], 1)));
    right.push_back(e.predicted[at] == l.labels[at]);
    gaps.push_back(confidence.back() - right.back());
  }
  const Halves h = halves_of(x.seed, x.data);
  const CrossFitted fitted = cross_fitted(l, h.a, h.b);
  const std::vector<double>& gains = fitted.gain;
  const double temperature = fitted.a.value.value_or(1);
  const double gap = mean_of(gaps), low = student_t_lower(gaps, .05).value_or(-INFINITY),
               helped = gains.empty() ? -INFINITY : student_t_lower(gains, .05).value_or(-INFINITY);
  Suspicion s{.id = "diagnosis.over_confidence", .title = "More confident than right"};
  s.p = student_p_above(gaps, 0);
  s.material_if = fmt::format(
      "mean confidence at least {} above accuracy, its lower limit above 0, and a temperature fitted on one half "
      "lowers "
      "the other's log-loss",
      material_gap);
  s.material = gap >= material_gap && low > 0 && helped > 0;
  s.size = gap, s.needed = material_gap;
  const InDigits above = in_digits(gap, low, std::nullopt);
  s.effect = fmt::format("mean confidence less accuracy {} (95 % lower limit {})", above.estimate, above.low);
  s.told = fmt::format(
      "{}. Mend: divide the logits by {} (fitted on half A); across halves this changes the log-loss by {} nats a row",
      s.effect, number(temperature), gains.empty() ? "–" : number(-mean_of(gains)));
  if (!gains.empty())
    s.mend = Mend{s.id,
                  fmt::format("divide the logits by {}", number(temperature)),
                  {},
                  temperature,
                  e.kind == OutputKind::probabilities};
  return {{std::move(s)}, "", [confidence, right](double level) {
            const std::optional<double> gap = detectable_gap(confidence, right, material_gap, level);
            return gap ? fmt::format("a gap of {} or more that a temperature lessens", number(*gap, {3}, Rounding::up))
                       : "nothing: too few rows";
          }};
}

Looked look_at_training(Context& x) {
  if (!x.train) return {{}, "needs the training rows: give --train"};
  const Evaluation& e = x.evaluation();
  if (std::string why = why_no_cross_entropy(e, x.subject.record()); !why.empty()) return {{}, std::move(why)};
  std::optional<Step> step;
  try {
    step = step_of(x, *x.train);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return {{}, error.message()};
  }
  if (!step) return {{}, "the loss has no finite gradient with a positive curvature on half A"};
  const double gain = mean_of(step->gain), low = student_t_lower(step->gain, .05).value_or(-INFINITY);
  const double needed = std::max(material_share * step->before, material_nats);
  Suspicion s{.id = "diagnosis.unfinished_training", .title = "Training was not finished"};
  s.p = student_p_above(step->gain, 0);
  s.material_if =
      fmt::format("one gradient step lowers the loss of the other half by at least {} % and {} nats (lower limit)",
                  100 * material_share, material_nats);
  s.material = low >= needed;
  s.size = gain, s.needed = needed;
  const bool lowers = gain >= 0;
  const InDigits by = lowers ? in_digits(gain, low, std::nullopt) : in_digits(-gain, std::nullopt, -low);
  s.effect = fmt::format(
      "one gradient step of half A, of length {}, {} the mean loss of half B from {} by {} nats (95 % {} limit {})",
      number(step->length), lowers ? "lowers" : "raises", number(step->before), by.estimate, lowers ? "lower" : "upper",
      lowers ? by.low : by.high);
  s.told = s.effect + ". Mend: train on";
  return {{std::move(s)}, "", [needed, rows = step->gain](double level) {
            const std::optional<double> gain = detectable_mean(rows, needed, level);
            return gain ? fmt::format(
                              "a step that lowers the loss by {} nats or more; a gradient that differs from zero is "
                              "normal",
                              number(*gain, {3}, Rounding::up))
                        : "nothing: too few rows for a limit";
          }};
}

}  // namespace viva
