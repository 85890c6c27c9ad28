// Programs and arguments that are functions of a seed: the same on every machine.
#pragma once

#include <algorithm>
#include <vector>

#include "base/threefry.h"
#include "graph/build.h"
#include "laws/laws.h"

namespace viva {

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

// What a program is made of.
enum class Mix : uint8_t { all, movement };

// A program whose choices depend on shapes only, so that it can be made again in another precision. Truth values and
// integers come from parameters alone: rounding never flips them.
class RandomProgram {
 public:
  RandomProgram(uint32_t seed, Dtype real, bool all_outputs, Mix mix = Mix::all)
      : dice_(seed), b_("random"), real_(real) {
    for (const Shape& s : {Shape{3, 4}, Shape{4}, Shape{2, 3, 4}, Shape{4, 3}, Shape{1, 4}, Shape{}})
      reals_.push_back(b_.parameter({real, s}));
    const size_t exact = reals_.size();
    for (const Shape& s : {Shape{3, 4}, Shape{4}}) integers_.push_back(b_.parameter({Dtype::int32, s}));
    for (size_t i = 0; i < exact; ++i)
      truths_.push_back(b_.compare(Direction::gt, reals_[i], b_.full_like(reals_[i], 0.1)));
    for (int i = 0; i < 40; ++i) mix == Mix::movement || dice_.below(3) == 0 ? move() : grow();
    Values outputs;
    if (all_outputs) outputs = reals_;
    else
      for (size_t i = 0; i < 5; ++i) outputs.push_back(reals_[reals_.size() - 1 - i]);
    outputs.push_back(integers_.back());
    body_ = b_.finish(outputs);
  }
  const Body& body() const { return body_; }

 private:
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

  // A value made of elements of others, none computed.
  void move() {
    const Value x = dice_.of(reals_);
    const auto keep = [&](Value v) {
      if (numel(v.shape()) <= 5000) reals_.push_back(v);
    };
    switch (dice_.below(10)) {
      case 0: {
        Ints p = iota_ints(x.rank());
        for (size_t i = p.size(); i > 1; --i)
          std::swap(p[i - 1], p[static_cast<size_t>(dice_.below(static_cast<int64_t>(i)))]);
        return keep(b_.transpose(x, p));
      }
      case 1:
        return keep(b_.reshape(x, {numel(x.shape())}));
      case 2:
        return keep(b_.broadcast(
            x,
            [&] {
              Shape s = x.shape();
              s.insert(s.begin(), 2);
              return s;
            }(),
            iota_ints(x.rank(), 1)));
      case 3: {
        Ints start, limit, strides;
        for (int64_t d : x.shape()) {
          start.push_back(dice_.below(2) && d > 1 ? 1 : 0), limit.push_back(d), strides.push_back(1 + dice_.below(2));
        }
        return keep(b_.slice(x, start, limit, strides));
      }
      case 4: {
        Ints low, high, interior;
        for (int64_t d = 0; d < x.rank(); ++d)
          low.push_back(dice_.below(3) - (x.dim(d) > 3)), high.push_back(dice_.below(2)),
              interior.push_back(dice_.below(2));
        return numel(x.shape()) > 200 ? void() : keep(b_.pad(x, b_.scalar(real_, 0.5), low, high, interior));
      }
      case 5: {
        for (const Value& p : truths_)
          if (p.shape() == x.shape()) return keep(b_.select(p, x, partner(x)));
        return;
      }
      case 6:
        return keep(b_.reverse(x, some_dims(x.rank())));
      case 7:
        if (x.rank() > 0) keep(b_.concatenate({x, partner(x), x}, dice_.below(x.rank())));
        return;
      case 8: {
        Values starts;
        Ints sizes;
        for (int64_t d : x.shape()) {
          starts.push_back(b_.scalar(Dtype::int32, static_cast<double>(dice_.below(d + 2) - 1)));
          sizes.push_back((d + 1) / 2);
        }
        return keep(b_.dynamic_slice(x, starts, sizes));
      }
      default: {
        if (x.rank() == 0) return;
        const Value at = b_.reshape(integers_[1], {4, 1});
        GatherDims dims;
        dims.collapsed = {0}, dims.start_map = {0}, dims.offset_dims = iota_ints(x.rank() - 1, 1);
        dims.slice_sizes = x.shape();
        dims.slice_sizes[0] = 1;
        dims.mode = dice_.below(2) ? OutOfBounds::clip : OutOfBounds::fill;
        return keep(b_.gather(x, at, b_.scalar(real_, -1), dims));
      }
    }
  }

  void grow() {
    const Value x = dice_.of(reals_);
    const auto keep = [&](Value v) { reals_.push_back(v); };
    switch (dice_.below(12)) {
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
        if (x.rank() == 0) return;
        for (const Value& y : reals_)
          if (y.rank() > 0 && y.dim(0) == x.dim(x.rank() - 1) && numel(x.shape()) * numel(y.shape()) < 5000)
            return keep(b_.scale(b_.dot(x, y), 0.3));
        return;
      }
      default: {
        const Value i = dice_.of(integers_);
        integers_.push_back(dice_.below(2) ? b_.add(i, i) : b_.shift_right(i, b_.full_like(i, 1)));
        if (x.rank() > 0 && dice_.below(3) == 0) keep(b_.sort({x, x}, dice_.below(x.rank()))[1]);
        else if (x.rank() > 0) keep(b_.cumsum(x, dice_.below(x.rank()), dice_.below(2) == 1));
      }
    }
  }

  Dice dice_;
  Build b_;
  Dtype real_;
  Values reals_, integers_, truths_;
  Body body_;
};

// Small and huge ones, both signs.
inline Array integers(const Type& t, uint32_t seed) {
  const Array noise = laws::direction({Dtype::float64, t.shape}, seed);
  Array out = Array::make({Dtype::float64, t.shape});
  for (int64_t i = 0; i < out.size(); ++i)
    out.as_mutable<double>()[static_cast<size_t>(i)] = noise.at(i) * (i % 3 == 2 ? 0x1p31 : 6);
  return out.converted(t.dtype);
}

// Any dtype: floats in [-1, 1], integers small and huge.
inline std::vector<Array> random_arguments(const Function& f, uint32_t seed) {
  std::vector<Array> args;
  for (const Type& t : f.param_types()) {
    const Array x = laws::direction({Dtype::float32, t.shape}, seed + static_cast<uint32_t>(args.size()));
    args.push_back(is_float(t.dtype) ? x.converted(t.dtype) : integers(t, seed));
  }
  return args;
}

}  // namespace viva
