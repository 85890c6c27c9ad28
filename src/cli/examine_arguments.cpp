#include "cli/examine_arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "cli/examine_options.h"
#include "cli/verb.h"
#include "examine/budget.h"
#include "examine/claims_file.h"
#include "examine/words.h"

namespace viva {
namespace {

uint64_t seed_of(const std::string& text) {
  uint64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size())
    throw usage_error("--seed {}: write a whole number from 0 to 2^64 - 1", text);
  return v;
}

std::vector<Claim> claims_of(const ExamineArguments& a, std::vector<FileRecord>& files) {
  std::vector<Claim> all;
  if (!a.claims_file.empty()) {
    const Bytes bytes = read_file(a.claims_file, uint64_t{1} << 24);
    const std::string shown = printable(a.claims_file);
    files.push_back({shown, sha256_hex(bytes), static_cast<int64_t>(bytes.size())});
    all = parse_claims_file(bytes.text(), shown, known_quantities());
  }
  for (Claim& c : parse_claims(a.claims, known_quantities())) {
    if (std::ranges::any_of(all, [&](const Claim& o) { return o.id == c.id; }))
      throw usage_error("--claim '{}': it would be {}, which is an id in {}: rename that one", printable(c.statement),
                        c.id, a.claims_file);
    all.push_back(std::move(c));
  }
  // However they are spelled: 8/255 and its decimals are one radius.
  std::map<std::tuple<std::string_view, decltype(ClaimKey::value), Comparison, double>, std::string_view> stated;
  for (const Claim& c : all)
    if (const auto [at, is_new] =
            stated.emplace(std::tuple(std::string_view(c.quantity), c.key.value, c.op, c.value), c.id);
        !is_new)
      throw usage_error("claim '{}' is stated twice, as {} and {}: state it once, because claims share one error rate",
                        printable(c.statement), at->second, c.id);
  return all;
}

void check_role(const std::string& role) {
  for (const char* r : {"unknown", "test", "selection", "train"})
    if (role == r) return;
  throw usage_error("--data-role {}: write test, selection (rows that settings were chosen on), train or unknown",
                    role);
}

void declare_rows(CLI::App& app, ExamineArguments& a) {
  app.add_option("--data", a.data, "rows to examine on: fashion-mnist, images.idx:labels.idx, x.npy:y.npy or file.npz")
      ->required()
      ->type_name("D");
  app.add_option("--data-role", a.data_role, "what they were used for before: test, selection, train or unknown")
      ->type_name("ROLE");
  app.add_option("--train", a.train, "rows the network was trained on, e.g. fashion-mnist:train")->type_name("D");
  app.add_option(
         "--classes", a.classes,
         "names of the classes, one a line (those in the model's metadata under class_names, classes, labels or "
         "names)")
      ->type_name("FILE");
  app.add_option("--groups", a.groups,
                 "the group of each row (patient, site): .npy or a line a row; what is independent is a group")
      ->type_name("FILE");
  std::string layouts;
  for (const LayoutName& l : layout_names()) layouts += (layouts.empty() ? "" : ", ") + std::string(l.name);
  app.add_option("--layout", a.layout, "how the rows are stored, unlike the network takes them; some of " + layouts)
      ->type_name("LIST");
  app.add_option("--normalize", a.normalize,
                 "the network takes (x - MEAN) / STD of the data, after --layout; channels with colons")
      ->type_name("MEAN,STD");
  app.add_option("--data-normalized", a.data_normalized,
                 "the data are (raw - MEAN) / STD: radii and the range are in raw units")
      ->type_name("MEAN,STD");
  app.add_option("--range", a.range, "valid values of the raw data (0,1 where the data keep to it)")
      ->type_name("LO,HI");
}

void declare_network(CLI::App& app, ExamineArguments& a) {
  app.add_option("--input-name", a.input, "the input that takes the rows")->type_name("NAME");
  app.add_option("--output-name", a.output, "the output to examine, where the network has several")->type_name("NAME");
  app.add_option("--output-kind", a.output_kind, "what the outputs are: auto, logits, probabilities or scores (auto)")
      ->type_name("KIND");
}

void declare_report(CLI::App& app, ExamineArguments& a) {
  app.add_option("--out", a.out, "directory of the report (MODEL.viva); replaces only a report, and keeps its ledger")
      ->type_name("DIR");
  app.add_option("--ledger", a.ledger,
                 "file that every ruling is added to (MODEL.viva/ledger.jsonl, wherever the report goes); where it is "
                 "given, the "
                 "page shows its earlier rulings of the claims")
      ->type_name("FILE");
  app.add_option("--mend", a.mend,
                 "write the network with what mends it folded in, and rule on it again (OUT.onnx.viva)")
      ->type_name("OUT.onnx");
  app.add_flag("--no-examples", a.no_examples, "show no row of the data, neither its values nor what became of it");
  app.add_flag("--plan", a.plan, "print what was inferred and the counted cost, and run nothing");
  app.add_flag("--no-cost", a.no_cost, "leave costs out: the report is then equal byte for byte on repetition");
}

// Without --range attacks run only where the data lie in [0, 1].
void check_radii(const ExamineOptions& o) {
  const ValueRange r = o.range.value_or(ValueRange{});
  const auto check = [&](double radius, const std::string& what) {
    if (radius <= r.high - r.low) return;
    throw usage_error(
        "{}: the radius {} is beyond the whole range [{}, {}]{}: radii are in units of the raw data, such as "
        "8/255{}",
        what, radius, r.low, r.high, o.range ? "" : ", which is taken without --range",
        o.range ? "" : "; or give --range LO,HI");
  };
  for (const Radius& e : o.eps) check(e.value, "--eps " + e.text);
  for (const Claim& c : o.claims)
    if (const auto* radius = std::get_if<double>(&c.key.value); radius && c.quantity == "robustness.accuracy")
      check(*radius, fmt::format("claim '{}'", c.statement));
}

}  // namespace

