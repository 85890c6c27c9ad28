// save_onnx and load_onnx of traced functions.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/error.h"
#include "graph/build.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "support/temp_dir.h"
#include "viva/viva.h"

namespace viva {
namespace {

using Strings = std::vector<std::string>;

struct Layer {
  Tensor weight, bias;
  Tensor operator()(const Tensor& x) const { return matmul(x, weight) + bias; }
};
struct Mlp {
  Layer hidden, out;
  Tensor operator()(const Tensor& x) const { return softmax(out(relu(hidden(x)))); }
};
Layer layer(uint64_t seed, int64_t in, int64_t out) {
  return {normal(key(seed), {in, out}), normal(key(seed + 1), {out})};
}
Mlp mlp() { return {layer(1, 6, 8), layer(3, 8, 3)}; }

Tensor cross_entropy(const Mlp& m, const Tensor& x, const Tensor& y) {
  return -mean(sum(log(m(x)) * one_hot(y, 3), 1));
}

class OnnxFront : public testing::Test {
 protected:
  std::string path(const std::string& name = "m.onnx") const { return dir_ / name; }
  ModelFile file(const std::string& name = "m.onnx") const { return read_onnx(path(name)); }
  Strings operators(const std::string& name = "m.onnx") const {
    Strings all;
    const ModelFile f = file(name);
    for (const NodeDef& n : f.graph.nodes) all.push_back(n.op_type);
    return all;
  }
  TempDir dir_;
};

void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.type(), b.type());
  for (int64_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a.array().at(i), b.array().at(i), tolerance) << i;
}

TEST_F(OnnxFront, ValuesAreReadAndEditedByTheNamesOfTheFile) {
  const Mlp m = mlp();
  const Tensor x = normal(key(9), {5, 6});
  save_onnx(path(), m, shape(any("N"), 6));
  const OnnxModel net = load_onnx(path());
  std::string hidden;
  const ModelFile f = file();
  for (const NodeDef& n : f.graph.nodes)
    if (n.op_type == "Relu") hidden = n.outputs[0];
  const auto run = [&](const Tensor& v) { return net(v); };
  const auto [y, read] = probe(run, {hidden})(x);
  expect_near(read(hidden), relu(m.hidden(x)), 1e-6);
  expect_near(y, m(x), 1e-6);
  const auto half = intervene(run, hidden, [](const Tensor& h) { return h * 0.5; });
  expect_near(half(x), softmax(m.out(relu(m.hidden(x)) * 0.5)), 1e-6);
  expect_near(probe(half, {hidden})(x).second(hidden), relu(m.hidden(x)) * 0.5, 1e-6);
  EXPECT_THROW(probe(run, {"nothing"})(x), Error);
}

TEST_F(OnnxFront, AModuleBecomesStandardLayersWithTheNamesOfItsFields) {
  const Mlp m = mlp();
  save_onnx(path(), m, shape(any("N"), 6));
  const ModelFile f = file();
  EXPECT_EQ(operators(), (Strings{"Gemm", "Relu", "Gemm", "Softmax"}));
  Strings weights;
  for (const TensorDef& t : f.graph.initializers) weights.push_back(t.name);
  EXPECT_EQ(weights, (Strings{"hidden.weight", "hidden.bias", "out.weight", "out.bias"}));
  EXPECT_TRUE(same_bits(f.graph.initializers[0].value, m.hidden.weight.array()));
  ASSERT_EQ(f.graph.inputs.size(), 1u);
  EXPECT_EQ(f.graph.inputs[0].name, "input");
  EXPECT_EQ(f.graph.inputs[0].dims[0].symbol, "N");
  EXPECT_EQ(f.graph.inputs[0].dims[1].value, 6);
  EXPECT_EQ(f.graph.outputs[0].name, "output");
  EXPECT_EQ(f.graph.outputs[0].dims[0].symbol, "N");
  EXPECT_EQ(f.opsets.at(""), export_opset);
}

TEST_F(OnnxFront, AnOpenBatchTakesEverySize) {
  const Mlp m = mlp();
  save_onnx(path(), m, shape(any("N"), 6));
  const OnnxModel net = load_onnx(path());
  for (const int64_t n : {1, 2, 5, 11, 64}) {
    const Tensor x = normal(key(9), {n, 6});
    expect_near(net(x), m(x), 1e-6);
  }
}

