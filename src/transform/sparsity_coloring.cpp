// Greedy colourings of patterns (A. Gebremedhin, F. Manne and A. Pothen 2005, sections 3 and 4).
#include "transform/sparsity_coloring.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace viva {
namespace {

size_t index(int64_t i) { return static_cast<size_t>(i); }

// The least colour that is not forbidden to v.
class Palette {
 public:
  explicit Palette(size_t n) : forbidden_to_(n + 1, -1) {}
  void forbid(int64_t color, int64_t v) { forbidden_to_[index(color)] = v; }
  int64_t least(int64_t v) const {
    return std::ranges::find_if(forbidden_to_, [v](int64_t to) { return to != v; }) - forbidden_to_.begin();
  }

 private:
  Ints forbidden_to_;
};

Ints natural(int64_t n) {
  Ints order(index(n));
  std::iota(order.begin(), order.end(), 0);
  return order;
}
// Those with most neighbours first.
Ints largest_first(const std::vector<Ints>& of) {
  Ints order = natural(std::ssize(of));
  std::ranges::sort(order, {}, [&](int64_t v) { return std::pair(-std::ssize(of[index(v)]), v); });
  return order;
}

void close(Coloring& c) { c.colors = c.color.empty() ? 0 : *std::ranges::max_element(c.color) + 1; }

Coloring columns_in(const Pattern& p, const Pattern& by_column, const Ints& order) {
  Coloring c{Ints(index(p.columns), -1), 0};
  Palette palette(c.color.size());
  for (const int64_t v : order) {
    for (const int64_t row : by_column.of_row[index(v)])
      for (const int64_t other : p.of_row[index(row)])
        if (c.color[index(other)] >= 0) palette.forbid(c.color[index(other)], v);
    c.color[index(v)] = palette.least(v);
  }
  close(c);
  return c;
}

}  // namespace

int64_t Pattern::size() const {
  return std::accumulate(of_row.begin(), of_row.end(), int64_t{0},
                         [](int64_t n, const Ints& row) { return n + std::ssize(row); });
}

Pattern transposed(const Pattern& p) {
  Pattern t{p.columns, p.rows, std::vector<Ints>(index(p.columns))};
  for (int64_t i = 0; i < p.rows; ++i)
    for (const int64_t j : p.of_row[index(i)]) t.of_row[index(j)].push_back(i);
  return t;
}

Pattern with_transpose(Pattern p) {
  const Pattern t = transposed(p);
  for (int64_t i = 0; i < p.rows; ++i) {
    Ints both;
    std::ranges::set_union(p.of_row[index(i)], t.of_row[index(i)], std::back_inserter(both));
    p.of_row[index(i)] = std::move(both);
  }
  return p;
}

Coloring color_columns(const Pattern& p) {
  const Pattern by_column = transposed(p);
  Coloring first = columns_in(p, by_column, natural(p.columns)),
           second = columns_in(p, by_column, largest_first(by_column.of_row));
  return second.colors < first.colors ? second : first;
}

Coloring color_star(const Pattern& p) {
  if (p.rows != p.columns) throw usage_error("[color_star] a pattern of {} rows and {} columns", p.rows, p.columns);
  Coloring c{Ints(index(p.rows), -1), 0};
  Palette palette(c.color.size());
  const auto color = [&](int64_t v) { return c.color[index(v)]; };
  const auto each_neighbour = [&](int64_t v, auto&& f) {
    for (const int64_t w : p.of_row[index(v)])
      if (w != v) f(w);
  };
  for (const int64_t v : largest_first(p.of_row)) {
    each_neighbour(v, [&](int64_t w) {
      if (color(w) >= 0) palette.forbid(color(w), v);
      each_neighbour(w, [&](int64_t x) {
        if (x == v || color(x) < 0) return;
        // Around a vertex that has no colour yet all differ; else v - w - x - y must not have two colours.
        bool two = color(w) < 0;
        if (!two) each_neighbour(x, [&](int64_t y) { two = two || (y != w && color(y) == color(w)); });
        if (two) palette.forbid(color(x), v);
      });
    });
    c.color[index(v)] = palette.least(v);
  }
  close(c);
  return c;
}

// Element (i, j) is entry i of the product of j's colour where no other neighbour of i has that colour, i included,
// else entry j of the product of i's.
Ints star_places(const Pattern& p, const Coloring& c) {
  Ints places;
  for (int64_t i = 0; i < p.rows; ++i)
    for (const int64_t j : p.of_row[index(i)]) {
      const auto alone = [&](int64_t at, int64_t of) {
        return std::ranges::count_if(p.of_row[index(at)],
                                     [&](int64_t k) { return c.color[index(k)] == c.color[index(of)]; }) == 1;
      };
      const bool here = alone(i, j);
      if (!here && !alone(j, i)) throw internal_error("[sparse_hessian] elements {} and {} share a colour", i, j);
      places.push_back(here ? c.color[index(j)] * p.rows + i : c.color[index(i)] * p.rows + j);
    }
  return places;
}

}  // namespace viva
