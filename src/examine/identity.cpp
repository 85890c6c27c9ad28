// identity: what the file and the rows are, before anything is asked of them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/error.h"
#include "data/duplicates.h"
#include "examine/examiner.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr std::string_view transformations[] = {"jvp", "split", "transpose", "vmap", "lower"};

constexpr Quantity quantities[] = {
    {.name = "parameters", .doc = "numbers in the file's weights"},
    {.name = "flops", .doc = "floating-point operations for one example, 2 a multiply-add"},
    {.name = "operators",
     .key = KeyKind::name,
     .key_optional = true,
     .doc = "nodes of the graph, all or of one operator"},
    {.name = "training_operators", .doc = "operators still in training mode"},
    {.name = "uncovered", .key = KeyKind::name, .doc = "operators without the rule of a transformation"},
    {.name = "duplicates", .doc = "rows of --data that repeat an earlier row exactly"},
    {.name = "conflicts", .doc = "rows of --data equal to another row with another label"},
    {.name = "train_duplicates", .doc = "rows of --train that repeat an earlier row exactly"},
    {.name = "overlap", .doc = "rows of --data that also stand in --train"},
    {.name = "output_kind",
     .doc = "what the outputs are taken as",
     .no_claim = "it is what the outputs are taken as; state it with --output-kind"},
};

Measure count_measure(std::string_view quantity, std::string title, double value, std::string unit, Target target) {
  Measure m;
  m.quantity = fmt::format("identity.{}", quantity);
  m.finding.id = m.quantity;
  m.finding.title = std::move(title);
  m.finding.target = target;
  m.finding.estimate = value;
  m.finding.unit_of_estimate = std::move(unit);
  return m;
}

Measure file_count(std::string_view quantity, std::string title, double value, std::string unit) {
  return count_measure(quantity, std::move(title), value, std::move(unit), Target::this_file);
}

void key_by_name(Measure& m, const std::string& name) {
  m.name = name;
  m.finding.id += fmt::format("[{}]", quoted_key(name));
}

// All operators together, and each one a claim names.
void add_operators(const Context& x, std::vector<Measure>& out) {
  const ModelRecord& model = x.subject.record();
  int64_t total = 0;
  Table table{"operators", "Operators of the graph", {"operator", "nodes"}, {}};
  for (const OperatorCount& o : model.operators) {
    total += o.count;
    table.rows.push_back({o.op, o.count});
  }
  Measure all = file_count("operators", "Nodes of the graph", static_cast<double>(total), "nodes");
  all.finding.evidence.tables.push_back(std::move(table));
  out.push_back(std::move(all));
  std::vector<std::string> asked;
  for (const Claim& c : x.claims) {
    const auto* name = std::get_if<std::string>(&c.key.value);
    if (c.quantity != "identity.operators" || !name || std::count(asked.begin(), asked.end(), *name)) continue;
    asked.push_back(*name);
    const auto at = std::find_if(model.operators.begin(), model.operators.end(),
                                 [&](const OperatorCount& o) { return o.op == *name; });
    Measure one = file_count("operators", "Nodes with the operator " + *name,
                             at == model.operators.end() ? 0 : static_cast<double>(at->count), "nodes");
    key_by_name(one, *name);
    out.push_back(std::move(one));
  }
}

void add_training(const ModelRecord& model, std::vector<Measure>& out) {
  const auto& ops = model.training_operators;
  Measure m =
      file_count("training_operators", "Operators still in training mode", static_cast<double>(ops.size()), "nodes");
  m.finding.check = CheckResult{"no operator is in training mode", ops.empty()};
  if (!ops.empty()) {
    Table table{"training_operators", "Nodes in training mode", {"node"}, {}};
    for (const std::string& o : ops) table.rows.push_back({o});
    m.finding.evidence.tables.push_back(std::move(table));
    m.finding.limits.push_back(
        "outputs of a network in training mode depend on the batch or on chance; export it for inference");
  }
  out.push_back(std::move(m));
}

void add_coverage(const ModelRecord& model, std::vector<Measure>& out) {
  for (const std::string_view t : transformations) {
    const auto at = std::find_if(model.coverage.begin(), model.coverage.end(),
                                 [&](const Coverage& c) { return c.transformation == t; });
    const bool known = at != model.coverage.end();
    Measure m = file_count("uncovered", fmt::format("Operators that {} does not cover", t),
                           known ? static_cast<double>(at->missing.size()) : 0, "operators");
    key_by_name(m, std::string(t));
    if (!known) {
      m.finding.estimate.reset();
      m.finding.status = Status::not_run;
      m.finding.why = "the graph was not asked about this transformation";
    } else if (!at->missing.empty()) {
      Table table{"missing", "Operators without the rule", {"operator", "why"}, {}};
      for (const Missing& miss : at->missing) table.rows.push_back({miss.op, miss.why});
      m.finding.evidence.tables.push_back(std::move(table));
    }
    out.push_back(std::move(m));
  }
}

