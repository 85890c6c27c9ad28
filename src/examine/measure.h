// What examiners make findings with: measures with their fields set, intervals with their names and coverage.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examine/examiner.h"
#include "examine/streams.h"

namespace viva {

// The error rate of an interval outside claims.
inline constexpr double finding_alpha = .05;

inline constexpr std::string_view too_dear = "the budget allows too few rows for it: give a larger --budget (seconds)";

// Rows by their half, in the order given. Without rows: all of the data.
struct Halves {
  std::vector<int64_t> a, b;
};
Halves halves_of(uint64_t seed, const RowSource& data, std::span<const int64_t> rows);
Halves halves_of(uint64_t seed, const RowSource& data);

// Why the outputs name no classes; "" where they do: no vector of at least two numbers a row, or NaN in every row.
std::string why_no_labels(const Evaluation& e);

// What every interval for rows drawn like these assumes; of training rows, that they are no sample of new ones.
std::string population_assumption(const DataRecord& data);
// Of distances between rows: which values have the unit, where the stored ones were scaled.
void assume_scaled_units(Finding& f, const DataRecord& data);

// A measure over all rows of `data`, without an estimate. id: examiner.quantity.
Measure make_measure(std::string id, std::string title, Target target, Kind kind, std::string unit_of_estimate,
                     const RowSource& data);
// A measure of one of an examiner's quantities, described as there. key: its spelling in titles.
Measure make_measure(std::string_view examiner, std::span<const Quantity> quantities, std::string_view name,
                     const RowSource& data, std::string_view key = {});
// Neither leaves a number behind.
void withhold(Finding& f, std::string why);
void not_run(Finding& f, std::string why);
// The first ten of some rows.
Examples examples_of(std::string id, std::string title, const std::vector<int64_t>& rows, const RowSource& data);

// k of n units drawn like these, with Clopper and Pearson's interval at alpha; withheld for n = 0. sided: upper states
// only an upper limit. noun: what is counted, "correct".
void set_proportion(Measure& m, int64_t k, int64_t n, std::string noun, const RowSource& data, double alpha,
                    Sided sided = Sided::two, const std::string& method = "");

// The mean of one value a row, with Student's interval where student_t_applies, else BCa's, else none with the reason
// in `why`.
void set_mean(Measure& m, std::vector<double> rows, Stream stream, Context& x);
// Why there is no interval for the mean of these rows; "" where nothing forbids one.
std::string why_no_interval(std::span<const double> rows);
// Student's interval with its name and what was measured of its coverage. nullopt as for student_t.
std::optional<Interval> student_interval(std::span<const double> rows, double alpha, Sided sided = Sided::two);

// How often intervals covered in fixed scenarios (tests/known/coverage_test.cpp), in words.
std::string student_coverage(int64_t n);
std::string bootstrap_coverage(int64_t n);
std::string temperature_coverage(int64_t n);
inline constexpr std::string_view exact_coverage = "at least its level for every n";

// Every quantity of an examiner, and every key that claims name, left out with one reason, described as where it is run
// but without rows: a claim on it is undecided, and not unknown.
std::vector<Measure> all_left_out(const Context& x, std::string_view examiner, std::span<const Quantity> quantities,
                                  Status status, const std::string& why);
// Gives m the key of a claim: "risk.recall" becomes "risk.recall[3]".
void set_key(Measure& m, const ClaimKey& key);
void set_key(Measure& m, double number, const std::string& text);

// " (row 5)", " (row 5, 6, …)"; "" where no row may be named.
std::string naming(const Context& x, const std::vector<int64_t>& rows);

}  // namespace viva
