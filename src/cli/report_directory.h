// What counts as a report that may be replaced.
#pragma once

#include <string>

namespace viva {

// True for an empty directory and for one that holds a report.json of Viva and nothing but the files of a report.
bool is_replaceable_report(const std::string& directory);

}  // namespace viva
