// viva examine: the referee.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <ostream>

#include "base/bytes.h"
#include "base/error.h"
#include "base/output_directory.h"
#include "cli/examine_arguments.h"
#include "cli/examine_options.h"
#include "cli/ledger_place.h"
#include "cli/mend.h"
#include "cli/outputs_apart.h"
#include "cli/progress.h"
#include "cli/report_directory.h"
#include "cli/rows.h"
#include "cli/verb.h"
#include "examine/budget.h"
#include "examine/evaluation.h"
#include "examine/examiner.h"
#include "examine/input_space.h"
#include "examine/words.h"
#include "onnx/file.h"
#include "report/html.h"
#include "report/json.h"
#include "report/markup.h"

namespace viva {
namespace {

void print_model(std::ostream& out, const ModelRecord& m) {
  out << "model      " << printable(m.path) << ", SHA-256 " << m.sha256 << '\n';
  out << "input      "
      << printable(m.input_name + " " + m.input_type + ", output " + m.output_name + " " + m.output_type) << '\n';
  if (const std::string s = outputs_in_words(m); !s.empty()) {
    std::string types;
    for (const OutputRecord& o : m.outputs) types += (types.empty() ? "" : ", ") + o.name + " " + o.type;
    out << "outputs    " << printable(types) << '\n' << fmt::format("{:<10} {}\n", "", printable(s));
  }
  out << "rows       "
      << (m.batch == BatchMode::symbolic ? "free batch dimension"
          : m.batch == BatchMode::vectorised
              ? fmt::format("{}, vectorised over rows", m.batch_size == 1 ? "batch fixed at 1" : "no batch dimension")
              : fmt::format("batch fixed at {}, padded chunks", m.batch_size))
      << '\n';
  if (!m.prepended.empty()) out << "before     " << printable(m.prepended) << '\n';
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
  if (const std::string s = outputs_in_words(m); d.id == "data" && !s.empty())
    err << fmt::format("viva: {}: has {}; --output-name NAME takes another\n", printable(m.path), printable(s));
  if (d.id == "data" && m.batch == BatchMode::padded)
    err << fmt::format("viva: {}: fixes its batch at {}: {} in padded chunks of that size\n", printable(m.path),
                       m.batch_size, counted(d.rows, "row goes", "rows go"));
}

// Why nothing of an examiner was measured, where it was asked to.
void print_not_run(std::ostream& out, const Report& r, std::string_view examiner) {
  const Finding* first = nullptr;
  for (const Finding& f : r.findings) {
    if (!f.id.starts_with(std::string(examiner) + ".")) continue;
    if (f.status == Status::run) return;
    if (!first) first = &f;
  }
  if (first && examiner != "risk")
    out << fmt::format("{:<10} {}: {}\n", to_string(first->status), examiner, printable(first->why));
}

void print_summary(std::ostream& out, const Report& r, const std::string& directory) {
  if (const Finding* f = r.find("risk.accuracy")) {
    if (f->estimate && f->interval)
      out << fmt::format("accuracy {}, {} interval {} ({}), n = {}\n", markup::estimate(*f),
                         markup::level(f->interval->level), markup::ends(*f), f->interval->method,
                         grouped(f->n.value_or(0)));
    else out << "accuracy withheld: " << printable(f->why) << '\n';
  }
  for (const Examiner* e : examiners())
    if (e->name != "baseline" || r.data.size() > 1) print_not_run(out, r, e->name);
  for (const Claim& c : r.claims) {
    out << fmt::format("{:<10} {}", to_string(c.ruling), printable(c.statement));
    if (!c.would_decide.empty()) out << " (would decide: " << printable(c.would_decide) << ")";
    out << '\n';
  }
  for (const Diagnosis& d : r.diagnosis)
    out << fmt::format("{:<10} {}: {}\n", "warning", printable(d.title), printable(d.text));
  out << "report in " << printable(directory) << '\n';
}

// Names from --classes, else from the network's metadata, else the data's own.
void name_classes(const ExamineArguments& a, const Subject& subject, RowSource& data) {
  if (!a.classes.empty()) {
    DataFile file;
    data.record.classes = read_class_names(a.classes, classes_of(subject), file);
    data.record.files.push_back({file.path, file.sha256, file.bytes});
  } else if (!subject.record().classes.empty()) {
    data.record.classes = subject.record().classes;
  }
}

void set_groups(const ExamineArguments& a, RowSource& data) {
  if (a.groups.empty()) return;
  DataFile file;
  data.groups = read_groups(a.groups, data.size(), file);
  data.record.groups = *std::ranges::max_element(data.groups) + 1;
  data.record.files.push_back({file.path, file.sha256, file.bytes});
}

void check_classifies(const Subject& subject) {
  if (classes_of(subject) > 0) return;
  const ModelRecord& m = subject.record();
  std::string others;
  for (const OutputRecord& o : m.outputs)
    if (o.name != m.output_name) others += (others.empty() ? "" : ", ") + o.name;
  throw unsupported(
      "{}: has no classification output: {} is {}{}; examine needs floats with one number for each of at least two "
      "classes{}",
      m.path, m.output_name, m.output_type, others.empty() ? "" : ", nor is one among " + others,
      numel(subject.output_row_shape()) == 1 ? ", such as two columns [1 - p, p] or [0, logit]" : "");
}

// Whether --layout or --normalize stand before the network: --mend folds them in.
bool is_changed(const Subject& s) { return !s.record().prepended.empty(); }

std::string mend_words(const Report& r) {
  std::string all = r.models.at(0).prepended;
  for (const Mend& m : r.mends) all += (all.empty() ? "" : "; ") + m.what;
  return printable(all);
}

struct Examined {
  Report report;
  Ledger earlier;
};

// Gives the line that says where the rulings are, "" where that is in the report.
std::string write_report(const ExamineArguments& a, const Examined& e, OutputDirectory& directory,
                         const std::string& target, const LedgerPlace& ledger) {
  const ReportOptions written{.cost = !a.no_cost};
  directory.write("report.json", report_json_text(e.report, written));
  directory.write("report.html", report_html(e.report, written, e.earlier));
  directory.write("report.schema.json", report_schema());
  const std::string lines = ledger_lines(e.report, date_now());
  commit_with_ledger(directory, target, ledger, lines);
  if (lines.empty() || (ledger.in == LedgerPlace::In::report && ledger.note.empty())) return "";
  return fmt::format("ledger     {}{}{}\n", printable(ledger.path),
                     ledger.in == LedgerPlace::In::file ? "" : "/ledger.jsonl",
                     ledger.note.empty() ? "" : ", because " + ledger.note);
}

// Nothing, or a model file that Viva wrote.
bool is_replaceable_network(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return true;
  try {
    return read_onnx(path).producer == "viva";
  } catch (const Error&) { return false; }
}

// Where a report goes, and that of the mended network: refused before any work is done.
struct Targets {
  explicit Targets(const ExamineArguments& a)
      : report(a.out.value_or(a.model + ".viva")), mended(a.mend ? *a.mend + ".viva" : "") {
    if (report.empty()) throw usage_error("--out: is empty: name a directory, or leave the option out");
    if (a.mend && a.mend->empty()) throw usage_error("--mend: is empty: name a file for the mended network");
    std::vector<RunPath> paths = {{RunPath::Is::network, "the network", a.model},
                                  {RunPath::Is::report, "--out", report}};
    if (a.mend) paths.push_back({RunPath::Is::file, "--mend", *a.mend});
    if (a.mend) paths.push_back({RunPath::Is::report, "the report of the mended network", mended});
    if (a.ledger) paths.push_back({RunPath::Is::file, "--ledger", *a.ledger});
    check_apart(paths);
    if (a.mend && !is_replaceable_network(*a.mend))
      throw usage_error(
          "--mend {}: name a file of its own for the mended network: what stands there is none that Viva wrote",
          *a.mend);
  }
  void open() {
    directory.emplace(report, is_replaceable_report);
    if (!mended.empty()) mended_directory.emplace(mended, is_replaceable_report);
  }
  std::string report, mended;
  std::optional<OutputDirectory> directory, mended_directory;
};

// The network, what it is examined on, and how.
struct Examination {
  const ExamineArguments& a;
  Session& s;
  ExamineOptions options;
  std::string command;
  std::unique_ptr<Subject> subject;
  RowSource data;
  std::optional<RowSource> train;
  const RowSource* train_rows() const { return train ? &*train : nullptr; }
};

Before before_rows(const ExamineArguments& a, const ExamineOptions& options) {
  Before b;
  if (!a.normalize.empty()) b.normalize = normalization_of("--normalize", a.normalize);
  b.layout = options.layout;
  b.sums = [options](const Shape& given) { return range_sums(given, options); };
  return b;
}

// Inverted rows are subtracted from the ends of a range, which the data must keep to.
void check_inversion(Examination& x) {
  if (!contains(x.options.layout, Layout::invert)) return;
  ThreadPool alone(1);
  const Context rows(*x.subject, x.data, x.train_rows(), x.options, alone, x.s.cancel, {});
  if (const FoundSpace& found = rows.input_space(); !found.space)
    throw input_error("--layout {}: {}", to_string(x.options.layout), found.why);
}

std::string range_inferred(const Examination& x) {
  ThreadPool alone(1);
  const Context rows(*x.subject, x.data, x.train_rows(), x.options, alone, x.s.cancel, {});
  const FoundSpace& found = rows.input_space();
  if (!found.space) return "not known, robustness is not run: " + found.why;
  const ValueRange& r = found.space->raw;
  return fmt::format("{} to {}, {}", r.low, r.high,
                     found.space->assumed ? "assumed, because all rows keep to it" : "as --range says");
}

std::string classes_inferred(const Examination& x) {
  constexpr size_t most_named = 12;
  const std::vector<std::string>& names = x.data.record.classes;
  std::string s = fmt::format("{}", classes_of(*x.subject));
  if (names.empty()) return s + ", without names: --classes FILE gives them";
  for (size_t i = 0; i < std::min(names.size(), most_named); ++i) s += (i == 0 ? ": " : ", ") + names[i];
  return s + (names.size() > most_named ? ", …" : "");
}

// What was settled about the rows before anything is run.
void print_inferred(const Examination& x) {
  const DataRecord& d = x.data.record;
  x.s.out << "role       " << d.role << '\n';
  if (d.groups) x.s.out << fmt::format("groups     {}: they are what is independent\n", grouped(*d.groups));
  x.s.out << "classes    " << printable(classes_inferred(x)) << '\n';
  x.s.out << "range      " << range_inferred(x) << '\n';
}

void print_plan(const Examination& x) {
  std::ostream& out = x.s.out;
  const ExamineOptions& options = x.options;
  const std::vector<PlanStep> steps = plan_examination(options, *x.subject, x.data, x.train_rows());
  print_model(out, x.subject->record());
  print_data(out, x.data.record);
  if (x.train) print_data(out, x.train->record);
  print_inferred(x);
  for (const Claim& c : options.claims)
    out << fmt::format("{:<10} {}, two-sided interval at level {}\n", c.id, printable(c.statement),
                       shown(1 - claim_alpha(static_cast<int64_t>(options.claims.size()), Sided::two), 6));
  double flops = 0;
  for (const PlanStep& s : steps) {
    out << fmt::format("step       {}: {} {}{}\n", s.what, grouped(s.count), s.unit,
                       s.flops > 0 ? fmt::format(", {:.4g} GFLOP", s.flops / 1e9) : "");
    flops += s.flops;
  }
  for (const auto& [rows, what] : {std::pair(options.rows, "attacks"), {options.curvature_rows, "the curvature"}})
    if (rows == 0)
      out << fmt::format("left out   {}: the budget allows too few rows; a larger --budget gives them\n", what);
  out << fmt::format("cost       {:.4g} GFLOP; nothing was run\n", flops / 1e9);
}

void check_rows(const Examination& x) {
  if (!x.options.rows || *x.options.rows <= x.data.size()) return;
  throw usage_error("--rows {}: {} holds {}: write at most as many", *x.options.rows, x.a.data,
                    counted(x.data.size(), "row", "rows"));
}

// Values of uint8 are in [0, 1] by the time that ranges and radii speak of them.
void check_scaled_range(const Examination& x) {
  const std::optional<ValueRange>& r = x.options.range;
  if (!r || x.data.record.scaling.empty() || (r->low >= 0 && r->high <= 1)) return;
  throw usage_error("--range {}: {} is {}: its values lie in [0, 1]: write --range 0,1, and radii such as 8/255",
                    x.a.range, x.a.data, x.data.record.scaling);
}

void open_rows(Examination& x) {
  x.data = x.s.open.data(x.a.data, "data", *x.subject);
  x.data.record.role = x.a.data_role;
  check_scaled_range(x);
  name_classes(x.a, *x.subject, x.data);
  set_groups(x.a, x.data);
  if (!x.a.train.empty()) x.train = x.s.open.data(x.a.train, "train", *x.subject), x.train->record.role = "train";
}

// Examines the network and, where --mend asks for it and there is something to mend, the mended one.
std::optional<Examined> examine_both(const Examination& x, Examined& given, ThreadPool& pool) {
  ProgressBar bar(x.s);
  const Progress progress = [&](double f, std::string_view what) { bar.show(f, what); };
  const std::vector<FileRecord> claim_files = given.report.claim_files;
  const auto signed_report = [&](Report r) {
    r.viva = version();
    r.claim_files = claim_files;
    r.command = x.command;
    return r;
  };
  given.report = signed_report(examine(x.options, *x.subject, x.data, x.train_rows(), pool, x.s.cancel, progress));
  std::optional<Examined> mended;
  if (x.a.mend && (!given.report.mends.empty() || is_changed(*x.subject))) {
    mended.emplace();
    mended->report = signed_report(
        ruled_again(*x.a.mend, given.report, x.s, x.options, *x.subject, x.data, x.train_rows(), pool, progress));
    given.report.findings.push_back(mend_finding(given.report, mended->report));
  }
  bar.clear();
  return mended;
}

void write_mended_report(const Examination& x, const Examined& given, const std::optional<Examined>& mended,
                         Targets& targets) {
  if (!x.a.mend) return;
  x.s.out << "mended     ";
  if (!mended) {
    x.s.out << "nothing: no diagnosis that a change of the graph mends; " << printable(*x.a.mend)
            << " was not written\n";
    return;
  }
  const std::string kept = write_report(x.a, *mended, *targets.mended_directory, targets.mended,
                                        ledger_place(x.a.ledger, *x.a.mend, targets.mended));
  x.s.out << printable(*x.a.mend) << ": " << mend_words(given.report) << ", measured on half B\n";
  print_summary(x.s.out, mended->report, targets.mended);
  x.s.out << kept;
}

int run(const ExamineArguments& a, Session& s) {
  Examined e;
  const ExamineOptions asked = options_of(a, e.report.claim_files);
  const auto chosen = chosen_examiners(asked);
  const int threads = thread_count(a.threads);
  Targets targets(a);
  if (a.ledger) e.earlier = read_ledger(*a.ledger), check_ledger(*a.ledger);
  const SubjectChoice choice{a.input, a.output, [&] { return s.open.row_shape(a.data); }, before_rows(a, asked),
                             [&] { return s.open.label_count(a.data); }};
  Examination x{a, s, asked, canonical_command(a, asked, chosen), s.open.subject(a.model, choice), {}, {}};
  check_classifies(*x.subject);
  open_rows(x);
  check_inversion(x);
  check_rows(x);
  x.options = within_budget(asked, budget_of(a), !a.budget.empty(), *x.subject, x.data, x.train_rows());
  if (a.plan) {
    print_plan(x);
    return 0;
  }
  targets.open();
  const LedgerPlace ledger = ledger_place(a.ledger, a.model, targets.report);
  print_notes(s.err, x.subject->record(), x.data);
  if (x.train) print_notes(s.err, x.subject->record(), *x.train);
  ThreadPool pool(threads);
  const std::optional<Examined> mended = examine_both(x, e, pool);
  if (s.cancel) throw Error(ErrorKind::cancelled, "interrupted; nothing was written");
  const std::string kept = write_report(a, e, *targets.directory, targets.report, ledger);
  print_summary(s.out, e.report, targets.report);
  s.out << kept;
  write_mended_report(x, e, mended, targets);
  const bool refuted =
      std::ranges::any_of(e.report.claims, [](const Claim& c) { return c.ruling == Verdict::refuted; });
  return refuted ? 1 : 0;
}

std::function<int(Session&)> declare(CLI::App& app) {
  auto a = std::make_shared<ExamineArguments>();
  declare_arguments(app, *a);
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
