// Scans of associative functions, as a tree of prefixes or in steps.
#include <fmt/format.h>

#include <algorithm>

#include "trace/operand.h"
#include "viva/control.h"

namespace viva::tracing {
namespace {

constexpr int64_t most_for_tree = 512;  // numbers in an element

template <class F> Tensors each(const Tensors& xs, const F& f) {
  Tensors all(xs.size());
  for (size_t i = 0; i < xs.size(); ++i)
    if (!xs[i].empty()) all[i] = f(i);
  return all;
}

// The two leaves' trees one after the other, which is how f takes them.
Tensors both(const Tensors& a, const Tensors& b) {
  Tensors all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

void check_types(Site site, const Tensors& given, const Tensors& combined) {
  for (size_t i = 0; i < given.size(); ++i)
    if (!given[i].empty() && (combined[i].empty() || given[i].type() != combined[i].type()))
      throw usage_at(
          site.where,
          fmt::format("[associative_scan] f combines elements of {} to {}: what it gives is what "
                      "it takes",
                      to_string(given[i].type()), combined[i].empty() ? "none" : to_string(combined[i].type())));
}

class Tree {
 public:
  Tree(Site site, const Fn& f) : site_(site), f_(f) {}

  // Pairs first, then their prefixes, which are every second prefix; those between take one element more.
  Tensors prefixes(const Tensors& xs, int64_t n) const {
    if (n < 2) return xs;
    const int64_t half = n / 2, later = (n - 1) / 2;
    const Tensors second = prefixes(combined(every_second(xs, 0, half), every_second(xs, 1, half), half), half);
    const Tensors first = each(xs, [&](size_t i) { return part(xs[i], 0, 0, 1, site_.where); });
    if (later == 0) return each(xs, [&](size_t i) { return concatenate({first[i], second[i]}, 0); });
    const Tensors head = each(xs, [&](size_t i) { return part(second[i], 0, 0, later, site_.where); });
    const Tensors between = combined(head, every_second(xs, 2, later), later);
    return each(xs, [&](size_t i) {
      const Tensor even = concatenate({first[i], between[i]}, 0);
      return interleaved(even, second[i], n);
    });
  }

 private:
  Tensors combined(const Tensors& a, const Tensors& b, int64_t n) const {
    const Tensors in = both(a, b);
    std::vector<int> axes;
    for (const Tensor& t : in) axes.push_back(t.empty() ? -1 : 0);
    const Tensors out = vmap(site_, f_, in, axes, std::vector<int>(a.size(), 0), "");
    if (n > 0) check_types(site_, a, out);
    return out;
  }
  // count elements from `from` on, one in two.
  Tensors every_second(const Tensors& xs, int64_t from, int64_t count) const {
    return each(xs, [&](size_t i) { return part(xs[i], 0, from, from + 2 * count - 1, site_.where, 2); });
  }
  // even[0], odd[0], even[1], …, n in all.
  Tensor interleaved(const Tensor& even, const Tensor& odd, int64_t n) const {
    const int64_t pairs = n / 2;
    Shape shape = odd.shape();
    shape[0] = 2 * pairs;
    const Tensor whole = reshaped(stack({part(even, 0, 0, pairs, site_.where), odd}, 1), shape, site_.where);
    return n % 2 == 0 ? whole : concatenate({whole, part(even, 0, pairs, pairs + 1, site_.where)}, 0);
  }

  Site site_;
  const Fn& f_;
};

Tensors in_steps(Site site, const Fn& f, const Tensors& xs, int64_t n) {
  const Tensors first = each(xs, [&](size_t i) {
    Shape shape = xs[i].shape();
    shape.erase(shape.begin());
    return reshaped(part(xs[i], 0, 0, 1, site.where), shape, site.where);
  });
  const Tensors rest = each(xs, [&](size_t i) { return part(xs[i], 0, 1, n, site.where); });
  const Fn step = [&](const Tensors& in) {
    Tensors out = f(in);
    const Tensors carry(in.begin(), in.begin() + static_cast<long>(xs.size()));
    check_types(site, carry, out);
    return both(out, out);
  };
  const Tensors out = scan(site, step, both(first, rest), xs.size(), {.length = n - 1});
  return each(xs, [&](size_t i) { return concatenate({part(xs[i], 0, 0, 1, site.where), out[xs.size() + i]}, 0); });
}

}  // namespace

Tensors associative_scan(Site site, const Fn& f, const Tensors& xs, const AssociativeScanOptions& options) {
  const Line line(site.where);
  const int64_t n = leading_extent(xs, 0, -1, "associative_scan", site.where);
  if (n < 2) return xs;
  int64_t numbers = 0;
  for (const Tensor& x : xs)
    if (!x.empty()) numbers += numel(x.shape()) / n;
  const bool tree = options.form == AssociativeScanOptions::tree ||
                    (options.form == AssociativeScanOptions::cheaper && numbers <= most_for_tree);
  const auto turned = [&](const Tensors& a) {
    return options.reverse ? each(a, [&](size_t i) { return flip(a[i], Axes(0)); }) : a;
  };
  return turned(tree ? Tree(site, f).prefixes(turned(xs), n) : in_steps(site, f, turned(xs), n));
}

}  // namespace viva::tracing
