#include "onnx/import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "interpret/interpret.h"
#include "transform/transform.h"

namespace viva {
namespace {

using Strings = std::vector<std::string>;

ModelFile read(const std::string& name) {
  return read_onnx(std::string(VIVA_SOURCE_DIR) + "/tests/onnx/fixtures/" + name);
}

Binding batch(int64_t n) {
  Binding b;
  b.batch = n;
  return b;
}

std::vector<Array> run(const Imported& m, std::vector<Array> inputs) {
  inputs.insert(inputs.end(), m.weights.begin(), m.weights.end());
  return interpret(*m.function, inputs);
}

Error error_of(const std::string& file, const Binding& b) {
  try {
    import_onnx(read(file), b);
  } catch (const Error& e) { return e; }
  return internal_error("{} was imported", file);
}

TEST(OnnxImport, BindsTheBatchAndTakesWeightsAsParameters) {
  const ModelFile f = read("softmax.onnx");
  const auto open = open_extents(f);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].input + open[0].symbol, "xN");
  Binding by_symbol;
  by_symbol.symbols["N"] = 4;
  for (const Binding& b : {batch(4), by_symbol}) {
    const Imported m = import_onnx(f, b);
    EXPECT_EQ(m.input_names, (Strings{"x"}));
    EXPECT_EQ(m.input_types, (std::vector<Type>{{Dtype::float32, {4, 2}}}));
    EXPECT_EQ(m.weight_names, (Strings{"w"}));  // not the unused one
    EXPECT_EQ(m.output_names, (Strings{"y"}));
    EXPECT_EQ(m.output_types, (std::vector<Type>{{Dtype::float32, {4, 3}}}));
    EXPECT_EQ(m.operators, (std::map<std::string, int64_t>{{"Identity", 1}, {"MatMul", 1}, {"Softmax", 1}}));
    EXPECT_EQ(m.function->params().size(), 2u);
    EXPECT_TRUE(m.notes.empty());
  }
}

TEST(OnnxImport, KeepsNamesOfValues) {
  const Imported m = import_onnx(read("softmax.onnx"), batch(1));
  Strings names;
  for (const Node& n : m.function->nodes()) names.insert(names.end(), n.names.begin(), n.names.end());
  for (const char* name : {"x", "w", "logits", "p"}) EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  EXPECT_EQ(m.function->output_names(), (Strings{"y"}));
}

// A node of the graph names the node of the model it was made for, as its derivatives do; never a line of the importer.
TEST(OnnxImport, NodesNameTheirOperators) {
  const Imported m = import_onnx(read("softmax.onnx"), batch(1));
  const Body tangents = jvp(m.function, {true, true});
  for (const Body& f : {m.function, tangents}) {
    std::set<std::string> places;
    for (const Node& n : f->nodes()) {
      EXPECT_EQ(n.where.file, nullptr) << to_string(n.where);
      if (n.op) places.insert(to_string(n.where));
    }
    EXPECT_TRUE(std::ranges::any_of(places, [](const std::string& p) { return p.starts_with("MatMul"); }));
    EXPECT_TRUE(std::ranges::any_of(places, [](const std::string& p) { return p.starts_with("Softmax"); }));
  }
}

TEST(OnnxImport, FindsTheFinalSoftmaxAndGivesOutItsInput) {
  Binding b = batch(1);
  const ModelFile f = read("softmax.onnx");
  const Imported first = import_onnx(f, b);
  ASSERT_EQ(first.softmax.size(), 1u);
  EXPECT_EQ(first.softmax[0].output, "y");
  EXPECT_EQ(first.softmax[0].logits, "logits");
  EXPECT_EQ(first.softmax[0].axis, 1);
  b.extra_outputs = {first.softmax[0].logits};
  const Imported m = import_onnx(f, b);
  EXPECT_EQ(m.output_names, (Strings{"y", "logits"}));
  const auto r = run(m, {Array::of<float>({1, 2}, {1, 2})});
  EXPECT_TRUE(same_bits(r[1], Array::of<float>({6, 9, 12}, {1, 3})));
  double total = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(r[0].at(i), std::exp(r[1].at(i) - 12) / (1 + std::exp(-3) + std::exp(-6)), 1e-7);
    total += r[0].at(i);
  }
  EXPECT_NEAR(total, 1, 1e-6);
}

TEST(OnnxImport, InAnotherPrecision) {
  Binding b = batch(2);
  b.float32_as = Dtype::float64;
  const Imported m = import_onnx(read("softmax.onnx"), b);
  EXPECT_EQ(m.input_types[0].dtype, Dtype::float64);
  EXPECT_EQ(m.weight_types[0].dtype, Dtype::float64);
  EXPECT_EQ(m.output_types[0].dtype, Dtype::float64);
  EXPECT_TRUE(m.notes.empty());
}

