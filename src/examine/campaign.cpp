#include "examine/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr int64_t standard_rows = 1000, rows_a_run = 32;

// Distinct for each attack on a row: where it starts.
constexpr uint32_t tags_a_radius = 2;
constexpr uint32_t cross_entropy_tag = 0, margin_tag = 1;

std::vector<int64_t> chosen_rows(const Context& x) {
  std::vector<int64_t> rows = drawn_rows(x.seed, Stream::attack_rows, x.data.size(), attacked_rows(x));
  std::ranges::sort(rows);
  return rows;
}

Victims victims_of(const Context& x, const std::vector<int64_t>& rows) {
  Victims v;
  Type t = x.subject.row_type();
  t.shape.insert(t.shape.begin(), std::ssize(rows));
  v.rows = Array::make(t);
  v.numbers = rows;
  const int64_t bytes = v.rows.bytes() / std::ssize(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Array one = checked_rows(x.data, rows[i], 1, x.subject);
    std::copy_n(one.data(), bytes, v.rows.mutable_data() + static_cast<int64_t>(i) * bytes);
    v.labels.push_back(x.data.labels[static_cast<size_t>(rows[i])]);
  }
  return v;
}

// The attack and its checks, in blocks of rows that fit into memory.
class Campaign {
 public:
  Campaign(Context& x, const InputSpace& space)
      : x_(x), space_(space), attacker_(x, space, x.subject.row_type().dtype, rows_a_run), rows_(chosen_rows(x)) {}

  Attacked run() {
    result_.rows = std::ssize(rows_);
    const Evaluation& e = x_.evaluation();
    for (const int64_t i : rows_)
      if (e.predicted[static_cast<size_t>(i)] == x_.data.labels[static_cast<size_t>(i)]) left_.push_back(i);
    result_.right = std::ssize(left_);
    look_at_rows();
    const std::vector<Radius> radii = radii_of(x_);
    uint32_t tag = 0;
    for (const Radius& r : radii) {
      if (x_.progress) x_.progress(tag / static_cast<double>(tags_a_radius * (radii.size() + 1)), "attacks");
      AtRadius a = attack(r, tag);
      check(a, tag);
      if (&r == &radii.front() || &r == &radii.back()) check_in_float64(a, tag);
      result_.radii.push_back(std::move(a));
      tag += tags_a_radius;
    }
    const double half = (space_.raw.high - space_.raw.low) / 2;
    result_.half = attack({half, shown(half)}, tag);
    look_at_witness();
    return std::move(result_);
  }

 private:
  // f(victims, their places in `rows`) over blocks of rows.
  template <class F> void in_blocks(const std::vector<int64_t>& rows, F&& f) {
    const auto step = static_cast<size_t>(rows_at_once(x_.subject.row_type()));
    for (size_t first = 0; first < rows.size(); first += step) {
      const std::vector<int64_t> block(rows.begin() + static_cast<ptrdiff_t>(first),
                                       rows.begin() + static_cast<ptrdiff_t>(std::min(first + step, rows.size())));
      f(victims_of(x_, block));
    }
  }

  void look_at_rows() {
    std::vector<double> sizes;
    in_blocks(rows_, [&](const Victims& v) {
      const Attacker::Clean c = attacker_.clean(v);
      for (const double m : c.margin)
        if (std::isfinite(m)) sizes.push_back(std::abs(m));
      result_.flat_margin += std::ranges::count(c.flat_margin, true);
      result_.flat_cross_entropy += std::ranges::count(c.flat_cross_entropy, true);
    });
    std::ranges::sort(sizes);
    if (const double s = quantile_of(sizes, .5); s > 0) result_.scale = s;
    attacker_.set_scale(result_.scale);
  }

  // Takes the rows that broke out of left_, and returns how many did.
  int64_t drop(const std::function<Broken(const Victims&)>& how, int64_t& unconfirmed) {
    std::vector<int64_t> kept;
    in_blocks(left_, [&](const Victims& v) {
      const Broken b = how(v);
      unconfirmed += b.unconfirmed;
      for (size_t i = 0; i < b.row.size(); ++i)
        if (!b.row[i]) kept.push_back(v.numbers[i]);
    });
    const int64_t broken = std::ssize(left_) - std::ssize(kept);
    left_ = std::move(kept);
    return broken;
  }

