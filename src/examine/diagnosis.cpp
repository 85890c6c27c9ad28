// diagnosis: one family of tests for what is often wrong with a network. Told is what stands after Holm's correction
// and is material; what was not looked into says why.
#include "examine/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "examine/digits.h"
#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {
    {.name = "told",
     .title = "Diagnoses",
     .target = Target::these_rows,
     .kind = Kind::exact,
     .unit = "suspicions",
     .doc = "suspicions that stand after Holm's correction at .05 and are material"},
};

struct LookedInto {
  std::string_view name;
  Looked (*look)(Context&) = nullptr;
  Looked (RowReadings::*read)() = nullptr;  // in place of look
  // Measured with the network on the rows as they were fed: where another reading of the rows mends it, that is all
  // that can be said.
  bool of_fed_rows = true;
  bool tests_rows = true;  // its test takes the rows of --data as independent
  bool of_network = true;  // reads the network's outputs
};
constexpr LookedInto kinds[] = {
    {.name = "constant outputs", .look = look_at_constant_outputs, .tests_rows = false},
    {.name = "layout", .read = &RowReadings::layout, .of_fed_rows = false},
    {.name = "scale", .read = &RowReadings::scale, .of_fed_rows = false},
    {.name = "layout and scale", .read = &RowReadings::layout_and_scale, .of_fed_rows = false},
    {.name = "label order", .look = look_at_label_order, .of_fed_rows = false},
    {.name = "leakage", .look = look_at_leakage, .of_fed_rows = false, .tests_rows = false, .of_network = false},
    {.name = "duplicates", .look = look_at_duplicates, .of_fed_rows = false, .tests_rows = false, .of_network = false},
    {.name = "numerical fragility", .look = look_at_rounding},
    {.name = "masked gradients", .look = look_at_masking},
    {.name = "over-confidence", .look = look_at_confidence},
    {.name = "weak classes", .look = look_at_classes},
    {.name = "unfinished training", .look = look_at_training, .tests_rows = false}};

// Why a kind cannot be looked into at all.
std::string why_not(Context& x, const LookedInto& k) {
  if (k.tests_rows && !x.data.groups.empty()) return "its test takes rows as independent, and these come in groups";
  return k.of_network ? why_no_labels(x.evaluation()) : "";
}

struct Family {
  std::vector<Suspicion> all;
  std::vector<bool> of_fed_rows;
  std::vector<double> adjusted;  // NaN where counted exactly
  std::vector<bool> stands;
  const Suspicion* reading = nullptr;  // what stands of layout, scale, both and label order: the one of most accuracy
  bool told(size_t i) const {
    if (!stands[i] || !reading) return stands[i];
    return !of_fed_rows[i] && (!all[i].reading || &all[i] == reading);
  }
};

// Holm's first test is at .05 over all tests of the family.
double first_level(const Family& f) {
  const ptrdiff_t tests = std::ranges::count_if(f.all, [](const Suspicion& s) { return s.p.has_value(); });
  return finding_alpha / static_cast<double>(std::max<ptrdiff_t>(tests, 1));
}

void judge(Family& f) {
  std::vector<double> p;
  for (const Suspicion& s : f.all)
    if (s.p) p.push_back(*s.p);
  const std::vector<double> corrected = holm(p);
  size_t next = 0;
  for (const Suspicion& s : f.all) {
    f.adjusted.push_back(s.p ? corrected[next++] : std::numeric_limits<double>::quiet_NaN());
    f.stands.push_back(s.material && (!s.p || f.adjusted.back() <= finding_alpha));
    if (f.stands.back() && s.reading && (!f.reading || s.reached > f.reading->reached)) f.reading = &s;
  }
}

// Rows read otherwise may do what labels read otherwise would do.
std::string rival_of(const Family& f, const Suspicion& told) {
  if (&told != f.reading) return "";
  for (size_t i = 0; i < f.all.size(); ++i)
    if (f.stands[i] && &f.all[i] != &told && f.all[i].id == label_order)
      return ". Rival explanation, labels in another order than the network's classes: " + f.all[i].effect;
  return "";
}

