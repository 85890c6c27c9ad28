// An examiner: one file that turns a network and data into measures. The list is in list.cpp.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examine/claims.h"
#include "examine/evaluation.h"
#include "examine/layout.h"

namespace viva {

struct FoundSpace;

// Counted work.
struct Work {
  int64_t evaluations = 0;  // rows through the network, derivatives counted as they come
  double flops = 0;
};

struct ValueRange {
  double low = 0, high = 1;
};

// (raw - mean) / deviation: one number each, or one for each channel.
struct Normalization {
  std::vector<double> mean, deviation;
};

// What is added to a row may be at most that large in any element, in the units of the raw data.
struct Radius {
  double value = 0;
  std::string text;  // as the user wrote it: 8/255
};

struct ExamineOptions {
  std::vector<Claim> claims;
  std::vector<std::string> only;  // names of examiners; empty: all
  uint64_t seed = 0;
  OutputChoice output = OutputChoice::automatic;
  std::optional<ValueRange> range;               // of the raw data's values
  std::optional<Normalization> data_normalized;  // what was done to the raw data to give the rows
  Layouts layout;                                // what rows go through before the network
  std::vector<Radius> eps;                       // ascending; empty: the examiner's own
  std::optional<int64_t> rows;                   // attacked; 0: the budget allows too few
  std::optional<int64_t> curvature_rows;         // at most; 0 likewise
  bool examples = true;                          // single rows may be shown
};

// What examiners work on. Passes over the data are made once, when first asked for.
class Context {
 public:
  Subject& subject;
  const RowSource& data;
  const RowSource* train;  // null where none was given
  const ExamineOptions& options;
  std::span<const Claim> claims;
  uint64_t seed;
  ThreadPool& pool;
  const Cancel& cancel;
  Progress progress;
  RowInfluence influence;
  std::vector<Limit> limits;         // examiners add what readers must know
  std::vector<Diagnosis> diagnosis;  // and what they found wrong
  std::vector<Mend> mends;           // and what would mend it
  Work work;                         // rows through the network apart from evaluation()

  std::span<const Measure> measured;  // by the examiners before this one
  // The first of a quantity, null where there is none.
  const Measure* measure(std::string_view quantity) const;

  // input_space.h, from a scan of all rows. Throws an input error where a row leaves the range that was given.
  const FoundSpace& input_space() const;
  const Evaluation& evaluation();
  bool evaluated() const { return evaluation_.has_value(); }
  // The scores of all rows from the same graph in float64: [rows, classes]. Throws an unsupported error as
  // Subject::network does, or where the graph cannot be retyped.
  const Array& scores64();
  // Rows that went through the network, at so many times the cost of its outputs.
  void add_work(int64_t rows, double passes);
  // The name of a class, or its index as text where the data name none.
  std::string class_name(int64_t k) const;
  bool has_class_names() const;

 private:
  std::optional<Evaluation> evaluation_;
  Array scores64_;
  mutable std::shared_ptr<const FoundSpace> space_;

 public:
  Context(Subject& s, const RowSource& d, const RowSource* t, const ExamineOptions& o, ThreadPool& p,
          const Cancel& stop, Progress report)
      : subject(s),
        data(d),
        train(t),
        options(o),
        claims(o.claims),
        seed(o.seed),
        pool(p),
        cancel(stop),
        progress(std::move(report)) {}
};

// One line of a plan: work counted before it is done.
struct PlanStep {
  std::string what;
  int64_t count = 0;
  std::string unit;
  double flops = 0;
};

struct Examiner {
  std::string_view name, doc;
  std::span<const Quantity> quantities;
  bool needs_outputs = true;
  // Throws a usage error for a claim on one of its quantities whose key does not exist. Reads no rows.
  void (*check_key)(const Context& context, const Claim& claim);
  std::vector<PlanStep> (*plan)(const Context& context);
  std::vector<Measure> (*run)(Context& context);
};

std::span<const Examiner* const> examiners();
std::vector<QuantitySet> known_quantities();

// The chosen examiners in the order of the list; a usage error for an unknown name, or for a claim on one not chosen.
std::vector<const Examiner*> chosen_examiners(const ExamineOptions& options);

// Counts what examine would do; runs nothing of the network. The checks that read no rows are made.
std::vector<PlanStep> plan_examination(const ExamineOptions& options, Subject& subject, const RowSource& data,
                                       const RowSource* train);

// Runs the examiners and rules the claims. Input errors: no rows, a label out of range, a row that is not finite.
// Unsupported: rows of the network influence one another. `viva`, `command` and `threads` of the report are left to
// the caller.
Report examine(const ExamineOptions& options, Subject& subject, const RowSource& data, const RowSource* train,
               ThreadPool& pool, const Cancel& cancel, const Progress& progress);

}  // namespace viva
