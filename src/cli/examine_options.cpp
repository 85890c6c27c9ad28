#include "cli/examine_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace viva {
namespace {

std::vector<std::string> parts_of(const std::string& text, char between) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(between, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

double decimal_of(const std::string& option, const std::string& text, std::string_view part) {
  double v = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), v);
  if (part.empty() || error != std::errc() || end != part.data() + part.size() || !std::isfinite(v))
    throw usage_error("{} '{}': '{}' is no number: write decimals, or fractions such as 8/255", option, text, part);
  return v;
}

constexpr double most = 1e30;  // of values: networks take float32

std::string joined(const std::vector<double>& v) { return fmt::format("{}", fmt::join(v, ":")); }

}  // namespace

double number_of(const std::string& option, const std::string& text) {
  if (text.empty())
    throw usage_error("{}: a number is missing beside a comma or colon: write decimals, or fractions such as 8/255",
                      option);
  const auto parts = parts_of(text, '/');
  if (parts.size() > 2) throw usage_error("{} {}: write decimals, or fractions such as 8/255", option, text);
  const double top = decimal_of(option, text, parts[0]);
  if (parts.size() == 1) return top;
  const double bottom = decimal_of(option, text, parts[1]);
  if (bottom == 0) throw usage_error("{} {}: a division by zero", option, text);
  return top / bottom;
}

ValueRange range_of(const std::string& text) {
  const auto parts = parts_of(text, ',');
  if (parts.size() != 2) throw usage_error("--range {}: write the least and the greatest value, as in 0,1", text);
  const ValueRange r{number_of("--range", parts[0]), number_of("--range", parts[1])};
  if (!(r.low < r.high)) throw usage_error("--range {}: the first number must be the smaller", text);
  if (r.low < -most || r.high > most) throw usage_error("--range {}: values beyond 1e30 are none of data", text);
  return r;
}

std::vector<Radius> radii_from(const std::string& text) {
  std::vector<Radius> all;
  for (const std::string& part : parts_of(text, ',')) {
    const double v = number_of("--eps", part);
    if (!(v > 0)) throw usage_error("--eps {}: a radius is above 0", text);
    all.push_back({v, part});
  }
  if (all.size() > 16) throw usage_error("--eps: {} radii: give at most 16", all.size());
  std::ranges::stable_sort(all, {}, &Radius::value);
  const auto again = std::ranges::unique(all, {}, &Radius::value);
  all.erase(again.begin(), again.end());
  return all;
}

int64_t row_count(const std::string& text) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < 1)
    throw usage_error("--rows {}: write a whole number of at least 1", text);
  return n;
}

OutputChoice output_choice(const std::string& text) {
  for (const OutputChoice c :
       {OutputChoice::automatic, OutputChoice::logits, OutputChoice::probabilities, OutputChoice::scores})
    if (text == to_string(c)) return c;
  throw usage_error("--output-kind {}: write auto, logits, probabilities or scores", text);
}

Normalization normalization_of(const std::string& option, const std::string& text) {
  const auto halves = parts_of(text, ',');
  if (halves.size() != 2)
    throw usage_error(
        "{} {}: write mean and standard deviation, as in 0.1307,0.3081, several channels with colons: "
        "0.49:0.48:0.45,0.25:0.24:0.26",
        option, text);
  Normalization n;
  for (const std::string& v : parts_of(halves[0], ':')) n.mean.push_back(number_of(option, v));
  for (const std::string& v : parts_of(halves[1], ':')) n.deviation.push_back(number_of(option, v));
  if (n.mean.size() != n.deviation.size())
    throw usage_error("{} {}: {} means, but {} standard deviations", option, text, n.mean.size(), n.deviation.size());
  for (const double d : n.deviation) {
    if (!(d > 0)) throw usage_error("{} {}: a standard deviation is above 0", option, text);
    if (d < 1 / most || d > most)
      throw usage_error("{} {}: a standard deviation of {} is none of data", option, text, d);
  }
  for (const double m : n.mean)
    if (std::abs(m) > most) throw usage_error("{} {}: a mean of {} is none of data", option, text, m);
  return n;
}

std::string canonical(const std::string& option, const Normalization& n) {
  return fmt::format(" {} {},{}", option, joined(n.mean), joined(n.deviation));
}

std::string canonical(const ExamineOptions& o) {
  std::string s;
  if (o.output != OutputChoice::automatic) s += fmt::format(" --output-kind {}", to_string(o.output));
  if (!o.layout.empty()) s += " --layout " + to_string(o.layout);
  if (o.data_normalized) s += canonical("--data-normalized", *o.data_normalized);
  if (o.range) s += fmt::format(" --range {},{}", o.range->low, o.range->high);
  std::vector<std::string> eps;
  for (const Radius& r : o.eps) eps.push_back(r.text);
  if (!eps.empty()) s += fmt::format(" --eps {}", fmt::join(eps, ","));
  if (o.rows) s += fmt::format(" --rows {}", *o.rows);
  return s;
}

std::string in_words(const Normalization& n) {
  std::vector<std::string> each;
  for (size_t c = 0; c < n.mean.size(); ++c) each.push_back(fmt::format("(x - {}) / {}", n.mean[c], n.deviation[c]));
  return fmt::format("{}", fmt::join(each, ", "));
}

}  // namespace viva
