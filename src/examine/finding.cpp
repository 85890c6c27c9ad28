#include "examine/finding.h"

#include <fmt/format.h>

#include <algorithm>

namespace viva {
namespace {

template <class E, size_t n> std::string_view pick(const std::string_view (&names)[n], E e) {
  return names[static_cast<size_t>(e)];
}

}  // namespace

std::string_view to_string(Target t) {
  constexpr std::string_view names[] = {"these rows", "rows drawn like these", "this file"};
  return pick(names, t);
}
std::string_view to_string(Kind k) {
  constexpr std::string_view names[] = {"exact", "estimate", "bound"};
  return pick(names, k);
}
std::string_view to_string(Sided s) {
  constexpr std::string_view names[] = {"two", "lower", "upper"};
  return pick(names, s);
}
std::string_view to_string(Verdict v) {
  constexpr std::string_view names[] = {"supported", "refuted", "undecided", "none"};
  return pick(names, v);
}
std::string_view to_string(Status s) {
  constexpr std::string_view names[] = {"run", "withheld", "not run"};
  return pick(names, s);
}
std::string_view to_string(BatchMode b) {
  constexpr std::string_view names[] = {"symbolic", "vectorised", "padded"};
  return pick(names, b);
}
std::string_view to_string(Comparison op) {
  constexpr std::string_view names[] = {">=", "<=", ">", "<"};
  return pick(names, op);
}

std::string outputs_in_words(const ModelRecord& m) {
  constexpr size_t most_named = 12;
  if (m.outputs.size() < 2) return "";
  std::string names;
  for (size_t i = 0; i < std::min(m.outputs.size(), most_named); ++i)
    names += (names.empty() ? "" : ", ") + m.outputs[i].name;
  return fmt::format("{} outputs ({}{}): only {} is examined{}", m.outputs.size(), names,
                     m.outputs.size() > most_named ? ", …" : "", m.output_name,
                     m.output_why.empty() ? "" : ", " + m.output_why);
}

const Finding* Report::find(std::string_view id) const {
  const auto at = std::find_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.id == id; });
  return at == findings.end() ? nullptr : &*at;
}

}  // namespace viva
