// Random programs of operations with edges: roots and logarithms of anything, quotients by anything, branches,
// rounding, integers that wrap, indices that are computed. A function of the seed.
#pragma once

#include <array>
#include <string_view>

#include "support/random_program.h"

namespace viva {

class WildProgram {
 public:
  WildProgram(uint32_t seed, Dtype real, int steps = 12) : dice_(seed), b_("wild"), real_(real) {
    for (int i = 0; i < 3; ++i) reals_.push_back(b_.parameter({real, shape}));
    integers_.push_back(b_.parameter({Dtype::int32, shape}));
    truths_.push_back(b_.compare(Direction::lt, reals_[0], reals_[1]));
    for (int i = 0; i < steps; ++i) grow();
    body_ = b_.finish({reals_.back(), reals_[reals_.size() - 2], integers_.back(), truths_.back()});
  }
  const Body& body() const { return body_; }

 private:
  static inline const Shape shape{3, 2};

  Value real() { return reals_[reals_.size() - 1 - static_cast<size_t>(dice_.below(std::min<int64_t>(5, count())))]; }
  int64_t count() const { return static_cast<int64_t>(reals_.size()); }
  Value row(Value x) { return b_.broadcast(x, shape, {1}); }
  void keep(Value v) { reals_.push_back(v); }

  void grow() {
    static constexpr std::array<std::string_view, 22> one = {
        "neg",  "abs",   "sign",   "floor", "ceil", "round", "exp",      "expm1", "log",     "log1p",  "softplus",
        "sqrt", "rsqrt", "square", "sin",   "cos",  "tanh",  "logistic", "erf",   "erf_inv", "lgamma", "tanh"};
    static constexpr std::array<std::string_view, 10> two = {"add", "sub", "mul", "mul_no_nan", "div",
                                                             "rem", "pow", "max", "min",        "atan2"};
    switch (dice_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return keep(b_.emit(one[static_cast<size_t>(dice_.below(one.size()))], {real()})[0]);
      case 4:
      case 5:
      case 6:
        return keep(b_.emit(two[static_cast<size_t>(dice_.below(two.size()))], {real(), real()})[0]);
      case 7:
        return keep(b_.select(dice_.of(truths_), real(), real()));
      case 8: {
        const Value x = real(), y = real();
        truths_.push_back(b_.compare(static_cast<Direction>(dice_.below(6)), x, y));
        return keep(b_.select(truths_.back(), x, dice_.below(2) ? y : b_.scale(x, 0.1)));
      }
      case 9:
        return integer();
      case 10: {
        const Value x = real();
        if (dice_.below(2)) return keep(row(b_.reduce_sum(x, {0})));
        return keep(dice_.below(2) ? row(b_.reduce_max(x, {0})) : row(b_.reduce_prod(x, {0})));
      }
      case 11:
        return keep(dice_.below(2) ? b_.sort({real(), real()}, 0)[static_cast<size_t>(dice_.below(2))]
                                   : b_.cumsum(real(), dice_.below(2)));
      case 12:
        return keep(b_.scale(b_.dot(real(), b_.slice(b_.transpose(real(), {1, 0}), {0, 0}, {2, 2})), 0.5));
      case 13:
        return look_up();
      case 14:
        return branch();
      default:
        return keep(b_.convert(b_.convert(real(), dice_.below(2) ? Dtype::float32 : Dtype::bfloat16), real_));
    }
  }

  void integer() {
    const Value i = dice_.of(integers_);
    const Value made = b_.convert(real(), Dtype::int32);
    static constexpr std::array<std::string_view, 8> two = {"add", "mul", "sub", "div",
                                                            "rem", "max", "and", "shift_right"};
    integers_.push_back(b_.emit(two[static_cast<size_t>(dice_.below(two.size()))], {i, made})[0]);
    keep(b_.convert(integers_.back(), real_));
  }

  // Rows at an argmax or at computed places.
  void look_up() {
    const Value x = real();
    const Value at = dice_.below(2) ? b_.argmax(real(), 0, Dtype::int32)
                                    : b_.reshape(b_.slice(integers_.back(), {0, 0}, {1, 2}), {2});
    GatherDims dims;
    dims.collapsed = {0}, dims.start_map = {0}, dims.offset_dims = {1}, dims.slice_sizes = {1, 2};
    dims.mode = dice_.below(2) ? OutOfBounds::clip : OutOfBounds::fill;
    const Value rows = b_.gather(x, b_.reshape(at, {2, 1}), b_.scalar(real_, -1), dims);
    keep(b_.concatenate({rows, b_.slice(x, {0, 0}, {1, 2})}, 0));
  }

  void branch() {
    Build yes("yes"), no("no");
    const Value x = yes.parameter({real_, shape}), y = no.parameter({real_, shape});
    const Body f = yes.finish({yes.add(yes.tanh(x), x)}), g = no.finish({no.square(y)});
    const Value p = b_.reshape(b_.slice(dice_.of(truths_), {0, 0}, {1, 1}), {});
    keep(b_.emit("cond", {p, real()}, {}, {f, g})[0]);
  }

  Dice dice_;
  Build b_;
  Dtype real_;
  Values reals_, integers_, truths_;
  Body body_;
};

}  // namespace viva
