#include "report/html.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/sha256.h"
#include "examine/digits.h"
#include "examine/examiner.h"
#include "examine/words.h"
#include "report/html_sections.h"
#include "report/image.h"
#include "report/markup.h"

namespace viva {

using markup::element;
using markup::escape;

namespace {

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string rulings_in_words(const Report& r) {
  if (r.claims.empty()) return "No claim was fixed beforehand: nothing is ruled.";
  int64_t count[4] = {};
  for (const Claim& c : r.claims) ++count[static_cast<size_t>(c.ruling)];
  return fmt::format("{} ruled: {} supported, {} refuted, {} undecided.",
                     counted(static_cast<int64_t>(r.claims.size()), "claim", "claims"), count[0], count[1], count[2]);
}

// What this report says nothing of, as far as it is known here.
std::vector<std::string> not_examined(const Report& r) {
  std::vector<std::string> all;
  std::vector<std::string> left_out;
  for (const Examiner* e : examiners()) {
    const std::string before = std::string(e->name) + ".";
    bool any = false, ran = false;
    for (const Finding& f : r.findings)
      if (f.id.starts_with(before)) any = true, ran = ran || f.status == Status::run;
    if (!any || !ran) left_out.emplace_back(e->name == "baseline" ? "fitted baselines" : e->name);
  }
  if (!left_out.empty()) all.push_back(fmt::format("{}", fmt::join(left_out, ", ")));
  for (const ModelRecord& m : r.models)
    if (m.outputs.size() > 1) all.push_back(counted(std::ssize(m.outputs) - 1, "other output", "other outputs"));
  if (r.data.size() < 2) all.emplace_back("the training rows");
  all.emplace_back("rows of any other distribution");
  all.emplace_back("how the network was trained");
  all.emplace_back("any certified lower bound on robustness");
  return all;
}

std::string header(const Report& r) {
  std::string s = "<header>\n<p class=\"kind\">Report of an examination</p>\n";
  s += element("h1", "", escape(r.models.empty() ? "" : base_name(r.models[0].path)));
  if (!r.data.empty() && !r.models.empty()) {
    std::string names;
    const auto missing = not_examined(r);
    for (size_t i = 0; i < missing.size(); ++i)
      names += (i == 0 ? "" : i + 1 == missing.size() ? " and " : ", ") + missing[i];
    s += fmt::format(
        "\n<p class=\"lead\">The network <code>{}</code> was examined on the {} rows{} of <code>{}</code> (role: {}); "
        "not "
        "examined were {}. {}</p>",
        escape(r.models[0].path), grouped(r.data[0].rows),
        r.data[0].groups ? fmt::format(" in {}", counted(*r.data[0].groups, "group", "groups")) : "",
        escape(r.data[0].spec), escape(r.data[0].role), escape(names, 600), escape(rulings_in_words(r)));
    if (const std::string outputs = outputs_in_words(r.models[0]); !outputs.empty())
      s += "\n" + element("p", "note", "The network has " + escape(outputs, 1000) + ".");
  }
  return s + "\n</header>\n";
}

std::string contents(const Report& r) {
  std::string s =
      "<nav aria-label=\"Sections\"><a href=\"#claims\">Claims</a> <a href=\"#baselines\">Baselines</a> <a "
      "href=\"#diagnoses\">Diagnoses</a> <a "
      "href=\"#errors\">Errors</a> <a href=\"#limits\">Limits</a> <a href=\"#reproduce\">Command</a>";
  std::vector<std::string> areas;
  for (const Finding& f : r.findings) {
    const std::string area = f.id.substr(0, f.id.find('.'));
    if (area == "claim" || area == "identity" || std::ranges::find(areas, area) != areas.end()) continue;
    areas.push_back(area);
    // Those two have their first lines above.
    if (area == "baseline" || area == "diagnosis") continue;
    s += fmt::format(" <a href=\"#{0}\">{0}</a>", escape(area));
  }
  return s + " <a href=\"#identity\">Files</a></nav>\n";
}

// escape makes line ends visible; here they are meant.
std::string escaped_lines(const std::string& text) {
  std::string s;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    s += (at > 0 ? "\n" : "") + escape(text.substr(at, end - at), 100000);
    at = end + 1;
  }
  return s;
}

// Of findings, and of the points of plots, which hold one at a time unless their caption says otherwise.
struct Intervals {
  int64_t all = 0, unadjusted = 0;
};

Intervals intervals_of(const Report& r) {
  Intervals n;
  const auto has_ends = [](const Point& p) { return p.low && p.high; };
  for (const Finding& f : r.findings) {
    if (f.interval && f.interval->level < 1) ++n.all, n.unadjusted += !f.family;
    if (f.id == "risk.log_loss")
      for (const Series& s : f.evidence.series) {
        const int64_t points = std::ranges::count_if(s.points, has_ends);
        n.all += points, n.unadjusted += points;
      }
    if (f.id == "calibration.ece")
      for (const Series& s : f.evidence.series) n.all += std::ranges::count_if(s.points, has_ends);
  }
  return n;
}

std::string intervals_in_words(const Report& r) {
  const Intervals n = intervals_of(r);
  if (n.all == 0) return "";
  return fmt::format(
      "<p id=\"intervals\"><b>{} shown; about {} of the {} unadjusted {}.</b> That is an average, and one of intervals "
      "on the same rows, which miss together. The others are widened so that a family holds together at 95 %. Not "
      "counted: bands, consistency intervals, limits inside the tests of diagnoses, and ends that are certain.</p>\n",
      counted(n.all, "interval", "intervals"), grouped((n.unadjusted + 10) / 20), grouped(n.unadjusted),
      n.unadjusted == 1 ? "misses" : "miss");
}

// What holds of every report, before what holds of this one.
std::vector<std::string> standing_limits(const Report& r) {
  std::vector<std::string> all{
      "One network is not a method: nothing here says what another training run of the same recipe would give.",
      "Rows are assumed independent and held out; neither can be seen in the files.",
      "No shift: rows of another distribution were not tried."};
  if (r.find("robustness.curve"))
    all.emplace_back("Robustness is bounded from above by attacks; nothing is certified.");
  all.emplace_back("Whether values arrive in the scale that the network was trained on is not verified.");
  return all;
}

// What each limit of findings is said of, in the order of the findings.
std::vector<std::pair<std::string, std::vector<std::string>>> finding_limits(const Report& r) {
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  for (const Finding& f : r.findings) {
    if (f.id.starts_with("claim.")) continue;
    for (const std::string& l : f.limits) {
      const auto at = std::ranges::find_if(all, [&](const auto& e) { return e.first == l; });
      if (at == all.end()) all.push_back({l, {f.title}});
      else at->second.push_back(f.title);
    }
  }
  return all;
}

std::string limits(const Report& r) {
  std::string s = "<section id=\"limits\">\n<h2>Limits</h2>\n<ul>\n";
  for (const std::string& l : standing_limits(r)) s += element("li", "", escape(l)) + "\n";
  for (size_t i = 0; i < std::min<size_t>(r.limits.size(), 200); ++i)
    s += element("li", "", escape(markup::sentence(r.limits[i].text) + ".")) + "\n";
  for (const auto& [text, titles] : finding_limits(r))
    s += fmt::format("<li>{}{}: {}.</li>\n", escape(titles[0]),
                     titles.size() > 1 ? fmt::format(" and {} more", titles.size() - 1) : "", escape(text));
  return s + "</ul>\n" + intervals_in_words(r) + "</section>\n";
}

// One option a line, still one command of the shell.
std::string on_lines(const std::string& command) {
  std::string s;
  bool quoted = false;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\'') quoted = !quoted;
    if (!quoted && c == ' ' && command.compare(i, 3, " --") == 0) s += " \\\n ";
    s += c;
    if (!quoted && c == '\\' && i + 1 < command.size()) s += command[++i];
  }
  return s;
}

