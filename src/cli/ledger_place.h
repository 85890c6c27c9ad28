// Where the ledger of a run stands, and how it survives the report beside it.
#pragma once

#include <optional>
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

// Where the rulings of one report go. A ledger is there so that nobody shows the best of ten runs: all of a network's
// rulings stand in one file beside it, whatever names the reports have.
struct LedgerPlace {
  enum class In : uint8_t { file, report, model } in = In::report;
  std::string path;  // of the ledger; in the report, of the report
  std::string note;  // why it is not beside the network, "" where it is or was not to be
};
// --ledger FILE, else the ledger in `model`.viva; where that folder cannot be written or is somebody else's, that of
// the report at `target`, with a note. Writes nothing.
LedgerPlace ledger_place(const std::optional<std::string>& ledger, const std::string& model, const std::string& target);

// Appends to the ledger and commits the report to `target`: a run that is killed between leaves a ruling without a
// report, never a report whose ruling is not in the ledger. A ledger in the report moves from the old one into the new
// one as it is, the same file under another name. Runs with the same target take turns. lines: "" for no ruling.
void commit_with_ledger(OutputDirectory& directory, const std::string& target, const LedgerPlace& place,
                        const std::string& lines);

// The time now, UTC.
std::string date_now();

}  // namespace viva
