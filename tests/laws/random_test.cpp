// Random programs: the plan against the interpreter, and the text form there and back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/threefry.h"
#include "cpu/executable.h"
#include "graph/build.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "ops/record.h"

namespace viva {
namespace {

// Numbers that are a function of the seed alone.
class Dice {
 public:
  explicit Dice(uint32_t seed) : seed_(seed) {}
  int64_t below(int64_t n) {
    return static_cast<int64_t>(threefry2x32({seed_, 5}, words_of(count_++))[0] % static_cast<uint64_t>(n));
  }
  template <class T> const T& of(const std::vector<T>& v) {
    return v[static_cast<size_t>(below(static_cast<int64_t>(v.size())))];
  }

 private:
  uint32_t seed_;
  uint64_t count_ = 0;
};

// A program whose choices depend on shapes only, so that it can be made again in another precision. Truth values and
// integers come from parameters alone: rounding never flips them.
class RandomProgram {
 public:
  RandomProgram(uint32_t seed, Dtype real, bool all_outputs) : dice_(seed), b_("random"), real_(real) {
    for (const Shape& s : {Shape{3, 4}, Shape{4}, Shape{2, 3, 4}, Shape{4, 3}, Shape{1, 4}, Shape{}})
      reals_.push_back(b_.parameter({real, s}));
    const size_t exact = reals_.size();
    for (const Shape& s : {Shape{3, 4}, Shape{4}}) integers_.push_back(b_.parameter({Dtype::int32, s}));
    for (size_t i = 0; i < exact; ++i)
      truths_.push_back(b_.compare(Direction::gt, reals_[i], b_.full_like(reals_[i], 0.1)));
    moved_ = reals_;
    for (int i = 0; i < 40; ++i) grow();
    for (int i = 0; i < 6; ++i) move();
    Values outputs;
    if (all_outputs) outputs = reals_;
    else
      for (size_t i = 0; i < 5; ++i) outputs.push_back(reals_[reals_.size() - 1 - i]);
    // From here on what is exact: integers, truth values, and what was only moved.
    exact_ = outputs.size();
    outputs.insert(outputs.end(), {integers_.back(), truths_.back(), moved_.back(), moved_[moved_.size() - 2]});
    body_ = b_.finish(outputs);
  }
  const Body& body() const { return body_; }
  size_t exact() const { return exact_; }

 private:
  // Movement of what was never computed with.
  void move() {
    const Value x = dice_.of(moved_);
    const auto keep = [&](Value v) { moved_.push_back(v); };
    switch (dice_.below(5)) {
      case 0:
        return keep(b_.reverse(x, some_dims(x.rank())));
      case 1:
        return keep(b_.reshape(x, {numel(x.shape())}));
      case 2:
        return x.rank() ? keep(b_.concatenate({x, b_.reverse(x, {0}), x}, dice_.below(x.rank()))) : void();
      case 3:
        return keep(b_.pad(x, b_.scalar(real_, -0.0), Ints(x.shape().size(), 1), Ints(x.shape().size(), 0)));
      default:
        return x.rank() ? keep(b_.move_axis(x, 0, x.rank() - 1)) : void();
    }
  }

  Value partner(Value x) {
    Values fit;
    std::ranges::copy_if(reals_, std::back_inserter(fit), [&](Value v) { return v.shape() == x.shape(); });
    return dice_.of(fit);
  }

  Ints some_dims(int64_t rank) {
    Ints dims;
    for (int64_t d = 0; d < rank; ++d)
      if (dice_.below(2)) dims.push_back(d);
    return dims;
  }

