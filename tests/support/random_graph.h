// Graphs of convolutions, products, windows and what stands around them, in any order of dimensions and any dtype, with
// empty extents, padding that crops and groups; and their arguments. Floats hold small integers, so that every order of
// summation gives the same numbers. A function of the seed alone.
#pragma once

#include <limits>

#include "base/error.h"
#include "support/random_program.h"

namespace viva {

class RandomGraph {
 public:
  RandomGraph(uint32_t seed, bool finite) : dice_(seed), finite_(finite), b_("f") {
    for (int64_t left = between(1, 6); left > 0; --left) try {
        keep(grow());
      } catch (const Error& e) {  // attributes that do not fit the shape
        if (e.kind() != ErrorKind::usage) throw;
      }
    if (pool_.empty()) parameter({Dtype::float32, {2}});
    Values outputs{pool_.back()};
    for (int64_t left = between(0, 3); left > 0; --left) outputs.push_back(dice_.of(pool_));
    body_ = b_.finish_with(parameters_, outputs);
  }
  const Body& body() const { return body_; }
  const std::vector<Array>& arguments() const { return arguments_; }

  // Small integers; a few NaN and infinities among floats, where these are wanted.
  static Array numbers(const Type& t, Dice& dice, bool finite) {
    constexpr double odd[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity()};
    const bool negative = is_float(t.dtype) || is_signed_integer(t.dtype);
    Array a = Array::make({Dtype::float64, t.shape});
    for (double& x : a.as_mutable<double>()) {
      x = is_bool(t.dtype) ? static_cast<double>(dice.below(2))
                           : static_cast<double>(dice.below(7) - (negative ? 3 : 0));
      if (!finite && is_float(t.dtype) && dice.below(50) == 0) x = odd[dice.below(3)];
    }
    return a.converted(t.dtype);
  }

 private:
  int64_t between(int64_t low, int64_t high) { return low + dice_.below(high - low + 1); }
  bool chance(int percent) { return dice_.below(100) < percent; }
  Ints permutation(int64_t n) {
    Ints p = iota_ints(n);
    for (int64_t i = n; i > 1; --i) std::swap(p[static_cast<size_t>(i - 1)], p[static_cast<size_t>(dice_.below(i))]);
    return p;
  }
  int64_t extent() { return chance(4) ? 0 : chance(15) ? 1 : chance(15) ? between(15, 18) : between(2, 9); }
  Dtype dtype() {
    static const std::vector<Dtype> rare{Dtype::float16, Dtype::bfloat16, Dtype::int8,   Dtype::int32,
                                         Dtype::int64,   Dtype::uint8,    Dtype::uint16, Dtype::boolean};
    return chance(60) ? Dtype::float32 : chance(40) ? Dtype::float64 : dice_.of(rare);
  }
  static bool is_number(Value v) { return !is_bool(v.dtype()); }

  // What is not too large for the interpreter; nothing uses the rest, so it is pruned.
  bool fits(Value v) const { return numel(v.shape()) <= 20000; }
  void keep(Value v) {
    if (fits(v)) pool_.push_back(v);
  }
  Value small(Value x) { return b_.min(b_.max(x, b_.full_like(x, -4)), b_.full_like(x, 4)); }
  Value mostly_small(Value x) { return is_float(x.dtype()) && chance(70) ? small(x) : x; }

  Value parameter(const Type& t) {
    arguments_.push_back(numbers(t, dice_, finite_));
    parameters_.push_back(b_.late_parameter(t));
    pool_.push_back(parameters_.back());
    return parameters_.back();
  }
  Value of_type(const Type& t) {
    Values fit;
    std::ranges::copy_if(pool_, std::back_inserter(fit), [&](Value v) { return v.type() == t; });
    if (!fit.empty() && chance(70)) return dice_.of(fit);
    if (chance(15)) return b_.full(t, static_cast<double>(between(0, 1)));
    return parameter(t);
  }
  Value any(int64_t least_rank, int64_t most_rank) {
    Values fit;
    std::ranges::copy_if(pool_, std::back_inserter(fit),
                         [&](Value v) { return v.rank() >= least_rank && v.rank() <= most_rank; });
    if (!fit.empty() && chance(80)) return dice_.of(fit);
    Shape s;
    for (int64_t left = between(least_rank, most_rank); left > 0; --left) s.push_back(extent());
    return parameter({dtype(), s});
  }

  Value grow() {
    const int64_t kind = dice_.below(10);
    return kind < 3 ? convolution() : kind < 5 ? product() : kind < 6 ? window() : kind < 8 ? pointwise() : movement();
  }