std::string hashes(const Report& r) {
  std::string s;
  const auto add = [&](const std::string& what, const std::vector<FileRecord>& files) {
    for (const FileRecord& f : files)
      s += fmt::format("<dt>{}</dt><dd>{}<br><code class=\"hash\">{}</code></dd>\n", what, escape(f.path),
                       escape(f.sha256));
  };
  for (const ModelRecord& m : r.models) add("network", m.files);
  for (const DataRecord& d : r.data) add(escape(d.id), d.files);
  add("claims", r.claim_files);
  return s.empty() ? "" : "<dl class=\"hashes\">\n" + s + "</dl>\n";
}

std::string reproduction(const Report& r, bool cost) {
  std::string s = "<section id=\"reproduce\">\n<h2>Command, hashes, cost</h2>\n";
  s += "<pre><code>" + escaped_lines(on_lines(r.command)) + "</code></pre>\n" + hashes(r);
  if (cost)
    s += fmt::format("<p>Cost: {:.1f} s on {}; {} rows through the network, {} GFLOP. Viva {}, seed {}.</p>\n",
                     r.cost.seconds, counted(r.threads, "thread", "threads"), grouped(r.cost.evaluations),
                     number(r.cost.flops / 1e9), escape(r.viva), r.seed);
  else s += fmt::format("<p>Viva {}, seed {}.</p>\n", escape(r.viva), r.seed);
  s += "<p class=\"note\">The same command gives the same report, costs aside, for any number of threads. The numbers "
       "of this page, unrounded, are in <code>report.json</code>; here they have two significant digits of their "
       "interval's width, "
       "and its ends are rounded outward.</p>\n";
  return s + "</section>\n";
}

// The script may run because the page names its hash; nothing else may.
std::string policy() {
  const std::string hex = sha256_hex(as_bytes(report_script()));
  std::string digest;
  for (size_t i = 0; i < hex.size(); i += 2) digest += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-" +
         base64(as_bytes(digest)) + "'";
}

}  // namespace

std::string report_html(const Report& r, ReportOptions options, const Ledger& ledger) {
  std::string s = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  s += "<meta http-equiv=\"Content-Security-Policy\" content=\"" + policy() + "\">\n";
  s += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
       "content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n";
  s += element("title", "", "Examination of " + escape(r.models.empty() ? "" : base_name(r.models[0].path))) +
       "\n<style>\n";
  s += report_style();
  s += "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#claims\">To the claims</a>\n<main>\n";
  s += header(r) + contents(r) + claims_section(r, ledger) + baselines_section(r) + diagnoses_section(r) +
       errors_section(r) + limits(r) + reproduction(r, options.cost);
  s += area_sections(r) + identity_section(r) + rows_section(r);
  s += "</main>\n<script>";
  s += report_script();
  return s + "</script>\n</body>\n</html>\n";
}

}  // namespace viva
