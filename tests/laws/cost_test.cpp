// What transformations cost, in operations and nodes after simplify.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "laws/jets.h"
#include "support/random_program.h"
#include "transform/pipeline.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

constexpr Dtype real = Dtype::float32;

// A network in the making, whose parameters are found while it is built.
struct Net {
  Build b;
  Values params;

  Value parameter(Shape s) { return params.emplace_back(b.late_parameter({real, std::move(s)})); }
  Body finish(Value y) { return b.finish_with(params, {y}); }
};

Value all_of(Build& b, Value x) { return b.reduce_sum(x, iota_ints(x.rank())); }
Value dense(Net& n, Value x, int64_t out) {
  const Value w = n.parameter({x.dim(x.rank() - 1), out}), bias = n.parameter({out});
  return n.b.add(n.b.dot(x, w), n.b.broadcast_to(bias, {x.dim(0), out}));
}

// 64 rows of 784 numbers, two hidden layers.
Body perceptron() {
  Net n{Build("perceptron"), {}};
  Value x = n.parameter({64, 784});
  for (int layer = 0; layer < 2; ++layer) x = n.b.relu(dense(n, x, 256));
  return n.finish(all_of(n.b, n.b.square(dense(n, x, 10))));
}

Value convolved(Net& n, Value x, int64_t features, int64_t stride, int64_t groups = 1) {
  ConvDims d = ConvDims::plain(2);
  d.pad_low = d.pad_high = {1, 1}, d.strides = {stride, stride}, d.feature_groups = groups;
  return n.b.relu(n.b.conv_general(x, n.parameter({features, x.dim(1) / groups, 3, 3}), d));
}

// Images of three channels: convolutions with and without strides, one of each channel alone, a sum around two.
Body convolutional() {
  Net n{Build("convolutional"), {}};
  Value x = n.parameter({8, 3, 16, 16});
  x = convolved(n, x, 16, 1), x = convolved(n, x, 32, 2);
  x = n.b.add(x, convolved(n, convolved(n, x, 32, 1), 32, 1));
  x = convolved(n, x, 32, 1, 32);
  return n.finish(all_of(n.b, n.b.square(dense(n, n.b.reduce_sum(x, {2, 3}), 10))));
}

Value heads(Build& b, Value x, int64_t sequences, int64_t length, int64_t n) {
  return b.transpose(b.reshape(x, {sequences, length, n, x.dim(1) / n}), {0, 2, 1, 3});
}

// A block of a transformer: attention of four heads, two dense layers.
Body transformer() {
  constexpr int64_t sequences = 2, length = 16, width = 32, n = 4;
  Net net{Build("transformer"), {}};
  Build& b = net.b;
  const Value x = net.parameter({sequences * length, width});
  const Value q = heads(b, dense(net, x, width), sequences, length, n),
              k = heads(b, dense(net, x, width), sequences, length, n),
              v = heads(b, dense(net, x, width), sequences, length, n);
  const Value e = b.exp(b.dot_general(q, k, {{0, 1}, {0, 1}, {3}, {3}}));
  const Value p = b.div(e, b.broadcast(b.reduce_sum(e, {3}), e.shape(), {0, 1, 2}));
  const Value y = b.dot_general(p, v, {{0, 1}, {0, 1}, {3}, {2}});
  const Value h = b.add(x, dense(net, b.reshape(b.transpose(y, {0, 2, 1, 3}), x.shape()), width));
  return net.finish(all_of(b, b.square(dense(net, b.tanh(dense(net, h, 4 * width)), width))));
}

// h <- tanh(x W + h U), 12 steps.
Body recurrent() {
  const Type w{real, {8, 8}}, h{real, {4, 8}};
  Build s("step"), b("recurrent");
  const Value w0 = s.parameter(w), u0 = s.parameter(w), h0 = s.parameter(h), x0 = s.parameter(h);
  const Value next = s.tanh(s.add(s.dot(x0, w0), s.dot(h0, u0)));
  const Body step = s.finish({next});
  const Values in{b.parameter(w), b.parameter(w), b.parameter(h), b.parameter({real, {12, 4, 8}})};
  const Attrs attrs{{"consts", int64_t{2}}, {"carries", int64_t{1}}, {"length", int64_t{12}}, {"reverse", false}};
  return b.finish({all_of(b, b.emit("scan", in, attrs, {step})[0])});
}

