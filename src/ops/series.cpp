#include "ops/series.h"

#include <algorithm>
#include <array>

namespace viva {

Value spread_over(Build& b, const Coefficient& c, int64_t directions) {
  return c.directional ? c.value : batched_front(b, c.value, -1, directions);
}

Coefficient apply(Build& b, const Node& n, std::span<const Coefficient> in, int64_t directions, Transforms& tf) {
  Values values;
  std::vector<int> axes, out_axes(n.types.size(), -1);
  for (const Coefficient& c : in) values.push_back(c.value), axes.push_back(c.directional ? 0 : -1);
  if (std::ranges::none_of(in, &Coefficient::directional)) return {b.repeat(n, std::move(values)).front()};
  const Values out = (*n.op->batch)(b, n, values, axes, directions, out_axes, tf);
  return {batched_front(b, out[0], out_axes[0], directions), true};
}

void Terms::put(const Coefficient& c, bool negative) {
  if (!c) return;
  Value& sum = c.directional ? along_ : plain_;
  if (!sum) sum = negative ? b_.neg(c.value) : c.value;
  else sum = negative ? b_.sub(sum, c.value) : b_.add(sum, c.value);
}

Coefficient Terms::total() {
  if (!along_) return {plain_};
  if (summed_) {
    const Value over = b_.reduce_sum(along_, {0});
    return {plain_ ? b_.add(plain_, over) : over};
  }
  return {plain_ ? b_.add(along_, spread_over(b_, {plain_}, directions_)) : along_, true};
}

namespace {

// Σ f(x_i, y_j) over i + j = order; square: y is x, and f takes them in either order.
template <class F> void convolve(JetSite& s, size_t y, bool square, F&& f) {
  Terms pairs(s), all(s);
  for (int64_t i = 0; i <= s.order; ++i) {
    const int64_t j = s.order - i;
    if (square && i > j) break;
    const Coefficient left = s.in(0, i), right = left ? s.in(y, j) : Coefficient{};
    if (right) (square && i < j ? pairs : all).add(f(left, right));
  }
  Coefficient twice = pairs.total();
  if (twice) twice.value = s.b.add(twice.value, twice.value);
  all.add(twice);
  s.set(0, s.order, all.total());
}

}  // namespace

bool product_jet(JetSite& s) {
  const bool square = s.node.op->commutes && s.node.in[0] == s.node.in[1];
  convolve(s, 1, square, [&](const Coefficient& x, const Coefficient& y) {
    return apply(s.b, s.node, std::array{x, y}, s.series.directions, s.transforms);
  });
  return true;
}

bool square_jet(JetSite& s) {
  convolve(s, 0, true, [&](const Coefficient& x, const Coefficient& y) {
    return together(s, x, y, [](Build& b, Value v, Value w) { return b.mul(v, w); });
  });
  return true;
}

// y₀·z_k = x_k - Σ y_j z_{k-j}
bool quotient_jet(JetSite& s) {
  const auto safe_product = [](Build& b, Value v, Value w) { return b.mul_no_nan(v, w); };
  Terms sum(s);
  sum.add(s.in(0, s.order));
  for (int64_t j = 1; j <= s.order; ++j)
    if (const Coefficient y = s.in(1, j))
      if (const Coefficient z = s.out(0, s.order - j)) sum.subtract(together(s, y, z, safe_product));
  if (const Coefficient right = sum.total())
    s.set(0, s.order, together(s, right, {s.b.recip(s.in(1, 0).value)}, safe_product));
  return true;
}

Mask present_coefficients(JetSite& s) {
  Mask present;
  for (size_t i = 0; i < s.node.in.size(); ++i)
    for (int64_t k = 1; k <= s.series.order; ++k) present.push_back(bool(s.in(i, k)));
  return present;
}

}  // namespace viva
