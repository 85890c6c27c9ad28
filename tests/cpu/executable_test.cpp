// Executables: options, memory, errors, many callers.
#include "cpu/executable.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "graph/build.h"
#include "interpret/interpret.h"
#include "transform/probe.h"
#include "transform/transform.h"

namespace viva {
namespace {

using Arrays = std::vector<Array>;

Type f32(Shape shape) { return {Dtype::float32, std::move(shape)}; }

// f of one float32 vector of 4.
Body of_vector(const std::function<Value(Build&, Value)>& f) {
  Build b("f");
  const Value x = b.parameter(f32({4}), "x");
  return b.finish({f(b, x)});
}

std::string failure(const Body& f, Arrays args, const PlanOptions& options) {
  ThreadPool pool(1);
  const auto r = compile(f, options).call(std::move(args), pool);
  return r.ok() ? "" : r.error().what();
}

std::string refused(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.what(); }
  return "";
}

bool says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Compile, BoundConstantsProbesAndNanTrace) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {3}}, "x"), w = b.parameter({Dtype::float32, {3}}, "w");
  const Value h = b.tap(b.mul(x, w), "hidden");
  const Body f = b.finish({b.log(h)});
  PlanOptions options;
  options.constants = {{1, Array::of<float>({1, 2, 3}, {3})}};
  ThreadPool pool(1);
  const Arrays out = compile(probe(f, {"hidden"}).body, options).call({Array::of<float>({1, 1, 2}, {3})}, pool).take();
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1].at(2), 6);
  EXPECT_FLOAT_EQ(static_cast<float>(out[0].at(2)), std::log(6.f));
  options.check_nan = true;
  const auto failed = compile(f, options).call({Array::of<float>({1, -1, 2}, {3})}, pool);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(std::string(failed.error().what()).find("executable_test.cpp:"), std::string::npos)
      << failed.error().what();
  EXPECT_NE(std::string(failed.error().what()).find("[log]"), std::string::npos);
  EXPECT_FALSE(compile(f, options).call({}, pool).ok());
}

TEST(CheckInfinity, NamesTheOperationThatMadeIt) {
  PlanOptions options;
  options.check_infinity = true;
  ThreadPool pool(1);
  const auto said = [&](const Array& x) {
    Build b("f");
    const Value v = b.parameter(x.type());
    const auto r = compile(b.finish({b.exp(b.log(v))}), options).call({x}, pool);
    return r.ok() ? "" : r.error().message();
  };
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(said(Array::of<float>({1, 0}, {2})), "[log] gives an infinity from finite operands");
  EXPECT_EQ(said(Array::of<float>({1, -1}, {2})), "[log] gives NaN from operands without any");
  EXPECT_EQ(said(Array::of<float>({1, inf}, {2})), "");  // it was given
  options.check_infinity = false, options.check_nan = true;
  EXPECT_EQ(said(Array::of<float>({1, 0}, {2})), "");
}

TEST(Compile, DonatedMemoryIsReused) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {1000}}, "x");
  const Body f = b.finish({b.add(x, x)});
  PlanOptions options;
  options.donated = {true};
  const Executable e = compile(f, options);
  ThreadPool pool(1);
  std::vector<Array> args{Array::full({Dtype::float32, {1000}}, 2)};
  const std::byte* memory = args[0].data();
  const Array kept = e.call(std::move(args), pool).take()[0];
  EXPECT_EQ(kept.data(), memory);
  EXPECT_EQ(kept.at(999), 4);
  // A caller that holds on to its array keeps its values.
  const Array held = Array::full({Dtype::float32, {1000}}, 3);
  EXPECT_EQ(e.call({held}, pool).take()[0].at(0), 6);
  EXPECT_EQ(held.at(0), 3);
}

