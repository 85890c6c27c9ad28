#include "base/output_directory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace viva {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

bool never(const std::string&) { return false; }
bool holds_report(const std::string& directory) { return fs::exists(directory + "/report.json"); }

TEST(OutputDirectory, AppearsWholeAtCommit) {
  TempDir dir;
  {
    OutputDirectory out(dir / "out/", never);
    out.write("a", "1");
    out.write("a", "2");
    fs::create_directory(out.path() + "/sub");
    put(out.path() + "/sub/b", "3");
    EXPECT_FALSE(fs::exists(dir / "out"));
    out.commit();
  }
  EXPECT_EQ(get(dir / "out/a"), "2");
  EXPECT_EQ(get(dir / "out/sub/b"), "3");
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
}

TEST(OutputDirectory, WithoutCommitNothingStays) {
  TempDir dir;
  { OutputDirectory(dir / "out", never).write("a", "1"); }
  EXPECT_EQ(names_in(dir.path()), Names{});
}

TEST(OutputDirectory, ReplacesWhatThePredicateAccepts) {
  TempDir dir;
  fs::create_directories(dir / "out/deep");
  put(dir / "out/report.json", "old");
  put(dir / "out/deep/more", "old");
  OutputDirectory out(dir / "out", holds_report);
  out.write("report.json", "new");
  EXPECT_EQ(get(dir / "out/report.json"), "old");
  out.commit();
  EXPECT_EQ(names_in(dir / "out"), Names{"report.json"});
  EXPECT_EQ(get(dir / "out/report.json"), "new");
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
}

TEST(OutputDirectory, FollowsALinkToTheTarget) {
  TempDir dir;
  fs::create_directories(dir / "disk/real");
  put(dir / "disk/real/report.json", "old");
  fs::create_directory_symlink("disk/real", dir / "out");
  OutputDirectory out(dir / "out", holds_report);
  out.write("report.json", "new");
  out.commit();
  EXPECT_TRUE(fs::is_symlink(dir / "out"));
  EXPECT_EQ(get(dir / "disk/real/report.json"), "new");
  EXPECT_EQ(names_in(dir / "disk"), Names{"real"});
}

TEST(OutputDirectory, Refusals) {
  TempDir dir;
  fs::create_directory(dir / "thesis");
  put(dir / "thesis/chapter1", "years of work");
  put(dir / "file", "");
  VIVA_EXPECT_HAS(error_of([&] { OutputDirectory(dir / "thesis", holds_report); }),
                  "not an output that may be replaced");
  VIVA_EXPECT_HAS(error_of([&] { OutputDirectory(dir / "thesis", nullptr); }), "not an output that may be replaced");
  VIVA_EXPECT_HAS(error_of([&] { OutputDirectory(dir / "file", holds_report); }), "is not a directory");
  VIVA_EXPECT_HAS(error_of([&] { OutputDirectory(dir / "no/out", holds_report); }), "create it first");
  VIVA_EXPECT_HAS(error_of([&] { OutputDirectory("/", holds_report); }), "root");
  EXPECT_EQ(names_in(dir.path()), (Names{"file", "thesis"}));
  EXPECT_EQ(get(dir / "thesis/chapter1"), "years of work");
}

// Between construction and commit somebody else put something there.
TEST(OutputDirectory, ChecksAgainAtCommit) {
  TempDir dir;
  {
    OutputDirectory out(dir / "out", holds_report);
    out.write("report.json", "new");
    fs::create_directory(dir / "out");
    put(dir / "out/chapter1", "years of work");
    VIVA_EXPECT_HAS(error_of([&] { out.commit(); }), "may be replaced");
  }
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
  EXPECT_EQ(names_in(dir / "out"), Names{"chapter1"});
}

TEST(OutputDirectory, OnlyPlainNamesAndOneCommit) {
  TempDir dir;
  OutputDirectory out(dir / "out", never);
  for (const char* name : {"", ".", "..", "a/b", "/etc/x"})
    error_of([&] { out.write(name, "x"); }, ErrorKind::internal);
  fs::create_symlink(dir / "elsewhere", out.path() + "/link");
  error_of([&] { out.write("link", "x"); });
  EXPECT_FALSE(fs::exists(dir / "elsewhere"));
  out.commit();
  error_of([&] { out.commit(); }, ErrorKind::internal);
  error_of([&] { out.write("a", "x"); }, ErrorKind::internal);
}

TEST(OutputDirectory, KilledRunsAreCleanedUpByTheNext) {
  TempDir dir;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    OutputDirectory out(dir / "out", never);
    out.write("a", "half");
    if (write(ready[1], "x", 1) == 1)
      for (;;) pause();
    _exit(1);
  }
  char c;
  ASSERT_EQ(read(ready[0], &c, 1), 1);
  { OutputDirectory(dir / "out", never); }
  EXPECT_EQ(names_in(dir.path()).size(), 1u) << "a live run was disturbed";
  kill(child, SIGKILL);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(names_in(dir.path()).size(), 1u);
  { OutputDirectory(dir / "out", never); }
  EXPECT_EQ(names_in(dir.path()), Names{});
  close(ready[0]);
  close(ready[1]);
}

TEST(OutputDirectory, TwoAtOnce) {
  TempDir dir;
  OutputDirectory a(dir / "out", holds_report), b(dir / "out", holds_report);
  EXPECT_NE(a.path(), b.path());
  a.write("report.json", "a");
  b.write("report.json", "b");
  a.commit();
  b.commit();
  EXPECT_EQ(get(dir / "out/report.json"), "b");
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
}

TEST(Aside, ReplaceByRenaming) {
  TempDir dir;
  fs::create_directories(dir / "new");
  fs::create_directories(dir / "old");
  fs::create_directories(dir / "spare");
  put(dir / "new/n", "");
  put(dir / "old/o", "");
  replace_by_renaming(dir / "new", dir / "old", dir / "spare", "old");
  EXPECT_EQ(names_in(dir.path()), (Names{"old", "spare"}));
  EXPECT_EQ(names_in(dir / "old"), Names{"n"});
  EXPECT_EQ(names_in(dir / "spare"), Names{"o"});
  // The second step fails: the first is undone.
  fs::create_directories(dir / "spare2");
  VIVA_EXPECT_HAS(error_of([&] { replace_by_renaming(dir / "absent", dir / "old", dir / "spare2", "old"); }),
                  "old: cannot be written");
  EXPECT_EQ(names_in(dir / "old"), Names{"n"});
}

}  // namespace
}  // namespace viva
