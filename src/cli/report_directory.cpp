#include "cli/report_directory.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "cli/ledger_place.h"

namespace viva {

bool is_replaceable_report(const std::string& directory) {
  constexpr std::array<std::string_view, 4> files = {"report.json", "report.html", "report.schema.json", ledger_name};
  std::error_code error;
  bool has_json = false, empty = true;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (std::find(files.begin(), files.end(), name) == files.end()) return false;
    if (at->symlink_status(error).type() != std::filesystem::file_type::regular) return false;
    empty = empty && name == ledger_name;
    has_json = has_json || name == "report.json";
  }
  if (error) return false;
  if (empty) return true;
  if (!has_json) return false;
  try {
    const Bytes bytes = read_file(directory + "/report.json", uint64_t{1} << 28);
    const auto json = nlohmann::json::parse(bytes.text(), nullptr, false);
    const auto schema = json.is_object() ? json.find("schema") : json.end();
    return schema != json.end() && schema->is_string() && schema->get<std::string>().starts_with("viva.report/");
  } catch (const Error&) { return false; }
}

}  // namespace viva
