// viva ops: the matrix operation × transformation, from the catalogue alone.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/error.h"
#include "cli/verb.h"
#include "graph/opdef.h"

namespace viva {
namespace {

using Operations = std::vector<const OpDef*>;

struct Cell {
  std::string_view transformation;
  bool present;
  Absent absent;  // where not present
};

std::vector<Cell> cells(const OpDef& d) {
  std::vector<Cell> all;
  for_each_rule(d, [&](std::string_view name, const auto& rule) { all.push_back({name, bool(rule), rule.absent()}); });
  return all;
}

// Families in the order of their first operation, the order of the catalogue inside.
std::vector<std::pair<std::string_view, Operations>> families() {
  std::vector<std::pair<std::string_view, Operations>> all;
  for (const OpDef* d : catalog()) {
    auto it = std::ranges::find(all, d->family, [](const auto& f) { return f.first; });
    if (it == all.end()) it = all.insert(it, {d->family, {}});
    it->second.push_back(d);
  }
  return all;
}

// The initials of the reason: "nl" for not linear.
std::string code(Reason r) {
  std::string s;
  for (char before = ' '; const char c : to_string(r)) {
    if (before == ' ') s += c;
    before = c;
  }
  return s;
}

std::string mark(const Cell& c) { return c.present ? "+" : code(c.absent.reason); }

// Equal absences of a transformation, with the operations that have them.
struct Absence {
  Cell cell;
  std::vector<std::string_view> operations;
};
std::vector<Absence> absences() {
  std::vector<Absence> all;
  for (const auto& [family, operations] : families())
    for (const OpDef* d : operations)
      for (const Cell& c : cells(*d)) {
        if (c.present) continue;
        auto it = std::ranges::find_if(all, [&](const Absence& a) {
          return a.cell.transformation == c.transformation && a.cell.absent.reason == c.absent.reason &&
                 a.cell.absent.why == c.absent.why;
        });
        if (it == all.end()) it = all.insert(it, {c, {}});
        it->operations.push_back(d->name);
      }
  std::ranges::stable_sort(all, {}, [](const Absence& a) {
    const std::vector<Cell> order = cells(*catalog().front());
    return std::ranges::find(order, a.cell.transformation, &Cell::transformation) - order.begin();
  });
  return all;
}

std::vector<Reason> reasons_used() {
  std::vector<Reason> all;
  for (const Absence& a : absences()) all.push_back(a.cell.absent.reason);
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

void print_matrix(std::ostream& out) {
  size_t width = 0;
  for (const OpDef* d : catalog()) width = std::max(width, d->name.size() + 2);
  std::string head = fmt::format("{:{}}", "", width);
  for (const Cell& c : cells(*catalog().front())) head += fmt::format("  {}", c.transformation);
  for (const auto& [family, operations] : families()) {
    out << fmt::format("{:{}}{}\n", family, width, std::string_view(head).substr(width));
    for (const OpDef* d : operations) {
      std::string line = fmt::format("  {:{}}", d->name, width - 2);
      for (const Cell& c : cells(*d)) line += fmt::format("  {:{}}", mark(c), c.transformation.size());
      out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
    }
    out << '\n';
  }
  out << "+ there is a rule. Absent:\n";
  for (const Reason r : reasons_used()) out << fmt::format("{:4}{}\n", code(r), to_string(r));
  out << "\nWhy:\n";
  for (const auto& [cell, operations] : absences())
    out << fmt::format("  {}, {}: {}\n    {}\n", cell.transformation, to_string(cell.absent.reason), cell.absent.why,
                       fmt::join(operations, " "));
}

void print_operation(std::ostream& out, const OpDef& d) {
  out << fmt::format("{} ({}): {}\n\n", d.name, d.family, d.doc);
  for (const Cell& c : cells(d)) {
    out << fmt::format("{:11}", c.transformation);
    if (c.present) out << "yes\n";
    else out << fmt::format("absent, {}: {}\n", to_string(c.absent.reason), c.absent.why);
  }
}

void print_json(std::ostream& out, const Operations& operations) {
  using Json = nlohmann::ordered_json;
  Json all = Json::array();
  for (const OpDef* d : operations) {
    Json rules = Json::object();
    for (const Cell& c : cells(*d)) {
      Json& rule = rules[std::string(c.transformation)];
      rule["state"] = c.present ? "yes" : "absent";
      rule["reason"] = c.present ? Json() : Json(to_string(c.absent.reason));
      rule["why"] = c.present ? Json() : Json(c.absent.why);
    }
    all.push_back({{"name", d->name}, {"family", d->family}, {"rules", std::move(rules)}});
  }
  out << all.dump(2) << '\n';
}

// Text in which no character is markup.
std::string plain(std::string_view s) {
  std::string r;
  for (const char c : s) {
    if (std::string_view("\\`*_|<>[]").find(c) != std::string_view::npos) r += '\\';
    r += c;
  }
  return r;
}

void print_markdown(std::ostream& out) {
  out << "# Operations\n\n"
         "Written by `viva ops --markdown` from the catalogue of operations; not to be edited. `+` marks a rule. What "
         "is "
         "absent has a reason, and why below:\n";
  for (const Reason r : reasons_used()) out << fmt::format("\n- `{}` {}", code(r), to_string(r));
  for (const auto& [family, operations] : families()) {
    out << fmt::format("\n\n## {}\n\n| operation | what it computes |", family);
    std::string line = "\n|---|---|";
    for (const Cell& c : cells(*catalog().front())) {
      out << ' ' << c.transformation << " |";
      line += "---|";
    }
    out << line;
    for (const OpDef* d : operations) {
      out << fmt::format("\n| `{}` | {} |", d->name, plain(d->doc));
      for (const Cell& c : cells(*d)) out << ' ' << mark(c) << " |";
    }
  }
  out << "\n\n## Why a rule is absent\n";
  for (const auto& [cell, operations] : absences())
    out << fmt::format("\n- {}, {}: {}: `{}`", cell.transformation, to_string(cell.absent.reason),
                       plain(cell.absent.why), fmt::join(operations, "`, `"));
  out << '\n';
}

struct Arguments {
  std::string name;
  bool json = false, markdown = false;
};

int run(Session& s, const Arguments& a) {
  const OpDef* one = a.name.empty() ? nullptr : &op(a.name);
  if (one && a.markdown) throw usage_error("--markdown writes the whole reference: leave out {}", a.name);
  if (a.json) print_json(s.out, one ? Operations{one} : Operations(catalog().begin(), catalog().end()));
  else if (a.markdown) print_markdown(s.out);
  else if (one) print_operation(s.out, *one);
  else print_matrix(s.out);
  return 0;
}

std::function<int(Session&)> declare(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("NAME", a->name, "one operation: what it computes, its rules, and why others are absent");
  auto* json = app.add_flag("--json", a->json, "the matrix, or one operation, as JSON");
  app.add_flag("--markdown", a->markdown, "the reference of operations (docs/reference/operations.md)")->excludes(json);
  return [a](Session& s) { return run(s, *a); };
}

}  // namespace

extern const Verb ops_verb;
const Verb ops_verb = {
    .name = "ops",
    .summary = "show the operations, and which transformation has a rule for each",
    .example = "viva ops reduce_max",
    .declare = declare,
};

}  // namespace viva
