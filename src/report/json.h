// A report as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "examine/finding.h"

namespace viva {

struct ReportOptions {
  bool cost = true;  // false leaves every cost out: the rest is equal byte for byte on repetition
};

// The report as report.schema.json describes it. Numbers that are not finite become null. Strings are
// what they are; those that are not UTF-8 are made printable.
nlohmann::ordered_json report_json(const Report& report, ReportOptions options);
// Indented, floats with the fewest digits that read back equal, one newline at the end.
std::string report_json_text(const Report& report, ReportOptions options);
// JSON with what `printable` would change in its strings as escapes of JSON, which stand for the same text.
std::string visible_json(std::string_view json);
// The schema (JSON Schema 2020-12), as shipped.
std::string_view report_schema();

inline constexpr std::string_view report_schema_id = "viva.report/1";

}  // namespace viva