// The first NaN is found where its operand would be overwritten by it, behind a reshape, in a donated argument, and in
// what would be folded away.
TEST(CheckNan, NamesTheOperationThatMadeIt) {
  PlanOptions options;
  options.check_nan = true;
  const Array x = Array::of<float>({1, -1, 2, 3}, {4});
  const auto named = [&](const Body& f) { return failure(f, {x}, options); };
  EXPECT_TRUE(says(named(of_vector([](Build& b, Value v) { return b.exp(b.log(b.tanh(v))); })), "[log]"));
  EXPECT_TRUE(says(
      named(of_vector([](Build& b, Value v) { return b.neg(b.log(b.reshape(b.tanh(b.reshape(v, {2, 2})), {4}))); })),
      "[log]"));
  EXPECT_TRUE(says(named(of_vector([](Build& b, Value v) {
                     const Value minus = b.neg(b.constant(Array::full(f32({4}), 2)));
                     return b.add(v, b.sqrt(minus));
                   })),
                   "[sqrt]"));
  options.donated = {true};
  Arrays given{Array::of<float>({1, -1, 2, 3}, {4})};
  EXPECT_TRUE(says(failure(of_vector([](Build& b, Value v) { return b.log(v); }), std::move(given), options), "[log]"));
}

// A constant NaN that a select or a gather's fill chooses counts where it reaches a result, with what chose it; one
// that came in beside it does not hide it.
TEST(CheckNan, NamesWhatChoseAConstant) {
  PlanOptions options;
  options.check_nan = true;
  const Array x = Array::of<float>({1, -1, 2, 3}, {4});
  const auto chosen = [](Build& b, Value v, bool kept) {
    const Value nans = b.broadcast(b.scalar(Dtype::float32, std::nan("")), {4}, {});
    const Value positive = b.compare(Direction::gt, v, b.zero(v));
    const Value y = b.neg(b.select(positive, v, nans));
    return kept ? b.exp(y) : b.select(positive, y, v);
  };
  const auto said = [&](bool kept, const Array& a) {
    return failure(of_vector([&](Build& b, Value v) { return chosen(b, v, kept); }), {a}, options);
  };
  EXPECT_TRUE(says(said(true, x), "[select] chooses a NaN that is a constant; its data have none"));
  EXPECT_EQ(said(false, x), "");
  EXPECT_EQ(said(true, Array::full(f32({4}), 1)), "");
  EXPECT_EQ(said(true, Array::full(f32({4}), std::nan(""))), "");
}

// NaN that came in is passed on; it was not made here.
TEST(CheckNan, LetsNanThrough) {
  PlanOptions options;
  options.check_nan = true;
  const Body f = of_vector([](Build& b, Value v) { return b.exp(v); });
  EXPECT_EQ(failure(f, {Array::full(f32({4}), std::nan(""))}, options), "");
  const Body bits = of_vector([](Build& b, Value v) { return b.bitcast(b.bitcast(v, Dtype::uint32), Dtype::float32); });
  EXPECT_EQ(failure(bits, {Array::full(f32({4}), std::nan(""))}, options), "");
}

// One step of gradient descent over a layer: weights and bias, whose gradient is a sum over the batch.
TEST(Compile, AllDonatedParametersAreUpdatedInPlace) {
  Build b("loss");
  const Value w = b.parameter(f32({5, 3}), "w"), bias = b.parameter(f32({3}), "b"), x = b.parameter(f32({8, 5}), "x");
  const Body loss = b.finish({b.reduce_sum(b.square(b.add(b.dot(x, w), b.broadcast_to(bias, {8, 3}))), {0, 1})});
  const Body gradient = grad(loss, {true, true, false});
  Build s("step");
  Values in;
  for (const Value& p : loss->params()) in.push_back(s.parameter(p.type(), p.name()));
  const Values g = s.inline_call(*gradient, in);
  const Body step = s.finish({s.sub(in[0], s.scale(g[0], 0.1)), s.sub(in[1], s.scale(g[1], 0.1))});
  const auto arguments = [] {
    return Arrays{Array::full(f32({5, 3}), 0.5), Array::full(f32({3}), 0.25), Array::full(f32({8, 5}), 1)};
  };
  ThreadPool pool(2);
  const Arrays expected = compile(step).call(arguments(), pool).take();
  PlanOptions options;
  options.donated = {true, true, false};
  Arrays given = arguments();
  const std::byte *w_memory = given[0].data(), *b_memory = given[1].data();
  const Arrays out = compile(step, options).call(std::move(given), pool).take();
  EXPECT_EQ(out[0].data(), w_memory);
  EXPECT_EQ(out[1].data(), b_memory);
  for (size_t i = 0; i < out.size(); ++i)
    for (int64_t k = 0; k < out[i].size(); ++k) EXPECT_EQ(out[i].at(k), expected[i].at(k));
}

