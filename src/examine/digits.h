// How many digits a number is shown with: two significant ones of its interval's width.
#pragma once

#include <optional>
#include <string>

#include "examine/finding.h"

namespace viva {

// Rounded to 10^-decimals; beyond four decimals as a power of ten.
struct Digits {
  int decimals = 3;
};
// Two significant digits of the width. One-sided: of the distance from the estimate, else of the end itself.
Digits digits_of(const Interval& i, const std::optional<double>& estimate = {});

enum class Rounding : uint8_t { nearest, down, up };
// "0.925", "12,300", "3.0×10⁻⁴", "−0.02"; a dash for what is not finite.
std::string number(double v, Digits d, Rounding r = Rounding::nearest);
// With as many digits more as say on which side of a value it lies: no end of an interval looks as if it touched the
// value of a claim that it decides. "above 0.6" where four decimals do not tell.
std::string number_beside(double v, Digits d, Rounding r, double value);
// An estimate and the ends of its interval in the same digits, the ends rounded outward; a dash for what is absent.
struct InDigits {
  std::string estimate, low, high;
};
InDigits in_digits(const std::optional<double>& estimate, const std::optional<double>& low,
                   const std::optional<double>& high);
// The ends alone, rounded outward: "[0.919, 0.931]", "≤ 0.18"; told from the value of a claim.
std::string ends(const Interval& i, const std::optional<double>& estimate = {},
                 const std::optional<double>& claimed = {});
// Without an interval: three significant digits, at most four decimals, whole numbers grouped.
std::string number(double v);
// In sentences: as shown (words.h), with ×10⁻³ for e-03.
std::string in_sentence(double v);
std::string power_of_ten(int power);  // "10⁻³"
// Rounding does not make it certain: "> 0.999".
std::string confidence(double v);

}  // namespace viva
