// What is wrong with the network and what mends it; where nothing was found, what could have been seen.
#include "report/html_sections.h"
#include "report/markup.h"
#include "report/plots.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

// Every suspicion is a diagnosis.
Table without_prefix(Table t) {
  constexpr std::string_view prefix = "diagnosis.";
  for (auto& row : t.rows)
    if (auto* name = row.empty() ? nullptr : std::get_if<std::string>(&row[0]); name && name->starts_with(prefix))
      name->erase(0, prefix.size());
  return t;
}

std::string lists(const Finding& f) {
  std::string s;
  for (const char* id : {"looked", "family"})
    if (const Table* t = table_of(f, id); t && !t->rows.empty()) s += markup::data_table(without_prefix(*t));
  return s;
}

}  // namespace

std::string diagnoses_section(const Report& r) {
  std::string s = "<section id=\"diagnoses\">\n<h2>Diagnoses</h2>\n";
  for (const Diagnosis& d : r.diagnosis)
    s += "<article>" + element("h3", "", escape(d.title)) +
         element("p", "", escape(markup::sentence(d.text), 2000) + ".") + "</article>\n";
  const Finding* looked = r.find("diagnosis.told");
  if (!looked)
    return s +
           "<p>The examiner <code>diagnosis</code> did not run: nothing was looked for beyond what the sections below "
           "report.</p>\n</section>\n";
  if (looked->status != Status::run) return s + "<p>" + escape(looked->why) + ".</p>\n</section>\n";
  if (const Finding* mend = r.find("mend.rulings"))
    for (const Table& t : mend->evidence.tables) s += markup::data_table(t);
  if (r.diagnosis.empty()) s += "<p>None found. Here is what could have been seen:</p>\n";
  return s + lists(*looked) + "</section>\n";
}

}  // namespace viva
