#include "examine/shown_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/without_ones.h"
#include "examine/digits.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr int64_t longest_side = 64;
constexpr int64_t shown_values = 16;

// Where element (h, w, c) of an image lies in a row.
struct Picture {
  int64_t height = 0, width = 0, channels = 1;
  int64_t at_h = 0, at_w = 0, at_c = 0;
};

std::optional<Picture> picture_of(const Shape& row) {
  const Shape s = without_ones(row);
  const auto colours = [](int64_t c) { return c == 3 || c == 4; };
  if (s.size() == 1) {
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(s[0]))));
    if (side < 8 || side * side != s[0]) return std::nullopt;
    return Picture{side, side, 1, side, 1, 0};
  }
  if (s.size() == 2 && s[0] >= 4 && s[1] >= 4) return Picture{s[0], s[1], 1, s[1], 1, 0};
  if (s.size() == 3 && colours(s[0])) return Picture{s[1], s[2], 3, s[2], 1, s[1] * s[2]};
  if (s.size() == 3 && colours(s[2])) return Picture{s[0], s[1], 3, s[1] * s[2], s[2], 1};
  return std::nullopt;
}

void draw(ShownRow& r, const std::vector<double>& v, const Picture& p) {
  const auto [least, greatest] = std::ranges::minmax(v);
  const bool unit = least >= 0 && greatest <= 1;
  const double low = unit ? 0 : least, span = unit ? 1 : std::max(greatest - least, 1e-300);
  const int64_t step = (std::max(p.height, p.width) + longest_side - 1) / longest_side;
  r.height = (p.height + step - 1) / step, r.width = (p.width + step - 1) / step, r.channels = p.channels;
  for (int64_t h = 0; h < p.height; h += step)
    for (int64_t w = 0; w < p.width; w += step)
      for (int64_t c = 0; c < p.channels; ++c) {
        const double x = (v[static_cast<size_t>(h * p.at_h + w * p.at_w + c * p.at_c)] - low) / span;
        r.pixels.push_back(static_cast<uint8_t>(std::lround(255 * std::clamp(x, 0.0, 1.0))));
      }
}

void look(ShownRow& r, const RowSource& data) {
  const Array row = data.rows(r.row, 1).converted(Dtype::float64);
  const auto all = row.as<double>();
  const std::vector<double> v(all.begin(), all.end());
  if (v.empty()) return;
  if (const auto p = picture_of({row.shape().begin() + 1, row.shape().end()})) return draw(r, v, *p);
  for (int64_t i = 0; i < std::min<int64_t>(std::ssize(v), shown_values); ++i)
    r.values += (i > 0 ? ", " : "") + shown(v[static_cast<size_t>(i)], 3);
  if (std::ssize(v) > shown_values) r.values += ", …";
}

}  // namespace

std::optional<double> confidence_of(const Evaluation& e, int64_t row) {
  const int32_t named = e.predicted[static_cast<size_t>(row)];
  if (!has_scores(e.kind) || named < 0) return std::nullopt;
  std::vector<double> logits(static_cast<size_t>(e.classes));
  logits_of(e, row, logits);
  const double confidence = std::exp(-log_loss_of_logits(logits, named));
  return std::isfinite(confidence) ? std::optional(confidence) : std::nullopt;
}

std::string row_note(const Context& x, const Evaluation& e, int64_t row) {
  const int64_t label = x.data.labels[static_cast<size_t>(row)], named = e.predicted[static_cast<size_t>(row)];
  std::string s = x.class_name(label);
  if (named != label) s += ", taken for " + (named < 0 ? "NaN" : x.class_name(named));
  if (const auto c = confidence_of(e, row)) s += ", confidence " + confidence(*c);
  return s;
}

std::vector<ShownRow> shown_rows(Context& x, const std::vector<Finding>& findings, size_t most) {
  std::set<std::pair<std::string, int64_t>> named;
  for (const Finding& f : findings)
    for (const Examples& e : f.evidence.examples)
      for (const auto& [row, note] : e.rows) named.emplace(e.data, row);
  std::vector<ShownRow> all;
  for (const auto& [id, row] : named) {
    const bool train = x.train && id == x.train->record.id;
    const RowSource& data = train ? *x.train : x.data;
    if (row < 0 || row >= data.size() || all.size() >= most) continue;
    ShownRow r{.data = id, .row = row};
    r.label = x.class_name(data.labels[static_cast<size_t>(row)]);
    if (!train && x.evaluated() && x.evaluation().classes > 0) {
      const Evaluation& e = x.evaluation();
      const int32_t named_class = e.predicted[static_cast<size_t>(row)];
      r.predicted = named_class < 0 ? "NaN" : x.class_name(named_class);
      r.confidence = confidence_of(e, row);
      if (!e.loss.empty() && std::isfinite(e.loss[static_cast<size_t>(row)])) r.loss = e.loss[static_cast<size_t>(row)];
    }
    look(r, data);
    all.push_back(std::move(r));
  }
  return all;
}

}  // namespace viva
