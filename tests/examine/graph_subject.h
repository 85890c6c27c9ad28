// A network made with Build, for tests of examiners that differentiate.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "cpu/executable.h"
#include "examine/fake_subject.h"
#include "graph/build.h"

namespace viva::testing {

// scores(b, x) with x [batch, width] gives [batch, classes].
using Scores = std::function<Value(Build& b, Value x)>;

class GraphSubject : public FakeSubject {
 public:
  GraphSubject(int64_t width, int64_t classes, Scores scores, Dtype dtype = Dtype::float32)
      : FakeSubject(width, classes, {}), width_(width), dtype_(dtype), scores_(std::move(scores)) {}

  Type row_type() const override { return {dtype_, {width_}}; }
  double output_epsilon() const override { return dtype_ == Dtype::float64 ? 0x1p-52 : 0x1p-23; }

  NetworkFunction network(int64_t rows) override {
    Build b("scores");
    const Value x = b.parameter({dtype_, {rows, width_}});
    return {b.finish({scores_(b, x)}), {}, rows};
  }
  Compiled compiled(const Body& f, std::vector<std::pair<int64_t, Array>> bound) override {
    PlanOptions options;
    options.constants = std::move(bound);
    return [run = compile(f, options)](std::vector<Array> arguments, ThreadPool& pool, const Cancel& cancel) {
      return run.call(std::move(arguments), pool, &cancel).take();
    };
  }
  Outputs outputs(const Array& inputs, ThreadPool& pool, const Cancel& cancel) override {
    evaluated += inputs.shape()[0];
    const NetworkFunction n = network(inputs.shape()[0]);
    std::vector<std::pair<int64_t, Array>> bound;
    for (size_t i = 0; i < n.weights.size(); ++i) bound.emplace_back(static_cast<int64_t>(1 + i), n.weights[i]);
    return {compiled(n.function, std::move(bound))({inputs}, pool, cancel)[0], {}};
  }

 private:
  int64_t width_;
  Dtype dtype_;
  Scores scores_;
};

// Scores [m, 0] with m = w · x + offset: a network of two classes that is linear. The first is named where m > 0.
inline Scores linear(const std::vector<double>& w, double offset) {
  return [w, offset](Build& b, Value x) {
    const Dtype d = x.dtype();
    const auto width = static_cast<int64_t>(w.size());
    const Value weights = b.constant(Array::of(w, {width, 1}).converted(d));
    const Value m = b.add(b.dot(x, weights), b.full({d, {x.dim(0), 1}}, offset));
    return b.concatenate({m, b.zero(m)}, 1);
  };
}

}  // namespace viva::testing
