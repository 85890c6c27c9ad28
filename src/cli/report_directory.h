// What counts as a report that may be replaced.
#pragma once

#include <string>

namespace viva {

// True for a directory that is empty, ledger.jsonl apart, and for one that holds a report.json of Viva and nothing but
// the files of a report and its ledger.
bool is_replaceable_report(const std::string& directory);

}  // namespace viva
