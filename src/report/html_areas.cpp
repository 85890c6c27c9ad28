// One section an examiner: its plots, its findings, and how each number was got.
#include <fmt/format.h>

#include <algorithm>

#include "examine/words.h"
#include "report/html_sections.h"
#include "report/markup.h"
#include "report/plots.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

constexpr size_t most_rows = 60;

std::string area_of(const Finding& f) { return f.id.substr(0, f.id.find('.')); }

// Claims stand beside their rulings, recalls in their plot.
bool is_recall(const Finding& f) { return f.id.starts_with("risk.recall[") && f.family && f.status == Status::run; }
bool belongs(const Finding& f, const std::string& area) {
  return area_of(f) == area && !f.id.starts_with("claim.") && !is_recall(f);
}

// In a plot's table, or on the first page.
bool is_drawn(const Table& t) {
  return t.id == "confusion" || t.id == "bins" || t.id == "worst" || t.id == "test" || t.id == "looked" ||
         t.id == "family";
}
bool stands_above(const Examples& e) { return e.id == "random_errors" || e.id == "confident_errors"; }

bool is_population(const std::string& assumption) {
  return assumption.starts_with("assumes independent, held-out rows");
}

std::string state(const Finding& f) {
  if (f.status != Status::run) return "<small>" + std::string(to_string(f.status)) + ": " + escape(f.why) + "</small>";
  std::string s = f.verdict == Verdict::none ? "" : markup::ruling(f.verdict) + " ";
  if (f.check)
    s +=
        fmt::format("<small>check {}: {}</small>", f.check->passed ? "passed" : "<b>failed</b>", escape(f.check->what));
  return s;
}

std::string findings_table(const Report& r, const std::string& area) {
  std::vector<std::string> rows;
  for (const Finding& f : r.findings) {
    if (!belongs(f, area)) continue;
    const std::string about = escape(f.title) + "<br><small><code>" + escape(f.id) + "</code> · " +
                              std::string(to_string(f.target)) + "</small>";
    std::string number = element("span", "num", markup::estimate(f));
    if (f.estimate) number += "<br><small>" + escape(f.unit_of_estimate) + "</small>";
    const std::string n =
        f.n ? fmt::format("<span class=\"num\">{}</span><br><small>{}</small>", grouped(*f.n), escape(f.unit)) : "";
    rows.push_back(markup::row({about, number, markup::interval(f), n, state(f)}));
  }
  return markup::table("findings", {"Finding", "Estimate", "Interval", "n", "Check"}, rows);
}

std::string evidence_rows(const Examples& e) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < std::min(e.rows.size(), most_rows); ++i)
    rows.push_back(markup::row({markup::row_link(e.data, e.rows[i].first), escape(e.rows[i].second)}));
  return "<div>" + markup::table("evidence", {"Row of " + escape(e.data), escape(e.title)}, rows) + "</div>\n";
}

std::string evidence(const Finding& f) {
  std::string s;
  if (f.status == Status::run && !f.why.empty()) s += element("p", "", escape(markup::sentence(f.why), 1000) + ".");
  std::string note;
  for (const std::string& a : f.assumptions)
    if (!is_population(a) && f.status == Status::run) note += " Assumed: " + escape(a) + ".";
  if (f.interval && !f.interval->coverage.empty())
    note += " Interval: " + escape(f.interval->method) + "; covers: " + escape(f.interval->coverage) + ".";
  if (!note.empty()) s += element("p", "note", note.substr(1));
  std::string lists;
  for (const Table& t : f.evidence.tables)
    if (!is_drawn(t) && !t.rows.empty()) lists += "<div>" + markup::data_table(t) + "</div>\n";
  for (const Examples& x : f.evidence.examples)
    if (!stands_above(x) && !x.rows.empty()) lists += evidence_rows(x);
  if (!lists.empty()) s += "<div class=\"columns\">\n" + lists + "</div>";
  return s.empty() ? "" : "<article>" + element("h3", "", escape(f.title)) + s + "</article>\n";
}

std::string population_note(const Report& r, const std::string& area) {
  for (const Finding& f : r.findings)
    for (const std::string& a : f.assumptions)
      if (belongs(f, area) && is_population(a))
        return element("p", "note", "Every interval for rows drawn like these " + escape(a) + ".");
  return "";
}

std::string area_section(const Report& r, const std::string& area, int& figures) {
  std::string title = area;
  if (title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  std::string s = "<section class=\"area\" id=\"" + escape(area) + "\">\n" + element("h2", "", escape(title)) + "\n" +
                  population_note(r, area);
  std::string drawn;
  for (const Figure& f : plots_of(r, area)) drawn += figure_html(f, ++figures);
  if (!drawn.empty()) s += "<div class=\"figures\">\n" + drawn + "</div>\n";
  s += findings_table(r, area);
  std::string articles;
  for (const Finding& f : r.findings)
    if (belongs(f, area) && !f.id.starts_with("risk.detectable_")) articles += evidence(f);
  return s + articles + "</section>\n";
}

}  // namespace

std::string area_sections(const Report& r) {
  std::vector<std::string> areas;
  for (const Finding& f : r.findings)
    if (const std::string area = area_of(f); area != "claim" && std::ranges::find(areas, area) == areas.end())
      areas.push_back(area);
  // What the network is stands last, with its files.
  std::ranges::stable_partition(areas, [](const std::string& a) { return a != "identity"; });
  std::string s;
  int figures = 0;
  for (const std::string& area : areas) s += area_section(r, area, figures);
  return s;
}

}  // namespace viva
