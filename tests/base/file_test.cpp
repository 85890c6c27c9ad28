#include "base/file.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/aside.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

TEST(File, ReadsWhatIsThere) {
  TempDir dir;
  for (size_t n : {0, 1, 63, 64, 65, 1 << 20}) {
    std::string text(n, 'x');
    if (n) text[n / 2] = '\0';
    put(dir / "f", text);
    EXPECT_EQ(read_file(dir / "f").text(), text);
  }
}

TEST(File, ReadErrorsNameFileAndMend) {
  TempDir dir;
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir / "absent"); }),
                  "absent: cannot be read (No such file or directory): check");
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir.path()); }), "is a directory");
  put(dir / "f", "12345");
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir / "f", 4); }), "has 5 bytes, more than the limit of 4");
  EXPECT_EQ(read_file(dir / "f", 5).text(), "12345");
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir / "f" + "/g"); }), "a part of the path is a file");
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir / "pipe"); }), "not a regular file");
  VIVA_EXPECT_HAS(error_of([&] { read_file("/dev/null"); }), "not a regular file");
  fs::create_symlink("loop", dir / "loop");
  VIVA_EXPECT_HAS(error_of([&] { read_file(dir / "loop"); }), "circle");
  VIVA_EXPECT_HAS(error_of([&] { read_file(std::string("a\0b", 3)); }), "a\\x00b: a path cannot hold a NUL byte");
  VIVA_EXPECT_HAS(error_of([&] { read_file("new\nline"); }), "new\\x0aline");
  VIVA_EXPECT_HAS(error_of([&] { read_file(""); }), "No such file");
}

TEST(File, WriteMakesAndReplaces) {
  TempDir dir;
  write_file(dir / "f", "one");
  EXPECT_EQ(get(dir / "f"), "one");
  ASSERT_EQ(chmod((dir / "f").c_str(), 0640), 0);
  write_file(dir / "f", std::string(3 << 20, 'y'));
  EXPECT_EQ(fs::file_size(dir / "f"), 3u << 20);
  EXPECT_EQ(static_cast<unsigned>(fs::status(dir / "f").permissions()), 0640u);
  write_file(dir / "f", "");
  EXPECT_EQ(get(dir / "f"), "");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"f"});
}

TEST(File, WriteFollowsLinksAndLongNames) {
  TempDir dir;
  fs::create_directory(dir / "real");
  put(dir / "real/f", "old");
  fs::create_symlink("real/f", dir / "link");
  write_file(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(get(dir / "real/f"), "new");
  const std::string longest(255, 'n');
  write_file(dir / longest, "1");
  EXPECT_EQ(get(dir / longest), "1");
  VIVA_EXPECT_HAS(error_of([&] { write_file(dir / (longest + "n"), "1"); }), "shorter name");
}

TEST(File, WriteRefusals) {
  TempDir dir;
  VIVA_EXPECT_HAS(error_of([&] { write_file(dir.path(), "x"); }), "not a regular file");
  VIVA_EXPECT_HAS(error_of([&] { write_file("/dev/null", "x"); }), "not a regular file");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  VIVA_EXPECT_HAS(error_of([&] { write_file(dir / "no/f", "x"); }), "/no does not exist: create it first");
  VIVA_EXPECT_HAS(error_of([&] { write_file("", "x"); }), "no file name");
  VIVA_EXPECT_HAS(error_of([&] { write_file("/", "x"); }), "root directory");
  fs::create_symlink("nowhere", dir / "dangling");
  VIVA_EXPECT_HAS(error_of([&] { write_file(dir / "dangling", "x"); }), "link to nothing");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"dangling"});
}

// Runs body in a child process and gives its exit code.
template <class F> int in_child(F body) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {}
    _exit(code);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

TEST(File, FailedWriteLeavesTheOldFile) {
  TempDir dir;
  put(dir / "f", "old");
  const int code = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file(dir / "f", std::string(5000, 'x'));
    } catch (const Error& e) {
      return e.message().find("cannot be written (File too large)") != std::string::npos ? 0 : 1;
    }
    return 2;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(get(dir / "f"), "old");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"f"});
}

TEST(File, FullDiskAndReadOnlyMount) {
  TempDir dir;
  const int code = in_child([&] {
    const bool root = geteuid() == 0;
    if (unshare(root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return 77;
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    if (mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) return 77;
    write_file(dir / "f", "old");
    const auto fails_with = [&](size_t size, const char* text) {
      try {
        write_file(dir / "f", std::string(size, 'x'));
      } catch (const Error& e) {
        return e.kind() == ErrorKind::input && e.message().find(text) != std::string::npos && get(dir / "f") == "old" &&
               names_in(dir.path()) == std::vector<std::string>{"f"};
      }
      return false;
    };
    if (!fails_with(1 << 20, "free some space")) return 1;
    if (mount(nullptr, dir.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return 77;
    return fails_with(1, "read-only") ? 0 : 2;
  });
  if (code == 77) GTEST_SKIP() << "mounting is not permitted here";
  EXPECT_EQ(code, 0);
}

TEST(File, StaleHiddenFilesAreRemovedLiveOnesAreNot) {
  TempDir dir;
  put(dir / ".f.viva-12-0", "left by a killed run");
  put(dir / ".f.viva-12-", "not of our making");
  put(dir / ".f.viva-12-0x", "nor this");
  put(dir / ".g.viva-12-0", "of another target");
  const Aside live = make_aside(resolve_output(dir / "f"), AsideKind::file);
  EXPECT_EQ(in_child([&] { return write_file(dir / "f", "new"), 0; }), 0);
  EXPECT_FALSE(fs::exists(dir / ".f.viva-12-0"));
  EXPECT_EQ(names_in(dir.path()).size(), 5u);
  EXPECT_TRUE(fs::exists(live.path));
}

TEST(File, SafeJoin) {
  TempDir dir;
  fs::create_directories(dir / "base/sub");
  put(dir / "base/a", "");
  put(dir / "base/sub/b", "");
  put(dir / "secret", "");
  put(dir / "base-twin", "");
  fs::create_symlink("a", dir / "base/inner");
  fs::create_symlink("../secret", dir / "base/outer");
  fs::create_symlink("../base-twin", dir / "base/twin");
  fs::create_directory_symlink("..", dir / "base/up");
  const std::string base = dir / "base", real = fs::canonical(base).string();
  EXPECT_EQ(safe_join(base, "a"), real + "/a");
  EXPECT_EQ(safe_join(base, "./sub//b"), real + "/sub/b");
  EXPECT_EQ(safe_join(base + "/", "inner"), real + "/a");
  EXPECT_EQ(safe_join("/", real.substr(1) + "/a"), real + "/a");
  for (const char* out : {"outer", "twin", "up/secret"})
    VIVA_EXPECT_HAS(error_of([&] { safe_join(base, out); }), "leads out");
  for (const char* out : {"..", "../secret", "sub/../a", "sub/.."})
    VIVA_EXPECT_HAS(error_of([&] { safe_join(base, out); }), "leads out");
  VIVA_EXPECT_HAS(error_of([&] { safe_join(base, "/etc/passwd"); }), "absolute");
  VIVA_EXPECT_HAS(error_of([&] { safe_join(base, std::string("a\0b", 3)); }), "a\\x00b");
  VIVA_EXPECT_HAS(error_of([&] { safe_join(base, ""); }), "no file name");
  VIVA_EXPECT_HAS(error_of([&] { safe_join(base, "absent.data"); }), "absent.data: cannot be found");
  EXPECT_EQ(safe_join(base, "sub"), real + "/sub");
}

}  // namespace
}  // namespace viva