  AtRadius attack(const Radius& r, uint32_t tag) {
    AtRadius a{.eps = r};
    a.attacked = std::ssize(left_);
    const auto pgd = [&](AttackLoss loss, uint32_t which) {
      return drop([&](const Victims& v) { return attacker_.pgd(v, r.value, {loss, tag + which}); }, a.unconfirmed);
    };
    a.by_cross_entropy = pgd(AttackLoss::cross_entropy, cross_entropy_tag);
    a.by_margin = pgd(AttackLoss::margin, margin_tag);
    a.left = std::ssize(left_);
    return a;
  }

  static void mark(bool broken, int64_t row, int64_t& at_radius, std::set<int64_t>& rows) {
    if (broken) ++at_radius, rows.insert(row);
  }

  void check(AtRadius& a, uint32_t tag) {
    in_blocks(left_, [&](const Victims& v) {
      const Broken up = attacker_.fgsm(v, a.eps.value, AttackLoss::cross_entropy),
                   down = attacker_.fgsm(v, a.eps.value, AttackLoss::margin),
                   signs = attacker_.random_signs(v, a.eps.value, random_draws, tag / tags_a_radius * random_draws);
      for (size_t i = 0; i < up.row.size(); ++i) {
        mark(up.row[i] || down.row[i], v.numbers[i], a.single_step, result_.single_step);
        mark(signs.row[i], v.numbers[i], a.random_signs, result_.random_signs);
      }
    });
  }

  // The same attack from the same starts, in fewer steps, with gradients in float64, on the first rows left.
  void check_in_float64(AtRadius& a, uint32_t tag) {
    if (left_.empty() || x_.subject.row_type().dtype == Dtype::float64) return;
    if (!wide_) wide_.emplace(x_, space_, Dtype::float64, rows_a_run / 2), wide_->set_scale(result_.scale);
    const int64_t most = float64_rows(result_.rows);
    std::vector<int64_t> some(left_.begin(), left_.begin() + std::min<ptrdiff_t>(most, std::ssize(left_)));
    in_blocks(some, [&](const Victims& v) {
      const auto walked = [&](AttackLoss loss, uint32_t which) {
        return wide_->pgd(v, a.eps.value, {loss, tag + which, float64_steps});
      };
      const Broken up = walked(AttackLoss::cross_entropy, cross_entropy_tag),
                   down = walked(AttackLoss::margin, margin_tag);
      for (size_t i = 0; i < up.row.size(); ++i) {
        mark(true, v.numbers[i], a.float64_tried, result_.float64_tried);
        mark(up.row[i] || down.row[i], v.numbers[i], a.float64, result_.float64);
      }
    });
  }

  // The row in the middle of the range is within half of it of every row.
  void look_at_witness() {
    Type t = x_.subject.row_type();
    t.shape.insert(t.shape.begin(), 1);
    std::vector<double> middle;
    for (size_t j = 0; j < space_.low.size(); ++j) middle.push_back((space_.low[j] + space_.high[j]) / 2);
    const Array row = Array::of(middle, t.shape).converted(t.dtype);
    result_.witness = attacker_.named(row)[0];
    result_.of_witness = std::ranges::count_if(
        rows_, [&](int64_t i) { return x_.data.labels[static_cast<size_t>(i)] == result_.witness; });
  }

  Context& x_;
  const InputSpace& space_;
  Attacker attacker_;
  std::optional<Attacker> wide_;
  std::vector<int64_t> rows_, left_;  // attacked; not broken yet
  Attacked result_;
};

}  // namespace

int64_t attacked_rows(const Context& x) {
  return std::min<int64_t>(x.options.rows.value_or(standard_rows), x.data.size());
}

int64_t float64_rows(int64_t attacked) { return (attacked + float64_one_in - 1) / float64_one_in; }

std::vector<Radius> radii_of(const Context& x) {
  std::vector<Radius> all = x.options.eps;
  if (all.empty()) {
    const ValueRange r = x.options.range.value_or(ValueRange{});
    for (const int k : {1, 2, 4, 8}) {
      const double eps = k / 255.0 * (r.high - r.low);
      all.push_back({eps, r.high - r.low == 1 ? fmt::format("{}/255", k) : shown(eps, 6)});
    }
  }
  for (const Claim& c : x.claims) {
    const auto* eps = std::get_if<double>(&c.key.value);
    if (c.quantity == "robustness.accuracy" && eps && *eps > 0) all.push_back({*eps, c.key.text});
  }
  std::ranges::stable_sort(all, {}, &Radius::value);
  const auto again = std::ranges::unique(all, {}, &Radius::value);
  all.erase(again.begin(), again.end());
  return all;
}

Attacked attacked(Context& x, const InputSpace& space) { return Campaign(x, space).run(); }

}  // namespace viva