TEST(Compile, OutputsThatAreInputsConstantsRepeatsOrNone) {
  Build b("f");
  const Value x = b.parameter(f32({2}), "x"), unused = b.parameter(f32({0}), "unused");
  (void)unused;
  const Value c = b.constant(Array::of<float>({7, 8}, {2})), y = b.neg(x);
  const Body f = b.finish({x, c, y, y, x});
  ThreadPool pool(1);
  const Array given = Array::of<float>({1, 2}, {2});
  const Arrays out = compile(f).call({given, Array::make(f32({0}))}, pool).take();
  const double expected[5][2] = {{1, 2}, {7, 8}, {-1, -2}, {-1, -2}, {1, 2}};
  for (size_t i = 0; i < 5; ++i)
    for (int64_t k = 0; k < 2; ++k) EXPECT_EQ(out[i].at(k), expected[i][k]) << i;
  Build none("none");
  none.parameter(f32({2}));
  EXPECT_TRUE(compile(none.finish({})).call({given}, pool).take().empty());
}

// The same array twice, and donated: neither use may see the other's result.
TEST(Compile, TheSameArrayTwice) {
  Build b("f");
  const Value x = b.parameter(f32({2})), y = b.parameter(f32({2}));
  const Body f = b.finish({b.add(x, b.neg(y)), b.mul(x, y)});
  PlanOptions options;
  options.donated = {true, true};
  ThreadPool pool(1);
  const Array a = Array::of<float>({2, 3}, {2});
  const Arrays out = compile(f, options).call({a, a}, pool).take();
  EXPECT_EQ(out[0].at(1), 0);
  EXPECT_EQ(out[1].at(1), 9);
  EXPECT_EQ(a.at(1), 3);
}

TEST(Compile, ErrorsSayWhatIsWrong) {
  const Body f = of_vector([](Build& b, Value v) { return b.exp(v); });
  EXPECT_TRUE(says(failure(f, {}, {}), "takes 1 arguments, not 0"));
  EXPECT_TRUE(says(failure(f, {Array::full(f32({3}), 0)}, {}), "argument 0 is f32[3], not f32[4]"));
  EXPECT_TRUE(says(failure(f, {Array{}}, {}), "argument 0 is empty"));
  PlanOptions options;
  options.tier = 7;
  EXPECT_TRUE(says(refused([&] { compile(f, options); }), "no tier 7"));
  options = {};
  options.donated = {true, true};
  EXPECT_TRUE(says(refused([&] { compile(f, options); }), "2 marks of donation for 1 arguments"));
  options = {};
  options.constants = {{3, Array::full(f32({4}), 0)}};
  EXPECT_TRUE(says(refused([&] { compile(f, options); }), "no parameter 3"));
  options.constants = {{0, Array::full(f32({5}), 0)}};
  EXPECT_TRUE(says(refused([&] { compile(f, options); }), "parameter 0 of f is f32[4], not f32[5]"));
  options = {};
  options.passes.disabled = {"no_such_pass"};
  EXPECT_TRUE(says(refused([&] { compile(f, options); }), "no_such_pass"));
}

TEST(Compile, ACancelledCallSaysSoAndTheNextOneWorks) {
  const Executable e = compile(of_vector([](Build& b, Value v) { return b.exp(v); }));
  ThreadPool pool(2);
  Cancel cancel{true};
  const auto r = e.call({Array::full(f32({4}), 0)}, pool, &cancel);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().kind(), ErrorKind::cancelled);
  EXPECT_EQ(e.call({Array::full(f32({4}), 0)}, pool).take()[0].at(3), 1);
}

