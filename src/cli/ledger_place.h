// Where the ledger of a run stands, and how it survives the report beside it.
#pragma once

#include <string>
#include <vector>

#include "base/aside.h"
#include "base/output_directory.h"
#include "report/ledger.h"

namespace viva {

inline constexpr std::string_view ledger_name = "ledger.jsonl";

// Reads the rulings of --ledger FILE before any work is done; none where the file does not exist yet.
std::vector<EarlierRuling> read_ledger(const std::string& path);

// Commits the report and appends to its own ledger, `target`/ledger.jsonl, which moves from the old report into the new
// one as it is: the same file under another name, so that nothing appended meanwhile is lost. Runs with the same target
// take turns. lines: "" for no ruling.
void commit_with_ledger(OutputDirectory& directory, const std::string& target, const std::string& lines);

// The time now, UTC.
std::string date_now();

}  // namespace viva
