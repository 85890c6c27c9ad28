#include <fmt/format.h>

#include <algorithm>

#include "examine/words.h"
#include "report/html_sections.h"
#include "report/markup.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

constexpr size_t most_claims = 200, most_earlier = 20;

std::string claim_row(const Report& r, const Claim& c) {
  const Finding* f = r.find(c.finding);
  std::string about = element("code", "", escape(c.statement));
  if (c.id.find_first_not_of("0123456789", 6) != std::string::npos)
    about = escape(c.id.substr(std::min<size_t>(6, c.id.size()))) + "<br>" + about;
  if (!c.would_decide.empty()) about += "<br><small>What would decide it: " + escape(c.would_decide) + ".</small>";
  return markup::row({markup::ruling(c.ruling), about, f ? element("span", "num", markup::estimate(*f)) : "–",
                      f ? markup::interval(*f, c.value) : "–",
                      f && f->check ? escape(f->check->passed ? "passed" : "failed") : "–"});
}

// risk.recall["Shirt"]: a claim without what it says of it.
std::string spoken_of(const Claim& c) { return c.quantity + (c.key.none() ? "" : "[" + c.key.text + "]"); }

bool is_on(const EarlierRuling& e, const Claim& c) {
  return e.said ? same_quantity(*e.said, said_by(c)) : e.statement == c.statement;
}

// The last rulings on what one claim speaks of, whatever was claimed of it, the newest first.
std::string earlier_on(const Claim& c, const std::vector<EarlierRuling>& all, std::string_view model) {
  std::vector<std::string> rows;
  size_t count = 0;
  for (auto e = all.rbegin(); e != all.rend(); ++e) {
    if (!is_on(*e, c) || ++count > most_earlier) continue;
    rows.push_back(markup::row({element("span", "num", escape(e->date)), "<code>" + escape(e->statement) + "</code>",
                                escape(e->ruling), element("span", "num", escape(e->estimate)),
                                element("span", "num", escape(e->interval)),
                                e->model == model ? "this network" : "<code>" + escape(e->model, 12) + "</code>",
                                "<code>" + escape(e->data, 12) + "</code>", escape(e->role)}));
  }
  const std::string what = "<code>" + escape(spoken_of(c)) + "</code>";
  if (rows.empty()) return "<p class=\"note\">The ledger holds no earlier ruling on " + what + ".</p>\n";
  std::string s =
      "<h3>Earlier rulings on " + what + "</h3>\n" +
      markup::table("evidence", {"Date", "Claim", "Ruling", "Estimate", "Interval", "Network", "Data", "Role"}, rows);
  if (count > most_earlier)
    s += fmt::format("<p class=\"note\">The last {} of {}; the ledger has all.</p>\n", most_earlier, count);
  return s;
}

// Once for each quantity that the claims speak of.
std::string earlier_rulings(const Report& r, const std::vector<EarlierRuling>& all) {
  const std::string model = r.models.empty() ? "" : r.models[0].sha256;
  std::vector<ClaimSaid> told;
  std::string s;
  for (size_t i = 0; i < std::min(r.claims.size(), most_claims); ++i) {
    const ClaimSaid said = said_by(r.claims[i]);
    if (std::ranges::any_of(told, [&](const ClaimSaid& t) { return same_quantity(t, said); })) continue;
    told.push_back(said);
    s += earlier_on(r.claims[i], all, model);
  }
  return s;
}

}  // namespace

std::string claims_section(const Report& r, const Ledger& ledger) {
  std::string s = "<section id=\"claims\">\n<h2>Claims, fixed beforehand</h2>\n";
  if (r.claims.empty())
    return s +
           "<p>None. A finding gets a verdict only where a claim was stated before the run, as in <code>--claim "
           "'risk.accuracy &gt;= 0.90'</code>.</p>\n</section>\n";
  std::vector<std::string> rows;
  for (size_t i = 0; i < std::min(r.claims.size(), most_claims); ++i) rows.push_back(claim_row(r, r.claims[i]));
  s += markup::table("ledger", {"Ruling", "Claim", "Estimate", "Interval", "Check"}, rows);
  s += "<p class=\"note\">A claim is supported or refuted only where the whole interval lies on one side of its value. "
       "The claims share one error rate of 0.05: with k claims each two-sided interval is at 1 − 0.05/k.</p>\n";
  return s + (ledger ? earlier_rulings(r, *ledger) : "") + "</section>\n";
}

}  // namespace viva
