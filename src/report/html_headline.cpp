#include <fmt/format.h>

#include <algorithm>

#include "examine/words.h"
#include "report/html_sections.h"
#include "report/markup.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

std::string score(const Report& r, std::string_view id, std::string_view name) {
  const Finding* f = r.find(id);
  if (!f) return "";
  std::string s = "<div class=\"score\">" + element("p", "name", escape(name));
  s += element("p", "value", markup::estimate(*f));
  if (f->interval)
    s += fmt::format("<p class=\"range\">{} <small>{}</small></p>", markup::ends(*f->interval),
                     markup::level(f->interval->level));
  else s += element("p", "range", "<small>" + escape(f->why) + "</small>");
  return s + "</div>\n";
}

// "a difference of +0.0083 or −0.0086", or what is left where no count rejects on a side.
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
  const std::vector<Cell> test =
      above->evidence.tables.empty() ? std::vector<Cell>{} : above->evidence.tables[0].rows.at(0);
  const double rate = test.empty() ? 0 : std::get<double>(test[0]);
  const std::string origin = test.empty() ? "" : std::get<std::string>(test[1]);
  return fmt::format(
      "<p>These {} rows can detect, with power 0.8 at α = 0.05, {} from a fixed rate of {} ({}), and one of <b "
      "class=\"num\">{}</b> from another model on the same rows where just one of "
      "the two is right on "
      "5 % of them (<span class=\"num\">{}</span> at 10 %).</p>\n",
      grouped(above->n.value_or(0)), differences(*above, *below), shown(rate), escape(origin),
      markup::estimate(*paired), markup::estimate(*wider));
}

}  // namespace

std::string headline_section(const Report& r) {
  const Finding* accuracy = r.find("risk.accuracy");
  if (!accuracy) return "";
  std::string s = "<section id=\"risk\">\n<h2>Risk on rows drawn like these</h2>\n";
  if (accuracy->status != Status::run) return s + "<p>Withheld: " + escape(accuracy->why) + ".</p>\n</section>\n";
  s += "<div class=\"scores\">\n" + score(r, "risk.accuracy", "Accuracy") +
       score(r, "risk.log_loss", "Log-loss, nats") + score(r, "risk.brier", "Brier score");
  if (const Finding* baseline = r.find("risk.baseline")) {
    s += "<div class=\"score\">" + element("p", "name", "Majority class") +
         element("p", "value", markup::estimate(*baseline)) +
         element("p", "range", "<small>exact, these rows</small>") + "</div>\n";
  }
  s += "</div>\n" + detectable(r);
  const Finding* nan = r.find("risk.nan_rows");
  if (nan && nan->estimate && *nan->estimate > 0)
    s += fmt::format(
        "<p class=\"alarm\">{} NaN; such rows count as wrong, and log-loss and Brier score are withheld.</p>\n",
        counted(static_cast<int64_t>(*nan->estimate), "row gives", "rows give"));
  return s + "</section>\n";
}

std::string recall_section(const Report& r) {
  constexpr size_t most = 40;
  std::vector<const Finding*> all;
  for (const Finding& f : r.findings) {
    if (f.id.starts_with("risk.recall[") && f.family) all.push_back(&f);
  }
  if (all.empty()) return "";
  const size_t total = all.size();
  if (total > most) {
    std::stable_sort(all.begin(), all.end(), [](const Finding* a, const Finding* b) {
      return a->estimate.value_or(2) < b->estimate.value_or(2);
    });
    all.resize(most);
  }
  const markup::Scale scale = markup::scale_of(all);
  const Finding* accuracy = r.find("risk.accuracy");
  std::vector<std::string> rows;
  for (const Finding* f : all) {
    const int64_t k = f->evidence.counts.empty() ? 0 : f->evidence.counts[0].count;
    const std::string_view title = f->title;
    rows.push_back(
        markup::row({escape(title.substr(title.starts_with("Recall of ") ? 10 : 0)),
                     fmt::format("<span class=\"num\">{} / {}</span>", grouped(k), grouped(f->n.value_or(0))),
                     element("span", "num", markup::estimate(*f)),
                     f->interval ? element("span", "num", markup::ends(*f->interval)) : escape(f->why),
                     markup::plot(*f, scale, accuracy ? accuracy->estimate : std::nullopt)}));
  }
  std::string s = "<section id=\"recall\">\n<h2>Recall by class</h2>\n";
  s += markup::table("recall", {"Class", "Correct", "Recall", "Interval", markup::axis(scale)}, rows);
  s += fmt::format(
      "<p class=\"note\">Clopper–Pearson at Šidák’s level: all {} intervals hold together with probability 0.95. The "
      "thin line is the accuracy.{}</p>\n",
      total, total > most ? fmt::format(" Shown are the {} lowest; report.json has all.", most) : "");
  return s + "</section>\n";
}

}  // namespace viva