// The mean is over N, one_hot makes an index of N, the gradient of a bias sums over N.
TEST_F(OnnxFront, AGradientWithAnOpenBatch) {
  const Mlp m = mlp();
  const auto gradient = grad(cross_entropy);
  save_onnx(path(), gradient, m, shape(any("N"), 6), shape(any("N")).of(Dtype::int32));
  const OnnxModel net = load_onnx(path());
  EXPECT_EQ(net.inputs(), (Strings{"input_0.hidden.weight", "input_0.hidden.bias", "input_0.out.weight",
                                   "input_0.out.bias", "input_1", "input_2"}));
  EXPECT_EQ(net.outputs(), (Strings{"hidden.weight", "hidden.bias", "out.weight", "out.bias"}));
  for (const int64_t n : {1, 3, 17}) {
    const Tensor x = normal(key(9), {n, 6}), y = randint(key(8), {n}, 0, 3);
    std::vector<Tensor> inputs = tree::flatten(m);
    inputs.push_back(x), inputs.push_back(y);
    const std::vector<Tensor> got = net.run(inputs), want = tree::flatten(gradient(m, x, y));
    for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], 1e-6);
  }
}

TEST_F(OnnxFront, AnOpenExtentThatMovesElsewhere) {
  // Twice the batch, its square, and a place that depends on it.
  const auto f = [](const Tensor& x) {
    return std::tuple(concatenate({x, 2 * x}), matmul(x, transpose(x)), x * iota(x.shape(), 0, Dtype::float32),
                      sum(x) / static_cast<double>(2 * x.dim(0)));
  };
  save_onnx(path(), f, shape(any("N"), 3));
  const OnnxModel net = load_onnx(path());
  EXPECT_EQ(net.outputs(), (Strings{"0", "1", "2", "3"}));
  for (const int64_t n : {1, 4, 13}) {
    const Tensor x = normal(key(2), {n, 3});
    const auto want = f(x);
    const std::vector<Tensor> got = net.run({x}), all = tree::flatten(want);
    for (size_t i = 0; i < all.size(); ++i) expect_near(got[i], all[i], 1e-5);
  }
}

Error refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e; }
  return internal_error("nothing was refused");
}

TEST_F(OnnxFront, WhatAnOpenBatchDoesNotAllowNamesTheLine) {
  const int line = __LINE__ + 1;
  const auto f = [](const Tensor& x) { return x * (1.0 / static_cast<double>(x.dim(0) * x.dim(0))); };
  const Error e = refusal([&] { save_onnx(path(), f, shape(any("N"), 3)); });
  EXPECT_EQ(e.kind(), ErrorKind::unsupported);
  EXPECT_EQ(to_string(e.where()), fmt::format("front_test.cpp:{}", line)) << e.what();
  EXPECT_NE(e.message().find("so the batch cannot be left open: give its extent"), std::string::npos) << e.what();
  EXPECT_FALSE(std::filesystem::exists(path()));
  const auto branch = [](const Tensor& x) { return x.dim(0) % 2 == 0 ? exp(x) : sin(x); };
  EXPECT_EQ(refusal([&] { save_onnx(path(), branch, shape(any("N"), 3)); }).kind(), ErrorKind::unsupported);
  EXPECT_EQ(refusal([&] { save_onnx(path(), f, shape(any("N"), any("M"))); }).kind(), ErrorKind::usage);
  const Error staged =
      refusal([&] { save_onnx(path(), [](const Tensor& x) { return x.item() > 0 ? x : -x; }, shape()); });
  EXPECT_EQ(staged.kind(), ErrorKind::usage);
  EXPECT_NE(staged.message().find("has no value under save_onnx"), std::string::npos) << staged.what();
}

