// Chains of operations that run in registers: the same bits as the interpreter, whatever the length of a tile, the side
// and the form of the other operand, and whatever memory the results replace.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>

#include "cpu/executable.h"
#include "graph/build.h"
#include "interpret/interpret.h"

namespace viva {
namespace {

// A program of `steps` operations over four arrays of a shape, one row of it and one number, every one of them read by
// what follows. Its results: three of the last values, of which readers come before and after.
class Drawn {
 public:
  Drawn(uint64_t seed, Dtype d, const Shape& shape, int steps) : random_(seed) {
    Build b("f");
    for (int i = 0; i < 4; ++i) params_.push_back({d, shape});
    params_.push_back({d, {shape.back()}});
    params_.push_back({d, {}});
    Values v;
    for (const Type& t : params_) v.push_back(b.parameter(t));
    for (Value& p : v) {
      Ints axes(static_cast<size_t>(p.rank()));
      std::iota(axes.begin(), axes.end(), static_cast<int64_t>(shape.size()) - p.rank());
      if (p.type().shape != shape) p = b.broadcast(p, shape, axes);
    }
    for (int i = 0; i < steps; ++i) v.push_back(step(b, v));
    body_ = b.finish({v[v.size() - 1], v[v.size() - 2], v[v.size() - 4]});
  }

  const Body& body() const { return body_; }

  std::vector<Array> arguments() {
    std::vector<Array> args;
    for (const Type& t : params_) {
      args.push_back(Array::make(t));
      for (int64_t i = 0; i < args.back().size(); ++i) {
        const double x = std::uniform_real_distribution(-2., 2.)(random_);
        if (t.dtype == Dtype::float32) args.back().as_mutable<float>()[static_cast<size_t>(i)] = static_cast<float>(x);
        else args.back().as_mutable<double>()[static_cast<size_t>(i)] = x;
      }
    }
    return args;
  }

 private:
  size_t draw(size_t n) { return random_() % n; }
  // Mostly the last value, which makes chains; else any.
  Value pick(const Values& v) { return draw(3) == 0 ? v[draw(v.size())] : v.back(); }

  Value step(Build& b, const Values& v) {
    const Value x = pick(v), y = v[draw(v.size())];
    switch (draw(9)) {
      case 0:
        return b.add(x, y);
      case 1:
        return b.sub(x, y);
      case 2:
        return b.sub(y, x);
      case 3:
        return b.mul(y, x);
      case 4:
        return b.div(x, y);
      case 5:
        return b.neg(x);
      case 6:
        return b.sqrt(b.square(x));
      case 7:
        return b.add(b.scale(x, .75), b.scale(y, -1.25));
      default:
        return b.sub(b.scale(y, 3), x);
    }
  }

  std::mt19937_64 random_;
  std::vector<Type> params_;
  Body body_;
};

std::vector<Array> copies(const std::vector<Array>& arrays) {
  std::vector<Array> all;
  for (const Array& a : arrays) {
    all.push_back(Array::make(a.type()));
    std::copy_n(a.data(), a.bytes(), all.back().mutable_data());
  }
  return all;
}

// Bit for bit, but any NaN for any NaN.
void expect_same(const Array& got, const Array& want) {
  ASSERT_EQ(got.type(), want.type());
  for (int64_t i = 0; i < got.size(); ++i) {
    const double g = got.at(i), w = want.at(i);
    if (std::isnan(g) && std::isnan(w)) continue;
    ASSERT_EQ(std::bit_cast<uint64_t>(g), std::bit_cast<uint64_t>(w)) << "at " << i << ": " << g << ", not " << w;
  }
}

void check(uint64_t seed, Dtype d, const Shape& shape, int steps) {
  SCOPED_TRACE(fmt::format("seed {}, {} {}, {} steps", seed, name(d), to_string(shape), steps));
  Drawn drawn(seed, d, shape, steps);
  const std::vector<Array> args = drawn.arguments();
  const std::vector<Array> want = interpret(*drawn.body(), args);
  for (const bool donate : {false, true})
    for (const int threads : {1, 3}) {
      PlanOptions options;
      options.donated.assign(args.size(), donate);
      ThreadPool pool(threads);
      const std::vector<Array> got = compile(drawn.body(), options).call(copies(args), pool).take();
      for (size_t i = 0; i < want.size(); ++i) expect_same(got[i], want[i]);
    }
}

TEST(Chain, BitsOfTheInterpreter) {
  const std::vector<Shape> shapes = {{1},   {31},    {32},    {63},       {64},   {65},
                                     {130}, {3, 64}, {5, 67}, {2, 3, 40}, {4000}, {0, 4}};
  uint64_t seed = 0;
  for (const Dtype d : {Dtype::float32, Dtype::float64})
    for (const Shape& shape : shapes)
      for (const int steps : {4, 9, 20, 45}) check(++seed, d, shape, steps);
}

// Long enough for several parts, which write over donated arguments at once.
TEST(Chain, OnSeveralThreads) {
  for (const Dtype d : {Dtype::float32, Dtype::float64}) {
    const Executable compiled = compile(Drawn(7, d, {5, 60001}, 20).body());
    EXPECT_TRUE(std::ranges::any_of(compiled.summary().lines, [](const std::string& l) {
      return l.find(" 1 parts") == std::string::npos && l.find("parts") != std::string::npos;
    }));
    for (uint64_t seed = 5; seed < 9; ++seed) check(seed, d, {5, 60001}, 20);
  }
}

// The tiles of sums, products and roots are read and written once for all of them.
TEST(Chain, IsOneStepOfATile) {
  Build b("f");
  const Type t{Dtype::float32, {4096}};
  const Value x = b.parameter(t), y = b.parameter(t);
  const Body f = b.finish({b.sqrt(b.add(b.scale(b.sub(x, y), .5), b.square(y)))});
  const Executable compiled = compile(f);
  ASSERT_EQ(compiled.summary().lines.size(), 1U);
  EXPECT_NE(compiled.summary().lines[0].find("1 chain"), std::string::npos) << compiled.summary().lines[0];
}

// More operations in a row than one chain takes.
TEST(Chain, LongerThanOneChain) {
  Build b("f");
  const Type t{Dtype::float32, {200}};
  const Value x = b.parameter(t), y = b.parameter(t);
  Value v = x;
  for (int i = 0; i < 100; ++i) v = i % 2 == 0 ? b.add(v, y) : b.scale(v, .5);
  const Body f = b.finish({v});
  const std::vector<Array> args{Array::full(t, 3), Array::full(t, -.7)};
  ThreadPool pool(1);
  expect_same(compile(f).call(args, pool).take()[0], interpret(*f, args)[0]);
}

}  // namespace
}  // namespace viva
