#include "graph/opdef.h"

#include <array>

namespace viva {

std::string_view to_string(Reason r) {
  constexpr std::array<std::string_view, 6> names = {"not linear",           "no tangent",    "integer output",
                                                     "data-dependent shape", "no sound form", "not yet"};
  return names[static_cast<size_t>(r)];
}

}  // namespace viva