TEST_F(OnnxFront, ConvolutionalLayersAreRecognised) {
  const Tensor kernel = normal(key(1), {4, 2, 3, 3}), bias = normal(key(2), {4});
  const auto f = [&](const Tensor& x) {
    Tensor h = relu(conv(x, kernel, {.low = {1, 1}, .high = {1, 1}}) + reshape(bias, {4, 1, 1}));
    h = max_pool(h, {.size = {2, 2}, .low = {1, 0}});
    h = mean_pool(h, {.size = {2, 2}, .strides = {1, 1}, .low = {0, 1}, .high = {0, 1}});
    return log_softmax(gelu(reshape(h, {x.dim(0), -1})));
  };
  save_onnx(path(), f, shape(any("N"), 2, 8, 8));
  EXPECT_EQ(operators(), (Strings{"Conv", "Relu", "MaxPool", "AveragePool", "Reshape", "Gelu", "LogSoftmax"}));
  const Tensor x = normal(key(3), {3, 2, 8, 8});
  expect_near(load_onnx(path())(x), f(x), 1e-5);
}

TEST_F(OnnxFront, LayersOfNnAreRecognised) {
  struct Block {
    LayerNorm norm;
    Dense dense;
    Tensor operator()(const Tensor& x) const { return gelu(dense(norm(x))); }
  };
  Block b{LayerNorm::make(6), Dense::make(key(1), 6, 4)};
  b.norm.weight = normal(key(2), {6}), b.norm.bias = normal(key(3), {6});
  save_onnx(path(), b, shape(any("N"), 6));
  EXPECT_EQ(operators(), (Strings{"LayerNormalization", "Gemm", "Gelu"}));
  const Tensor x = normal(key(4), {5, 6});
  expect_near(load_onnx(path())(x), b(x), 1e-5);
  // Not over the last dimensions: written as it is.
  save_onnx(path(), [&](const Tensor& t) { return standardize(t, 0) * b.norm.weight; }, shape(5, 6));
  const Strings all = operators();
  EXPECT_EQ(std::ranges::count(all, "LayerNormalization"), 0);
}

// Bodies that only look alike are written as they are.
TEST_F(OnnxFront, NothingIsRecognisedThatIsNotTheLayer) {
  const auto near_relu = [](const Tensor& x) { return where(x >= 0, x, 0); };
  const auto near_softmax = [](const Tensor& x) { return exp(x - max(x, 1, true)) / sum(exp(x), 1, true); };
  const auto near_gelu = [](const Tensor& x) { return x * (0.5 * (1.0 + erf(x * 0.7))); };
  const auto near_pool = [](const Tensor& x) { return mean_pool(x, {.size = {2}}) * 2; };
  const Tensor x = normal(key(3), {2, 4});
  const auto check = [&](const auto& f, const Tensor& at, const std::string& never) {
    save_onnx(path(), f, at);
    const Strings all = operators();
    EXPECT_EQ(std::ranges::count(all, never), 0) << never;
    expect_near(load_onnx(path())(at), f(at), 1e-6);
  };
  check(near_relu, x, "Relu"), check(near_softmax, x, "Softmax"), check(near_gelu, x, "Gelu");
  check(near_pool, normal(key(4), {1, 2, 6}), "nothing");
}

TEST_F(OnnxFront, TheSameProgramGivesTheSameBytes) {
  save_onnx(path("a.onnx"), mlp(), shape(any("N"), 6));
  save_onnx(path("b.onnx"), mlp(), shape(any("N"), 6));
  EXPECT_EQ(get(path("a.onnx")), get(path("b.onnx")));
}

TEST_F(OnnxFront, SharedConstantsAndTiedWeightsAreStoredOnce) {
  struct Tied {
    Tensor in, out;
    Tensor operator()(const Tensor& x) const { return matmul(tanh(matmul(x, in)), transpose(out)); }
  };
  const Tensor w = normal(key(1), {3, 3});
  save_onnx(path(), Tied{w, w}, shape(2, 3));
  EXPECT_EQ(file().graph.initializers.size(), 1u);
  const Tensor table = normal(key(2), {40});
  const Tensor copy = tensor(std::vector<double>{1, 2, 3}, {3}), again = tensor(std::vector<double>{1, 2, 3}, {3});
  save_onnx(path(), [&](const Tensor& x) { return (x + copy) * again; }, shape(2, 3));
  EXPECT_EQ(file().graph.initializers.size(), 1u);
}

