// Programs and arguments that are functions of a seed: the same on every machine.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "graph/build.h"
#include "laws/laws.h"
#include "support/dice.h"

namespace viva {

// What a program is made of.
enum class Mix : uint8_t { all, movement, control };

// A program whose choices depend on shapes only, so that it can be made again in another precision. Truth values and
// integers come from parameters alone: rounding never flips them. Under Mix::control it is smaller, of functions in
// functions (call, cond, scan, while) that capture values of the levels around them, and some values pass through other
// dtypes; there predicates and integers are computed too.
class RandomProgram {
 public:
  RandomProgram(uint32_t seed, Dtype real, bool all_outputs, Mix mix = Mix::all)
      : dice_(seed), b_(std::make_unique<Build>("random")), real_(real), mix_(mix) {
    if (mix == Mix::control) limit_ = 60;
    add_parameters();
    for (int i = mix == Mix::control ? 6 : 40; i > 0; --i) step();
    Values outputs;
    if (all_outputs) outputs = reals_;
    else
      for (size_t i = 0; i < (mix == Mix::control ? 2 : 5); ++i) outputs.push_back(reals_[reals_.size() - 1 - i]);
    outputs.push_back(integers_.back());
    body_ = b_->finish(outputs);
  }
  const Body& body() const { return body_; }

 private:
  void add_parameters() {
    const bool small = mix_ == Mix::control;
    const std::vector<Shape> shapes =
        small ? std::vector<Shape>{{2, 4}, {4}, {}} : std::vector<Shape>{{3, 4}, {4}, {2, 3, 4}, {4, 3}, {1, 4}, {}};
    for (const Shape& s : shapes) reals_.push_back(b_->parameter({real_, s}));
    for (const Shape& s : {small ? Shape{2, 4} : Shape{3, 4}, Shape{4}})
      integers_.push_back(b_->parameter({Dtype::int32, s}));
    for (size_t i = 0; i < shapes.size(); ++i)
      truths_.push_back(b_->compare(Direction::gt, reals_[i], b_->full_like(reals_[i], 0.1)));
  }

  void step() {
    if (mix_ == Mix::control && dice_.below(depth_ < 3 ? 2 : 8) == 0) depth_ < 3 ? nest() : other_dtype();
    else if (mix_ == Mix::movement || dice_.below(3) == 0) move();
    else grow();
  }