  void choose_groups(ConvDims& d, int64_t batch, int64_t channels) {
    const int64_t groups = between(2, 4);
    if (chance(10) && channels > 0) d.feature_groups = channels;
    else if (chance(25) && channels > 0 && channels % groups == 0) d.feature_groups = groups;
    else if (chance(20) && batch > 0 && batch % groups == 0) d.batch_groups = groups;
  }

  void choose_windows(ConvDims& d, Shape& w) {
    for (size_t i = 0; i < d.spatial(); ++i) {
      w[static_cast<size_t>(d.rhs_spec[i + 2])] = chance(80) ? between(1, 3) : between(0, 8);
      if (chance(30)) d.strides[i] = between(2, 3);
      if (chance(50)) d.pad_low[i] = between(-1, 3);
      if (chance(50)) d.pad_high[i] = between(-1, 3);
      if (chance(15)) d.lhs_dilation[i] = between(2, 3);
      if (chance(15)) d.rhs_dilation[i] = between(2, 3);
      if (chance(20)) d.reversal[i] = 1;
    }
  }

  Value convolution() {
    const int64_t spatial = between(1, 3);
    const Value x = any(spatial + 2, spatial + 2);
    if (!is_number(x)) return x;
    ConvDims d = ConvDims::plain(spatial);
    for (Ints* spec : {&d.lhs_spec, &d.rhs_spec, &d.out_spec})
      if (chance(40)) *spec = permutation(spatial + 2);
    const int64_t batch = x.dim(d.lhs_spec[0]), channels = x.dim(d.lhs_spec[1]);
    choose_groups(d, batch, channels);
    const int64_t groups = d.feature_groups * d.batch_groups, each = chance(30) ? 1 : chance(30) ? 8 : between(1, 5);
    Shape w(static_cast<size_t>(spatial + 2));
    w[static_cast<size_t>(d.rhs_spec[0])] = groups * (groups * each > 24 ? 1 : each);
    w[static_cast<size_t>(d.rhs_spec[1])] = channels / d.feature_groups;
    choose_windows(d, w);
    const Value y = b_.conv_general(x, of_type({x.dtype(), w}), d);
    if (!fits(y) || numel(y.shape()) * numel(w) > 2000000) return x;
    pool_.push_back(y);
    return mostly_small(chance(60) ? ending(y, d.out_spec[1]) : y);
  }

  // What often follows a convolution, and sometimes runs with it.
  Value ending(Value y, int64_t features) {
    for (int64_t left = between(0, 4); left > 0; --left) {
      switch (dice_.below(4)) {
        case 0: {
          const Value bias = b_.broadcast(of_type({y.dtype(), {y.dim(features)}}), y.shape(), {features});
          y = chance(50) ? b_.add(y, bias) : b_.add(bias, y);
          break;
        }
        case 1:
          y = b_.max(y, b_.zero(y));
          break;
        case 2:
          y = b_.add(y, of_type(y.type()));
          break;
        default:
          y = b_.select(b_.compare(Direction::gt, y, b_.zero(y)), y, b_.zero(y));
      }
      if (chance(25)) keep(y);
    }
    return y;
  }

  Value moved(Value v) {
    if (chance(20)) v = b_.transpose(v, permutation(v.rank()));
    if (v.rank() > 0 && chance(10)) v = b_.reverse(v, {dice_.below(v.rank())});
    if (v.rank() > 0 && v.dim(0) > 2 && chance(10)) {
      Ints start(v.shape().size(), 0), strides(v.shape().size(), 1);
      start[0] = 1, strides[0] = between(1, 2);
      v = b_.slice(v, start, v.shape(), strides);
    }
    if (chance(10)) {
      Shape s = v.shape();
      s.push_back(between(1, 4));
      v = b_.broadcast(v, s, iota_ints(v.rank()));
    }
    return v.rank() >= 2 && chance(10) ? joined(v) : v;
  }
  Value joined(Value v) {
    Shape s = v.shape();
    s[0] *= s[1];
    s.erase(s.begin() + 1);
    return b_.reshape(v, s);
  }

  Value partner(Value x) {
    Shape s;
    for (int64_t left = between(1, 4); left > 0; --left)
      s.push_back(x.rank() > 0 && chance(60) ? x.dim(dice_.below(x.rank())) : extent());
    return chance(10) ? x : of_type({x.dtype(), s});
  }

