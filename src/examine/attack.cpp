#include "examine/attack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "examine/streams.h"

namespace viva {
namespace {

// The largest number of type T at most v, and the smallest at least v.
template <class T> T at_most(double v) {
  const T t = static_cast<T>(v);
  return static_cast<double>(t) > v ? std::nextafter(t, -std::numeric_limits<T>::infinity()) : t;
}
template <class T> T at_least(double v) {
  const T t = static_cast<T>(v);
  return static_cast<double>(t) < v ? std::nextafter(t, std::numeric_limits<T>::infinity()) : t;
}

// Boxes of some rows, corner by corner, rounded inward; a row that rounding put outside the range stays in its own box.
template <class T> struct Boxes {
  std::vector<T> low, high;
  Boxes(std::span<const T> rows, const InputSpace& s, double eps) : low(rows.size()), high(rows.size()) {
    const size_t width = s.unit.size();
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t j = i % width;
      const double x = rows[i], reach = eps * s.unit[j];
      low[i] = std::min(rows[i], at_least<T>(std::max(s.low[j], x - reach)));
      high[i] = std::max(rows[i], at_most<T>(std::min(s.high[j], x + reach)));
    }
  }
};

template <class T> T sign(T v) { return static_cast<T>((v > 0) - (v < 0)); }

// Random bits of a row: block `at` of the stream folded with the row's number.
Words2 row_key(uint64_t seed, Stream s, int64_t row) {
  return fold_key(stream_key(seed, s), static_cast<uint64_t>(row));
}

std::vector<int64_t> all_of(int64_t n) {
  std::vector<int64_t> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

}  // namespace

Victims picked(const Victims& v, const std::vector<int64_t>& which) {
  Victims p{picked_rows(v.rows, which), {}, {}};
  for (const int64_t i : which) {
    p.labels.push_back(v.labels[static_cast<size_t>(i)]);
    p.numbers.push_back(v.numbers[static_cast<size_t>(i)]);
  }
  return p;
}

Attacker::Attacker(Context& x, const InputSpace& space, Dtype precision, int64_t rows)
    : x_(x), space_(space), precision_(precision) {
  // Not so many that large rows leave a thread without work.
  const int64_t most = std::max<int64_t>(rows_at_once(x.subject.row_type()) / 4, 1);
  NetworkFunction n = x.subject.network(std::min(rows, most));
  if (n.function->params()[0].dtype() != precision) n = retyped(n, precision);
  programs_.emplace_back(x.subject, n, loss_gradient(n), 2);
  programs_.emplace_back(x.subject, n, margin_gradient(n), 2);
}

Array Attacker::in_precision(const Array& rows) const {
  return rows.dtype() == precision_ ? rows : rows.converted(precision_);
}

std::vector<Array> Attacker::derivatives(const Array& rows, const std::vector<int64_t>& labels, AttackLoss loss) {
  std::vector<Array> args = {rows, Array::of(labels, {std::ssize(labels)})};
  if (loss == AttackLoss::cross_entropy) args.push_back(Array::full({precision_, {}}, 1 / scale_));
  x_.add_work(std::ssize(labels), 3);
  return programs_[static_cast<size_t>(loss)](args, x_.pool, x_.cancel);
}

std::vector<int64_t> Attacker::named(const Array& rows) {
  const Type row = x_.subject.row_type();
  const Outputs out =
      x_.subject.outputs(rows.dtype() == row.dtype ? rows : rows.converted(row.dtype), x_.pool, x_.cancel);
  x_.add_work(rows.shape()[0], 1);
  return named_classes(out.values);
}

void Attacker::confirm(const Victims& v, const std::vector<int64_t>& which, const Array& points, Broken& broken) {
  if (which.empty()) return;
  const std::vector<int64_t> labels = named(points);
  for (size_t k = 0; k < which.size(); ++k) {
    const auto i = static_cast<size_t>(which[k]);
    if (labels[k] != v.labels[i]) broken.row[i] = true;
    else ++broken.unconfirmed;
  }
}

Attacker::Clean Attacker::clean(const Victims& v) {
  const Array rows = in_precision(v.rows);
  const auto flat = [&](const Array& gradient) {
    const int64_t width = gradient.size() / v.size();
    std::vector<bool> all;
    for (int64_t i = 0; i < v.size(); ++i) {
      all.push_back(true);
      for (int64_t j = 0; j < width && all.back(); ++j) all.back() = gradient.at(i * width + j) == 0;
    }
    return all;
  };
  const auto margin = derivatives(rows, v.labels, AttackLoss::margin),
             loss = derivatives(rows, v.labels, AttackLoss::cross_entropy);
  Clean c{{}, flat(margin[2]), flat(loss[2])};
  for (int64_t i = 0; i < v.size(); ++i) c.margin.push_back(margin[0].at(i));
  return c;
}

Broken Attacker::pgd(const Victims& v, double eps, const Walk& walk) {
  return precision_ == Dtype::float64 ? pgd_as<double>(v, eps, walk) : pgd_as<float>(v, eps, walk);
}
Broken Attacker::fgsm(const Victims& v, double eps, AttackLoss loss) {
  return precision_ == Dtype::float64 ? fgsm_as<double>(v, eps, loss) : fgsm_as<float>(v, eps, loss);
}
Broken Attacker::random_signs(const Victims& v, double eps, int64_t draws, uint32_t tag) {
  return precision_ == Dtype::float64 ? random_signs_as<double>(v, eps, draws, tag)
                                      : random_signs_as<float>(v, eps, draws, tag);
}

// Rows leave as soon as a point of theirs is named otherwise; the rest move on together. The loss rises: cross-entropy
// up, margin down.
template <class T> Broken Attacker::pgd_as(const Victims& v, double eps, const Walk& walk) {
  Broken broken{std::vector<bool>(static_cast<size_t>(v.size()), false), 0};
  if (v.size() == 0) return broken;
  const Array start = in_precision(v.rows);
  const Boxes<T> box(start.as<T>(), space_, eps);
  const size_t width = space_.unit.size();
  const T uphill = walk.loss == AttackLoss::margin ? -1 : 1;
  std::vector<int64_t> active = all_of(v.size()), found;
  Array point = Array::make(start.type()), hit = picked_rows(start, active);
  for (int64_t i = 0; i < v.size(); ++i) {
    const Words2 key = row_key(x_.seed, Stream::attack_start, v.numbers[static_cast<size_t>(i)]);
    for (size_t j = 0; j < width; ++j) {
      const size_t at = static_cast<size_t>(i) * width + j;
      const double u = uniform(threefry2x32(key, {static_cast<uint32_t>(j), walk.tag})[0]);
      const double low = box.low[at], high = box.high[at];
      point.as_mutable<T>()[at] = std::clamp(static_cast<T>(low + u * (high - low)), box.low[at], box.high[at]);
    }
  }
  for (int64_t step = 0; !active.empty(); ++step) {
    std::vector<int64_t> labels;
    for (const int64_t i : active) labels.push_back(v.labels[static_cast<size_t>(i)]);
    const auto out = derivatives(point, labels, walk.loss);
    const auto gradient = out[2].template as<T>();
    std::vector<int64_t> stay, kept;
    for (size_t k = 0; k < active.size(); ++k) {
      const auto row = point.as_mutable<T>().subspan(k * width, width);
      const auto first = static_cast<size_t>(active[k]) * width;
      if (static_cast<int64_t>(out[1].at(static_cast<int64_t>(k))) != labels[k]) {
        std::copy(row.begin(), row.end(), hit.as_mutable<T>().begin() + static_cast<ptrdiff_t>(first));
        found.push_back(active[k]);
        continue;
      }
      stay.push_back(static_cast<int64_t>(k));
      kept.push_back(active[k]);
      for (size_t j = 0; j < width; ++j) {
        const T by = uphill * static_cast<T>(2.5 * eps * space_.unit[j] / static_cast<double>(walk.steps));
        row[j] = std::clamp(row[j] + by * sign(gradient[k * width + j]), box.low[first + j], box.high[first + j]);
      }
    }
    if (step == walk.steps) break;
    point = picked_rows(point, stay);
    active = std::move(kept);
  }
  std::ranges::sort(found);
  confirm(v, found, picked_rows(hit, found), broken);
  return broken;
}

template <class T> Broken Attacker::fgsm_as(const Victims& v, double eps, AttackLoss loss) {
  Broken broken{std::vector<bool>(static_cast<size_t>(v.size()), false), 0};
  if (v.size() == 0) return broken;
  const Array start = in_precision(v.rows);
  const Boxes<T> box(start.as<T>(), space_, eps);
  const auto out = derivatives(start, v.labels, loss);
  const auto gradient = out[2].template as<T>();
  const T uphill = loss == AttackLoss::margin ? -1 : 1;
  Array point = Array::make(start.type());
  const auto to = point.as_mutable<T>();
  for (size_t i = 0; i < to.size(); ++i) {
    const T s = uphill * sign(gradient[i]);
    to[i] = s > 0 ? box.high[i] : s < 0 ? box.low[i] : start.as<T>()[i];
  }
  confirm(v, all_of(v.size()), point, broken);
  return broken;
}

template <class T> Broken Attacker::random_signs_as(const Victims& v, double eps, int64_t draws, uint32_t tag) {
  Broken broken{std::vector<bool>(static_cast<size_t>(v.size()), false), 0};
  if (v.size() == 0) return broken;
  const Array start = in_precision(v.rows);
  const Boxes<T> box(start.as<T>(), space_, eps);
  const size_t width = space_.unit.size();
  for (int64_t d = 0; d < draws; ++d) {
    Array point = Array::make(start.type());
    const auto to = point.as_mutable<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      const Words2 key = row_key(x_.seed, Stream::random_signs, v.numbers[i / width]);
      const bool up = threefry2x32(key, {static_cast<uint32_t>(i % width), tag + static_cast<uint32_t>(d)})[0] & 1;
      to[i] = up ? box.high[i] : box.low[i];
    }
    confirm(v, all_of(v.size()), point, broken);
  }
  return broken;
}

}  // namespace viva
