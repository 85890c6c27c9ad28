// The driver: checks, the shared pass over the data, the examiners, the rulings.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include "base/bytes.h"
#include "base/error.h"
#include "examine/examiner.h"
#include "examine/groups.h"
#include "examine/measure.h"
#include "examine/programs.h"
#include "examine/shown_rows.h"
#include "examine/words.h"

namespace viva {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void check_inputs(const Context& x, std::span<const Examiner* const> chosen) {
  const auto rows_exist = [](const RowSource& d) {
    if (d.size() == 0) throw input_error("{}: there are no rows; give data with at least one", d.record.spec);
  };
  rows_exist(x.data);
  if (x.train) rows_exist(*x.train);
  for (const Claim& c : x.claims) {
    for (const Examiner* e : chosen) {
      if (c.examiner == e->name && e->check_key) e->check_key(x, c);
    }
  }
}

constexpr int64_t company_rows = 64;

void check_influence(Context& x) {
  const int64_t n = std::min<int64_t>(company_rows, x.data.size());
  x.influence = x.subject.row_influence(checked_rows(x.data, 0, n, x.subject), x.pool, x.cancel);
  if (!x.influence.independent)
    throw unsupported(
        "{}: rows of one batch influence one another ({}); export the network for inference, with a free batch "
        "dimension",
        x.subject.record().path, x.influence.measure);
}

// The examiner's own work and, for what is read off the outputs, the pass over the data that all examiners share.
Cost cost_of(const Measure& m, double seconds, const Work& own, Context& x) {
  Cost c{.seconds = seconds, .evaluations = own.evaluations, .flops = own.flops};
  if (!m.from_outputs) return c;
  c.seconds += x.evaluation().seconds;
  c.evaluations += x.data.size();
  c.flops += x.subject.record().flops * static_cast<double>(x.data.size());
  return c;
}

// What a network with more classes than the labels name is judged by.
void add_absent_classes(const Context& x, Report& report) {
  const int64_t classes = classes_of(x.subject);
  if (classes == 0) return;
  const std::set<int64_t> named(x.data.labels.begin(), x.data.labels.end());
  if (std::ssize(named) == classes) return;
  report.limits.push_back({"limit.labels", fmt::format("the labels name {} of the {} classes: nothing here speaks of "
                                                       "rows of the other {}",
                                                       std::ssize(named), classes, classes - std::ssize(named))});
}

void add_limits(const Context& x, Report& report) {
  add_absent_classes(x, report);
  const ModelRecord& m = x.subject.record();
  if (m.batch == BatchMode::padded)
    report.limits.push_back(
        {"limit.padded",
         fmt::format("the file fixes the batch at {}: rows were fed in chunks of that size, the last one padded",
                     m.batch_size)});
  if (m.batch == BatchMode::vectorised)
    report.limits.push_back(
        {"limit.vectorised", m.batch_size == 1 ? "the file fixes the batch at 1: the graph was vectorised over rows"
                                               : "the file takes one row, without a batch: the graph was "
                                                 "vectorised over rows"});
  for (const RowSource* d : {&x.data, x.train}) {
    if (d && !d->record.scaling.empty())
      report.limits.push_back({"limit.scaling." + d->record.id, d->record.spec + ": " + d->record.scaling});
    if (d && !d->record.layout.empty())
      report.limits.push_back({"limit.layout." + d->record.id, d->record.spec + ": rows of " + d->record.layout});
  }
  if (!m.prepended.empty()) report.limits.push_back({"limit.prepended", "before the file's graph: " + m.prepended});
  if (const std::string s = outputs_in_words(m); !s.empty())
    report.limits.push_back({"limit.outputs", "the network has " + s});
  if (m.computed_indexes)
    report.limits.push_back({"limit.indexes",
                             "the network computes indexes from its input: one outside its table is taken as the "
                             "nearest inside, where other engines may refuse it"});
  report.limits.push_back({"limit.shift",
                           "intervals speak of rows drawn like these; nothing here covers a change of distribution, "
                           "chosen attacks or the choice of the data"});
  report.limits.push_back(
      {"limit.multiplicity", "intervals without a family hold one at a time; claims share one error rate of .05"});
  if (x.options.rows && *x.options.rows > 0)
    report.limits.push_back(
        {"limit.rows", fmt::format("{} were attacked, as --rows or --budget set before the run",
                                   counted(std::min(*x.options.rows, x.data.size()), "row", "rows"))});
  if (!x.options.examples)
    report.limits.push_back({"limit.examples", "rows of the data are not shown, because of --no-examples"});
  for (const Limit& l : x.limits) report.limits.push_back(l);
}

// Rows whose outputs are not finite.
void add_outputs_not_finite(const Context& x, const Evaluation& e, Report& report) {
  const auto told = [&](const char* id, const char* title, const std::vector<int64_t>& rows, const char* what) {
    if (rows.empty()) return;
    const auto n = static_cast<int64_t>(rows.size());
    report.diagnosis.push_back(
        {id, title, fmt::format("{} {}{}", counted(n, "row gives", "rows give"), what, naming(x, {rows[0]}))});
  };
  if (const std::string why = why_no_labels(e); !e.nan_rows.empty() && !why.empty()) {
    // Accuracy is measured, so that of risk the findings are named.
    std::vector<std::string> left;
    for (const Finding& f : report.findings) {
      const std::string examiner = f.id.substr(0, f.id.find('.')), name = examiner == "risk" ? f.id : examiner;
      if (f.status != Status::run && f.why == why && (left.empty() || left.back() != name)) left.push_back(name);
    }
    report.diagnosis.push_back({"diagnosis.nan_rows", "NaN in every output",
                                fmt::format("{}. Therefore not measured: {}", why, fmt::join(left, ", "))});
  } else {
    told("diagnosis.nan_rows", "NaN in the output", e.nan_rows,
         "NaN; such rows count as wrong, and log-loss, Brier score, calibration and sensitivity are withheld");
  }
  told("diagnosis.infinite_outputs", "Infinities in the output", e.infinite_out, "an infinite output");
}

// What went wrong with the network itself, whoever measured it.
void add_diagnosis(Context& x, Report& report) {
  const auto& training = x.subject.record().training_operators;
  if (!training.empty())
    report.diagnosis.push_back(
        {"diagnosis.training_operators", "Operators still in training mode",
         fmt::format("{} as in training ({}{}): outputs may depend on the batch or on chance; export the network for "
                     "inference",
                     counted(static_cast<int64_t>(training.size()), "operator computes", "operators compute"),
                     training[0], training.size() > 1 ? ", …" : "")});
  if (x.evaluated()) add_outputs_not_finite(x, x.evaluation(), report);
  report.diagnosis.insert(report.diagnosis.end(), x.diagnosis.begin(), x.diagnosis.end());
}

}  // namespace

