#include "examine/loss_programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "examine/streams.h"
#include "graph/build.h"
#include "transform/transform.h"

namespace viva {
namespace {

bool is_active(const Array& w) { return is_float(w.dtype()) && w.size() > 1; }

// The weights' marks behind `first` other parameters.
Mask active_mask(const NetworkFunction& n, size_t first) {
  Mask m(first, false);
  for (const Array& w : n.weights) m.push_back(is_active(w));
  return m;
}

// (rows, labels, factors; weights) -> the sum of factor · loss over the rows.
Body weighted_loss(const NetworkFunction& n) {
  const Body each = row_losses(n);
  Build b("loss");
  Values args = {b.parameter_like(each->params()[0]), b.parameter_like(each->params()[1])};
  const Value factors = b.parameter(each->outputs()[0].type(), "factors");
  for (size_t i = 2; i < each->params().size(); ++i) args.push_back(b.parameter_like(each->params()[i]));
  return b.finish({b.reduce_sum(b.mul(b.inline_call(*each, args).front(), factors), {0})});
}

// (rows, labels, v …; weights) -> v' H_i v of each row: the derivative along v of the derivative along v.
Body curvature_of_rows(const NetworkFunction& n) {
  const Body losses = row_losses(n);
  const Mask active = active_mask(n, 2);
  const auto along = [](const Body& f, const Mask& m) {  // the derivative of f's last output alone
    const Body both = jvp(f, m);
    Build b(f->name());
    Values in;
    for (const Value& p : both->params()) in.push_back(b.parameter_like(p));
    return b.finish({b.inline_call(*both, in).back()});
  };
  const Body first = along(losses, active);  // rows, labels, weights, v …
  Mask again = active;
  again.resize(first->params().size(), false);
  const Body second = along(first, again);  // rows, labels, weights, v …, v …
  Build b("curvature");
  const auto& p = second->params();
  const size_t weights = n.weights.size(), vectors = first->params().size() - 2 - weights;
  Values head = {b.parameter_like(p[0]), b.parameter_like(p[1])}, v, w;
  for (size_t i = 0; i < vectors; ++i) v.push_back(b.parameter_like(p[2 + weights + i]));
  for (size_t i = 0; i < weights; ++i) w.push_back(b.parameter_like(p[2 + i]));
  for (const Values* more : {&w, &v, &v}) head.insert(head.end(), more->begin(), more->end());
  return b.finish({b.inline_call(*second, head).front()});
}

// (rows, labels, step, v …; weights) -> each row's loss at weights + step · v.
Body moved_losses(const NetworkFunction& n) {
  const Body losses = row_losses(n);
  Build b("losses");
  Values args = {b.parameter_like(losses->params()[0]), b.parameter_like(losses->params()[1])};
  const Value step = b.parameter({losses->outputs()[0].dtype(), {}}, "step");
  Values v, w;
  for (size_t i = 0; i < n.weights.size(); ++i)
    if (is_active(n.weights[i])) v.push_back(b.parameter(n.weights[i].type()));
  for (const Array& weight : n.weights) w.push_back(b.parameter(weight.type()));
  for (size_t i = 0, next = 0; i < w.size(); ++i)
    args.push_back(is_active(n.weights[i])
                       ? b.add(w[i], b.mul(v[next++], b.broadcast(b.convert(step, w[i].dtype()), w[i].shape(), {})))
                       : w[i]);
  return b.finish({b.inline_call(*losses, args).front()});
}

// The factors of a chunk's rows: 1 for the first `count`, 0 for those that fill it up.
Array factors_of(Dtype d, int64_t batch, int64_t count) {
  std::vector<double> f(static_cast<size_t>(batch), 0);
  std::fill_n(f.begin(), count, 1.);
  return Array::of(f, {batch}).converted(d);
}

void add_to(std::vector<double>& sum, const std::vector<Array>& arrays) {
  size_t at = 0;
  for (const Array& a : arrays) {
    const auto add = [&](auto values) {
      for (const auto v : values) sum[at++] += static_cast<double>(v);
    };
    if (a.dtype() == Dtype::float32) add(a.as<float>());
    else add(a.converted(Dtype::float64).as<double>());
  }
}

// A vector of all weights, as arrays of these types.
std::vector<Array> parts_of(std::span<const double> v, const std::vector<Type>& types) {
  std::vector<Array> all;
  for (const Type& t : types) {
    const auto count = static_cast<size_t>(numel(t.shape));
    all.push_back(
        Array::of(std::vector<double>(v.begin(), v.begin() + static_cast<int64_t>(count)), t.shape).converted(t.dtype));
    v = v.subspan(count);
  }
  return all;
}

std::vector<double> numbers_of(const Array& a) {
  const Array wide = a.converted(Dtype::float64);
  const auto values = wide.as<double>();
  return {values.begin(), values.end()};
}

}  // namespace

LabelledRows labelled_rows(const RowSource& data, const std::vector<int64_t>& rows, const Subject& subject) {
  std::vector<int64_t> labels;
  for (const int64_t r : rows) labels.push_back(data.labels[static_cast<size_t>(r)]);
  return {gathered_rows(data, rows, subject), Array::of(labels, {std::ssize(labels)})};
}

std::string why_no_cross_entropy(const Evaluation& e, const ModelRecord& model) {
  if (!has_scores(e.kind)) return fmt::format("the loss is a cross-entropy, and outputs are {}", to_string(e.kind));
  if (e.kind == OutputKind::probabilities && !model.softmax_axis)
    return "outputs are probabilities, but the network does not end in a Softmax";
  return "";
}

std::vector<double> lanczos_start(uint64_t seed, uint64_t draw, int64_t n) {
  const Words2 key = fold_key(stream_key(seed, Stream::lanczos), draw);
  std::vector<double> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 2 * uniform(threefry2x32(key, words_of(i))[0]) - 1;
  return v;
}

LossPrograms::LossPrograms(Subject& subject, const NetworkFunction& n)
    : batch_(n.batch), dtype_(n.function->outputs()[0].dtype()) {
  std::vector<std::pair<int64_t, Array>> bound;
  for (size_t i = 0; i < n.weights.size(); ++i) {
    bound.emplace_back(static_cast<int64_t>(3 + i), n.weights[i]);
    if (!is_active(n.weights[i])) continue;
    active_.push_back(n.weights[i].type());
    parameters_ += n.weights[i].size();
  }
  if (active_.empty()) throw Error(ErrorKind::unsupported, "the file holds no weights of more than one element");
  const Body total = weighted_loss(n);
  const Mask active = active_mask(n, 3);
  gradient_ = subject.compiled(grad(total, active), bound);
  product_ = subject.compiled(hvp(total, active), bound);
  curvatures_.emplace_back(subject, n, curvature_of_rows(n), 2);
  losses_.emplace_back(subject, n, moved_losses(n), 2);
}

// Waves of chunks run on the pool, one thread each, and are added in their order.
std::vector<double> LossPrograms::mean(const Compiled& program, const LabelledRows& rows,
                                       const std::vector<Array>& shared, ThreadPool& pool, const Cancel& cancel) const {
  constexpr int64_t wave_bytes = int64_t{256} << 20;
  const int64_t n = rows.size(), chunks = (n + batch_ - 1) / batch_;
  const int64_t wave = std::clamp<int64_t>(wave_bytes / (parameters_ * size_of(dtype_)), 1, 64);
  std::vector<double> sum(static_cast<size_t>(parameters_), 0);
  for (int64_t first = 0; first < chunks; first += wave) {
    const int64_t count = std::min(wave, chunks - first);
    std::vector<std::vector<Array>> results(static_cast<size_t>(count));
    pool.run(count, [&](int64_t i) {
      if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
      const int64_t at = (first + i) * batch_, real = std::min(batch_, n - at);
      std::vector<Array> args = {filled_chunk(rows.rows, at, real, batch_), filled_chunk(rows.labels, at, real, batch_),
                                 factors_of(dtype_, batch_, real)};
      args.insert(args.end(), shared.begin(), shared.end());
      results[static_cast<size_t>(i)] = program(std::move(args), pool, cancel);
    });
    for (const auto& r : results) add_to(sum, r);
  }
  for (double& s : sum) s /= static_cast<double>(n);
  return sum;
}

std::vector<Array> LossPrograms::parts(std::span<const double> v) const { return parts_of(v, active_); }

std::vector<double> LossPrograms::gradient(const LabelledRows& rows, ThreadPool& pool, const Cancel& cancel) const {
  return mean(gradient_, rows, {}, pool, cancel);
}

std::vector<double> LossPrograms::hessian_product(const LabelledRows& rows, std::span<const double> v, ThreadPool& pool,
                                                  const Cancel& cancel) const {
  return mean(product_, rows, parts(v), pool, cancel);
}

std::vector<double> LossPrograms::curvatures(const LabelledRows& rows, std::span<const double> v, ThreadPool& pool,
                                             const Cancel& cancel) const {
  std::vector<Array> args = {rows.rows, rows.labels};
  for (Array& a : parts(v)) args.push_back(std::move(a));
  return numbers_of(curvatures_.front()(args, pool, cancel)[0]);
}

std::vector<double> LossPrograms::losses_at(const LabelledRows& rows, std::span<const double> v, double step,
                                            ThreadPool& pool, const Cancel& cancel) const {
  std::vector<Array> args = {rows.rows, rows.labels, Array::full({dtype_, {}}, step)};
  for (Array& a : parts(v)) args.push_back(std::move(a));
  return numbers_of(losses_.front()(args, pool, cancel)[0]);
}

std::vector<double> curvatures_in_float64(Subject& subject, const LabelledRows& rows, std::span<const double> v,
                                          ThreadPool& pool, const Cancel& cancel) {
  const NetworkFunction n = retyped(subject.network(program_rows), Dtype::float64);
  std::vector<Type> active;
  for (const Array& w : n.weights)
    if (is_active(w)) active.push_back(w.type());
  const RowProgram along(subject, n, curvature_of_rows(n), 2);
  const Array& given = rows.rows;
  std::vector<Array> args = {is_float(given.dtype()) ? given.converted(Dtype::float64) : given, rows.labels};
  for (Array& a : parts_of(v, active)) args.push_back(std::move(a));
  return numbers_of(along(args, pool, cancel)[0]);
}

}  // namespace viva