// Contractions of the gradient and of the Hessian-vector product of the first output, over those of the function.
void expect_cheap(const Body& f, const Mask& active) {
  SCOPED_TRACE(f->name());
  const double once = contractions_of(f), tolerance = 1e-9 * once;
  EXPECT_LE(contractions_of(value_and_grad(f, active)), 3 * once + tolerance);
  EXPECT_LE(contractions_of(hvp(f, active)), 9 * once + tolerance);
}

TEST(ContractionCost, OfNetworks) {
  for (const Body& f : {perceptron(), convolutional(), transformer(), recurrent()}) {
    EXPECT_GT(contractions_of(f), 0);
    expect_cheap(f, Mask(f->params().size(), true));
    Mask weights(f->params().size(), true);
    weights[0] = false;
    expect_cheap(f, weights);
  }
}

TEST(ContractionCost, CountsWhatMeets) {
  EXPECT_EQ(contractions_of(perceptron()), 2.0 * 64 * (784 * 256 + 256 * 256 + 256 * 10));
  EXPECT_EQ(contractions_of(recurrent()), 2.0 * 12 * 2 * 4 * 8 * 8);
}

// The sum of the outputs that are floats.
Body summed(const Body& f) {
  Build b(f->name());
  Values in, parts;
  for (const Value& p : f->params()) in.push_back(b.parameter_like(p));
  for (const Value& v : b.inline_call(*f, in))
    if (is_float(v.dtype())) parts.push_back(all_of(b, v));
  return b.finish(
      {std::accumulate(parts.begin() + 1, parts.end(), parts[0], [&](Value x, Value y) { return b.add(x, y); })});
}

TEST(ContractionCost, OfRandomPrograms) {
  int with = 0;
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    const Body f = summed(RandomProgram(seed, Dtype::float64, false).body());
    Mask active;
    for (const Type& t : f->param_types()) active.push_back(is_float(t.dtype));
    with += contractions_of(f) > 0;
    expect_cheap(f, active);
  }
  EXPECT_GE(with, 40);
}

// Nodes that compute: neither sources nor copies of a scalar.
int64_t operations_of(const Body& f) {
  const Body simple = simplify(f);
  return std::ranges::count_if(simple->nodes(),
                               [](const Node& n) { return n.op && !n.in.empty() && n.op->name != "broadcast"; });
}

int64_t operations_added(const Case& c, const Mask& active) {
  return operations_of(jvp(c.f, active)) - operations_of(c.f);
}

// What jvp may add to a pointwise operation, product with the tangent included: 6 operations an active argument. More
// only where fewer lose digits, as docs/reference/conventions.md says.
int64_t most_operations(const OpDef& op, const Array& arg) {
  static const std::map<std::string_view, int64_t> dearer{{"tanh", 7}, {"pow", 8}, {"atan2", 12}};
  if (op.name == "sign" && is_complex(arg.dtype())) return 12;
  return dearer.contains(op.name) ? dearer.at(op.name) : 6;
}

TEST(PointwiseCost, IsSixOperationsAnArgument) {
  int checked = 0;
  for (const OpDef* op : catalog()) {
    if (op->family != "pointwise" || !op->jvp) continue;
    for (const Sample& s : op->samples()) {
      const Case c = case_of(*op, s);
      Mask all(c.args.size(), false);
      int64_t most = 0;
      for (size_t i = 0; i < c.args.size(); ++i) {
        if (!has_tangent(c.args[i].dtype())) continue;
        Mask one(c.args.size(), false);
        one[i] = all[i] = true, most += most_operations(*op, c.args[i]);
        EXPECT_LE(operations_added(c, one), most_operations(*op, c.args[i])) << op->name << ' ' << s.label << ' ' << i;
        ++checked;
      }
      if (has(all)) { EXPECT_LE(operations_added(c, all), most) << op->name << ' ' << s.label; }
    }
  }
  EXPECT_GE(checked, 100);
}

