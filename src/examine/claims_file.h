// Claims in a file, fixed before the run.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examine/claims.h"

namespace viva {

// Reads TOML (1.0), a table a claim:
//   [[claim]]
//   id = "accuracy"                      # letters, digits, '-', '_' and '.', at most 64; each once
//   statement = "risk.accuracy >= 0.90"
// and parses and numbers nothing: claim.id becomes "claim.accuracy". `shown` names the file in errors, which are input
// errors "FILE:LINE: …": no TOML, another key, a missing one, an id that is none or given twice, a statement that
// parse_claims refuses, no claim at all.
std::vector<Claim> parse_claims_file(std::string_view text, const std::string& shown,
                                     std::span<const QuantitySet> known);

}  // namespace viva
