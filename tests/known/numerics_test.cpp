// The examiner numerics on sums that rounding destroys.
#include <gtest/gtest.h>

#include <cmath>

#include "examine/graph_subject.h"

namespace viva {
namespace {

using testing::examined;
using testing::FakeSubject;
using testing::get;
using testing::GraphSubject;
using testing::linear;
using testing::names_class;
using testing::planted;
using testing::source;

// ((x + 1e8) - 1e8, .1) at x = .3: 0 in float32, .3 in float64.
Value cancelled(Build& b, Value x) {
  const Value large = b.full_like(x, 1e8);
  return b.concatenate({b.sub(b.add(x, large), large), b.full_like(x, .1)}, 1);
}

TEST(Numerics, EveryLabelFlips) {
  GraphSubject net(1, 2, cancelled);
  const RowSource rows = source(std::vector<int64_t>(200, 0), 1, [](auto...) { return .3f; });
  const Report r = examined(net, rows, {"numerics.flips <= 0", "numerics.flip_rate <= .01"});
  EXPECT_EQ(get(r, "numerics.flips").estimate, 200);
  EXPECT_FALSE(get(r, "numerics.flips").check->passed);
  EXPECT_EQ(get(r, "numerics.flip_rate").estimate, 1);
  EXPECT_NEAR(*get(r, "numerics.largest_difference").estimate, .3, 1e-7);
  EXPECT_NEAR(*get(r, "numerics.smallest_margin").estimate, .2, 1e-7);
  EXPECT_FALSE(get(r, "numerics.smallest_margin").check->passed);
  EXPECT_EQ(r.claims[0].ruling, Verdict::refuted);
  EXPECT_EQ(r.claims[1].ruling, Verdict::undecided);  // no lower limit is stated
}

TEST(Numerics, NoLabelFlips) {
  GraphSubject net(2, 2, linear({3, -7}, .125));
  const RowSource rows = source(std::vector<int64_t>(10000, 1), 2, [](int64_t i, int64_t j) {
    return static_cast<float>(std::sin(static_cast<double>(i * 2 + j) * .7));
  });
  const Report r = examined(net, rows, {"numerics.flip_rate <= .0004"});
  EXPECT_EQ(get(r, "numerics.flips").estimate, 0);
  const Interval& i = *get(r, "numerics.flip_rate").interval;
  EXPECT_FALSE(i.low);
  EXPECT_NEAR(*i.high, 2.9953e-4, 5e-9);
  EXPECT_EQ(i.sided, Sided::upper);
  EXPECT_EQ(r.claims[0].ruling, Verdict::supported);
  EXPECT_LT(*get(r, "numerics.largest_difference").estimate, 2e-6);
}

TEST(Numerics, LeftOutWithoutAGraphOrInFloat64) {
  FakeSubject fake(2, 3, names_class(3, 5));
  EXPECT_EQ(get(examined(fake, planted(30, 3, 0)), "numerics.flips").status, Status::not_run);
  GraphSubject wide(1, 2, cancelled, Dtype::float64);
  const RowSource rows = source({0, 0}, 1, [](auto...) { return .3f; });
  RowSource doubles = rows;
  doubles.rows = [rows](int64_t first, int64_t n) { return rows.rows(first, n).converted(Dtype::float64); };
  const Report r = examined(wide, doubles, {"numerics.flips <= 0"});
  EXPECT_NE(get(r, "numerics.flips").why.find("float64 already"), std::string::npos);
  EXPECT_EQ(r.claims[0].ruling, Verdict::undecided);
}

}  // namespace
}  // namespace viva
