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

// Throws an input error where a line could not be appended to --ledger FILE: before any work is done.
void check_ledger(const std::string& path);

// Appends to the report's own ledger, `target`/ledger.jsonl, and commits the report: a run that is killed between
// leaves a ruling without a report, never a report whose ruling is not in the ledger. The ledger moves from the old
// report into the new one as it is, the same file under another name. Runs with the same target take turns. lines: ""
// for no ruling.
void commit_with_ledger(OutputDirectory& directory, const std::string& target, const std::string& lines);

// The time now, UTC.
std::string date_now();

}  // namespace viva
