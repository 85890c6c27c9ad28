#include "graph/opdef.h"

#include <algorithm>
#include <array>

namespace viva {

std::string_view to_string(Reason r) {
  constexpr std::array<std::string_view, 6> names = {"not linear",           "no tangent",    "integer output",
                                                     "data-dependent shape", "no sound form", "not yet"};
  return names[static_cast<size_t>(r)];
}

namespace {

bool as_jvp_gives_it(JetSite&) { return false; }

}  // namespace

Rule<Jet> jet_rule(const OpDef& d) {
  if (d.jet) return d.jet;
  return d.jvp ? Rule<Jet>(as_jvp_gives_it) : Rule<Jet>(d.jvp.absent());
}

void check_attributes(const OpDef& op, const Attrs& attrs) {
  size_t listed = 0;
  for (std::string_view rest = op.attributes; !rest.empty(); ++listed) {
    const std::string_view name = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (!attrs.find(name)) throw usage_error("the attribute {} is missing", name);
  }
  if (listed == attrs.items().size()) return;
  const std::string known = fmt::format(" {} ", op.attributes);
  for (const auto& [name, value] : attrs.items())
    if (name.find(' ') != std::string::npos || known.find(fmt::format(" {} ", name)) == std::string::npos)
      throw usage_error("there is no attribute '{}'{}{}", name, op.attributes.empty() ? "" : ", only ", op.attributes);
}

}  // namespace viva
