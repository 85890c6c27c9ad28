// The attack on many rows at rising radii, with its checks.
#pragma once

#include <set>
#include <vector>

#include "examine/attack.h"
#include "examine/examiner.h"

namespace viva {

// Gradients in float64 are dear: of so many rows attacked one is tried with them, at the least and the greatest radius,
// and in fewer steps.
inline constexpr int64_t float64_one_in = 16, float64_radii = 2, float64_steps = 10;
inline constexpr int64_t random_draws = 10;  // corners tried at random

// What one radius gave.
struct AtRadius {
  Radius eps;
  int64_t attacked = 0, by_cross_entropy = 0, by_margin = 0, unconfirmed = 0, left = 0;
  // Rows left that a check broke; nobody asks them of the half range.
  int64_t single_step = 0, random_signs = 0, float64 = 0, float64_tried = 0;
};

struct Attacked {
  int64_t rows = 0, right = 0, flat_margin = 0, flat_cross_entropy = 0;
  double scale = 1;
  std::vector<AtRadius> radii;
  AtRadius half;
  // Rows, by their numbers, that a check broke at some radius and the attack did not: a row stands once, at however
  // many.
  std::set<int64_t> single_step, random_signs, float64, float64_tried;
  int64_t witness = -1, of_witness = 0;  // the label of the constant row, and the rows attacked that have it
};

int64_t attacked_rows(const Context& x);
int64_t float64_rows(int64_t attacked);
// Ascending: those asked for, or some 255ths of the range, and those that claims name.
std::vector<Radius> radii_of(const Context& x);

// Throws as Attacker.
Attacked attacked(Context& x, const InputSpace& space);

}  // namespace viva
