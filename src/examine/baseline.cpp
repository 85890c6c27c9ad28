// baseline: what simple methods fitted to --train reach on the same rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "data/duplicates.h"
#include "examine/groups.h"
#include "examine/measure.h"
#include "examine/statistics.h"
#include "examine/words.h"
#include "graph/build.h"

namespace viva {
namespace {

constexpr Quantity quantities[] = {
    {.name = "logistic",
     .fraction = true,
     .title = "Logistic regression",
     .unit = "fraction",
     .doc = "accuracy of logistic regression"},
    {.name = "nearest",
     .fraction = true,
     .title = "Nearest neighbour",
     .unit = "fraction",
     .doc = "accuracy of the nearest neighbour"},
};

constexpr int64_t most_fitted = 10000, most_asked = 10000, most_elements = int64_t{1} << 25;
constexpr int64_t steps = 100, powers = 20, block = 100;
constexpr double decay = 1e-4;

// Rows as float32 [n, width], and their labels.
struct Flat {
  Array x;
  std::vector<int64_t> labels;
  int64_t rows() const { return std::ssize(labels); }
  int64_t width() const { return x.shape()[1]; }
};

int64_t fitted_rows(const Context& x) {
  const int64_t width = std::max<int64_t>(1, numel(x.subject.row_type().shape));
  return std::min({x.train->size(), most_fitted, most_elements / width});
}

int64_t asked_rows(const Context& x) { return std::min(x.data.size(), most_asked); }

// Without replacement, ascending.
std::vector<int64_t> drawn(const Context& x, const RowSource& from, int64_t count) {
  std::vector<int64_t> rows =
      drawn_rows(fold_key(stream_key(x.seed, Stream::baseline_rows), &from == x.train), from.size(), count);
  std::ranges::sort(rows);
  return rows;
}

Flat flat_rows(const Context& x, const RowSource& from, const std::vector<int64_t>& rows) {
  const int64_t width = numel(x.subject.row_type().shape);
  Flat f{Array::make({Dtype::float32, {std::ssize(rows), width}}), {}};
  std::byte* to = f.x.mutable_data();
  for (const int64_t i : rows) {
    const Array one = checked_rows(from, i, 1, x.subject).converted(Dtype::float32);
    std::memcpy(to, one.data(), static_cast<size_t>(one.bytes()));
    to += one.bytes();
    f.labels.push_back(from.labels[static_cast<size_t>(i)]);
  }
  return f;
}

// Less the means of the fitted rows, over one deviation of all: distances keep their order.
struct Centring {
  std::vector<double> mean;
  double scale = 1;