  void keep(Value v) {
    if (numel(v.shape()) <= limit_) reals_.push_back(v);
  }
  void keep(const Values& all) {
    for (const Value& v : all)
      if (v.dtype() == real_) keep(v);
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

  // A value made of elements of others, none computed.
  void move() {
    const Value x = dice_.of(reals_);
    switch (dice_.below(10)) {
      case 0: {
        Ints p = iota_ints(x.rank());
        for (size_t i = p.size(); i > 1; --i)
          std::swap(p[i - 1], p[static_cast<size_t>(dice_.below(static_cast<int64_t>(i)))]);
        return keep(b_->transpose(x, p));
      }
      case 1:
        return keep(b_->reshape(x, {numel(x.shape())}));
      case 2:
        return keep(b_->broadcast(
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
        return keep(b_->slice(x, start, limit, strides));
      }
      case 4: {
        Ints low, high, interior;
        for (int64_t d = 0; d < x.rank(); ++d)
          low.push_back(dice_.below(3) - (x.dim(d) > 3)), high.push_back(dice_.below(2)),
              interior.push_back(dice_.below(2));
        return numel(x.shape()) > 200 ? void() : keep(b_->pad(x, b_->scalar(real_, 0.5), low, high, interior));
      }
      case 5: {
        for (const Value& p : truths_)
          if (p.shape() == x.shape()) return keep(b_->select(p, x, partner(x)));
        return;
      }
      case 6:
        return keep(b_->reverse(x, some_dims(x.rank())));
      case 7:
        if (x.rank() > 0) keep(b_->concatenate({x, partner(x), x}, dice_.below(x.rank())));
        return;
      case 8: {
        Values starts;
        Ints sizes;
        for (int64_t d : x.shape()) {
          starts.push_back(b_->scalar(Dtype::int32, static_cast<double>(dice_.below(d + 2) - 1)));
          sizes.push_back((d + 1) / 2);
        }
        return keep(b_->dynamic_slice(x, starts, sizes));
      }
      default: {
        if (x.rank() == 0 || x.dim(0) == 0) return;
        const Value at = b_->reshape(integers_[1], {4, 1});
        GatherDims dims;
        dims.collapsed = {0}, dims.start_map = {0}, dims.offset_dims = iota_ints(x.rank() - 1, 1);
        dims.slice_sizes = x.shape();
        dims.slice_sizes[0] = 1;
        dims.mode = dice_.below(2) ? OutOfBounds::clip : OutOfBounds::fill;
        return keep(b_->gather(x, at, b_->scalar(real_, -1), dims));
      }
    }
  }

  void grow() {
    const Value x = dice_.of(reals_);
    switch (dice_.below(12)) {
      case 0:
        return keep(b_->tanh(x));
      case 1:
        return keep(b_->sin(x));
      case 2:
        return keep(b_->logistic(x));
      case 3:
        return keep(b_->exp(b_->tanh(x)));
      case 4:
        return keep(b_->add(x, partner(x)));
      case 5:
        return keep(b_->mul(b_->tanh(x), b_->tanh(partner(x))));
      case 6:
        return keep(b_->sub(x, partner(x)));
      case 7:
        return keep(b_->max(x, partner(x)));
      case 8:
        return keep(b_->scale(b_->reduce_sum(x, some_dims(x.rank())), 0.25));
      case 9:
        return numel(x.shape()) == 0 ? void() : keep(b_->reduce_max(x, some_dims(x.rank())));
      case 10: {
        if (x.rank() == 0) return;
        for (const Value& y : reals_)
          if (y.rank() > 0 && y.dim(0) == x.dim(x.rank() - 1) && numel(x.shape()) * numel(y.shape()) < limit_)
            return keep(b_->scale(b_->dot(x, y), 0.3));
        return;
      }
      default: {
        const Value i = dice_.of(integers_);
        integers_.push_back(dice_.below(2) ? b_->add(i, i) : b_->shift_right(i, b_->full_like(i, 1)));
        if (x.rank() > 0 && dice_.below(3) == 0) keep(b_->sort({x, x}, dice_.below(x.rank()))[1]);
        else if (x.rank() > 0) keep(b_->cumsum(x, dice_.below(x.rank()), dice_.below(2) == 1));
      }
    }
  }

  // Functions within functions.

  // What a function captures of the level around it, some of it perhaps twice or in vain.
  Values captures() {
    Values c{integers_[0], integers_[1]};
    for (int64_t left = 1 + dice_.below(3); left > 0; --left) c.push_back(dice_.of(reals_));
    return c;
  }
  std::vector<Type> some_types(int64_t n) {
    std::vector<Type> types;
    while (n-- > 0) types.push_back(dice_.of(reals_).type());
    return types;
  }
  static std::vector<Type> types_of(const Values& values) {
    std::vector<Type> types;
    for (const Value& v : values) types.push_back(v.type());
    return types;
  }
  static Values joined(Values a, const Values& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }

  Value of_type(const Type& t) {
    if (is_integer(t.dtype)) return *std::ranges::find(integers_, t, [](const Value& v) { return v.type(); });
    Values fit;
    std::ranges::copy_if(reals_, std::back_inserter(fit), [&](Value v) { return v.type() == t; });
    if (!fit.empty()) return dice_.of(fit);
    const Value x = dice_.of(reals_);
    return b_->broadcast(b_->tanh(b_->reduce_sum(x, iota_ints(x.rank()))), t.shape, {});
  }

  // A function of what it captures, then of values of its own; an integer among those wanted is the first of these and
  // one more.
  Body nested(std::string name, const Values& captured, const std::vector<Type>& own, const std::vector<Type>& wanted) {
    std::unique_ptr<Build> b = std::make_unique<Build>(std::move(name));
    Values reals, integers, truths, params;
    const auto change_level = [&] {
      std::swap(b_, b), std::swap(reals_, reals), std::swap(integers_, integers), std::swap(truths_, truths);
    };
    change_level(), ++depth_;
    const auto take = [&](const Type& t) {
      params.push_back(b_->parameter(t));
      (is_integer(t.dtype) ? integers_ : reals_).push_back(params.back());
    };
    for (const Value& v : captured) take(v.type());
    for (const Type& t : own) take(t);
    truths_.push_back(b_->compare(Direction::lt, reals_[0], b_->full_like(reals_[0], 0.3)));
    for (int64_t left = 1 + dice_.below(3); left > 0; --left) step();
    Values out;
    for (const Type& t : wanted) {
      const Value v = is_integer(t.dtype) ? params[captured.size()] : of_type(t);
      out.push_back(is_integer(t.dtype) ? b_->add(v, b_->one(v)) : damped(v));
    }
    Body f = b_->finish(out);
    change_level(), --depth_;
    return f;
  }
  Value damped(Value v) {
    const int64_t how = dice_.below(4);
    return how == 0 ? v : how == 1 ? b_->scale(v, 0.5) : b_->tanh(v);
  }

  Value flag() {
    const Value x = dice_.of(reals_), t = dice_.of(truths_);
    if (dice_.below(2)) return b_->reduce_or(t, iota_ints(t.rank()));
    const Value total = b_->reduce_sum(x, iota_ints(x.rank()));
    return b_->compare(Direction::lt, total, b_->full_like(total, 0.25));
  }

  void nest() {
    switch (dice_.below(5)) {
      case 0:
        return branch();
      case 1:
        return walk();
      case 2:
        return repeat();
      case 3:
        return call();
      default:
        return other_dtype();
    }
  }

  void branch() {
    const Values c = captures();
    const std::vector<Type> wanted = some_types(1 + dice_.below(2));
    const Value predicate = flag();
    const Body yes = nested("yes", c, {}, wanted), no = nested("no", c, {}, wanted);
    keep(b_->emit("cond", joined({predicate}, c), {}, {yes, no}));
  }

  void walk() {
    const Values c = captures();
    Values carries, xs;
    for (int64_t left = 1 + dice_.below(2); left > 0; --left) carries.push_back(dice_.of(reals_));
    const Value x = dice_.of(reals_);
    int64_t length = dice_.below(4);
    std::vector<Type> own = types_of(carries), wanted = own;
    if (x.rank() > 0 && x.dim(0) <= 4) {
      xs = {x}, length = x.dim(0);
      own.push_back({real_, Shape(x.shape().begin() + 1, x.shape().end())});
    }
    if (dice_.below(2)) wanted.push_back(dice_.of(reals_).type());
    const bool backwards = dice_.below(2) == 1;
    const Body step = nested("step", c, own, wanted);
    keep(b_->emit("scan", joined(joined(c, carries), xs),
                  {{"consts", static_cast<int64_t>(c.size())},
                   {"carries", static_cast<int64_t>(carries.size())},
                   {"length", length},
                   {"reverse", backwards}},
                  {step}));
  }

  // As often as integers given say, 0 to 3 times, and perhaps as long as a carry is small.
  void repeat() {
    const Values c = captures();
    Values carries{b_->scalar(Dtype::int32, 0), dice_.of(reals_)};
    if (dice_.below(2)) carries.push_back(dice_.of(reals_));
    const std::vector<Type> types = types_of(carries);
    const Body step = nested("advance", c, types, types);
    Build more("more");
    Values params;
    for (const Type& t : types_of(joined(c, carries))) params.push_back(more.parameter(t));
    const Value most = more.reduce_max(params[1], {0}), count = params[c.size()], v = params[c.size() + 1];
    Value go_on = more.compare(Direction::lt, count, more.logical_and(most, more.full_like(most, 3)));
    if (dice_.below(2)) {
      const Value total = more.reduce_sum(more.square(v), iota_ints(v.rank()));
      go_on = more.logical_and(go_on, more.compare(Direction::lt, total, more.full_like(total, 2)));
    }
    keep(b_->emit("while", joined(c, carries),
                  {{"consts", static_cast<int64_t>(c.size())}, {"max_steps", dice_.below(3) * 2}},
                  {more.finish({go_on}), step}));
  }

  // A function of this place or of an earlier one, on whatever level.
  void call() {
    Values args;
    Body f;
    if (functions_.empty() || dice_.below(2)) {
      args = captures();
      f = nested("called", args, {}, some_types(1 + dice_.below(2)));
      functions_.push_back(f);
    } else {
      f = dice_.of(functions_);
      for (const Type& t : f->param_types()) args.push_back(of_type(t));
    }
    const char* policies[] = {"save", "recompute", "contractions"};
    keep(b_->call(f, args, policies[dice_.below(3)]));
  }

  void other_dtype() {
    static const std::vector<Dtype> others{Dtype::float32, Dtype::float32, Dtype::bfloat16, Dtype::float16};
    const Value x = dice_.of(reals_);
    switch (dice_.below(5)) {
      case 0:
        return keep(b_->convert(b_->sin(b_->convert(x, dice_.of(others))), real_));
      case 1: {
        const Value z = b_->complex(b_->tanh(x), b_->scale(partner(x), 0.5));
        return keep(b_->imag(b_->mul(z, dice_.below(2) ? z : b_->exp(b_->conj(z)))));
      }
      case 2: {
        const Value i = dice_.of(integers_);
        return keep(b_->convert(b_->logical_and(i, b_->full_like(i, 3)), real_));
      }
      case 3:
        return keep(b_->convert(dice_.of(truths_), real_));
      default:
        return keep(b_->convert(b_->convert(b_->scale(x, 3), Dtype::int8), real_));
    }
  }

  Dice dice_;
  std::unique_ptr<Build> b_;
  Dtype real_;
  Mix mix_;
  int64_t limit_ = 5000;
  int depth_ = 0;
  Values reals_, integers_, truths_;
  std::vector<Body> functions_;
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