// Three products for each factor but the last, and nothing else.
TEST(ReduceProdCost, IsThreeProductsAFactor) {
  for (const int64_t n : {1, 2, 7, 64}) {
    Build b("f");
    const Body f = b.finish({b.reduce_prod(b.parameter({Dtype::float64, {n}}), {0})});
    EXPECT_LE(products_of(jvp(f, {true})), 3 * (n - 1)) << n;
  }
}

// Matrix products and triangular solves in the jvp of linear algebra, where the operation itself is not among them.
TEST(LinearAlgebraCost, IsAsDocumented) {
  static const std::map<std::string_view, int64_t> most{
      {"triangular_solve", 3}, {"cholesky", 3}, {"eigh", 3}, {"lu", 5}, {"qr", 6}, {"svd", 7}};
  for (const auto& [name, documented] : most) {
    int64_t dearest = 0;
    for (const Sample& s : op(name).samples()) {
      const Case c = case_of(op(name), s);
      const Body f = simplify(jvp(c.f, float_params(*c.f)));
      dearest = std::max<int64_t>(dearest, std::ranges::count_if(f->nodes(), [](const Node& n) {
                                    return n.op && (n.op->name == "dot_general" || n.op->name == "triangular_solve");
                                  }));
    }
    EXPECT_EQ(dearest, documented) << name;
  }
}

// What a scan keeps for its way back: of each step all that the derivative needs, or, where the step is a call that
// computes again, its carries alone.
TEST(ScanMemory, OfRecomputedStepsIsTheCarries) {
  constexpr int64_t length = 50, width = 4;
  const auto stacked = [&](bool recompute) {
    const Type v{real, {width}};
    Build layer("layer"), step("step"), b("f");
    Value x = layer.parameter(v);
    for (int k = 0; k < 6; ++k) x = layer.sin(layer.exp(layer.neg(x)));
    const Body f = layer.finish({x});
    const Value carry = step.parameter(v);
    const Body s = step.finish(step.call(f, {carry}, recompute ? "recompute" : "save"));
    const Body whole = b.finish(
        {b.emit("scan", {b.parameter(v)},
                {{"consts", int64_t{0}}, {"carries", int64_t{1}}, {"length", length}, {"reverse", false}}, {s})[0]});
    int64_t elements = 0;
    for (const Type& t : linearize(whole, {true}).primal->output_types())
      if (numel(t.shape) >= length) elements += numel(t.shape);
    return elements;
  };
  EXPECT_EQ(stacked(true), length * width);
  EXPECT_GE(stacked(false), 6 * length * width);
}

int64_t nodes_of(const Function& f) {
  auto n = static_cast<int64_t>(f.nodes().size());
  for (const Node& node : f.nodes())
    for (const Body& b : node.bodies) n += nodes_of(*b);
  return n;
}

// x <- tanh(x w), layer after layer, each with weights of its own.
Body chain(int64_t layers) {
  Net n{Build("chain"), {}};
  Value x = n.parameter({2, 4});
  for (int64_t k = 0; k < layers; ++k) x = n.b.tanh(n.b.dot(x, n.parameter({4, 4})));
  return n.finish(all_of(n.b, x));
}

// The thousandth layer adds as many nodes as the hundredth.
TEST(GraphSize, IsLinearInDepth) {
  const auto sizes = [](int64_t layers) {
    const Body f = chain(layers);
    const Mask all(f->params().size(), true);
    std::vector<int64_t> n;
    for (const Body& g : {grad(f, all), hvp(f, all), vmap(grad(f, all), std::vector<int>(all.size(), 0), 3),
                          jet(f, Mask(2 * all.size(), true), 2), simplify(grad(f, all))})
      n.push_back(nodes_of(*g));
    return n;
  };
  const std::vector<int64_t> ten = sizes(10), hundred = sizes(100), thousand = sizes(1000);
  for (size_t i = 0; i < ten.size(); ++i) {
    EXPECT_EQ((thousand[i] - hundred[i]) * 90, (hundred[i] - ten[i]) * 900) << i;
    EXPECT_LE(thousand[i], 100 * 1000) << i;
  }
}

}  // namespace
}  // namespace viva