Table table_of(const Family& f) {
  Table t{"family",
          "The family of tests (Holm, .05); counted exactly: no test",
          {"suspicion", "measured", "size", "material from", "p", "adjusted p", "material if", "told"},
          {}};
  for (size_t i = 0; i < f.all.size(); ++i) {
    const Suspicion& s = f.all[i];
    const std::string told = f.told(i) ? "yes" : f.stands[i] ? "no: another reading of the rows comes first" : "no";
    std::vector<Cell> row = {s.id, s.effect, s.size, s.needed, Cell(), Cell(), s.material_if, told};
    if (s.p) row[4] = *s.p, row[5] = f.adjusted[i];
    t.rows.push_back(std::move(row));
  }
  return t;
}

// One of each of kinds.
Table table_of(const std::vector<Looked>& looked, double level) {
  Table t{"looked", "What was looked into", {"kind", "tests", "what could have been seen"}, {}};
  for (const Looked& l : looked) {
    t.rows.push_back({std::string(kinds[t.rows.size()].name), std::ssize(l.suspicions),
                      l.why_not.empty() ? l.could_be_seen(level) : "not looked into: " + l.why_not});
  }
  return t;
}

std::vector<PlanStep> plan(const Context& x) {
  const int64_t rows = reading_plan_rows(x);
  const double flops = x.subject.record().flops;
  std::vector<PlanStep> steps = {
      {"rows in other layouts and scales, at most", rows, "rows", flops * static_cast<double>(rows)}};
  if (x.train) {
    const int64_t taken = training_plan_rows(x);
    steps.push_back({"one step of training, rows through derivatives, at most", taken, "rows",
                     9 * flops * static_cast<double>(taken)});
  }
  return steps;
}

std::vector<Measure> run(Context& x) {
  const Evaluation& e = x.evaluation();
  if (e.kind == OutputKind::not_classes)
    return all_left_out(x, "diagnosis", quantities, Status::not_run, why_no_labels(e));
  Measure m = make_measure("diagnosis", quantities, "told", x.data);
  std::vector<Looked> looked;
  Family family;
  RowReadings readings(x);
  for (const LookedInto& k : kinds) {
    if (x.progress) x.progress(static_cast<double>(&k - kinds) / std::size(kinds), k.name);
    std::string why = why_not(x, k);
    Looked l = !why.empty() ? Looked{{}, std::move(why)} : k.read ? (readings.*k.read)() : k.look(x);
    for (const Suspicion& s : l.suspicions) family.all.push_back(s), family.of_fed_rows.push_back(k.of_fed_rows);
    looked.push_back(std::move(l));
  }
  judge(family);
  int64_t told = 0;
  for (size_t i = 0; i < family.all.size(); ++i) {
    const Suspicion& s = family.all[i];
    if (!family.told(i)) continue;
    ++told;
    x.diagnosis.push_back({s.id, s.title, s.told + rival_of(family, s)});
    if (s.mend) x.mends.push_back(*s.mend);
  }
  m.finding.estimate = static_cast<double>(told);
  m.finding.why = told > 0 ? "" : "none found; the table says what could have been seen";
  m.finding.evidence.counts = {{"tests", std::ssize(family.all)}, {"told", told}};
  m.finding.evidence.tables = {table_of(looked, first_level(family)), table_of(family)};
  m.finding.limits.emplace_back("says nothing of faults that are not in the table");
  m.finding.limits.push_back(
      fmt::format("what could have been seen would be told with probability .8 at the level of Holm's first test, {}; "
                  "shares of rows are those that were counted",
                  number(first_level(family))));
  if (const std::string none = why_no_labels(e); !none.empty())
    m.finding.limits.push_back(none + "; the rows alone were looked into");
  else if (!e.nan_rows.empty())
    m.finding.limits.push_back(fmt::format("{} NaN: they count as wrong where accuracies are compared",
                                           counted(std::ssize(e.nan_rows), "row gives", "rows give")));
  return {std::move(m)};
}

}  // namespace

extern const Examiner diagnosis_examiner;
const Examiner diagnosis_examiner = {
    .name = "diagnosis",
    .doc = "what is often wrong with a network, and how to mend it",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = nullptr,
    .plan = plan,
    .run = run,
};

}  // namespace viva
