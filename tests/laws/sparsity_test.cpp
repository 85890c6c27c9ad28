// sparsity on every operation and on random programs: the pattern holds all that a change of an input changes, and all
// that is not zero in a derivative; the values are those of the dense derivative.
#include "transform/sparsity.h"

#include <gtest/gtest.h>

#include <set>

#include "interpret/interpret.h"
#include "laws/laws.h"
#include "ops/reference.h"
#include "support/random_program.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

bool holds(const Pattern& p, int64_t row, int64_t column) {
  return std::ranges::binary_search(p.of_row[static_cast<size_t>(row)], column);
}

bool same_element(const Array& a, const Array& b, int64_t i) {
  const auto bytes = static_cast<size_t>(size_of(a.dtype()));
  return std::equal(a.data() + static_cast<size_t>(i) * bytes, a.data() + static_cast<size_t>(i + 1) * bytes,
                    b.data() + static_cast<size_t>(i) * bytes);
}

// x with element i replaced by another of its elements, or by another number.
Array with_other(const Array& x, int64_t i) {
  Array y = Array::make(x.type());
  std::copy(x.data(), x.data() + x.bytes(), y.mutable_data());
  if (x.size() > 1) return copy_element(y, i, x, (i + 1) % x.size()), y;
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T& v = y.as_mutable<T>()[0];
    if constexpr (is_std_complex<T>) v = v + T(0.5);
    else v = convert_element<T>(convert_element<double>(v) == 0 ? 1.0 : 0.0);
  });
  return y;
}

// What changes with an element stands in its column. Returns how many elements the pattern left out.
int64_t changes_are_seen(const Case& c) {
  int64_t absent = 0;
  const Arrays before = interpret(*c.f, c.args);
  for (size_t p = 0; p < c.args.size(); ++p) {
    std::vector<Pattern> patterns;
    for (size_t o = 0; o < before.size(); ++o)
      patterns.push_back(sparsity(c.f, static_cast<int64_t>(o), static_cast<int64_t>(p)));
    for (int64_t j = 0; j < c.args[p].size(); ++j) {
      Arrays args = c.args;
      args[p] = with_other(c.args[p], j);
      const Arrays after = interpret(*c.f, args);
      for (size_t o = 0; o < after.size(); ++o)
        for (int64_t i = 0; i < after[o].size(); ++i) {
          const bool inside = holds(patterns[o], i, j);
          EXPECT_TRUE(inside || same_element(before[o], after[o], i))
              << "output " << o << " element " << i << " of parameter " << p << " element " << j;
          absent += !inside;
        }
    }
  }
  return absent;
}

// The values at the pattern's places in a dense matrix, and zero elsewhere. Returns how many places hold a zero.
int64_t equals(const Compressed& sparse, const Arrays& args, const Array& matrix) {
  const Array values = interpret(*sparse.body, args)[0];
  EXPECT_EQ(values.size(), sparse.pattern.size());
  int64_t next = 0, zeros = 0;
  for (int64_t i = 0; i < sparse.pattern.rows; ++i)
    for (int64_t j = 0; j < sparse.pattern.columns; ++j) {
      const double want = matrix.at(i * sparse.pattern.columns + j);
      if (!holds(sparse.pattern, i, j)) {
        EXPECT_EQ(want, 0) << i << ' ' << j;
      } else {
        const double got = values.at(next++);
        EXPECT_LE(std::abs(got - want), 1e-11 * std::max(1.0, std::abs(want))) << i << ' ' << j;
        zeros += want == 0;
      }
    }
  return zeros;
}

bool real(const Case& c, size_t p) {
  return c.args[p].dtype() == Dtype::float64 && c.args[p].size() > 0 && c.args[p].size() <= 64 &&
         !c.f->outputs().empty() && c.f->outputs()[0].dtype() == Dtype::float64;
}

TEST(SparsityLaws, EveryOperation) {
  // Zeros in a pattern of these come from the numbers of a sample alone, and there are none.
  const std::set<std::string_view> exact{"movement", "contraction", "convolution"};
  int64_t absent = 0, matrices = 0;
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples()) {
      SCOPED_TRACE(std::string(op->name) + " " + s.label);
      const Case c = case_of(*op, s);
      int64_t size = 0;
      for (const Array& a : c.args) size += a.size();
      if (size <= 200) absent += changes_are_seen(c);
      for (size_t p = 0; p < c.args.size(); ++p) {
        if (!real(c, p) || !op->jvp) continue;
        const auto at = static_cast<int64_t>(p);
        const int64_t zeros =
            equals(sparse_jacobian(c.f, at), c.args, interpret(*jacobian_forward(c.f, at), c.args)[0]);
        if (exact.contains(op->family)) { EXPECT_EQ(zeros, 0); }
        ++matrices;
      }
    }
  EXPECT_GT(absent, 10000);
  EXPECT_GT(matrices, 300);
}

TEST(SparsityLaws, RandomPrograms) {
  int64_t absent = 0;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Case c{RandomProgram(seed, Dtype::float64, false).body(), {}};
    for (const Value& p : c.f->params())
      c.args.push_back(is_float(p.dtype()) ? direction(p.type(), seed + 3 * static_cast<uint32_t>(c.args.size()))
                                           : Array::full(p.type(), static_cast<double>(c.args.size() % 3)));
    if (numel(c.f->outputs()[0].shape()) > 500) continue;
    absent += changes_are_seen(c);
    for (int64_t p : {0, 1, 4})
      equals(sparse_jacobian(c.f, p), c.args, interpret(*jacobian_forward(c.f, p), c.args)[0]);
  }
  EXPECT_GT(absent, 10000);
}

}  // namespace
}  // namespace viva