TEST_F(OnnxFront, NamesAreChosenByTheUser) {
  save_onnx(
      {path(), {.outputs = {"low", "high"}}},
      [](const Tensor& x, const Tensor& y) { return std::pair(minimum(x, y), tap(maximum(x, y), "tapped")); },
      shape(3).named("left"), shape(3).named("right"));
  const OnnxModel net = load_onnx(path());
  EXPECT_EQ(net.inputs(), (Strings{"left", "right"}));
  EXPECT_EQ(net.outputs(), (Strings{"low", "high"}));
  EXPECT_EQ(refusal([&] { save_onnx({path(), {.outputs = {"a", "b"}}}, mlp(), shape(2, 6)); }).kind(),
            ErrorKind::usage);
}

TEST_F(OnnxFront, EachOutputIsANodesOwn) {
  save_onnx(path(), [](const Tensor& x) { return std::tuple(x, x, exp(x), exp(x), zeros({2})); }, shape(2));
  const Tensor x = tensor({1, 2});
  const auto got = load_onnx(path()).run({x});
  ASSERT_EQ(got.size(), 5u);
  for (const size_t i : {0, 1}) expect_near(got[i], x, 0);
  expect_near(got[3], exp(x), 1e-6);
  expect_near(got[4], zeros({2}), 0);
}

TEST_F(OnnxFront, LargeWeightsGoBesideTheModel) {
  Build b("wide");
  const Value x = b.parameter({Dtype::float32, {300}}), y = b.parameter({Dtype::float32, {300}});
  const Body sum = b.finish({b.add(x, y)});
  const Array weight = normal(key(1), {300}).array();
  ExportOptions wide;
  wide.parameters = {{"x", std::nullopt, -1}, {"w", weight, -1}};
  wide.external_above = 100;
  write_onnx(path(), [&](int64_t) { return sum; }, wide);
  const ModelFile read = file();
  ASSERT_EQ(read.files.size(), 2u);
  EXPECT_TRUE(same_bits(read.graph.initializers[0].value, weight));
  EXPECT_EQ(export_onnx([&](int64_t) { return sum; }, wide).bytes,
            export_onnx([&](int64_t) { return sum; }, wide).bytes);
}

// A network of a file is a tree of its weights: gradients, compiled steps and per-example gradients go through it.
TEST_F(OnnxFront, AnImportedNetworkIsDifferentiatedAndTuned) {
  const Mlp m = mlp();
  save_onnx(path(), m, shape(any("N"), 6));
  OnnxModel net = load_onnx(path());
  EXPECT_EQ(tree::paths(net),
            (Strings{"weights.hidden.bias", "weights.hidden.weight", "weights.out.bias", "weights.out.weight"}));
  const Tensor x = normal(key(9), {5, 6}), y = randint(key(8), {5}, 0, 3);
  const auto loss = [](const auto& n, const Tensor& a, const Tensor& b) {
    return -mean(sum(log(n(a)) * one_hot(b, 3), 1));
  };
  const OnnxModel g = grad(loss)(net, x, y);
  expect_near(g.weights.at("hidden.weight"), grad(loss)(m, x, y).hidden.weight, 1e-6);
  const auto step = compile([&](const OnnxModel& n, const Tensor& a, const Tensor& b) {
    return tree::map([](const Tensor& w, const Tensor& d) { return w - 0.5 * d; }, n, grad(loss)(n, a, b));
  });
  const double before = loss(net, x, y).item();
  for (int i = 0; i < 5; ++i) net = step(net, x, y);
  EXPECT_LT(loss(net, x, y).item(), before - 0.05);
  const OnnxModel each = vmap(grad(loss), in_axes(none, 0, 0))(net, expand_dims(x, 1), expand_dims(y, 1));
  EXPECT_EQ(each.weights.at("out.bias").shape(), (Shape{5, 3}));
  save_onnx(path("tuned.onnx"), net, shape(any("N"), 6));
  expect_near(load_onnx(path("tuned.onnx"))(x), net(x), 1e-6);
}

