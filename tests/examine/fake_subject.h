// A network in closed form: f(row) -> outputs, for tests of examiners and reports.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "examine/examiner.h"

namespace viva::testing {

// The index that a number of a row stands for; any number is fed, because diagnosis tries rows at other scales.
inline size_t place_in(const std::vector<double>& y, double at) {
  return static_cast<size_t>(std::clamp(at, 0., static_cast<double>(y.size() - 1)));
}

using RowFunction = std::function<std::vector<double>(std::span<const float> row)>;

class FakeSubject : public Subject {
 public:
  // `classes` outputs for rows of `width` numbers. With softmax, f gives the Softmax's input.
  FakeSubject(int64_t width, int64_t classes, RowFunction f, bool softmax = false)
      : width_(width), classes_(classes), f_(std::move(f)), softmax_(softmax) {
    model.path = "fake.onnx";
    model.sha256 = std::string(64, 'a');
    model.files = {{"fake.onnx", model.sha256, 1234}};
    model.producer = "pytorch 2.15.0";
    model.ir_version = 10;
    model.opsets = {{"", 18}};
    model.operators = {{"Conv", 2}, {"Gemm", 1}, {"Relu", 2}};
    model.parameters = 4321;
    model.flops = 1e6;
    model.input_name = "x";
    model.input_type = fmt::format("f32[N,{}]", width);
    model.output_name = "y";
    model.output_type = fmt::format("f32[N,{}]", classes);
    if (softmax) model.softmax_axis = 1;
    for (const char* t : {"jvp", "split", "transpose", "vmap", "lower"}) model.coverage.push_back({t, {}});
  }

  const ModelRecord& record() const override { return model; }
  Type row_type() const override { return {Dtype::float32, {width_}}; }
  Shape output_row_shape() const override { return shape ? *shape : Shape{classes_}; }

  Outputs outputs(const Array& inputs, ThreadPool&, const Cancel&) override {
    const int64_t n = inputs.shape()[0];
    std::vector<double> raw, soft;
    for (int64_t i = 0; i < n; ++i) {
      const auto y = f_(inputs.as<float>().subspan(static_cast<size_t>(i * width_), static_cast<size_t>(width_)));
      raw.insert(raw.end(), y.begin(), y.end());
      double top = *std::max_element(y.begin(), y.end()), sum = 0;
      for (const double v : y) sum += std::exp(v - top);
      for (const double v : y) soft.push_back(std::exp(v - top) / sum);
    }
    evaluated += n;
    const Array a = Array::of(raw, {n, classes_});
    return softmax_ ? Outputs{Array::of(soft, {n, classes_}), a} : Outputs{a, {}};
  }

  RowInfluence row_influence(const Array& inputs, ThreadPool&, const Cancel&) override {
    return {independent, influence_evaluations(inputs.shape()[0]), "the rows in reverse order, largest difference 0"};
  }
  int64_t influence_evaluations(int64_t n) const override { return 2 * n; }

  ModelRecord model;
  std::optional<Shape> shape;
  bool independent = true;
  int64_t evaluated = 0;

 private:
  int64_t width_, classes_;
  RowFunction f_;
  bool softmax_;
};

// Rows of `width` floats with labels; row i is made by `row`.
inline RowSource source(std::vector<int64_t> labels, int64_t width,
                        std::function<float(int64_t row, int64_t column)> value, std::string id = "data") {
  RowSource d;
  d.record.id = id;
  d.record.spec = id + ".npz";
  d.record.files = {{id + ".npz", std::string(64, 'b'), 99}};
  d.record.rows = static_cast<int64_t>(labels.size());
  d.record.row_type = fmt::format("f32[{}]", width);
  d.labels = std::move(labels);
  d.rows = [width, value](int64_t first, int64_t count) {
    std::vector<float> v;
    for (int64_t i = 0; i < count * width; ++i) v.push_back(value(first + i / width, i % width));
    return Array::of(v, {count, width});
  };
  if (!d.labels.empty()) d.stored = d.rows(0, d.size());
  return d;
}

// n rows (i, label) of `classes` classes in turn, of which the first `wrong` carry another class in column 1.
inline RowSource planted(int64_t n, int64_t classes, int64_t wrong) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(i % classes);
  return source(labels, 2, [classes, wrong](int64_t i, int64_t column) {
    return static_cast<float>(column == 0 ? i : (i % classes + (i < wrong ? 1 : 0)) % classes);
  });
}

// Names the class in column 1, with logit `sure` against 0.
inline RowFunction names_class(int64_t classes, double sure) {
  return [classes, sure](std::span<const float> row) {
    std::vector<double> y(static_cast<size_t>(classes));
    y[place_in(y, row[1])] = sure;
    return y;
  };
}

// A finding that must be there.
inline const Finding& get(const Report& r, std::string_view id) {
  const Finding* f = r.find(id);
  if (!f) throw usage_error("no finding {}", id);
  return *f;
}

inline Report examined(Subject& subject, const RowSource& data, const std::vector<std::string>& claims = {},
                       const RowSource* train = nullptr, int threads = 1, uint64_t seed = 0) {
  ExamineOptions options;
  options.claims = parse_claims(claims, known_quantities());
  options.seed = seed;
  ThreadPool pool(threads);
  const Cancel go{false};
  return examine(options, subject, data, train, pool, go, {});
}

}  // namespace viva::testing