const Array& Context::scores64() {
  if (!scores64_.empty()) return scores64_;
  const NetworkFunction n = retyped(subject.network(program_rows), Dtype::float64);
  const RowProgram scores(subject, n, scores_of(n), 1);
  const int64_t rows = data.size(), step = rows_at_once(subject.row_type());
  Array all = Array::make({Dtype::float64, {rows, classes_of(subject)}});
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    const Array given = checked_rows(data, first, count, subject);
    const Array wide = is_float(given.dtype()) ? given.converted(Dtype::float64) : given;
    const Array out = scores({wide}, pool, cancel)[0];
    std::memcpy(all.mutable_data() + first * (all.bytes() / rows), out.data(), static_cast<size_t>(out.bytes()));
    if (progress) progress(static_cast<double>(first + count) / static_cast<double>(rows), "network in float64");
  }
  add_work(rows, 1);
  scores64_ = std::move(all);
  return scores64_;
}

void Context::add_work(int64_t rows, double passes) {
  work.evaluations += rows;
  work.flops += subject.record().flops * passes * static_cast<double>(rows);
}

const Evaluation& Context::evaluation() {
  if (!evaluation_) evaluation_ = evaluate(subject, data, options.output, pool, cancel, progress);
  return *evaluation_;
}

const Measure* Context::measure(std::string_view quantity) const {
  const auto at = std::ranges::find(measured, quantity, &Measure::quantity);
  return at == measured.end() ? nullptr : &*at;
}