std::string kind_in_words(const Evaluation& e, const ModelRecord& model) {
  switch (e.kind) {
    case OutputKind::softmax:
      return "probabilities from the Softmax node at the end; losses use its input";
    case OutputKind::probabilities:
      return "probabilities: every row lies in [0, 1] and sums to one, rounding apart";
    case OutputKind::log_probabilities:
      return "logarithms of probabilities: the exponentials of every row sum to one, rounding apart";
    case OutputKind::one_hot_regression:
      return "looks like one-hot regression: outputs near 0 and 1 whose rows sum to about one, but not exactly; "
             "log-loss and Brier score are withheld";
    case OutputKind::fractions:
      return fmt::format(
          "fractions: the last node is a {}, and rows do not sum to one; log-loss and Brier score are withheld",
          model.unit_end);
    case OutputKind::logits:
      if (e.stated) return "logits, as --output-kind says";
      return "logits, by assumption: no Softmax node, rows do not sum to one, not like one-hot regression";
    case OutputKind::scores:
      return fmt::format(
          "scores, {}: neither probabilities nor logits; log-loss, Brier score and calibration are withheld",
          e.stated ? "as --output-kind says"
                   : fmt::format("because the last node is a {} (--output-kind logits if the loss took its values as "
                                 "logits)",
                                 model.activation_end));
    case OutputKind::not_classes:
      return "not a vector of at least two numbers a row: no classifier's output";
    case OutputKind::unknown:
      break;
  }
  return "unknown: every row holds NaN";
}

void add_output_kind(Context& x, std::vector<Measure>& out) {
  const Evaluation& e = x.evaluation();
  Measure m;
  Finding& f = m.finding;
  m.from_outputs = true;
  f.id = "identity.output_kind";
  f.title = fmt::format("Outputs are taken as {}", to_string(e.kind));
  f.unit_of_estimate = "fraction of rows that fit";
  f.n = e.rows;
  f.unit = "row";
  f.rows_used = RowsUsed{x.data.record.id, "all", e.rows};
  f.why = kind_in_words(e, x.subject.record());
  const int64_t judged = e.rows - static_cast<int64_t>(e.nan_rows.size());
  if (e.kind == OutputKind::not_classes || judged == 0) {
    f.status = Status::withheld;
  } else {
    f.estimate = static_cast<double>(e.fitting) / static_cast<double>(judged);
    f.evidence.counts = {{"classes", e.classes}, {"rows_judged", judged}, {"rows_fitting", e.fitting}};
    Table t{"sums",
            "Sums of the output rows",
            {"quantity", "value"},
            {{std::string("largest distance from one"), e.worst_sum}}};
    f.evidence.tables.push_back(std::move(t));
  }
  if (e.kind == OutputKind::logits && !e.stated)
    f.assumptions.push_back("the outputs are logits: softmax turns them into the probabilities that the network means");
  out.push_back(std::move(m));
}

struct RowPair {
  int64_t row, other;
};

// Each row that equals an earlier one, with the first such row.
std::vector<RowPair> repeated(const std::vector<Ints>& groups) {
  std::vector<RowPair> pairs;
  for (const Ints& g : groups) {
    for (size_t i = 1; i < g.size(); ++i) pairs.push_back({g[i], g[0]});
  }
  std::ranges::sort(pairs, {}, &RowPair::row);
  return pairs;
}

// Each row that equals a row with another label, with the first such row.
std::vector<RowPair> conflicts(const std::vector<Ints>& groups, const std::vector<int64_t>& labels) {
  const auto label = [&](int64_t row) { return labels[static_cast<size_t>(row)]; };
  std::vector<RowPair> pairs;
  for (const Ints& g : groups) {
    for (const int64_t row : g) {
      const auto other = std::ranges::find_if(g, [&](int64_t r) { return label(r) != label(row); });
      if (other != g.end()) pairs.push_back({row, *other});
    }
  }
  std::ranges::sort(pairs, {}, &RowPair::row);
  return pairs;
}