  explicit Centring(const Flat& f) : mean(static_cast<size_t>(f.width())) {
    const auto v = f.x.as<float>();
    const auto n = static_cast<double>(f.rows());
    for (size_t i = 0; i < v.size(); ++i) mean[i % mean.size()] += static_cast<double>(v[i]) / n;
    double square = 0, size = 0;
    for (size_t i = 0; i < v.size(); ++i) {
      square += std::pow(static_cast<double>(v[i]) - mean[i % mean.size()], 2);
      size += std::pow(static_cast<double>(v[i]), 2);
    }
    // What rounding leaves of rows that are all alike is no spread.
    if (square > 1e-12 * size) scale = std::sqrt(static_cast<double>(v.size()) / square);
  }
  void operator()(Flat& f) const {
    auto v = f.x.as_mutable<float>();
    for (size_t i = 0; i < v.size(); ++i)
      v[i] = static_cast<float>((static_cast<double>(v[i]) - mean[i % mean.size()]) * scale);
  }
};

const DotDims over_rows{{}, {}, {0}, {0}};  // x' y

// (x [n, d], y [n, K], w [d + 1, K]) -> the gradient of the mean cross-entropy of softmax([x, 1] w), and |x'x|'s share.
Body logistic_gradient(int64_t n, int64_t d, int64_t classes) {
  Build b("logistic");
  const Value x = b.parameter({Dtype::float32, {n, d}}), y = b.parameter({Dtype::float32, {n, classes}}),
              w = b.parameter({Dtype::float32, {d + 1, classes}});
  const Value inner = b.slice(w, {0, 0}, {d, classes}), offset = b.slice(w, {d, 0}, {d + 1, classes});
  const Value z = b.add(b.dot(x, inner), b.broadcast(b.reshape(offset, {classes}), {n, classes}, {1}));
  const Value e = b.exp(b.sub(z, b.broadcast(b.reduce_max(z, {1}), {n, classes}, {0})));
  const Value p = b.div(e, b.broadcast(b.reduce_sum(e, {1}), {n, classes}, {0}));
  const Value r = b.scale(b.sub(p, y), 1 / static_cast<double>(n));
  const Value g = b.add(b.dot_general(x, r, over_rows), b.scale(inner, decay));
  return b.finish({b.concatenate({g, b.reshape(b.reduce_sum(r, {0}), {1, classes})}, 0)});
}

// (x [n, d], v [d, 1]) -> x' x v / n.
Body second_moment(int64_t n, int64_t d) {
  Build b("second_moment");
  const Value x = b.parameter({Dtype::float32, {n, d}}), v = b.parameter({Dtype::float32, {d, 1}});
  return b.finish({b.scale(b.dot_general(x, b.dot(x, v), over_rows), 1 / static_cast<double>(n))});
}

double largest_moment(Context& x, const Flat& f) {
  const Compiled run = x.subject.compiled(second_moment(f.rows(), f.width()), {{0, f.x}});
  std::vector<float> v(static_cast<size_t>(f.width()), 1);
  double size = 0;
  for (int64_t i = 0; i < powers; ++i) {
    double norm = 0;
    for (const float e : v) norm += static_cast<double>(e) * e;
    norm = std::sqrt(norm);
    if (!(norm > 0)) return 1;
    for (float& e : v) e = static_cast<float>(e / norm);
    const Array out = run({Array::of(v, {f.width(), 1})}, x.pool, x.cancel)[0];
    const auto o = out.as<float>();
    v.assign(o.begin(), o.end());
    size = norm;
  }
  return std::max(size, 1e-6);
}

// Nesterov's steps of length 1 / L: the Hessian of the mean cross-entropy is at most half the second moment, with the
// constant feature at most 1 more.
Array fit_logistic(Context& x, const Flat& f, int64_t classes) {
  std::vector<float> onehot(static_cast<size_t>(f.rows() * classes));
  for (int64_t i = 0; i < f.rows(); ++i)
    onehot[static_cast<size_t>(i * classes + f.labels[static_cast<size_t>(i)])] = 1;
  const double step = 1 / (.5 * (1.1 * largest_moment(x, f) + 1) + decay);
  const Compiled gradient = x.subject.compiled(logistic_gradient(f.rows(), f.width(), classes),
                                               {{0, f.x}, {1, Array::of(onehot, {f.rows(), classes})}});
  const Shape shape{f.width() + 1, classes};
  std::vector<float> w(static_cast<size_t>(numel(shape))), ahead = w;
  for (int64_t k = 1; k <= steps; ++k) {
    const Array g = gradient({Array::of(ahead, shape)}, x.pool, x.cancel)[0];
    const auto grad = g.as<float>();
    const double momentum = static_cast<double>(k - 1) / static_cast<double>(k + 2);
    for (size_t i = 0; i < w.size(); ++i) {
      const double next = ahead[i] - step * static_cast<double>(grad[i]);
      ahead[i] = static_cast<float>(next + momentum * (next - w[i]));
      w[i] = static_cast<float>(next);
    }
    if (x.progress) x.progress(static_cast<double>(k) / static_cast<double>(steps), "baselines");
  }
  return Array::of(w, shape);
}

// In blocks of rows; the last is filled up. `of` gives an index for each row of its argument.
std::vector<int64_t> in_blocks(Context& x, const Flat& f, const Compiled& of) {
  std::vector<int64_t> all;
  for (int64_t first = 0; first < f.rows(); first += block) {
    const int64_t count = std::min(block, f.rows() - first);
    Array some = Array::make({Dtype::float32, {block, f.width()}});
    std::memset(some.mutable_data(), 0, static_cast<size_t>(some.bytes()));
    std::memcpy(some.mutable_data(), f.x.data() + first * f.width() * 4, static_cast<size_t>(count * f.width() * 4));
    const Array out = of({some}, x.pool, x.cancel)[0];
    const auto index = out.as<int64_t>();
    all.insert(all.end(), index.begin(), index.begin() + count);
  }
  return all;
}

Compiled logistic_labels(Context& x, const Array& w) {
  const int64_t d = w.shape()[0] - 1, classes = w.shape()[1];
  Build b("labels");
  const Value q = b.parameter({Dtype::float32, {block, d}}), all = b.parameter(w.type());
  const Value offset = b.reshape(b.slice(all, {d, 0}, {d + 1, classes}), {classes});
  const Value z = b.add(b.dot(q, b.slice(all, {0, 0}, {d, classes})), b.broadcast(offset, {block, classes}, {1}));
  return x.subject.compiled(b.finish({b.argmax(z, 1)}), {{1, w}});
}

// The nearest of the fitted rows t: the largest q · t - |t|^2 / 2.
Compiled nearest_rows(Context& x, const Flat& f) {
  std::vector<float> half(static_cast<size_t>(f.rows()));
  const auto v = f.x.as<float>();
  for (size_t i = 0; i < half.size(); ++i) {
    double square = 0;
    for (size_t k = 0; k < static_cast<size_t>(f.width()); ++k)
      square += std::pow(static_cast<double>(v[i * static_cast<size_t>(f.width()) + k]), 2);
    half[i] = static_cast<float>(square / 2);
  }
  Build b("nearest");
  const Value q = b.parameter({Dtype::float32, {block, f.width()}}), t = b.parameter(f.x.type()),
              h = b.parameter({Dtype::float32, {f.rows()}});
  const Value near = b.sub(b.dot_general(q, t, {{}, {}, {1}, {1}}), b.broadcast(h, {block, f.rows()}, {1}));
  return x.subject.compiled(b.finish({b.argmax(near, 1)}), {{1, f.x}, {2, Array::of(half, {f.rows()})}});
}

// Rows of the data that the baselines are asked about, and how many of them stand in --train too.
struct Asked {
  explicit Asked(const Context& x) : rows(drawn(x, x.data, asked_rows(x))) {
    if (!comparable_rows(x.data.stored, x.train->stored)) return;
    std::vector<bool> in_train(static_cast<size_t>(x.data.size()), false);
    for (const SharedRows& s : shared_rows(x.data.stored, x.train->stored))
      for (const int64_t row : s.first) in_train[static_cast<size_t>(row)] = true;
    known = std::ranges::count_if(rows, [&](int64_t r) { return in_train[static_cast<size_t>(r)]; });
  }
  int64_t count() const { return std::ssize(rows); }
  std::vector<int64_t> rows;
  int64_t known = 0;
};

struct Baseline {
  std::string_view name;
  std::string how;
  std::string_view where_known;  // what makes rows of --train no measure of new ones
};

// A multiply-add counts 2.
double flops_of(const Context& x) {
  const auto d = static_cast<double>(numel(x.subject.row_type().shape)), m = static_cast<double>(fitted_rows(x));
  return m * d *
         (4. * static_cast<double>(classes_of(x.subject)) * steps + 4. * powers +
          2. * static_cast<double>(asked_rows(x)));
}

// right: 1 or 0 of each row asked about.
Measure measured(const Context& x, const Asked& asked, std::vector<double> right, const Baseline& b) {
  Measure m = make_measure("baseline", quantities, b.name, x.data);
  m.from_outputs = false;
  set_proportion(m, std::ranges::count(right, 1.), asked.count(), "correct", x.data, finding_alpha);
  if (!x.data.groups.empty()) set_grouped_mean(m, std::move(right), asked.rows, x.data);
  if (asked.count() < x.data.size()) m.finding.rows_used->which = "drawn without replacement";
  m.finding.assumptions.push_back(b.how);
  m.finding.limits.emplace_back("a plain method with fixed settings, not the best of its kind");
  if (asked.known > 0)
    m.finding.why =
        fmt::format("{} of the {} rows asked about stand in --train byte for byte: no measure of new rows {}",
                    asked.known == asked.count() ? "all" : grouped(asked.known), grouped(asked.count()), b.where_known);
  return m;
}

std::vector<Measure> fit_and_measure(Context& x) {
  const Asked asked(x);
  const int64_t fitted_to = fitted_rows(x);
  const std::string rows = fmt::format("{} of the {} training rows{}", grouped(fitted_to), grouped(x.train->size()),
                                       fitted_to < x.train->size() ? ", drawn without replacement" : "");
  const Baseline logistic{
      "logistic", fmt::format("fitted to {}, by {} accelerated gradient steps, L2 penalty {}", rows, steps, decay),
      "where it was fitted to them"};
  const Baseline nearest{"nearest", "Euclidean, among " + rows, "where the neighbour is the row itself"};
  if (asked.known == asked.count()) {
    const std::vector<double> none(asked.rows.size(), 0);
    std::vector<Measure> out = {measured(x, asked, none, logistic), measured(x, asked, none, nearest)};
    for (Measure& m : out) {
      m.finding.evidence.counts.clear();
      withhold(m.finding, m.finding.why);
    }
    return out;
  }
  Flat fitted = flat_rows(x, *x.train, drawn(x, *x.train, fitted_to)), q = flat_rows(x, x.data, asked.rows);
  const Centring centre(fitted);
  centre(fitted), centre(q);
  const auto right = [&](const std::vector<int64_t>& named) {
    std::vector<double> each;
    for (size_t i = 0; i < named.size(); ++i) each.push_back(named[i] == q.labels[i]);
    return each;
  };
  std::vector<Measure> out;
  const Array w = fit_logistic(x, fitted, classes_of(x.subject));
  out.push_back(measured(x, asked, right(in_blocks(x, q, logistic_labels(x, w))), logistic));
  std::vector<int64_t> named = in_blocks(x, q, nearest_rows(x, fitted));
  for (int64_t& i : named) i = fitted.labels[static_cast<size_t>(i)];
  out.push_back(measured(x, asked, right(named), nearest));
  x.work.flops += flops_of(x);
  return out;
}

std::string why_not(const Context& x) {
  if (!x.train) return "baselines are fitted to training rows: give them with --train";
  if (classes_of(x.subject) == 0) return "the output is not one number for each of at least two classes";
  if (!is_float(x.subject.row_type().dtype)) return "the rows are integers, which have no distances";
  if (fitted_rows(x) < 2 * classes_of(x.subject))
    return "the training rows are too few, or too wide to hold enough of them";
  return "";
}

std::vector<PlanStep> plan(const Context& x) {
  if (!why_not(x).empty()) return {};
  return {{"steps of logistic regression, and neighbours asked for", steps + asked_rows(x), "", flops_of(x)}};
}

std::vector<Measure> run(Context& x) {
  const auto left_out = [&](const std::string& why) {
    return all_left_out(x, "baseline", quantities, Status::not_run, why);
  };
  if (const std::string why = why_not(x); !why.empty()) return left_out(why);
  try {
    return fit_and_measure(x);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    return left_out(e.message());
  }
}

}  // namespace

extern const Examiner baseline_examiner;
const Examiner baseline_examiner = {
    .name = "baseline",
    .doc = "what simple methods fitted to --train reach",
    .quantities = quantities,
    .needs_outputs = false,
    .check_key = nullptr,
    .plan = plan,
    .run = run,
};

}  // namespace viva