bool Context::has_class_names() const {
  return static_cast<int64_t>(data.record.classes.size()) == classes_of(subject) && !data.record.classes.empty();
}

std::string Context::class_name(int64_t k) const {
  return has_class_names() ? data.record.classes[static_cast<size_t>(k)] : std::to_string(k);
}

std::vector<const Examiner*> chosen_examiners(const ExamineOptions& options) {
  std::vector<const Examiner*> chosen;
  std::vector<std::string_view> names;
  for (const Examiner* e : examiners()) {
    names.push_back(e->name);
    if (options.only.empty() || std::count(options.only.begin(), options.only.end(), e->name)) chosen.push_back(e);
  }
  for (const std::string& o : options.only) {
    if (!std::count(names.begin(), names.end(), o))
      throw usage_error("--only {}: no such examiner; known are {}", o, fmt::join(names, ", "));
  }
  for (const Claim& c : options.claims) {
    if (std::none_of(chosen.begin(), chosen.end(), [&](const Examiner* e) { return e->name == c.examiner; }))
      throw usage_error("claim '{}': --only leaves out the examiner {}", printable(c.statement), c.examiner);
  }
  return chosen;
}

std::vector<PlanStep> plan_examination(const ExamineOptions& options, Subject& subject, const RowSource& data,
                                       const RowSource* train) {
  const auto chosen = chosen_examiners(options);
  ThreadPool none(1);
  const Cancel go{false};
  const Context x(subject, data, train, options, none, go, {});
  check_inputs(x, chosen);
  std::vector<PlanStep> steps;
  const double flops = subject.record().flops;
  if (std::any_of(chosen.begin(), chosen.end(), [](const Examiner* e) { return e->needs_outputs; })) {
    const int64_t few = std::min<int64_t>(company_rows, data.size());
    if (const int64_t rows = subject.influence_evaluations(few); rows > 0)
      steps.push_back({"rows in other company, to see that they do not influence one another", rows, "rows",
                       flops * static_cast<double>(rows)});
    steps.push_back({"network over --data", data.size(), "rows", flops * static_cast<double>(data.size())});
  }
  for (const Examiner* e : chosen) {
    for (PlanStep& s : e->plan(x)) {
      s.what = fmt::format("{}: {}", e->name, s.what);
      steps.push_back(std::move(s));
    }
  }
  return steps;
}

Report examine(const ExamineOptions& options, Subject& subject, const RowSource& data, const RowSource* train,
               ThreadPool& pool, const Cancel& cancel, const Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const auto chosen = chosen_examiners(options);
  Context x(subject, data, train, options, pool, cancel, progress);
  check_inputs(x, chosen);
  Report report;
  report.seed = options.seed;
  report.models.push_back(subject.record());
  report.data.push_back(data.record);
  if (train) report.data.push_back(train->record);
  report.claims = options.claims;
  check_influence(x);
  std::vector<Measure> measures;
  for (const Examiner* e : chosen) {
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    if (e->needs_outputs) x.evaluation();
    const auto began = std::chrono::steady_clock::now();
    const Work before = x.work;
    x.measured = measures;
    auto found = e->run(x);
    const double seconds = seconds_since(began);
    const Work own{x.work.evaluations - before.evaluations, x.work.flops - before.flops};
    for (Measure& m : found) {
      without_row_intervals(m, data);
      m.finding.cost = cost_of(m, seconds, own, x);
      m.finding.cost.shared_by = static_cast<int64_t>(found.size());
      if (!options.examples) m.finding.evidence.examples.clear();
      measures.push_back(std::move(m));
    }
  }
  x.measured = {};
  rule_claims(std::move(measures), report);
  if (options.examples) report.rows = shown_rows(x, report.findings);
  report.mends = x.mends;
  add_limits(x, report);
  add_diagnosis(x, report);
  report.threads = pool.threads();
  const int64_t forward = x.influence.evaluations + (x.evaluated() ? data.size() : 0);
  report.cost.evaluations = forward + x.work.evaluations;
  report.cost.flops = subject.record().flops * static_cast<double>(forward) + x.work.flops;
  report.cost.seconds = seconds_since(start);
  return report;
}

}  // namespace viva