Measure rows_measure(std::string_view quantity, std::string title, const RowSource& data) {
  Measure m = count_measure(quantity, std::move(title), 0, "rows", Target::these_rows);
  m.finding.n = data.size();
  m.finding.unit = "row";
  m.finding.rows_used = RowsUsed{data.record.id, "all", data.size()};
  return m;
}

void state(Measure& m, const std::vector<RowPair>& found, const std::string& data, std::string_view word) {
  m.finding.estimate = static_cast<double>(found.size());
  if (found.empty()) return;
  Examples e{"rows", "First ten", data, {}};
  for (size_t i = 0; i < std::min<size_t>(found.size(), 10); ++i)
    e.rows.emplace_back(found[i].row, fmt::format("{} {}", word, found[i].other));
  m.finding.evidence.examples.push_back(std::move(e));
}

void leave_out(Measure& m, Status status, std::string why) {
  m.finding.estimate.reset();
  m.finding.status = status;
  m.finding.why = std::move(why);
}

void add_train_duplicates(const Context& x, std::vector<Measure>& out) {
  Measure inside =
      rows_measure("train_duplicates", "Training rows that repeat an earlier row exactly", x.train ? *x.train : x.data);
  Measure overlap = rows_measure("overlap", "Rows that also stand in the training data", x.data);
  if (!x.train) {
    inside.finding.n.reset();
    inside.finding.rows_used.reset();
    inside.finding.unit.clear();
    for (Measure* m : {&inside, &overlap}) leave_out(*m, Status::not_run, "no training rows were given; add --train");
  } else {
    state(inside, repeated(duplicate_rows(x.train->stored)), x.train->record.id, "repeats row");
    if (comparable_rows(x.data.stored, x.train->stored)) {
      std::vector<RowPair> pairs;
      for (const SharedRows& s : shared_rows(x.data.stored, x.train->stored)) {
        for (const int64_t row : s.first) pairs.push_back({row, s.second[0]});
      }
      std::ranges::sort(pairs, {}, &RowPair::row);
      state(overlap, pairs, x.data.record.id, "stands in the training data as row");
      if (!pairs.empty())
        overlap.finding.limits.emplace_back("accuracy on rows that were trained on says nothing about new rows");
    } else {
      leave_out(overlap, Status::withheld,
                fmt::format("the rows are {} and the training rows {}: their bytes cannot be compared",
                            x.data.record.row_type, x.train->record.row_type));
    }
  }
  out.push_back(std::move(inside));
  out.push_back(std::move(overlap));
}

void add_duplicates(const Context& x, std::vector<Measure>& out) {
  const auto groups = duplicate_rows(x.data.stored);
  Measure twice = rows_measure("duplicates", "Rows that repeat an earlier row exactly", x.data);
  state(twice, repeated(groups), x.data.record.id, "repeats row");
  Measure torn = rows_measure("conflicts", "Rows equal to another row with another label", x.data);
  state(torn, conflicts(groups, x.data.labels), x.data.record.id, "differs in label from row");
  out.push_back(std::move(twice));
  out.push_back(std::move(torn));
  add_train_duplicates(x, out);
}

void check_key(const Context&, const Claim& c) {
  const auto* name = std::get_if<std::string>(&c.key.value);
  if (c.quantity != "identity.uncovered" || !name) return;
  if (std::count(std::begin(transformations), std::end(transformations), *name)) return;
  throw usage_error("claim '{}': no transformation '{}'; known are {}", printable(c.statement), printable(*name),
                    fmt::join(transformations, ", "));
}

std::vector<PlanStep> plan(const Context& x) {
  std::vector<PlanStep> steps = {{"bytes of each row of --data compared", x.data.size(), "rows", 0}};
  if (x.train) steps.push_back({"bytes of each row of --train compared", x.train->size(), "rows", 0});
  return steps;
}

std::vector<Measure> run(Context& x) {
  const ModelRecord& model = x.subject.record();
  std::vector<Measure> out;
  out.push_back(file_count("parameters", "Parameters", static_cast<double>(model.parameters), "numbers"));
  out.push_back(file_count("flops", "Operations for one example", model.flops, "FLOP, 2 a multiply-add"));
  add_operators(x, out);
  add_training(model, out);
  add_coverage(model, out);
  add_output_kind(x, out);
  add_duplicates(x, out);
  return out;
}

}  // namespace

extern const Examiner identity_examiner;
const Examiner identity_examiner = {
    .name = "identity",
    .doc = "what the file and the rows are",
    .quantities = quantities,
    .needs_outputs = true,
    .check_key = check_key,
    .plan = plan,
    .run = run,
};

}  // namespace viva
