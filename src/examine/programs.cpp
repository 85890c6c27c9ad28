#include "examine/programs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "examine/evaluation.h"
#include "graph/build.h"
#include "transform/transform.h"

namespace viva {
namespace {

int64_t row_bytes(const Array& a) { return a.bytes() / std::max<int64_t>(a.shape()[0], 1); }

Array with_rows(const Type& like, int64_t n) {
  Type t = like;
  t.shape[0] = n;
  return Array::make(t);
}

// Where a score is the label's: bool[batch, classes].
Value at_label(Build& b, Value scores, Value labels) {
  const Type index{Dtype::int64, scores.shape()};
  return b.compare(Direction::eq, b.iota(index, 1), b.broadcast(labels, scores.shape(), {0}));
}

struct Parts {
  Value own, others;  // the label's score; all others, the label's replaced by minus infinity
};
Parts parted(Build& b, Value scores, Value labels) {
  const Value mine = at_label(b, scores, labels);
  return {b.reduce_sum(b.select(mine, scores, b.zero(scores)), {1}),
          b.select(mine, b.full_like(scores, -std::numeric_limits<double>::infinity()), scores)};
}

Value margin(Build& b, Value scores, Value labels) {
  const Parts p = parted(b, scores, labels);
  return b.sub(p.own, b.reduce_max(p.others, {1}));
}

// log(1 + sum over the others of exp(z_j - z_label)): no difference of large numbers.
Value cross_entropy(Build& b, Value scores, Value labels) {
  const Parts p = parted(b, scores, labels);
  const Value top = b.reduce_max(p.others, {1});
  const Value rest = b.reduce_sum(b.exp(b.sub(p.others, b.broadcast(top, scores.shape(), {0}))), {1});
  return b.softplus(b.sub(b.add(b.log(rest), top), p.own));
}

// value(b, scores, labels, shared) gives one number a row; the function gives these, the labels that the network names,
// and the gradient of each row's number with respect to the row: that of their sum, since rows do not meet.
template <class F> Body with_gradient(const NetworkFunction& n, bool scaled, std::string name, F&& value) {
  Build b(std::move(name));
  const Function& f = *n.function;
  Values args = {b.parameter(f.params()[0].type(), "rows")};
  const Value labels = b.parameter({Dtype::int64, {n.batch}}, "labels");
  Value scale;
  if (scaled) scale = b.parameter({f.outputs()[0].dtype(), {}}, "scale");
  for (size_t i = 1; i < f.params().size(); ++i) args.push_back(b.parameter(f.params()[i].type()));
  Value scores = b.inline_call(f, args).front();
  const Value predicted = b.argmax(scores, 1);
  if (scaled) scores = b.mul(scores, b.broadcast(scale, scores.shape(), {}));
  const Value each = value(b, scores, labels);
  const Body total = b.finish({b.reduce_sum(each, {0}), each, predicted});
  Mask active(total->params().size(), false);
  active[0] = true;
  const Body both = value_and_grad(total, active);
  Build last(total->name());
  Values in;
  for (const Value& p : both->params()) in.push_back(last.parameter_like(p));
  const Values out = last.inline_call(*both, in);
  return last.finish({out[1], out[2], out[3]});
}

}  // namespace

Array rows_of(const Array& a, int64_t first, int64_t count) {
  Array r = with_rows(a.type(), count);
  std::memcpy(r.mutable_data(), a.data() + first * row_bytes(a), static_cast<size_t>(r.bytes()));
  return r;
}

Array filled_chunk(const Array& a, int64_t first, int64_t count, int64_t batch) {
  if (count == batch) return rows_of(a, first, count);
  Array c = with_rows(a.type(), batch);
  const int64_t bytes = row_bytes(a);
  std::memcpy(c.mutable_data(), a.data() + first * bytes, static_cast<size_t>(count * bytes));
  for (int64_t i = count; i < batch; ++i)
    std::memcpy(c.mutable_data() + i * bytes, a.data() + (first + count - 1) * bytes, static_cast<size_t>(bytes));
  return c;
}

Array picked_rows(const Array& a, const std::vector<int64_t>& rows) {
  Array r = with_rows(a.type(), std::ssize(rows));
  const int64_t bytes = row_bytes(a);
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(r.mutable_data() + static_cast<int64_t>(i) * bytes, a.data() + rows[i] * bytes,
                static_cast<size_t>(bytes));
  return r;
}

Array gathered_rows(const RowSource& data, const std::vector<int64_t>& rows, const Subject& subject) {
  Type t = subject.row_type();
  t.shape.insert(t.shape.begin(), std::ssize(rows));
  Array all = Array::make(t);
  const int64_t bytes = rows.empty() ? 0 : row_bytes(all);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Array one = checked_rows(data, rows[i], 1, subject);
    std::memcpy(all.mutable_data() + static_cast<int64_t>(i) * bytes, one.data(), static_cast<size_t>(bytes));
  }
  return all;
}

NetworkFunction retyped(const NetworkFunction& n, Dtype to) {
  NetworkFunction r{retype(n.function, to), {}, n.batch};
  for (const Array& w : n.weights) r.weights.push_back(is_float(w.dtype()) ? w.converted(to) : w);
  return r;
}

RowProgram::RowProgram(Subject& subject, const NetworkFunction& n, const Body& f, size_t by_row)
    : batch_(n.batch), by_row_(by_row), results_(f->output_types()) {
  const size_t first = f->params().size() - n.weights.size();
  std::vector<std::pair<int64_t, Array>> bound;
  for (size_t i = 0; i < n.weights.size(); ++i) bound.emplace_back(static_cast<int64_t>(first + i), n.weights[i]);
  run_ = subject.compiled(f, std::move(bound));
}

std::vector<Array> RowProgram::operator()(const std::vector<Array>& arguments, ThreadPool& pool,
                                          const Cancel& cancel) const {
  const int64_t n = arguments.at(0).shape().at(0);
  std::vector<Array> all;
  for (const Type& t : results_) all.push_back(with_rows(t, n));
  pool.run((n + batch_ - 1) / batch_, [&](int64_t part) {
    if (cancel) throw Error(ErrorKind::cancelled, "interrupted");
    const int64_t first = part * batch_, count = std::min(batch_, n - first);
    std::vector<Array> args;
    for (size_t i = 0; i < arguments.size(); ++i)
      args.push_back(i < by_row_ ? filled_chunk(arguments[i], first, count, batch_) : arguments[i]);
    const std::vector<Array> out = run_(std::move(args), pool, cancel);
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t bytes = row_bytes(out[i]);
      std::memcpy(all[i].mutable_data() + first * bytes, out[i].data(), static_cast<size_t>(count * bytes));
    }
  });
  return all;
}

Body scores_of(const NetworkFunction& n) { return n.function; }

Body row_losses(const NetworkFunction& n) {
  Build b("losses");
  const Function& f = *n.function;
  Values args = {b.parameter(f.params()[0].type(), "rows")};
  const Value labels = b.parameter({Dtype::int64, {n.batch}}, "labels");
  for (size_t i = 1; i < f.params().size(); ++i) args.push_back(b.parameter(f.params()[i].type()));
  return b.finish({cross_entropy(b, b.inline_call(f, args).front(), labels)});
}

Body margin_gradient(const NetworkFunction& n) {
  return with_gradient(n, false, "margin",
                       [](Build& b, Value scores, Value labels) { return margin(b, scores, labels); });
}

Body loss_gradient(const NetworkFunction& n) {
  return with_gradient(n, true, "loss",
                       [](Build& b, Value scores, Value labels) { return cross_entropy(b, scores, labels); });
}

}  // namespace viva
