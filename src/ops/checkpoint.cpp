#include "ops/checkpoint.h"

#include <fmt/format.h>

#include "graph/opdef.h"
#include "ops/taps.h"

namespace viva {
namespace {

constexpr std::string_view contractions = "contractions", named = "named ";

// Whether `name` is one of a list with commas.
bool listed(std::string_view list, std::string_view name) {
  while (true) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string why_no_policy(std::string_view policy) {
  if (policy == "save" || policy == "recompute" || policy == contractions) return "";
  if (policy.starts_with(named) && !listed(policy.substr(named.size()), "")) return "";
  return fmt::format("policy '{}' is none of save, recompute, contractions, named a,b", policy);
}

bool keeps(std::string_view policy, const Node& n) {
  if (!n.op) return false;
  if (policy == contractions) return n.op->name == "dot_general" || n.op->name == "conv_general";
  return policy.starts_with(named) && n.op->name == "tap" && listed(policy.substr(named.size()), tap_name(n));
}

bool keeps_some(std::string_view policy) { return policy == contractions || policy.starts_with(named); }

}  // namespace viva
