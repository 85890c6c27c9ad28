// Random numbers as pure functions of a key: the same key gives the same numbers, so use each key once and derive
// others with fold and split. Threefry-2x32 with 20 rounds (Salmon et al., SC 2011).
#pragma once

#include "viva/functions.h"

namespace viva {

struct Key {
  Tensor bits;  // u32[2]

  // The key of an independent stream; the tag is an integer, or an integer scalar such as a step counter. Tags that are
  // equal modulo 2⁶⁴ give the same key.
  Key fold(const Arg& tag) const;
  std::vector<Key> split(int64_t count, Loc = Loc::current()) const;
};
Key key(uint64_t seed);

// low + (high - low)·k·2⁻ᵈ with d = 53, 24, 11 and 8 bits in k for float64, float32, float16 and bfloat16, rounded, and
// kept in [low, high): the dtype must hold a number of that interval, and high - low.
Tensor uniform(const Key& k, const Shape& shape, double low = 0, double high = 1, Dtype d = Dtype::float32,
               Loc = Loc::current());
// Mean 0, variance 1, by the transform of Box and Muller; of float32 at most 5.8 in size.
Tensor normal(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
// True with probability p, a number or a tensor that broadcasts to the shape; a NaN gives false.
Tensor bernoulli(const Key& k, const Arg& p, const Shape& shape);
// Integers in [low, high), all of which the dtype must hold, uniform but for a bias below (high - low)·2⁻⁶⁴.
Tensor randint(const Key& k, const Shape& shape, int64_t low, int64_t high, Dtype d = Dtype::int32,
               Loc = Loc::current());
// Of mean 1; of the standard Gumbel and Laplace distributions; -1 or 1, each with probability 1/2.
Tensor exponential(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor gumbel(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor laplace(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor rademacher(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
// normal given low <= x <= high, by the inverse of its distribution: far in the tails (beyond 5, of float64 8) only a
// few numbers are left.
Tensor truncated_normal(const Key& k, const Shape& shape, double low = -2, double high = 2, Dtype d = Dtype::float32,
                        Loc = Loc::current());
// Points on the unit sphere, and inside the unit ball, of as many dimensions as the last extent says.
Tensor sphere(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
Tensor ball(const Key& k, const Shape& shape, Dtype d = Dtype::float32, Loc = Loc::current());
// The numbers 0 … n - 1 in random order (int32), and x with its entries along the axis in random order.
Tensor permutation(const Key& k, int64_t n, Loc = Loc::current());
Tensor shuffle(const Key& k, const Arg& x, int64_t axis = 0);
// Entries of x along its first axis, drawn with replacement: all alike, or with probabilities in proportion to weights.
Tensor choice(const Key& k, const Arg& x, const Shape& shape);
Tensor choice(const Key& k, const Arg& x, const Shape& shape, const Arg& weights);
// One index for each row of logits over the last axis, with probability softmax(logits).
Tensor categorical(const Key& k, const Arg& logits);

}  // namespace viva
