// How large an effect has to be for a test to see it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace viva {

// The nearest rates p above and below p0 that an exact two-sided binomial test of p0 with n rows detects with the given
// power. The test rejects where either tail of Binomial(n, p0) from the count outward has probability at most
// alpha / 2; power counts only the tail on p's side. nullopt where no count in [0, n] rejects on that side.
struct Detectable {
  std::optional<double> above, below;  // p - p0: positive and negative
};
Detectable detectable_against(double p0, int64_t n, double alpha = .05, double power = .8);

// The smallest difference of accuracy between two models on the same n rows that McNemar's test detects (alpha .05,
// power .8), where they disagree in correctness on a fraction `discordance`: (1.960 + 0.842) sqrt(d / n).
// nullopt for n = 0. A value above the discordance itself means that no difference can be detected.
std::optional<double> detectable_paired(double discordance, int64_t n);

// Effects that a diagnosis tells with probability .8: its p-value is at most `level` and the effect material. All are
// nullopt where no effect is told so often.
//
// The mean of independent rows that have this spread: told where it is above 0 by Student's law, its 95 % lower limit
// at least `material_limit`.
std::optional<double> detectable_mean(std::span<const double> rows, double material_limit, double level);
// The mean confidence less accuracy of rows like these, were more of them wrong: told where it is above 0 by Student's
// law, and at least `material`. Every right row may be wrong with the same probability, which spreads the rows too.
std::optional<double> detectable_gap(std::span<const double> confidence, const std::vector<bool>& right,
                                     double material, double level);
// A gain of accuracy on n rows, by McNemar's test, its 95 % lower limit at least `material`: a gain makes rows differ
// itself, of no fewer than are gained, nor than the `apart` that were seen to.
std::optional<double> detectable_gain(int64_t n, double apart, double material, double level);
// The recall of a class of n rows below `threshold`, by the binomial test, its upper limit at error rate `alpha` below
// it too.
std::optional<double> detectable_recall(int64_t n, double threshold, double alpha, double level);
// The fewest of n rows that tell a share above `most`, by the binomial test and its 95 % lower limit: they do always.
std::optional<int64_t> detectable_share(int64_t n, double most, double level);

}  // namespace viva
