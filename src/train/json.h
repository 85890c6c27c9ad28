// JSON out of files, which are not trusted.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace viva {

// Nothing where the text is no JSON or nests deeper than `deepest` objects and arrays: what walks it recurses.
template <class Json> std::optional<Json> parse_json(std::string_view text, int deepest) {
  struct TooDeep {};
  const auto look = [&](int depth, typename Json::parse_event_t event, Json&) {
    using Event = typename Json::parse_event_t;
    if ((event == Event::object_start || event == Event::array_start) && depth >= deepest) throw TooDeep();
    return true;
  };
  try {
    return Json::parse(text, look);
  } catch (const typename Json::exception&) { return std::nullopt; } catch (const TooDeep&) {
    return std::nullopt;
  }
}

}  // namespace viva