  Value product() {
    Value x = any(1, 4);
    if (!is_number(x)) return x;
    const Value y = moved(partner(x));
    x = moved(x);
    DotDims d;
    std::vector<bool> used(y.shape().size());
    int64_t size = numel(x.shape()), rank = x.rank() + y.rank();
    for (int64_t i : permutation(x.rank()))
      for (int64_t j : permutation(y.rank())) {
        if (used[static_cast<size_t>(j)] || x.dim(i) != y.dim(j) || chance(40)) continue;
        used[static_cast<size_t>(j)] = true;
        const bool batch = chance(35);
        (batch ? d.lhs_batch : d.lhs_contract).push_back(i), (batch ? d.rhs_batch : d.rhs_contract).push_back(j);
        rank -= batch ? 1 : 2;
        break;
      }
    for (int64_t j = 0; j < y.rank(); ++j)
      if (!used[static_cast<size_t>(j)]) size *= y.dim(j);
    if (size > 1000000 || rank > 6) return x;
    Value z = b_.dot_general(x, y, d);
    if (chance(30)) z = b_.relu(z);
    if (chance(30)) z = b_.add(z, of_type(z.type()));
    keep(z);
    return mostly_small(z);
  }

  WindowDims window_dims(int64_t rank) {
    WindowDims d = WindowDims::plain(Ints(static_cast<size_t>(rank), 1));
    for (size_t i = 0; i < d.size.size(); ++i) {
      if (chance(50)) d.size[i] = between(1, 4);
      if (chance(8)) d.size[i] = between(5, 14);
      if (chance(35)) d.strides[i] = between(1, 4);
      if (chance(25)) d.pad_low[i] = between(-2, 3);
      if (chance(25)) d.pad_high[i] = between(-2, 3);
      if (chance(12)) d.base_dilation[i] = between(1, 3);
      if (chance(15)) d.dilation[i] = between(1, 3);
      if (chance(25)) d.strides[i] = d.size[i];
    }
    return d;
  }

  Value window() {
    const Value x = any(1, 4);
    const WindowDims d = window_dims(x.rank());
    if (is_float(x.dtype()) && chance(30)) {
      const Value y = b_.window_sum(x, d);
      return fits(y) ? mostly_small(y) : x;
    }
    Value at = b_.window_argmax(x, d, chance(60) ? Dtype::int32 : chance(50) ? Dtype::int64 : Dtype::uint16);
    if (!fits(at)) return x;
    pool_.push_back(at);
    if (chance(20)) at = parameter({chance(50) ? Dtype::int8 : Dtype::int32, at.shape()});  // any number, negative too
    const Value y = b_.window_gather(x, at, d);
    keep(y);
    if (!is_number(y) || chance(60)) return y;
    return mostly_small(b_.window_scatter(chance(50) ? y : of_type(y.type()), at, x.shape(), d));
  }

  Value pointwise() {
    const Value x = any(0, 5);
    if (!is_number(x)) return b_.logical_and(x, of_type(x.type()));
    const bool real = is_float(x.dtype());
    switch (dice_.below(9)) {
      case 0:
        return b_.add(x, of_type(x.type()));
      case 1:
        return b_.sub(x, of_type(x.type()));
      case 2:
        return mostly_small(b_.mul(x, of_type(x.type())));
      case 3:
        return real ? b_.abs(x) : b_.neg(x);
      case 4:
        return b_.max(x, of_type(x.type()));
      case 5:
        return b_.relu(x);
      case 6:
        return b_.select(b_.compare(Direction::gt, x, b_.zero(x)), x, of_type(x.type()));
      case 7: {
        const Value mask = b_.compare(Direction::gt, x, b_.zero(x));
        keep(b_.select(mask, x, b_.zero(x)));
        return b_.select(mask, of_type(x.type()), b_.zero(x));
      }
      default:
        return b_.convert(x, dtype());
    }
  }

  Value movement() {
    const Value x = any(1, 4);
    switch (dice_.below(7)) {
      case 0:
        return b_.transpose(x, permutation(x.rank()));
      case 1:
        return b_.reverse(x, {dice_.below(x.rank())});
      case 2: {
        Values parts{x};
        for (int64_t left = between(1, 2); left > 0; --left) parts.push_back(of_type(x.type()));
        return b_.concatenate(parts, dice_.below(x.rank()));
      }
      case 3:
        return x.rank() < 2 ? x : joined(x);
      case 4:
        return is_number(x) ? mostly_small(b_.reduce_sum(x, {dice_.below(x.rank())})) : x;
      case 5:
        return is_number(x) ? b_.reduce_max(x, {dice_.below(x.rank())}) : x;
      default: {
        Ints start(x.shape().size(), 0);
        for (size_t i = 0; i < start.size(); ++i)
          if (x.shape()[i] > 1 && chance(40)) start[i] = 1;
        return b_.slice(x, start, x.shape());
      }
    }
  }

  Dice dice_;
  bool finite_;
  Build b_;
  Values pool_, parameters_;
  std::vector<Array> arguments_;
  Body body_;
};

}  // namespace viva
