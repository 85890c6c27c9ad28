#include "examine/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/without_ones.h"
#include "examine/statistics.h"

namespace viva {
namespace {

// What the rules of OutputKind need, gathered row by row.
struct KindCounts {
  KindTolerance tolerance;
  int64_t judged = 0, probabilities = 0, log_probabilities = 0, entries = 0, near_one_hot = 0;
  double sum = 0, sum_of_squares = 0, worst_sum = 0;

  void add(std::span<const double> row) {
    double total = 0, exponentials = 0;
    bool in_unit = true, negative = true;
    for (const double x : row) {
      total += x;
      exponentials += std::exp(x);
      in_unit = in_unit && x >= -tolerance.entry && x <= 1 + tolerance.entry;
      negative = negative && x <= tolerance.entry;
      near_one_hot += x >= -.5 && x <= 1.5;
    }
    ++judged;
    entries += static_cast<int64_t>(row.size());
    probabilities += in_unit && std::abs(total - 1) <= tolerance.sum;
    // A logarithm of size log(K) rounds by so many times more than a number near 1.
    const double digits = tolerance.sum > 1e-3 ? 1 + std::log(static_cast<double>(row.size())) : 1;
    log_probabilities += negative && std::abs(exponentials - 1) <= tolerance.sum * digits;
    sum += total;
    sum_of_squares += total * total;
    worst_sum = std::max(worst_sum, std::abs(total - 1));
  }

  bool like_one_hot() const {
    const double n = static_cast<double>(judged), mean = sum / n, classes = static_cast<double>(entries) / n;
    const double variance = std::max(0.0, sum_of_squares / n - mean * mean);
    return static_cast<double>(near_one_hot) >= .95 * static_cast<double>(entries) && variance <= .2 * .2 * classes &&
           std::abs(mean - 1) <= .1 + 3 * std::sqrt(variance / n);
  }
};

struct Scores {
  std::vector<double> loss, brier;
  void add(double l, double b) {
    loss.push_back(l);
    brier.push_back(b);
  }
};

class Accumulator {
 public:
  Accumulator(int64_t rows, int64_t classes, const Subject& subject, OutputChoice choice)
      : rows_(rows),
        classes_(classes),
        choice_(choice),
        softmax_(subject.record().softmax_axis.has_value()),
        unit_end_(!subject.record().unit_end.empty()),
        activation_end_(!subject.record().activation_end.empty()),
        counts_{KindTolerance(subject.output_epsilon())},
        p_(static_cast<size_t>(classes)) {}

  void add(const Outputs& out, std::span<const int64_t> labels) {
    const auto values = doubles(out.values, labels.size()),
               logits = softmax_ ? doubles(out.before_softmax, labels.size()) : values;
    keep(softmax_ ? out.before_softmax : out.values);
    const auto k = static_cast<size_t>(classes_);
    for (size_t i = 0; i < labels.size(); ++i) {
      const std::span v(values.data() + i * k, k), l(logits.data() + i * k, k);
      add_row(v, l, labels[i]);
    }
  }

  Evaluation finish() && {
    e_.classes = classes_;
    e_.kind = kind();
    e_.stated = choice_ != OutputChoice::automatic;
    e_.worst_sum = counts_.worst_sum;
    e_.fitting = fitting();
    if (has_scores(e_.kind)) {
      Scores& s = e_.kind == OutputKind::probabilities ? probability_ : logit_;
      e_.loss = std::move(s.loss);
      e_.brier = std::move(s.brier);
    }
    return std::move(e_);
  }

 private:
  void keep(const Array& scores) {
    const Array held = scores.dtype() == Dtype::float64 ? scores : scores.converted(Dtype::float32);
    if (e_.scores.empty()) e_.scores = Array::make({held.dtype(), {rows_, classes_}});
    std::memcpy(e_.scores.mutable_data() + e_.rows * classes_ * size_of(held.dtype()), held.data(),
                static_cast<size_t>(held.bytes()));
  }

  std::vector<double> doubles(const Array& a, size_t rows) const {
    if (a.empty() || a.size() != static_cast<int64_t>(rows) * classes_)
      throw internal_error("evaluate: {} outputs for {} rows of {}", a.empty() ? 0 : a.size(), rows, classes_);
    const Array d = a.converted(Dtype::float64);
    const auto s = d.as<double>();
    return {s.begin(), s.end()};
  }