TEST(OnnxImport, ShapesAreComputedAtImport) {
  const Imported m = import_onnx(read("shapes.onnx"), batch(5));
  EXPECT_EQ(m.output_types[0].shape, (Shape{5, 6}));
  EXPECT_EQ(m.function->nodes().size(), 2u);  // the parameter and the reshape
}

TEST(OnnxImport, AnInputMayDecideAShape) {
  const Error e = error_of("runtime_shape.onnx", {});
  EXPECT_EQ(e.kind(), ErrorKind::unsupported);
  EXPECT_NE(e.message().find("data-dependent shape: input 'target' must be known at import"), std::string::npos)
      << e.what();
  Binding b;
  b.inputs["target"] = Array::of<int64_t>({3, 2}, {2});
  const Imported m = import_onnx(read("runtime_shape.onnx"), b);
  EXPECT_EQ(m.input_names, (Strings{"x"}));
  EXPECT_EQ(m.output_types[0].shape, (Shape{3, 2}));
}

TEST(OnnxImport, ABranchIsTakenAtImport) {
  for (const bool taken : {true, false}) {
    Binding b = batch(1);
    b.inputs["c"] = Array::scalar(taken);
    const Imported m = import_onnx(read("branch.onnx"), b);
    const auto r = run(m, {Array::of<float>({0, 0}, {1, 2})});
    EXPECT_EQ(r[0].at(0), taken ? 0 : 1);
  }
  EXPECT_EQ(error_of("branch.onnx", batch(1)).kind(), ErrorKind::unsupported);
}

TEST(OnnxImport, FunctionsAreInlinedWithTheirAttributes) {
  const Imported m = import_onnx(read("function.onnx"), batch(1));
  const auto r = run(m, {Array::of<float>({-4, 3}, {1, 2})});
  EXPECT_EQ(r[0].at(0), 2);  // -(½ · -4)
  EXPECT_EQ(r[0].at(1), -3);
  EXPECT_EQ(m.operators, (std::map<std::string, int64_t>{{"LeakyRelu", 1}, {"Neg", 1}}));
}

TEST(OnnxImport, AllUnsupportedOperatorsAreReportedAtOnce) {
  const Error e = error_of("unsupported.onnx", batch(1));
  EXPECT_EQ(e.kind(), ErrorKind::unsupported);
  const std::string text = e.what();
  EXPECT_EQ(text.find('\n'), std::string::npos);
  for (const char* part :
       {"NonZero 'first' and 1 more: its shape depends on data", "test.Strange 'own': operators of the domain 'test'",
        "StringConcat making 'e': tensors of string"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
}

TEST(OnnxImport, TrainingModeIsReported) {
  const Imported m = import_onnx(read("training.onnx"), {});
  EXPECT_EQ(m.training, (Strings{"BatchNormalization 'bn'"}));
}

TEST(OnnxImport, BindingsThatDoNotFitAreUsageErrors) {
  EXPECT_EQ(error_of("softmax.onnx", {}).kind(), ErrorKind::usage);
  EXPECT_NE(error_of("softmax.onnx", {}).message().find("extent 0 of input 'x' is open (symbol 'N')"),
            std::string::npos);
  EXPECT_EQ(error_of("softmax.onnx", batch(-1)).kind(), ErrorKind::usage);
  Binding b = batch(1);
  b.shapes["x"] = {1, 3};
  EXPECT_EQ(error_of("softmax.onnx", b).kind(), ErrorKind::usage);
  b.shapes["x"] = {1, 2, 3};
  EXPECT_EQ(error_of("softmax.onnx", b).kind(), ErrorKind::usage);
  b = batch(1);
  b.shapes["z"] = {1};
  EXPECT_EQ(error_of("softmax.onnx", b).kind(), ErrorKind::usage);
  b = batch(1);
  b.extra_outputs = {"nothing"};
  EXPECT_EQ(error_of("softmax.onnx", b).kind(), ErrorKind::usage);
  b = {};
  b.inputs["target"] = Array::of<int32_t>({3, 2}, {2});
  EXPECT_EQ(error_of("runtime_shape.onnx", b).kind(), ErrorKind::usage);
}

TEST(OnnxImport, OperandsThatDoNotFitNameFileAndNode) {
  const Error e = error_of("bad_types.onnx", batch(1));
  EXPECT_EQ(e.kind(), ErrorKind::input);
  EXPECT_NE(e.message().find("bad_types.onnx: Add 'clash': "), std::string::npos) << e.what();
}

TEST(OnnxImport, AnEmptyBatchIsLegal) {
  const Imported m = import_onnx(read("softmax.onnx"), batch(0));
  const auto r = run(m, {Array::zeros({Dtype::float32, {0, 2}})});
  EXPECT_EQ(r[0].shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace viva
