#include <fmt/format.h>

#include <algorithm>

#include "examine/words.h"
#include "report/html_sections.h"
#include "report/markup.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

constexpr size_t most_rows = 60;

std::string pair(std::string_view name, const std::string& inner) {
  return "<dt>" + escape(name) + "</dt><dd>" + inner + "</dd>\n";
}

std::string files(const std::vector<FileRecord>& list) {
  std::string s;
  for (size_t i = 0; i < std::min<size_t>(list.size(), 20); ++i)
    s += fmt::format("{}{} <small>({} bytes)</small><br><code class=\"hash\">{}</code>", i > 0 ? "<br>" : "",
                     escape(list[i].path), grouped(list[i].bytes), escape(list[i].sha256));
  return s;
}

std::string batch(const ModelRecord& m) {
  switch (m.batch) {
    case BatchMode::symbolic:
      return "free batch dimension";
    case BatchMode::vectorised:
      return m.batch_size == 1 ? "batch fixed at 1, vectorised over rows" : "no batch dimension, vectorised over rows";
    case BatchMode::padded:
      break;
  }
  return fmt::format("batch fixed at {}: chunks of that size, the last one padded", m.batch_size);
}

std::string coverage(const ModelRecord& m) {
  std::string s;
  for (const Coverage& c : m.coverage) {
    s += s.empty() ? "" : " · ";
    s += escape(c.transformation) + " " +
         (c.missing.empty()
              ? "complete"
              : fmt::format("lacks {}", counted(static_cast<int64_t>(c.missing.size()), "operator", "operators")));
  }
  return s.empty() ? "not asked" : s;
}

std::string operators(const ModelRecord& m) {
  std::string s;
  for (size_t i = 0; i < std::min(m.operators.size(), most_rows); ++i)
    s += fmt::format("{}{} {}", i > 0 ? ", " : "", m.operators[i].count, escape(m.operators[i].op));
  return s + (m.operators.size() > most_rows ? ", …" : "");
}

std::string opsets(const ModelRecord& m) {
  std::string s;
  for (const auto& [domain, version] : m.opsets)
    s += fmt::format("{}{}{}", s.empty() ? "" : ", ", domain.empty() ? "" : escape(domain) + " ", version);
  return s;
}

std::string model(const ModelRecord& m) {
  std::string s = "<div><h3>The network</h3>\n<dl>\n" + pair("File", files(m.files));
  s += pair("Written by",
            escape(m.producer) + fmt::format(" <small>(opset {}, IR version {})</small>", opsets(m), m.ir_version));
  s += pair("Size", fmt::format("{} parameters, {} FLOP an example", grouped(m.parameters), markup::value(m.flops)));
  s += pair("Operators", operators(m));
  s += pair("Input", escape(m.input_name) + " <code>" + escape(m.input_type) + "</code>");
  s += pair("Output", escape(m.output_name) + " <code>" + escape(m.output_type) + "</code>");
  s += pair("Rows", batch(m)) + pair("Coverage", coverage(m));
  if (!m.training_operators.empty())
    s += pair("In training mode",
              fmt::format("<span class=\"alarm\">{}</span>",
                          counted(static_cast<int64_t>(m.training_operators.size()), "operator", "operators")));
  return s + "</dl></div>\n";
}

std::string data(const DataRecord& d) {
  std::string s = "<div><h3>" + std::string(d.id == "train" ? "The training rows" : "The rows") + "</h3>\n<dl>\n" +
                  pair("Source", escape(d.spec));
  if (!d.files.empty()) s += pair("Files", files(d.files));
  s += pair("Rows", fmt::format("{} of <code>{}</code>", grouped(d.rows), escape(d.row_type)));
  if (!d.scaling.empty()) s += pair("Values", escape(d.scaling));
  if (!d.layout.empty()) s += pair("Layout", escape(d.layout));
  return s + "</dl></div>\n";
}

std::string check(const Finding& f) {
  if (f.status != Status::run) return "<small>" + std::string(to_string(f.status)) + ": " + escape(f.why) + "</small>";
  if (!f.check) return "";
  return fmt::format("<small class=\"{}\">{} {}</small>", f.check->passed ? "passed" : "failed",
                     f.check->passed ? "✓" : "✗", escape(f.check->what));
}

bool is_recall(const Finding& f) { return f.id.starts_with("risk.recall[") && f.family && f.status == Status::run; }

std::string cell(const Cell& c) {
  if (const auto* i = std::get_if<int64_t>(&c)) return element("span", "num", grouped(*i));
  if (const auto* d = std::get_if<double>(&c)) return element("span", "num", shown(*d));
  if (const auto* s = std::get_if<std::string>(&c)) return escape(*s);
  return "–";
}

std::string cut_note(size_t n) {
  return n > most_rows ? fmt::format("<p class=\"note\">The first {} of {}; report.json has all.</p>\n", most_rows, n)
                       : "";
}

