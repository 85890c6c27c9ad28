// Claims: their grammar, and the rule by which an interval decides them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examine/finding.h"

namespace viva {

// examiner.quantity[key] (>=|<=|>|<) number
//   risk.accuracy >= 0.90      risk.recall["Shirt"] >= .7      robustness.accuracy[8/255] >= .5
// A key is a string in double quotes (\" and \\ inside), a number or a fraction of two; the number at the end likewise.
// Throws a usage error that names the column and shows the mend. The id is left empty.
Claim parse_claim(std::string_view text);

// Which keys a quantity takes. `either`: a name or the index from 0 that stands for it.
enum class KeyKind : uint8_t { none, name, number, either };

// One quantity that claims may speak of; examiners list theirs.
struct Quantity {
  std::string_view name;
  KeyKind key = KeyKind::none;
  bool key_optional = false;
  bool fraction = false;  // lies in [0, 1]
  // Of its findings, whether they were run or not; "{}" in the title takes the key.
  std::string_view title = {};
  Target target = Target::rows_drawn_like_these;
  Kind kind = Kind::estimate;
  std::string_view unit = {};  // of the estimate
  std::string_view doc = {};
  std::string_view no_claim = {};  // why claims cannot speak of it, "" where they can
};
struct QuantitySet {
  std::string_view examiner;
  std::span<const Quantity> quantities;
};

// Parses all, numbers them, and refuses what cannot be asked: an unknown examiner or quantity (the error lists the
// known ones), a key where none belongs or none where one must, a percentage.
std::vector<Claim> parse_claims(std::span<const std::string> texts, std::span<const QuantitySet> known);

// A whole interval on one side decides; a missing end or NaN never supports and never refutes.
Verdict rule(Comparison op, double value, std::optional<double> low, std::optional<double> high);

// The total chance, over k claims, that any interval misses: each two-sided interval gets .05 / k, and a one-sided one
// .025 / k, so that an end means the same in both.
inline constexpr double claims_alpha = .05;
double claim_alpha(int64_t claims, Sided sided);

// A finding together with what is needed to restate it at another level.
struct Measure {
  Finding finding;
  std::string quantity;  // "risk.recall"; "" where claims cannot speak of it
  // Its key: a name, a number, either (a class's name and its index from 0), or none.
  std::string name;
  std::optional<double> number;
  Sided sided = Sided::two;
  bool from_outputs = false;  // made of the network's outputs over the data
  // The interval at error rate alpha; nullopt with a reason in the finding's why. Null for exact quantities.
  std::function<std::optional<Interval>(double alpha)> interval;
  // For a proportion k of n with a Clopper-Pearson interval: what is counted, "correct".
  struct Tally {
    int64_t k = 0, n = 0;
    std::string noun;
    Sided sided = Sided::two;  // upper: only an upper limit rules
  };
  std::optional<Tally> tally;
};

// Rules every claim: the finding with the claim's name is restated at the claims' level. Where that is already its
// level (one claim, and no family) the finding itself carries the verdict; otherwise a finding of the claim's own,
// with the claim's id, is added. Findings of `measures` go to `report` first, in order. Throws a usage error for a key
// that the measures do not have, naming some that they do.
void rule_claims(std::vector<Measure> measures, Report& report);

}  // namespace viva
