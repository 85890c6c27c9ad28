#include "examine/words.h"

#include <fmt/format.h>

#include <cmath>

namespace viva {

std::string grouped(int64_t v) {
  const std::string digits = std::to_string(v);
  std::string s;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') s.push_back(',');
    s.push_back(digits[i]);
  }
  return s;
}

std::string rounded(int64_t v) {
  int64_t unit = 1;
  while (v / unit >= 1000) unit *= 10;
  return grouped((v + unit / 2) / unit * unit);
}

std::string shown(double v, int digits) { return fmt::format("{:.{}g}", v, digits); }

std::string shown_above(double v, int digits) {
  if (!std::isfinite(v) || v == 0) return shown(v, digits);
  const double step = std::pow(10., std::floor(std::log10(std::abs(v))) + 1 - digits);
  return shown(std::ceil(v / step * (1 - 1e-15)) * step, digits);
}

std::string quoted_key(std::string_view name) {
  std::string s = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') s.push_back('\\');
    s.push_back(c);
  }
  s.push_back('"');
  return s;
}

std::string counted(int64_t n, const char* one, const char* many) {
  return fmt::format("{} {}", grouped(n), n == 1 ? one : many);
}

}  // namespace viva
