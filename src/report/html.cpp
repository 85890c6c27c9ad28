#include "report/html.h"

#include <fmt/format.h>

#include <algorithm>

#include "examine/words.h"
#include "report/html_sections.h"
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

std::string covered(const ModelRecord& m) {
  std::string complete, partial;
  for (const Coverage& c : m.coverage) {
    std::string& list = c.missing.empty() ? complete : partial;
    list += (list.empty() ? "" : ", ") + escape(c.transformation);
  }
  if (partial.empty() && complete.empty()) return "";
  if (partial.empty()) return "Covered by every transformation asked: " + complete;
  return "Covered by " + (complete.empty() ? "none" : complete) + "; not by " + partial;
}

std::string header(const Report& r) {
  std::string s = "<header>\n<p class=\"kind\">Report of an examination</p>\n";
  s += element("h1", "", escape(r.models.empty() ? "" : base_name(r.models[0].path)));
  if (!r.data.empty())
    s += fmt::format("\n<p class=\"sub\">on {} ({} rows), viva {}, seed {}</p>\n<p>{}</p>", escape(r.data[0].spec),
                     grouped(r.data[0].rows), escape(r.viva), r.seed, escape(rulings_in_words(r)));
  if (!r.models.empty())
    s += "\n<p class=\"hash\">SHA-256 <code>" + escape(r.models[0].sha256) + "</code><br>" + covered(r.models[0]) +
         "</p>";
  return s + "\n</header>\n";
}

std::string diagnosis(const Report& r) {
  if (r.diagnosis.empty()) return "";
  std::string s = "<section id=\"diagnosis\">\n<h2>Diagnosed failure modes</h2>\n<dl>\n";
  for (const Diagnosis& d : r.diagnosis) s += "<dt>" + escape(d.title) + "</dt><dd>" + escape(d.text) + "</dd>\n";
  return s + "</dl>\n</section>\n";
}

// From a capital letter on, unless the first word is a name or holds more than letters.
std::string sentence(std::string text) {
  const size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  if (end != std::string::npos && end > 0 && text[end] == ' ') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
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

std::string limits(const Report& r) {
  std::string s = "<section id=\"limits\">\n<h2>Limits</h2>\n<ul>\n";
  for (size_t i = 0; i < std::min<size_t>(r.limits.size(), 200); ++i)
    s += element("li", "", escape(sentence(r.limits[i].text))) + "\n";
  for (const Finding& f : r.findings) {
    if (f.limits.empty() || f.id.starts_with("claim.")) continue;
    for (const std::string& l : f.limits) s += "<li>" + escape(f.title) + ": " + escape(l) + "</li>\n";
  }
  return s + "</ul>\n</section>\n";
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

std::string reproduction(const Report& r, bool cost) {
  std::string s = "<section id=\"reproduce\">\n<h2>To reproduce</h2>\n";
  s += "<pre><code>" + escaped_lines(on_lines(r.command)) + "</code></pre>\n";
  if (cost) {
    s += fmt::format("<p>Cost: {:.1f} s on {}; {} rows through the network, {:.4g} GFLOP.</p>\n", r.cost.seconds,
                     counted(r.threads, "thread", "threads"), grouped(r.cost.evaluations), r.cost.flops / 1e9);
  }
  s += "<p class=\"note\">The same command gives the same report, costs aside, for any number of threads. The numbers "
       "of this page, unrounded, are in <code>report.json</code>; interval ends are rounded outward here.</p>\n";
  return s + "</section>\n";
}

}  // namespace

std::string report_html(const Report& r, ReportOptions options, std::span<const EarlierRuling> earlier) {
  std::string s = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  s += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
  s += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
       "content=\"light dark\">\n";
  s += element("title", "", "Examination of " + escape(r.models.empty() ? "" : base_name(r.models[0].path))) +
       "\n<style>\n";
  s += report_style();
  s += "</style>\n</head>\n<body>\n<main>\n";
  // Page one first: what was examined, the risk, the rulings, the limits and how to have it again.
  s += header(r) + headline_section(r) + claims_section(r, earlier) + diagnosis(r) + limits(r) +
       reproduction(r, options.cost);
  s += recall_section(r) + area_sections(r) + identity_section(r) + findings_section(r) + evidence_section(r);
  return s + "</main>\n</body>\n</html>\n";
}

}  // namespace viva
