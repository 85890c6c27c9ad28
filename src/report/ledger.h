// The ledger: every ruling, one line each, in a file that only grows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examine/finding.h"

namespace viva {

// What a claim says, however it is spelled. Of a class's name and index a line may hold one or both.
struct ClaimSaid {
  std::string quantity, name;
  std::optional<double> number;
  Comparison op = Comparison::at_least;
  double value = 0;
};
// Keys are the same where their names are, or, where one of them has none, their numbers.
bool same_quantity(const ClaimSaid& a, const ClaimSaid& b);
ClaimSaid said_by(const Claim& ruled);

// A ruling as a line of the ledger states it; the hashes are those of the first files of model and data.
struct EarlierRuling {
  std::string statement, date, ruling, estimate, interval, model, data, role, command;
  std::optional<ClaimSaid> said = {};  // absent where the statement is no claim
};

// The rulings of a ledger, in order; absent where none was named.
using Ledger = std::optional<std::vector<EarlierRuling>>;

// One line of JSON a claim of the report. date: UTC, "2026-11-23T12:00:00Z".
std::string ledger_lines(const Report& report, std::string_view date);
// All rulings of a ledger, in order. Throws an input error "NAME:LINE: …" for a line that is none.
std::vector<EarlierRuling> parse_ledger(std::string_view text, const std::string& name);

// Appends lines as a whole or not at all (one write under a lock; undone where the disk is full), and synchronises. A
// last line that something else tore is ended first. Input errors: not a regular file, not writable.
void append_to_ledger(const std::string& path, std::string_view lines);

}  // namespace viva