// Weights and buffers come back as what they were, whatever their names and ranks, and again from a file of what was
// loaded.
TEST_F(OnnxFront, BuffersAndScalarsComeBackAsWhatTheyWere) {
  struct Net {
    Dense dense;
    BatchNorm norm;
    Tensor scale, running_mean;  // weights, whatever they are called
    Buffer seen;
    Tensor operator()(const Tensor& x) const { return norm(dense(x)) * scale + running_mean + seen.value; }
  };
  Net m{Dense::make(key(1), 6, 4), BatchNorm::make(4), scalar(1.5), normal(key(2), {4}), {normal(key(3), {4})}};
  m.norm.running_mean.value = normal(key(4), {4});
  save_onnx(path(), m, shape(any("N"), 6));
  const Tensor x = normal(key(9), {5, 6});
  const Strings weights{"dense.bias", "dense.weight", "norm.bias", "norm.weight", "running_mean", "scale"};
  std::string from = path();
  for (const char* next : {"again.onnx", "third.onnx"}) {
    const OnnxModel net = load_onnx(from);
    EXPECT_EQ(tree::paths(net.weights), weights) << from;
    expect_near(net(x), m(x), 1e-5);
    const OnnxModel g = grad([&](const OnnxModel& n) { return sum(square(n(x))); })(net);
    expect_near(g.weights.at("scale"), grad([&](const Net& n) { return sum(square(n(x))); })(m).scale, 1e-3);
    from = path(next);
    save_onnx(from, net, shape(any("N"), 6));
  }
}

// An error inside the traced function shows the extent that stood for the open one, and says so.
TEST_F(OnnxFront, ErrorsSayWhatTheOpenExtentWas) {
  const Error e = refusal([&] { save_onnx(path(), Dense::make(key(1), 6, 4), shape(any("N"), 7)); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_TRUE(e.message().starts_with(
      "[dense] f32[11,7] into a layer of 6 inputs: its last extent must be 6; inside save_onnx at front_test.cpp:"))
      << e.what();
  EXPECT_TRUE(e.message().ends_with(" (traced with N = 11)")) << e.what();
  EXPECT_EQ(std::string(to_string(e.where())).substr(0, 15), "front_test.cpp:") << e.what();
}

TEST_F(OnnxFront, CompileTellsNetworksApart) {
  save_onnx(path("a.onnx"), [](const Tensor& x) { return exp(x); }, shape(2));
  save_onnx(path("b.onnx"), [](const Tensor& x) { return sin(x); }, shape(2));
  const auto f = compile([](const OnnxModel& n, const Tensor& x) { return n(x); });
  const Tensor x = tensor({1, 2});
  expect_near(f(load_onnx(path("a.onnx")), x), exp(x), 1e-6);
  expect_near(f(load_onnx(path("b.onnx")), x), sin(x), 1e-6);
}

TEST_F(OnnxFront, InputsThatDoNotFitAreUsageErrorsAtTheLine) {
  save_onnx(path(), mlp(), shape(2, 6));
  const OnnxModel net = load_onnx(path());
  for (const Tensor& x : {zeros({2, 7}), zeros({3, 6}), zeros({2, 6}, Dtype::float64)}) {
    const Error e = refusal([&] { net(x); });
    EXPECT_EQ(e.kind(), ErrorKind::usage) << e.what();
    EXPECT_EQ(std::string(to_string(e.where())).substr(0, 15), "front_test.cpp:") << e.what();
  }
  EXPECT_EQ(refusal([&] { net(zeros({2, 6}), zeros({2, 6})); }).kind(), ErrorKind::usage);
  EXPECT_EQ(refusal([&] { OnnxModel()(zeros({2})); }).kind(), ErrorKind::usage);
  EXPECT_EQ(refusal([&] { load_onnx(path("missing.onnx")); }).kind(), ErrorKind::input);
  save_npy(path("x.npy"), zeros({3}));
  EXPECT_EQ(refusal([&] { load_onnx(path("x.npy")); }).message(),
            path("x.npy") + ": not an ONNX model but a NumPy array: give the .onnx file, or read it with load_array");
  EXPECT_EQ(refusal([&] { save_onnx(path("no/such/folder.onnx"), mlp(), shape(2, 6)); }).kind(), ErrorKind::input);
}

}  // namespace
}  // namespace viva