  void add_row(std::span<const double> v, std::span<const double> logits, int64_t label) {
    const int64_t row = e_.rows++;
    const int64_t named = named_class(v);
    if (named < 0 || named_class(logits) < 0) {
      e_.nan_rows.push_back(row);
      e_.predicted.push_back(-1);
      const double nan = std::numeric_limits<double>::quiet_NaN();
      logit_.add(nan, nan);
      probability_.add(nan, nan);
      return;
    }
    e_.predicted.push_back(static_cast<int32_t>(named));
    e_.ties += std::count(v.begin(), v.end(), v[static_cast<size_t>(named)]) > 1;
    if (std::any_of(v.begin(), v.end(), [](double x) { return std::isinf(x); })) e_.infinite_out.push_back(row);
    const int64_t fit = counts_.probabilities;
    counts_.add(v);
    if (choice_ == OutputChoice::probabilities && !softmax_ && counts_.probabilities == fit)
      throw input_error(
          "--output-kind probabilities: the outputs of row {} are none: they leave [0, 1] or sum to {:.6g}", row,
          sum_of(v));
    viva::softmax(logits, p_);
    logit_.add(log_loss_of_logits(logits, label), brier(p_, label));
    // What rounding put below 0 is a probability of 0.
    probability_.add(-std::log(std::max(0.0, v[static_cast<size_t>(label)])), brier(v, label));
  }

  OutputKind kind() const {
    const KindCounts& c = counts_;
    if (choice_ == OutputChoice::logits) return OutputKind::logits;
    if (choice_ == OutputChoice::scores) return OutputKind::scores;
    if (choice_ == OutputChoice::probabilities) return softmax_ ? OutputKind::softmax : OutputKind::probabilities;
    if (c.judged == 0) return softmax_ ? OutputKind::softmax : OutputKind::unknown;
    if (softmax_) return OutputKind::softmax;
    if (c.probabilities == c.judged) return OutputKind::probabilities;
    if (c.log_probabilities == c.judged) return OutputKind::log_probabilities;
    if (unit_end_) return OutputKind::fractions;
    if (c.like_one_hot()) return OutputKind::one_hot_regression;
    if (activation_end_) return OutputKind::scores;
    return OutputKind::logits;
  }

  int64_t fitting() const {
    switch (kind()) {
      case OutputKind::softmax:
      case OutputKind::probabilities:
        return counts_.probabilities;
      case OutputKind::log_probabilities:
        return counts_.log_probabilities;
      default:
        return counts_.judged;
    }
  }