  void grow() {
    const Value x = dice_.of(reals_);
    const auto keep = [&](Value v) { reals_.push_back(v); };
    switch (dice_.below(18)) {
      case 0:
        return keep(b_.tanh(x));
      case 1:
        return keep(b_.sin(x));
      case 2:
        return keep(b_.logistic(x));
      case 3:
        return keep(b_.exp(b_.tanh(x)));
      case 4:
        return keep(b_.add(x, partner(x)));
      case 5:
        return keep(b_.mul(b_.tanh(x), b_.tanh(partner(x))));
      case 6:
        return keep(b_.sub(x, partner(x)));
      case 7:
        return keep(b_.max(x, partner(x)));
      case 8:
        return keep(b_.scale(b_.reduce_sum(x, some_dims(x.rank())), 0.25));
      case 9:
        return keep(b_.reduce_max(x, some_dims(x.rank())));
      case 10: {
        Ints p = iota_ints(x.rank());
        for (size_t i = p.size(); i > 1; --i)
          std::swap(p[i - 1], p[static_cast<size_t>(dice_.below(static_cast<int64_t>(i)))]);
        return keep(b_.transpose(x, p));
      }
      case 11:
        return keep(b_.reshape(x, {numel(x.shape())}));
      case 12:
        return keep(b_.broadcast(
            x,
            [&] {
              Shape s = x.shape();
              s.insert(s.begin(), 2);
              return s;
            }(),
            iota_ints(x.rank(), 1)));
      case 13: {
        Ints start, limit, strides;
        for (int64_t d : x.shape()) {
          start.push_back(dice_.below(2) && d > 1 ? 1 : 0), limit.push_back(d), strides.push_back(1 + dice_.below(2));
        }
        return keep(b_.slice(x, start, limit, strides));
      }
      case 14: {
        Ints low, high, interior;
        for (int64_t d = 0; d < x.rank(); ++d)
          low.push_back(dice_.below(3) - (x.dim(d) > 3)), high.push_back(dice_.below(2)),
              interior.push_back(dice_.below(2));
        return numel(x.shape()) > 200 ? void() : keep(b_.pad(x, b_.scalar(real_, 0.5), low, high, interior));
      }
      case 15: {
        for (const Value& p : truths_)
          if (p.shape() == x.shape()) return keep(b_.select(p, x, partner(x)));
        return;
      }
      case 16: {
        if (x.rank() == 0) return;
        for (const Value& y : reals_)
          if (y.rank() > 0 && y.dim(0) == x.dim(x.rank() - 1) && numel(x.shape()) * numel(y.shape()) < 5000)
            return keep(b_.scale(b_.dot(x, y), 0.3));
        return;
      }
      default: {
        const Value i = dice_.of(integers_);
        integers_.push_back(dice_.below(2)   ? b_.add(i, b_.mul(i, i))
                            : i.rank() == 0  ? b_.neg(i)
                            : dice_.below(2) ? b_.reduce_sum(i, {0})
                                             : b_.shift_right(i, b_.full_like(i, 1)));
        truths_.push_back(b_.compare(Direction::lt, i, integers_.back().shape() == i.shape() ? integers_.back() : i));
        if (x.rank() > 0) keep(b_.cumsum(x, dice_.below(x.rank()), dice_.below(2) == 1));
      }
    }
  }

  Dice dice_;
  Build b_;
  Dtype real_;
  Values reals_, integers_, truths_, moved_;
  size_t exact_ = 0;
  Body body_;
};

std::vector<Array> arguments(const Function& f, uint32_t seed) {
  std::vector<Array> args;
  for (const Type& t : f.param_types()) {
    const uint32_t own = seed + static_cast<uint32_t>(args.size());
    args.push_back(is_float(t.dtype) ? laws::direction({Dtype::float32, t.shape}, own).converted(t.dtype)
                                     : sample_ints(t.shape, -1000, 1000, static_cast<int>(own), t.dtype));
  }
  return args;
}

double largest_error(const Array& a, const Array& exact) {
  double e = 0;
  for (int64_t i = 0; i < a.size(); ++i) e = std::max(e, std::abs(a.at(i) - exact.at(i)));
  return e;
}

class Random : public testing::TestWithParam<uint32_t> {};

// The plan's error against float64 is at most 4 times the interpreter's own, and 4 roundings of the largest value.
TEST_P(Random, PlanIsInterpreter) {
  const uint32_t seed = GetParam();
  const RandomProgram program(seed, Dtype::float32, false);
  const Body f = program.body(), wide = RandomProgram(seed, Dtype::float64, false).body();
  verify(*f);
  const std::vector<Array> args = arguments(*f, seed);
  std::vector<Array> wide_args;
  for (size_t i = 0; i < args.size(); ++i) wide_args.push_back(args[i].converted(wide->params()[i].dtype()));
  double largest = 1;
  for (const Array& a : interpret(*RandomProgram(seed, Dtype::float64, true).body(), wide_args))
    if (is_float(a.dtype()))
      for (int64_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.at(i)));
  const std::vector<Array> exact = interpret(*wide, wide_args), reference = interpret(*f, args);
  ThreadPool one(1), three(3);
  const Executable e = compile(f);
  const std::vector<Array> got = e.call(args, one).take(), again = e.call(args, three).take();
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(same_bits(got[i], again[i])) << i;
    if (i >= program.exact()) {
      EXPECT_TRUE(same_bits(got[i], reference[i])) << i;
      continue;
    }
    EXPECT_LE(largest_error(got[i], exact[i]), 4 * largest_error(reference[i], exact[i]) + 4 * 0x1p-23 * largest) << i;
  }
}

TEST_P(Random, PrintsAndParsesBack) {
  const Body f = RandomProgram(GetParam(), Dtype::float32, false).body();
  const std::string text = print(f);
  EXPECT_EQ(print(parse(text)), text);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, testing::Range(1U, 201U));

}  // namespace
}  // namespace viva
