// Rows of the data: errors at random beside the most confident ones, and every row that the page names.
#include <fmt/format.h>

#include <algorithm>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/html_sections.h"
#include "report/image.h"
#include "report/markup.h"
#include "report/plots.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

const ShownRow* shown(const Report& r, const std::string& data, int64_t row) {
  const auto at = std::ranges::find_if(r.rows, [&](const ShownRow& s) { return s.data == data && s.row == row; });
  return at == r.rows.end() ? nullptr : &*at;
}

std::string became(const ShownRow& s) {
  std::string text = escape(s.label, 40);
  if (!s.predicted.empty() && s.predicted != s.label) text += " → " + escape(s.predicted, 40);
  return text;
}

std::string picture(const ShownRow& s, int side) {
  const std::string image = image_of(s);
  if (image.empty()) return s.values.empty() ? "" : "<code class=\"values\">" + escape(s.values, 400) + "</code>";
  return fmt::format("<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"row {}, {}\">", image, side,
                     std::max<int64_t>(1, side * s.height / std::max<int64_t>(1, s.width)), s.row, escape(s.label, 40));
}

// "747 ", or "" where the counts do not say.
std::string wrong_rows(const Finding& accuracy) {
  for (const Count& c : accuracy.evidence.counts)
    if (c.id == "correct" && accuracy.rows_used) return grouped(accuracy.rows_used->count - c.count) + " ";
  return "";
}

std::string tiles(const Report& r, const Examples& e) {
  std::string s = "<ul class=\"tiles\">\n";
  for (const auto& [row, note] : e.rows) {
    const ShownRow* at = shown(r, e.data, row);
    if (!at) continue;
    s += fmt::format("<li><a href=\"#row-{}-{}\">{}<span>{}</span></a>{}</li>\n", escape(e.data), row, picture(*at, 56),
                     became(*at), at->confidence ? "<small>" + confidence(*at->confidence) + "</small>" : "");
  }
  return s + "</ul>\n";
}

}  // namespace

std::string errors_section(const Report& r) {
  const Finding* f = r.find("risk.accuracy");
  if (!f || f->status != Status::run) return "";
  std::string s = "<section id=\"errors\">\n<h2>Errors</h2>\n";
  const Examples *random = examples_in(*f, "random_errors"), *confident = examples_in(*f, "confident_errors");
  if (!random) return s + "<p>Rows are not shown, because of <code>--no-examples</code>.</p>\n</section>\n";
  if (random->rows.empty()) return s + "<p>None: every row is right.</p>\n</section>\n";
  s += "<div class=\"columns\">\n<div><h3>Drawn at random</h3>\n<p class=\"note\">" +
       fmt::format("{} of the {}wrong rows, drawn without looking: what an error is like.</p>\n", random->rows.size(),
                   wrong_rows(*f)) +
       tiles(r, *random) + "</div>\n";
  s += "<div><h3>The most confident</h3>\n";
  if (!confident || confident->rows.empty()) s += "<p class=\"note\">None: the outputs give no confidence.</p>\n";
  else
    s += fmt::format(
             "<p class=\"note\">The {} wrong rows of the highest confidence, chosen by looking: the worst, not the "
             "usual.</p>\n",
             confident->rows.size()) +
         tiles(r, *confident);
  return s +
         "</div>\n</div>\n<p class=\"note\">Label → class named; below it the confidence. Each links to its "
         "row.</p>\n</section>\n";
}

std::string rows_section(const Report& r) {
  if (r.rows.empty()) return "";
  std::string s = "<section id=\"rows\">\n<h2>Rows named on this page</h2>\n<table class=\"rows\">\n<thead><tr>";
  for (const char* head : {"Row", "", "Label", "Named", "Confidence", "Loss, nats"})
    s += fmt::format("<th scope=\"col\">{}</th>", head);
  s += "</tr></thead>\n<tbody>\n";
  for (const ShownRow& w : r.rows) {
    s += fmt::format("<tr id=\"row-{}-{}\"><th scope=\"row\">{} {}</th><td>{}</td><td>{}</td><td>{}</td>",
                     escape(w.data), w.row, escape(w.data), grouped(w.row), picture(w, 42), escape(w.label),
                     w.predicted == w.label ? "the same" : escape(w.predicted));
    s += "<td class=\"num\">" + (w.confidence ? confidence(*w.confidence) : "–") + "</td>";
    s += "<td class=\"num\">" + (w.loss ? number(*w.loss) : "–") + "</td>";
    s += "</tr>\n";
  }
  return s +
         "</tbody>\n</table>\n<p class=\"note\">Rows count from 0. Images are drawn from the values that the network "
         "was given.</p>\n</section>\n";
}

}  // namespace viva