  int64_t rows_, classes_;
  OutputChoice choice_;
  bool softmax_, unit_end_, activation_end_;
  Evaluation e_;
  KindCounts counts_;
  Scores logit_, probability_;
  std::vector<double> p_;
};

void check_labels(const RowSource& data, int64_t classes) {
  for (size_t i = 0; i < data.labels.size(); ++i) {
    const int64_t label = data.labels[i];
    if (label >= 0 && label < classes) continue;
    const auto [low, high] = std::minmax_element(data.labels.begin(), data.labels.end());
    throw input_error("{}: row {} has label {}, but the network has {} outputs, 0 to {}{}", data.record.spec, i, label,
                      classes, classes - 1, *low == 1 && *high == classes ? "; labels from 1? subtract 1" : "");
  }
}

void check_indexes(const RowSource& data, const Array& rows, int64_t first, int64_t extent) {
  const int64_t width = std::max<int64_t>(1, rows.size() / rows.shape()[0]);
  for (int64_t i = 0; i < rows.size(); ++i) {
    const double v = rows.at(i);
    if (std::trunc(v) < static_cast<double>(extent) && std::trunc(v) >= -static_cast<double>(extent)) continue;
    if (!std::isfinite(v)) continue;  // told by name
    throw input_error("{}: row {} holds {}, but the network looks it up in a table of {}, 0 to {}: {}",
                      data.record.spec, first + i / width, v, extent, extent - 1,
                      "is this the data set of this network?");
  }
}

}  // namespace

std::string_view to_string(OutputKind k) {
  constexpr std::string_view names[] = {"softmax",   "probabilities",      "log-probabilities",
                                        "fractions", "one-hot regression", "logits",
                                        "scores",    "not classes",        "unknown"};
  return names[static_cast<size_t>(k)];
}

std::string_view to_string(OutputChoice c) {
  constexpr std::string_view names[] = {"auto", "logits", "probabilities", "scores"};
  return names[static_cast<size_t>(c)];
}

bool has_scores(OutputKind k) {
  return k == OutputKind::softmax || k == OutputKind::probabilities || k == OutputKind::log_probabilities ||
         k == OutputKind::logits;
}

int64_t classes_of(const Shape& output_row) {
  const Shape wide = without_ones(output_row);
  return wide.size() == 1 && wide[0] >= 2 ? wide[0] : 0;
}

int64_t classes_of(const Subject& subject) { return classes_of(subject.output_row_shape()); }

Array checked_rows(const RowSource& data, int64_t first, int64_t count, const Subject& subject) {
  const Array rows = data.rows(first, count);
  if (subject.record().index_extent) check_indexes(data, rows, first, *subject.record().index_extent);
  if (!is_float(rows.dtype())) return rows;
  const int64_t each = rows.size() / count;
  dispatch(rows.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) {
      const auto v = rows.as<T>();
      const auto bad = std::find_if(v.begin(), v.end(), [](T x) { return !std::isfinite(static_cast<Compute<T>>(x)); });
      if (bad != v.end()) {
        const bool nan = std::isnan(static_cast<Compute<T>>(*bad));
        throw input_error("{}: row {} holds {}; remove or repair it", data.record.spec,
                          first + (bad - v.begin()) / each, nan ? "NaN" : "an infinity");
      }
    }
  });
  return rows;
}

int64_t rows_at_once(const Type& row) {
  constexpr int64_t elements = int64_t{1} << 22;
  return std::clamp<int64_t>(elements / std::max<int64_t>(1, numel(row.shape)), 1, 1000);
}

int64_t named_class(std::span<const double> scores) {
  if (std::ranges::any_of(scores, [](double v) { return std::isnan(v); })) return -1;
  return std::ranges::max_element(scores) - scores.begin();
}

std::vector<int64_t> named_classes(const Array& outputs) {
  const Array wide = outputs.converted(Dtype::float64);
  const auto rows = static_cast<size_t>(outputs.shape().at(0)), classes = static_cast<size_t>(outputs.size()) / rows;
  std::vector<int64_t> named;
  for (size_t i = 0; i < rows; ++i) named.push_back(named_class(wide.as<double>().subspan(i * classes, classes)));
  return named;
}

void logits_of(const Evaluation& e, int64_t i, std::span<double> logits) {
  const bool log = e.kind == OutputKind::probabilities;
  for (size_t k = 0; k < logits.size(); ++k) {
    const double v = e.scores.at(i * e.classes + static_cast<int64_t>(k));
    logits[k] = log ? std::log(std::max(0.0, v)) : v;
  }
}

Evaluation evaluate(Subject& subject, const RowSource& data, OutputChoice choice, ThreadPool& pool,
                    const Cancel& cancel, const Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t classes = classes_of(subject), n = data.size();
  Evaluation e;
  if (classes == 0) {
    e.rows = n;
    e.kind = OutputKind::not_classes;
    return e;
  }
  check_labels(data, classes);
  if (choice == OutputChoice::logits && subject.record().softmax_axis)
    throw usage_error("--output-kind logits: {} ends in a Softmax, whose input holds the logits: leave the option out",
                      subject.record().path);
  Accumulator all(n, classes, subject, choice);
  const int64_t step = rows_at_once(subject.row_type());
  for (int64_t first = 0; first < n; first += step) {
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    const int64_t count = std::min(step, n - first);
    const Outputs out = subject.outputs(checked_rows(data, first, count, subject), pool, cancel);
    all.add(out, std::span(data.labels).subspan(static_cast<size_t>(first), static_cast<size_t>(count)));
    if (progress) progress(static_cast<double>(first + count) / static_cast<double>(n), "network over data");
  }
  e = std::move(all).finish();
  e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return e;
}

}  // namespace viva
