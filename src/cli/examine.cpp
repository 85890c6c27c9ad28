// viva examine: the referee.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <optional>
#include <ostream>

#include "base/bytes.h"
#include "base/error.h"
#include "base/output_directory.h"
#include "cli/examine_options.h"
#include "cli/progress.h"
#include "cli/report_directory.h"
#include "cli/rows.h"
#include "cli/verb.h"
#include "examine/examiner.h"
#include "examine/words.h"
#include "report/html.h"
#include "report/json.h"
#include "report/markup.h"

namespace viva {
namespace {

struct Arguments {
  std::string model, data, train, classes, output;
  std::string output_kind = "auto", range, eps, rows, normalize, data_normalized;
  std::optional<std::string> out;
  std::vector<std::string> claims, only;
  std::string seed = "0";
  std::optional<int> threads;
  bool plan = false, no_cost = false;
};

uint64_t seed_of(const std::string& text) {
  uint64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size())
    throw usage_error("--seed {}: write a whole number from 0 to 2^64 - 1", text);
  return v;
}

// All that the report is a function of, in one spelling: no --threads, no --out, claims as they were understood, --only
// in the order of the list and just where it leaves something out.
std::string canonical_command(const Arguments& a, const ExamineOptions& options,
                              const std::vector<const Examiner*>& chosen) {
  std::string s = "viva examine " + shell_quoted(a.model) + " --data " + shell_quoted(a.data);
  if (!a.train.empty()) s += " --train " + shell_quoted(a.train);
  if (!a.output.empty()) s += " --output " + shell_quoted(a.output);
  if (!a.classes.empty()) s += " --classes " + shell_quoted(a.classes);
  if (!a.normalize.empty()) s += canonical("--normalize", normalization_of("--normalize", a.normalize));
  s += canonical(options);
  for (const Claim& c : options.claims) s += " --claim " + shell_quoted(c.statement);
  if (chosen.size() < examiners().size()) {
    std::string names;
    for (const Examiner* e : chosen) names += (names.empty() ? "" : ",") + std::string(e->name);
    s += " --only " + names;
  }
  s += fmt::format(" --seed {}", seed_of(a.seed));
  return s + (a.no_cost ? " --no-cost" : "");
}

void print_model(std::ostream& out, const ModelRecord& m) {
  out << "model      " << printable(m.path) << ", SHA-256 " << m.sha256 << '\n';
  out << "input      "
      << printable(m.input_name + " " + m.input_type + ", output " + m.output_name + " " + m.output_type) << '\n';
  out << "rows       "
      << (m.batch == BatchMode::symbolic ? "free batch dimension"
          : m.batch == BatchMode::vectorised
              ? fmt::format("{}, vectorised over rows", m.batch_size == 1 ? "batch fixed at 1" : "no batch dimension")
              : fmt::format("batch fixed at {}, padded chunks", m.batch_size))
      << '\n';
  out << "size       " << grouped(m.parameters) << " parameters, " << fmt::format("{:.4g}", m.flops)
      << " FLOP an example\n";
  out << "softmax    "
      << (m.softmax_axis ? "the last node, over axis " + std::to_string(*m.softmax_axis)
                         : "not the last node; the kind of output is read off the outputs")
      << '\n';
}

void print_data(std::ostream& out, const DataRecord& d) {
  out << fmt::format("{:<10} {}, {} of {}{}\n", d.id, printable(d.spec), counted(d.rows, "row", "rows"), d.row_type,
                     d.scaling.empty() ? "" : ", " + d.scaling);
  if (!d.layout.empty()) out << fmt::format("{:<10} {}\n", "", "rows of " + d.layout);
}

// What was done to rows before they reached the network.
void print_notes(std::ostream& err, const ModelRecord& m, const RowSource& data) {
  const DataRecord& d = data.record;
  if (!d.scaling.empty()) err << "viva: " << printable(d.spec) << ": " << d.scaling << '\n';
  if (!d.layout.empty()) err << "viva: " << printable(d.spec) << ": rows of " << d.layout << '\n';
  if (d.id == "data" && !m.other_outputs.empty())
    err << fmt::format("viva: {}: has {} outputs: {} is examined; --output NAME takes another\n", printable(m.path),
                       m.other_outputs.size() + 1, printable(m.output_name));
  if (d.id == "data" && m.batch == BatchMode::padded)
    err << fmt::format("viva: {}: fixes its batch at {}: {} in padded chunks of that size\n", printable(m.path),
                       m.batch_size, counted(d.rows, "row goes", "rows go"));
}

void print_plan(std::ostream& out, const Subject& subject, const RowSource& data, const RowSource* train,
                const ExamineOptions& options, const std::vector<PlanStep>& steps) {
  print_model(out, subject.record());
  print_data(out, data.record);
  if (train) print_data(out, train->record);
  for (const Claim& c : options.claims)
    out << fmt::format("{:<10} {}, two-sided interval at level {}\n", c.id, printable(c.statement),
                       shown(1 - claim_alpha(static_cast<int64_t>(options.claims.size()), Sided::two), 6));
  double flops = 0;
  for (const PlanStep& s : steps) {
    out << fmt::format("step       {}: {} {}{}\n", s.what, grouped(s.count), s.unit,
                       s.flops > 0 ? fmt::format(", {:.4g} GFLOP", s.flops / 1e9) : "");
    flops += s.flops;
  }
  out << fmt::format("cost       {:.4g} GFLOP; nothing was run\n", flops / 1e9);
}

void print_summary(std::ostream& out, const Report& r, const std::string& directory) {
  if (const Finding* f = r.find("risk.accuracy")) {
    if (f->estimate && f->interval)
      out << fmt::format("accuracy {:.4f}, {} interval {} ({}), n = {}\n", *f->estimate,
                         markup::level(f->interval->level), markup::ends(*f->interval), f->interval->method,
                         grouped(f->n.value_or(0)));
    else out << "accuracy withheld: " << f->why << '\n';
  }
  for (const Claim& c : r.claims) {
    out << fmt::format("{:<10} {}", to_string(c.ruling), printable(c.statement));
    if (!c.would_decide.empty()) out << " (would decide: " << printable(c.would_decide) << ")";
    out << '\n';
  }
  for (const Diagnosis& d : r.diagnosis) out << fmt::format("{:<10} {}\n", "warning", printable(d.text));
  out << "report in " << printable(directory) << '\n';
}

RowSource rows_with_names(const Arguments& a, Session& s, const Subject& subject) {
  RowSource data = s.open.data(a.data, "data", subject);
  if (a.classes.empty()) return data;
  DataFile file;
  data.record.classes = read_class_names(a.classes, classes_of(subject), file);
  data.record.files.push_back({file.path, file.sha256, file.bytes});
  return data;
}

ExamineOptions options_of(const Arguments& a) {
  ExamineOptions o;
  o.claims = parse_claims(a.claims, known_quantities());
  o.only = a.only;
  o.seed = seed_of(a.seed);
  o.output = output_choice(a.output_kind);
  if (!a.range.empty()) o.range = range_of(a.range);
  if (!a.eps.empty()) o.eps = radii_from(a.eps);
  if (!a.rows.empty()) o.rows = row_count(a.rows);
  if (!a.data_normalized.empty()) o.data_normalized = normalization_of("--data-normalized", a.data_normalized);
  if (!a.data_normalized.empty() && !a.normalize.empty())
    throw usage_error("--normalize is for raw data, --data-normalized for data that are normalised already: give one");
  return o;
}

int run(const Arguments& a, Session& s) {
  const ExamineOptions options = options_of(a);
  const auto chosen = chosen_examiners(options);
  const int threads = thread_count(a.threads);
  const std::string target = a.out.value_or(a.model + ".viva");
  if (target.empty()) throw usage_error("--out: is empty: name a directory, or leave the option out");
  std::optional<OutputDirectory> directory;
  SubjectChoice choice{a.output, [&] { return s.open.row_shape(a.data); }, {}};
  if (!a.normalize.empty()) choice.normalize = normalization_of("--normalize", a.normalize);
  const auto subject = s.open.subject(a.model, choice);
  const RowSource data = rows_with_names(a, s, *subject);
  std::optional<RowSource> train;
  if (!a.train.empty()) train = s.open.data(a.train, "train", *subject);
  const RowSource* train_rows = train ? &*train : nullptr;
  if (a.plan) {
    print_plan(s.out, *subject, data, train_rows, options, plan_examination(options, *subject, data, train_rows));
    return 0;
  }
  directory.emplace(target, is_replaceable_report);
  print_notes(s.err, subject->record(), data);
  if (train) print_notes(s.err, subject->record(), *train);
  ThreadPool pool(threads);
  ProgressBar bar(s);
  Report report = examine(options, *subject, data, train_rows, pool, s.cancel,
                          [&](double f, std::string_view what) { bar.show(f, what); });
  bar.clear();
  report.viva = version();
  report.command = canonical_command(a, options, chosen);
  const ReportOptions written{.cost = !a.no_cost};
  directory->write("report.json", report_json_text(report, written));
  directory->write("report.html", report_html(report, written));
  directory->write("report.schema.json", report_schema());
  if (s.cancel) throw Error(ErrorKind::cancelled, "interrupted; nothing was written");
  directory->commit();
  print_summary(s.out, report, target);
  const bool refuted = std::any_of(report.claims.begin(), report.claims.end(),
                                   [](const Claim& c) { return c.ruling == Verdict::refuted; });
  return refuted ? 1 : 0;
}

std::function<int(Session&)> declare(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("model", a->model, "ONNX file (.onnx, .onnx.gz)")->required()->type_name("MODEL");
  app.add_option("--data", a->data, "rows to examine on: fashion-mnist, images.idx:labels.idx, x.npy:y.npy or file.npz")
      ->required()
      ->type_name("D");
  app.add_option("--train", a->train, "rows the network was trained on, e.g. fashion-mnist:train")->type_name("D");
  app.add_option("--classes", a->classes, "names of the classes, one a line, for claims and the report")
      ->type_name("FILE");
  app.add_option("--output", a->output, "the output to examine, where the network has several")->type_name("NAME");
  app.add_option("--output-kind", a->output_kind, "what the outputs are: auto, logits, probabilities or scores (auto)")
      ->type_name("KIND");
  app.add_option("--normalize", a->normalize, "the network takes (x - MEAN) / STD of the data; channels with colons")
      ->type_name("MEAN,STD");
  app.add_option("--data-normalized", a->data_normalized,
                 "the data are (raw - MEAN) / STD: radii and the range are in raw units")
      ->type_name("MEAN,STD");
  app.add_option("--range", a->range, "valid values of the raw data (0,1 where the data keep to it)")
      ->type_name("LO,HI");
  app.add_option("--eps", a->eps, "radii of the attack, raw units, by commas (1/255,2/255,4/255,8/255 of the range)")
      ->type_name("LIST");
  app.add_option("--rows", a->rows, "rows to attack (1000)")->type_name("N");
  app.add_option("--claim", a->claims, "examiner.quantity[key] (>=|<=|>|<) number; repeat for more")
      ->allow_extra_args(false)
      ->type_name("CLAIM");
  app.add_option("--out", a->out, "directory of the report (MODEL.viva); replaces only a report")->type_name("DIR");
  app.add_option("--seed", a->seed, "seed of everything random (0)")->type_name("N");
  app.add_option("--threads", a->threads, "threads (VIVA_THREADS, else the processors); no result depends on it")
      ->type_name("N");
  app.add_option("--only", a->only, "examiners to run, by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  app.add_flag("--plan", a->plan, "print what was inferred and the counted cost, and run nothing");
  app.add_flag("--no-cost", a->no_cost, "leave costs out: the report is then equal byte for byte on repetition");
  return [a](Session& s) { return run(*a, s); };
}

}  // namespace

extern const Verb examine_verb;
const Verb examine_verb = {
    .name = "examine",
    .summary = "rule on claims about a network and write a report",
    .example = "viva examine demo/fashion.onnx --data fashion-mnist --claim 'risk.accuracy >= 0.90'",
    .declare = declare,
};

}  // namespace viva
