#include "examine/digits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/words.h"

namespace viva {
namespace {

constexpr int most_decimals = 4;

int exponent_of(double v) { return static_cast<int>(std::floor(std::log10(std::abs(v)) + 1e-12)); }

std::string minus(std::string s) {
  // Zero has no sign here.
  if (s.starts_with('-') && s.find_first_not_of("-0.,") == s.npos) return s.substr(1);
  return s.starts_with('-') ? "−" + s.substr(1) : s;
}

// v to a whole multiple of 10^-decimals.
double rounded_to(double v, int decimals, Rounding r) {
  const double scale = std::pow(10., decimals), scaled = v * scale, near = std::round(scaled);
  // An end that is a round number up to rounding error stays that number.
  const bool round = r == Rounding::nearest || std::abs(scaled - near) < 1e-7;
  return (round ? near : r == Rounding::down ? std::floor(scaled) : std::ceil(scaled)) / scale;
}

}  // namespace

std::string power_of_ten(int power) {
  constexpr const char* digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string s = power < 0 ? "10⁻" : "10";
  for (const char c : std::to_string(std::abs(power))) s += digits[c - '0'];
  return s;
}

Digits digits_of(const Interval& i, const std::optional<double>& estimate) {
  double width = 0;
  // An end that is certain says nothing of how well the estimate is known: three digits.
  if (i.level >= 1 && estimate && *estimate != 0) return {std::clamp(2 - exponent_of(*estimate), -15, 300)};
  if (i.low && i.high) width = *i.high - *i.low;
  else if (const auto& end = i.low ? i.low : i.high; end) {
    if (estimate) width = std::abs(*end - *estimate);
    if (width == 0) width = std::abs(*end);
  }
  if (!(width > 0) || !std::isfinite(width)) return {};
  return {std::clamp(1 - exponent_of(width), -15, 300)};
}

std::string number(double v, Digits d, Rounding r) {
  if (!std::isfinite(v)) return "–";
  if (std::abs(v) >= .1) d.decimals = std::min(d.decimals, most_decimals);
  const double whole = rounded_to(v, d.decimals, r);
  if (whole == 0) return d.decimals > 0 && d.decimals <= most_decimals ? fmt::format("{:.{}f}", 0., d.decimals) : "0";
  if (d.decimals <= 0 && std::abs(whole) < 9e15) return minus(grouped(static_cast<int64_t>(whole)));
  if (d.decimals <= most_decimals && std::abs(whole) < 1e6) return minus(fmt::format("{:.{}f}", whole, d.decimals));
  const int power = exponent_of(whole);
  const double mantissa = whole / std::pow(10., power);
  return minus(fmt::format("{:.{}f}", mantissa, std::clamp(d.decimals + power, 0, 3))) + "×" + power_of_ten(power);
}

std::string number_beside(double v, Digits d, Rounding r, double value) {
  if (!std::isfinite(v)) return number(v, d, r);
  for (int more = 0; more <= most_decimals; ++more) {
    const int decimals = std::abs(v) >= .1 ? std::min(d.decimals + more, most_decimals) : d.decimals + more;
    const double seen = rounded_to(v, decimals, r);
    if ((v > value) == (seen > value) && (v < value) == (seen < value)) return number(v, {decimals}, r);
  }
  return (v > value ? "above " : v < value ? "below " : "") + shown(value, 15);
}

InDigits in_digits(const std::optional<double>& estimate, const std::optional<double>& low,
                   const std::optional<double>& high) {
  const Digits d = digits_of({.low = low, .high = high, .method = {}}, estimate);
  const auto in = [&](const std::optional<double>& v, Rounding r) { return v ? number(*v, d, r) : "–"; };
  return {in(estimate, Rounding::nearest), in(low, Rounding::down), in(high, Rounding::up)};
}

std::string ends(const Interval& i, const std::optional<double>& estimate, const std::optional<double>& claimed) {
  const Digits d = digits_of(i, estimate);
  const auto end = [&](const std::optional<double>& v, Rounding r) {
    return !v ? "–" : claimed ? number_beside(*v, d, r, *claimed) : number(*v, d, r);
  };
  const std::string low = end(i.low, Rounding::down), high = end(i.high, Rounding::up);
  if (i.sided == Sided::upper) return "≤ " + high;
  if (i.sided == Sided::lower) return "≥ " + low;
  return fmt::format("[{}, {}]", low, high);
}

std::string number(double v) {
  if (!std::isfinite(v)) return "–";
  if (v == std::floor(v) && std::abs(v) < 9e15) return minus(grouped(static_cast<int64_t>(v)));
  const int power = exponent_of(v), decimals = power < -3 ? 1 - power : std::min(2 - power, most_decimals);
  // Trailing zeros say nothing without an interval.
  std::string s = number(v, {std::clamp(decimals, -15, 300)});
  if (s.find('.') != s.npos && s.find("×") == s.npos) {
    s.erase(s.find_last_not_of('0') + 1);
    if (s.ends_with('.')) s.pop_back();
  }
  return s;
}

std::string in_sentence(double v) {
  const std::string s = shown(v);
  const size_t e = s.find('e');
  return minus(s.substr(0, e)) + (e == std::string::npos ? "" : "×" + power_of_ten(std::stoi(s.substr(e + 1))));
}

std::string confidence(double v) { return v > .999 && v < 1 ? "> 0.999" : number(v, Digits{3}); }

}  // namespace viva