std::string evidence_table(const Table& t) {
  std::vector<std::string> heads, rows;
  for (const std::string& c : t.columns) heads.push_back(escape(c));
  for (size_t i = 0; i < std::min(t.rows.size(), most_rows); ++i) {
    std::vector<std::string> cells;
    for (const Cell& c : t.rows[i]) cells.push_back(cell(c));
    rows.push_back(markup::row(cells));
  }
  return "<div>" + element("h4", "", escape(t.title)) + markup::table("evidence", heads, rows) +
         cut_note(t.rows.size()) + "</div>\n";
}

std::string evidence_rows(const Examples& e) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < std::min(e.rows.size(), most_rows); ++i)
    rows.push_back(markup::row({element("span", "num", grouped(e.rows[i].first)), escape(e.rows[i].second)}));
  return "<div>" + element("h4", "", escape(e.title)) +
         markup::table("evidence", {"row of " + escape(e.data), ""}, rows) + cut_note(e.rows.size()) + "</div>\n";
}

// The examiner that made a finding.
std::string area_of(const Finding& f) { return f.id.substr(0, f.id.find('.')); }

// Risk and identity stand on page one; claims beside their rulings.
bool has_section(const Finding& f) {
  const std::string area = area_of(f);
  return area != "risk" && area != "identity" && area != "claim";
}

template <class F> std::string findings_table(const Report& r, F&& shown) {
  std::vector<std::string> rows;
  for (const Finding& f : r.findings) {
    if (is_recall(f) || !shown(f)) continue;
    std::string about = escape(f.title) + "<br><small><code>" + escape(f.id) + "</code> · " +
                        std::string(to_string(f.target)) + "</small>";
    std::string number = element("span", "num", markup::estimate(f));
    if (f.estimate) number += "<br><small>" + escape(f.unit_of_estimate) + "</small>";
    std::string verdict = f.verdict == Verdict::none ? "" : markup::ruling(f.verdict) + " ";
    rows.push_back(markup::row(
        {about, number, markup::interval(f), f.n ? element("span", "num", grouped(*f.n)) : "", verdict + check(f)}));
  }
  return markup::table("findings", {"Finding", "Estimate", "Interval", "n", "Verdict and check"}, rows);
}

// "assumes …" is a sentence of its own.
std::string assumption(const std::string& a) {
  return element("p", "note",
                 a.starts_with("assumes ") ? "A" + escape(a.substr(1)) + "." : "Assumed: " + escape(a) + ".");
}

template <class F> std::string evidence_articles(const Report& r, F&& shown) {
  std::string s;
  for (const Finding& f : r.findings) {
    const Evidence& e = f.evidence;
    if (f.id.starts_with("claim.") || is_recall(f) || !shown(f)) continue;
    const bool spoken = f.status == Status::run && (!f.assumptions.empty() || !f.why.empty());
    if (e.tables.empty() && e.examples.empty() && !spoken) continue;
    s += "<article>" + element("h3", "", escape(f.title));
    if (!f.why.empty()) s += element("p", "", escape(f.why) + ".");
    for (const std::string& a : f.assumptions) s += assumption(a);
    if (f.interval && !f.interval->coverage.empty())
      s += element("p", "note",
                   "Interval: " + escape(f.interval->method) + "; covers: " + escape(f.interval->coverage) + ".");
    s += "<div class=\"columns\">\n";
    for (const Table& t : e.tables) s += evidence_table(t);
    for (const Examples& x : e.examples) s += evidence_rows(x);
    s += "</div></article>\n";
  }
  return s;
}

}  // namespace

std::string identity_section(const Report& r) {
  std::string s = "<section id=\"identity\">\n<h2>What was examined</h2>\n<div class=\"columns\">\n";
  for (const ModelRecord& m : r.models) s += model(m);
  s += "<div>";
  for (const DataRecord& d : r.data) s += data(d);
  return s + "</div>\n</div>\n</section>\n";
}

std::string findings_section(const Report& r) {
  return "<section id=\"findings\">\n<h2>Findings</h2>\n" +
         findings_table(r, [](const Finding& f) { return !has_section(f); }) + "</section>\n";
}

std::string evidence_section(const Report& r) {
  const std::string s = evidence_articles(r, [](const Finding& f) { return !has_section(f); });
  return s.empty() ? "" : "<section id=\"evidence\">\n<h2>Methods and evidence</h2>\n" + s + "</section>\n";
}

std::string area_sections(const Report& r) {
  std::vector<std::string> areas;
  for (const Finding& f : r.findings)
    if (has_section(f) && std::ranges::find(areas, area_of(f)) == areas.end()) areas.push_back(area_of(f));
  std::string s;
  for (const std::string& area : areas) {
    const auto here = [&](const Finding& f) { return area_of(f) == area; };
    std::string title = area;
    if (title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
    s += "<section class=\"area\" id=\"" + escape(area) + "\">\n" + element("h2", "", escape(title)) + "\n" +
         findings_table(r, here) + evidence_articles(r, here) + "</section>\n";
  }
  return s;
}

}  // namespace viva
