// Accuracy beside its baselines, and what the rows can tell apart.
#include <fmt/format.h>

#include <algorithm>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/html_sections.h"
#include "report/markup.h"
#include "report/plots.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

std::string measured_row(const Finding& f, const std::string& name) {
  std::string value = element("span", "num", markup::estimate(f));
  std::string interval =
      f.interval                ? fmt::format("<span class=\"num\">{}</span> <small>{}, {}</small>", markup::ends(f),
                                              markup::level(f.interval->level), escape(f.interval->method))
      : f.status != Status::run ? "<small>" + std::string(to_string(f.status)) + ": " + escape(f.why) + "</small>"
      : f.kind == Kind::exact   ? "exact, these rows"
                                : "–";
  return markup::row(
      {name, value, interval, f.n ? element("span", "num", grouped(*f.n) + (f.unit == "group" ? " groups" : "")) : ""});
}

std::string accuracies(const Report& r, const Finding& accuracy) {
  std::vector<std::string> rows{measured_row(accuracy, "this network")};
  for (const Finding& f : r.findings)
    if (f.id == "risk.baseline" || f.id.starts_with("baseline."))
      rows.push_back(measured_row(
          f,
          escape(f.title) + (f.status == Status::run && !f.why.empty() ? "<br>" + element("small", "", f.why) : "")));
  return markup::table("accuracies", {"Accuracy of", "Estimate", "Interval", "Rows"}, rows);
}

// "+0.0083 or −0.0086", or what is left where no count rejects on a side.
std::string differences(const Finding& above, const Finding& below) {
  std::string s;
  for (const Finding* f : {&above, &below})
    if (f->estimate) s += (s.empty() ? "" : " or ") + element("b", "num", markup::estimate(*f));
  return s.empty() ? "no difference" : "a difference of " + s;
}

std::string detectable(const Report& r) {
  const Finding *above = r.find("risk.detectable_above"), *below = r.find("risk.detectable_below");
  const Finding *paired = r.find("risk.detectable_paired[0.05]"), *wider = r.find("risk.detectable_paired[0.1]");
  if (!above || !below || !paired || !wider) return "";
  if (above->status != Status::run)
    return "<p>The smallest detectable difference is withheld: " + escape(above->why) + ".</p>\n";
  const Table* test = table_of(*above, "test");
  if (!test || test->rows.empty() || test->rows[0].size() < 4) return "";
  const std::string rate = text_in(test->rows[0][1]), origin = text_in(test->rows[0][2]),
                    alpha = text_in(test->rows[0][3]);
  return fmt::format(
      "<p>The smallest difference that these {} rows detect, with power 0.8: {} from a fixed rate of {} ({}) at α = "
      "{}; "
      "<b class=\"num\">{}</b> at α = 0.05 from another model on the same rows where just one of the two is right on "
      "5 % of them (<span class=\"num\">{}</span> where on 10 %).</p>\n<p class=\"note\">{}. {}.</p>\n",
      grouped(above->n.value_or(0)), differences(*above, *below), escape(rate), escape(origin), escape(alpha),
      markup::estimate(*paired), markup::estimate(*wider), escape(markup::sentence(above->why), 1000),
      escape(paired->why, 1000));
}

}  // namespace

std::string baselines_section(const Report& r) {
  const Finding* accuracy = r.find("risk.accuracy");
  if (!accuracy) return "";
  std::string s = "<section id=\"baselines\">\n<h2>Accuracy beside baselines</h2>\n";
  if (accuracy->status != Status::run) return s + "<p>Withheld: " + escape(accuracy->why) + ".</p>\n</section>\n";
  s += accuracies(r, *accuracy) + detectable(r);
  const Finding* nan = r.find("risk.nan_rows");
  if (nan && nan->estimate && *nan->estimate > 0)
    s += fmt::format("<p><b>{} NaN</b>; such rows count as wrong, and log-loss and Brier score are withheld.</p>\n",
                     counted(static_cast<int64_t>(*nan->estimate), "row gives", "rows give"));
  return s + "</section>\n";
}

}  // namespace viva