// Each caller has its own scratch: the bits are those of a lone call.
TEST(Compile, ManyThreadsCallOneExecutable) {
  Build b("f");
  const Value x = b.parameter(f32({64, 64}), "x");
  const Body f = b.finish({b.reduce_sum(b.tanh(b.dot(x, b.tanh(b.dot(x, x)))), {1})});
  const Executable e = compile(f);
  const auto input = [](int i) { return Array::full(f32({64, 64}), 0.001 * (i + 1)); };
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      ThreadPool pool(t % 2 + 1), alone(1);
      const Array expected = compile(f).call({input(t)}, alone).take()[0];
      for (int round = 0; round < 20; ++round) {
        const Array out = e.call({input(t)}, pool).take()[0];
        for (int64_t k = 0; k < out.size(); ++k) wrong[static_cast<size_t>(t)] += out.at(k) != expected.at(k);
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

// Thousands of values alive at once, in a plan that stays near linear and never overlaps them.
TEST(Compile, ManyValuesAliveAtOnce) {
  Build b("wide");
  const Value x = b.parameter(f32({16}), "x");
  Values kept;
  for (int i = 0; i < 3000; ++i) kept.push_back(b.reverse(b.cumsum(b.scale(x, 1 + i % 7), 0), {0}));
  Value sum = kept[0];
  for (size_t i = 1; i < kept.size(); ++i) sum = b.cumsum(b.scale(b.add(sum, kept[kept.size() - i]), 0.1), 0);
  const Body f = b.finish({sum});
  PlanOptions plain;
  plain.fuse = false;
  ThreadPool pool(1);
  const Array given = Array::full(f32({16}), 1), expected = interpret(*f, Arrays{given})[0];
  for (const PlanOptions& options : {plain, PlanOptions{}}) {
    const Array out = compile(f, options).call({given}, pool).take()[0];
    for (int64_t k = 0; k < 16; ++k) EXPECT_NEAR(out.at(k) / expected.at(k), 1, 1e-4) << k;
  }
}

// A window of one element that steps over rows and then over padding reads as many elements as there are, not the same.
TEST(Compile, ReadingPastTheOperandIsNoAlias) {
  Build b("f");
  const Value x = b.parameter(f32({2, 3}), "x");
  WindowDims d = WindowDims::plain({1, 1});
  d.strides = {2, 1}, d.pad_high = {0, 3};
  const Body f = b.finish({b.window_sum(x, d)});
  const Arrays args = {Array::of<float>({1, 2, 3, 4, 5, 6}, {2, 3})};
  ThreadPool pool(1);
  EXPECT_TRUE(same_bits(compile(f).call(args, pool).take()[0], interpret(*f, args)[0]));
}

TEST(Compile, EmptyResultsUnderHugeOperandsAreCompiled) {
  Build b("f");
  const int64_t m = int64_t{1} << 20;
  const Value x = b.parameter(f32({0, m, m})), w = b.parameter(f32({8, m, 3}));
  const Body f = b.finish({b.conv_general(x, w, ConvDims::plain(1))});
  EXPECT_EQ(compile(f).parameter_types().size(), 2u);
}

TEST(Compile, EveryRankThatIsBuiltIsCompiled) {
  Build b("f");
  const Value x = b.parameter(f32(Shape(30, 1)), "x");
  const Body f = b.finish({b.neg(x), b.reduce_sum(x, iota_ints(30)), b.window_sum(x, WindowDims::plain(Ints(30, 1)))});
  const Arrays args = {Array::full(f32(Shape(30, 1)), 2)};
  ThreadPool pool(1);
  EXPECT_EQ(compile(f).call(args, pool).take()[0].at(0), -2);
  EXPECT_TRUE(says(refused([&] { Build("g").parameter(f32(Shape(31, 1))); }), "at most 30"));
  Build c("g");
  const Value y = c.parameter(f32(Shape(20, 1)));
  EXPECT_TRUE(says(refused([&] { c.dot_general(y, y, {}); }), "[dot_general] 40 dimensions: at most 30"));
}

}  // namespace
}  // namespace viva
