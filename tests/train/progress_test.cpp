#include "train/progress.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "train/identity.h"

namespace viva {
namespace {

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Progress, RoundTrip) {
  const Progress p{{7, "abc"}, {{"loss", .1}, {"accuracy \"é\"", -3e300}}, 4, 500},
      q = parse_progress(progress_text(p), "f");
  EXPECT_EQ(q.mark.lines, 7u);
  EXPECT_EQ(q.mark.sha256, "abc");
  EXPECT_EQ(q.sums, p.sums);
  EXPECT_EQ(q.summed, 4);
  EXPECT_EQ(q.logged_step, 500);
}

TEST(Progress, AnythingElseIsRefused) {
  const auto with = [](const std::string& lines, const std::string& sha256, const std::string& sums) {
    return fmt::format(R"({{"lines":{},"sha256":{},"summed":1,"logged":2,"sums":{}}})", lines, sha256, sums);
  };
  EXPECT_EQ(parse_progress(with("1", R"("a")", "{}"), "f").logged_step, 2);
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), std::string("{"), with("-1", R"("a")", "{}"),
        with("1.5", R"("a")", "{}"), with("1e300", R"("a")", "{}"), with("18446744073709551615", R"("a")", "{}"),
        with("1", "2", "{}"), with("1", R"("a")", "[1]"), with("1", R"("a")", R"({"loss":"x"})"),
        with("1", R"("a")", R"({"loss":null})"), with("1", R"("a")", R"({"loss":[1]})"), nested(1000000),
        with("1", R"("a")", nested(1000000))})
    EXPECT_EQ(error_of([&] { parse_progress(bad, "f"); }), "f: is no checkpoint: its progress cannot be read");
}

// What run a checkpoint is of is compared, and shown where it differs; deep nesting would end the stack.
TEST(Identity, HostileRunsAreRefused) {
  const auto refused = [](const std::string& run) {
    return error_of([&] { training::check_same_run({1, run, "", {}}, {R"({"seed":1})", {}, {}}, "f"); });
  };
  const std::string unread = "f: is no checkpoint: what run it is of cannot be read",
                    another = "f: is of another run: ", mend = ": give that run's settings, or another directory";
  EXPECT_EQ(refused(R"({"seed":)" + nested(1000000) + "}"), unread);
  EXPECT_EQ(refused(nested(1000000)), unread);
  EXPECT_EQ(refused("{"), unread);
  EXPECT_EQ(refused("[1]"), another + "it has no seed" + mend);
  EXPECT_EQ(refused(R"({"seed":{"a\nb":[2]}})"), another + R"(seed is {"a\nb":[2]} in it and 1 here)" + mend);
}

}  // namespace
}  // namespace viva
