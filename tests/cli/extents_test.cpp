// What files leave open is settled by the rows, and inputs that index tables are checked.
#include "cli/examine_files.h"

namespace viva {
namespace {

class Extents : public ExamineFiles {
 protected:
  std::string images(Shape row) const {
    return rows_of(40, std::move(row), 3, [](int64_t i, int64_t k) { return (3 * i + k) % 7; });
  }
};

TEST_F(Extents, OpenSidesComeOfTheRows) {
  for (const Shape& row : {Shape{3, 4, 5}, Shape{3, 2, 2}, Shape{1, 3, 4, 5}}) {
    const Outcome o = examine("open_sides", images(row));
    EXPECT_EQ(o.code, 0) << o.err;
  }
  const Outcome last = examine("open_sides", images({4, 5, 3}));
  EXPECT_EQ(last.code, 3);
  VIVA_EXPECT_HAS(last.err, "channels last? Then save x.transpose(0, 3, 1, 2)");
  const Outcome flat = examine("open_sides", images({60}));
  EXPECT_EQ(flat.code, 3);
  VIVA_EXPECT_HAS(flat.err, "takes rows of [3,H,W], but the data's are [60]");
}

TEST_F(Extents, NoShapeAtAll) {
  const Outcome o = examine("open_rank", rows(30));
  EXPECT_EQ(o.code, 0) << o.err;
  // Rows that the graph cannot take.
  EXPECT_GE(examine("open_rank", images({3})).code, 3);
}

TEST_F(Extents, BenchTakesThemFromItsInput) {
  images({3, 4, 5});
  const std::vector<std::string> words = {"bench", fixture("open_sides"), "--what", "forward", "--seconds", "0"};
  EXPECT_EQ(call(words).code, 4);
  auto with_input = words;
  with_input.insert(with_input.end(), {"--batch", "40", "--input", dir_ / "x.npy"});
  const Outcome o = call(with_input);
  EXPECT_EQ(o.code, 0) << o.err;
  VIVA_EXPECT_HAS(o.out, "\"check\"");
}

TEST_F(Extents, RowsWithoutABatch) {
  EXPECT_EQ(examine("no_batch", rows(30)).code, 0);
  EXPECT_TRUE(limits_say(report(), "the file takes one row, without a batch"));
}

TEST_F(Extents, IndexesOutsideTheTable) {
  const auto tokens = [&](double last) {
    return rows_of(
        30, {2}, 3, [=](int64_t i, int64_t k) { return i == 11 && k == 1 ? last : (i + k) % 5; }, Dtype::int64);
  };
  EXPECT_EQ(examine("tokens", tokens(4)).code, 0);
  EXPECT_FALSE(limits_say(report(), "indexes"));
  EXPECT_EQ(examine("tokens", tokens(-5)).code, 0);
  EXPECT_EQ(examine("tokens_computed", tokens(9)).code, 0);
  EXPECT_TRUE(limits_say(report(), "computes indexes from its input"));
  std::filesystem::remove_all(dir_ / "out");
  for (const double bad : {5., -6., 1e12}) {
    const Outcome o = examine("tokens", tokens(bad));
    EXPECT_EQ(o.code, 3);
    VIVA_EXPECT_HAS(o.err, "row 11 holds ");
    VIVA_EXPECT_HAS(o.err, "in a table of 5, 0 to 4");
    EXPECT_FALSE(written());
  }
}

TEST_F(Extents, WhatIsWrongIsSaidAtTheTop) {
  const Outcome trained = examine("training_one", rows(30));
  EXPECT_EQ(trained.code, 0) << trained.err;
  VIVA_EXPECT_HAS(
      trained.out,
      "warning    Operators still in training mode: 1 operator computes as in training (BatchNormalization 'bn')");
  EXPECT_EQ(report()["diagnosis"][0]["id"], "diagnosis.training_operators");
  const Outcome nan = examine("some_nan", rows(30));
  EXPECT_EQ(nan.code, 0) << nan.err;
  VIVA_EXPECT_HAS(nan.out, "warning    NaN in the output: 10 rows give NaN; such rows count as wrong");
  EXPECT_EQ(report()["diagnosis"][0]["id"], "diagnosis.nan_rows");
}

TEST_F(Extents, BytesAreNoIndexes) {
  EXPECT_EQ(examine("bytes", rows(30, Dtype::uint8)).code, 0);
  EXPECT_FALSE(limits_say(report(), "indexes"));
}

}  // namespace
}  // namespace viva