void declare_arguments(CLI::App& app, ExamineArguments& a) {
  app.add_option("model", a.model, "ONNX file (.onnx, .onnx.gz)")->required()->type_name("MODEL");
  declare_rows(app, a);
  declare_network(app, a);
  app.add_option("--claim", a.claims, "examiner.quantity[key] (>=|<=|>|<) number; repeat for more")
      ->allow_extra_args(false)
      ->type_name("CLAIM");
  app.add_option("--claims", a.claims_file, "TOML file of claims: [[claim]] id = \"…\" statement = \"…\"")
      ->type_name("FILE");
  app.add_option("--only", a.only, "examiners to run, by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  app.add_option("--eps", a.eps, "radii of the attack, raw units, by commas (1/255,2/255,4/255,8/255 of the range)")
      ->type_name("LIST");
  app.add_option("--rows", a.rows, "rows to attack (1000), at most all")->type_name("N");
  app.add_option("--budget", a.budget,
                 "seconds (300) of a machine of 30 GFLOP/s: sets the rows attacked and of the curvature before the run")
      ->type_name("S");
  app.add_option("--seed", a.seed, "seed of everything random (0)")->type_name("N");
  app.add_option("--threads", a.threads, "threads (VIVA_THREADS, else the processors); no result depends on it")
      ->type_name("N");
  declare_report(app, a);
  // As an unset variable of a script leaves it.
  for (CLI::Option* o : app.get_options())
    if (o->get_items_expected_max() > 0)
      o->check(
          [](const std::string& s) { return s.empty() ? std::string("is empty: write a value, or leave it out") : ""; },
          "");
}

double budget_of(const ExamineArguments& a) {
  if (a.budget.empty()) return standard_budget;
  double seconds = 0;
  const auto [end, error] = std::from_chars(a.budget.data(), a.budget.data() + a.budget.size(), seconds);
  if (error != std::errc() || end != a.budget.data() + a.budget.size() || !(seconds > 0) || !std::isfinite(seconds))
    throw usage_error("--budget {}: write seconds above 0, as in --budget 300", a.budget);
  return seconds;
}

ExamineOptions options_of(const ExamineArguments& a, std::vector<FileRecord>& claim_files) {
  ExamineOptions o;
  o.claims = claims_of(a, claim_files);
  o.only = a.only;
  o.seed = seed_of(a.seed);
  o.output = output_choice(a.output_kind);
  o.examples = !a.no_examples;
  check_role(a.data_role);
  if (!a.range.empty()) o.range = range_of(a.range);
  if (!a.layout.empty()) o.layout = layouts_from(a.layout);
  if (!a.eps.empty()) o.eps = radii_from(a.eps);
  if (!a.rows.empty()) o.rows = row_count(a.rows);
  if (!a.data_normalized.empty()) o.data_normalized = normalization_of("--data-normalized", a.data_normalized);
  check_radii(o);
  if (!a.data_normalized.empty() && !a.normalize.empty())
    throw usage_error("--normalize is for raw data, --data-normalized for data that are normalised already: give one");
  return o;
}

std::string canonical_command(const ExamineArguments& a, const ExamineOptions& options,
                              const std::vector<const Examiner*>& chosen) {
  std::string s = "viva examine " + shell_quoted(a.model);
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) s += fmt::format(" {} {}", option, shell_quoted(value));
  };
  add("--data", a.data);
  if (a.data_role != "unknown") add("--data-role", a.data_role);
  add("--train", a.train);
  add("--groups", a.groups);
  add("--input-name", a.input);
  add("--output-name", a.output);
  add("--classes", a.classes);
  if (!a.normalize.empty()) s += canonical("--normalize", normalization_of("--normalize", a.normalize));
  s += canonical(options);
  add("--claims", a.claims_file);
  for (size_t i = options.claims.size() - a.claims.size(); i < options.claims.size(); ++i)
    add("--claim", options.claims[i].statement);
  if (chosen.size() < examiners().size()) {
    std::string names;
    for (const Examiner* e : chosen) names += (names.empty() ? "" : ",") + std::string(e->name);
    s += " --only " + names;
  }
  if (!a.budget.empty()) s += fmt::format(" --budget {}", budget_of(a));
  s += fmt::format(" --seed {}", seed_of(a.seed));
  add("--ledger", a.ledger.value_or(""));
  add("--mend", a.mend.value_or(""));
  return s + (a.no_examples ? " --no-examples" : "") + (a.no_cost ? " --no-cost" : "");
}

}  // namespace viva
