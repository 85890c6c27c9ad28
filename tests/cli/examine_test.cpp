// viva examine over networks in closed form, and the program itself.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "cli/report_directory.h"
#include "cli/verb.h"
#include "examine/fake_subject.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

namespace fs = std::filesystem;
using testing::FakeSubject;
using testing::names_class;
using testing::planted;

struct Outcome {
  int code;
  std::string out, err;
};

class ExamineVerb : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "viva_cli_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    before_ = fs::current_path();
    fs::current_path(folder_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }

  Outcome call(std::vector<std::string> words) {
    words.insert(words.begin(), "viva");
    std::vector<const char*> argv;
    for (const std::string& w : words) argv.push_back(w.c_str());
    std::ostringstream out, err;
    Openers open;
    open.subject = [this](const std::string& path, const SubjectChoice&) -> std::unique_ptr<Subject> {
      if (path == "missing.onnx") throw input_error("missing.onnx: no such file");
      auto s = std::make_unique<FakeSubject>(2, 10, names_class(10, 3));
      s->model.path = path;
      s->independent = independent_;
      return s;
    };
    open.data = [](const std::string& spec, const std::string& id, const Subject&) {
      RowSource d = planted(spec == "small" ? 100 : 1000, 10, spec == "small" ? 10 : 98);
      d.record.id = id;
      d.record.spec = spec;
      return d;
    };
    Session session{out, err, cancel_, false, open};
    const int code = run_cli(static_cast<int>(argv.size()), argv.data(), session);
    return {code, out.str(), err.str()};
  }

  std::string at(const std::string& name) const { return folder_ + "/" + name; }
  static std::string text(const std::string& path) { return std::string(read_file(path).text()); }
  // Everything in the folder, hidden names too.
  int64_t names() const { return std::distance(fs::directory_iterator(folder_), {}); }

  std::string folder_;
  fs::path before_;
  Cancel cancel_{false};
  bool independent_ = true;
};

TEST_F(ExamineVerb, WritesAReport) {
  const Outcome o = call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.accuracy >= 0.85", "--claim",
                          "risk.recall[3] <= 1", "--out", at("r")});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.err, "");
  EXPECT_NE(o.out.find("supported  risk.accuracy >= 0.85"), std::string::npos) << o.out;
  const auto json = nlohmann::json::parse(text(at("r/report.json")));
  EXPECT_EQ(json["command"],
            "viva examine net.onnx --data rows --claim 'risk.accuracy >= 0.85' --claim 'risk.recall[3] <= 1' --seed 0");
  EXPECT_TRUE(fs::exists(at("r/report.html")));
  EXPECT_TRUE(nlohmann::json::parse(text(at("r/report.schema.json"))).contains("$defs"));
  EXPECT_EQ(names(), 2);  // the report, and the ledger in net.onnx.viva
}

TEST_F(ExamineVerb, ExitCodes) {
  const std::string out = at("r");
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.accuracy >= .99", "--out", out}).code, 1);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.accuracy >= .9", "--out", out}).code,
            0);  // undecided
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.accuracy => .9", "--out", out}).code, 2);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.nothing > .9", "--out", out}).code, 2);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.recall[10] > .9", "--out", out}).code, 2);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--only", "riks", "--out", out}).code, 2);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--threads", "-1", "--out", out}).code, 2);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--seed", "-1", "--out", out}).code, 2);
  EXPECT_EQ(call({"examine", "net.onnx"}).code, 2);
  EXPECT_EQ(call({"exmine"}).code, 2);
  EXPECT_EQ(call({}).code, 2);
  EXPECT_EQ(call({"examine", "missing.onnx", "--data", "rows", "--out", out}).code, 3);
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--out", at("no/such/place")}).code, 3);
  EXPECT_EQ(call({"examine", "--help"}).code, 0);
  EXPECT_EQ(call({"--version"}).code, 0);
  independent_ = false;
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--out", out}).code, 4);
}

TEST_F(ExamineVerb, ErrorsAreOneLine) {
  const Outcome o = call({"examine", "missing.onnx", "--data", "rows"});
  EXPECT_EQ(o.err, "viva: missing.onnx: no such file\n");
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(call({"examine", "net.onnx"}).err, "viva: --data is required; see viva examine --help\n");
}

TEST_F(ExamineVerb, SameBytesForAnyThreadsAndPlace) {
  const std::vector<std::string> words = {"examine", "net.onnx",         "--data",    "small",  "--train", "rows",
                                          "--claim", "risk.brier <= .5", "--no-cost", "--seed", "7"};
  for (const char* run : {"1", "4"}) {
    auto all = words;
    all.insert(all.end(), {"--threads", run, "--out", at(run)});
    ASSERT_EQ(call(all).code, 0);
  }
  for (const char* file : {"report.json", "report.html", "report.schema.json"})
    EXPECT_EQ(text(at("1/") + file), text(at("4/") + file)) << file;
  EXPECT_EQ(text(at("1/report.json")).find("\"cost\""), std::string::npos);
}

TEST_F(ExamineVerb, ClassNames) {
  std::ofstream names(at("names"));
  for (int i = 0; i < 10; ++i) names << "class <" << i << ">\n";
  names.close();
  const std::string claim = "risk.recall[\"class <4>\"] >= .5";
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--claim", claim, "--out", at("r")}).code, 2);
  const Outcome o =
      call({"examine", "net.onnx", "--data", "rows", "--classes", at("names"), "--claim", claim, "--out", at("r")});
  EXPECT_EQ(o.code, 0) << o.err;
  const auto json = nlohmann::json::parse(text(at("r/report.json")));
  EXPECT_EQ(json["claims"][0]["ruling"], "supported");
  EXPECT_EQ(json["claims"][0]["key"], "class <4>");
  EXPECT_EQ(json["data"][0]["classes"][4], "class <4>");
  EXPECT_NE(json["command"].get<std::string>().find("--classes"), std::string::npos);
  EXPECT_EQ(text(at("r/report.html")).find("class <"), std::string::npos);
  // Without names an index may be quoted.
  EXPECT_EQ(
      call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.recall[\"3\"] >= .5", "--out", at("r")}).code, 0);
}

// Text that hides or turns what stands beside it: visible on the page and the terminal, exact in the JSON.
TEST_F(ExamineVerb, InvisibleCharactersAreShown) {
  std::ofstream names(at("names"));
  for (int i = 0; i < 10; ++i) names << "n" << i << (i == 4 ? "\u202eexe\u2066\u200b\u0085" : "") << "\n";
  names.close();
  const Outcome o = call({"examine", "net\u202e.onnx", "--data", "rows\u2067", "--classes", at("names"), "--claim",
                          "risk.recall[\"n4\u202eexe\u2066\u200b\u0085\"] >= .5", "--out", at("r\u200f")});
  EXPECT_EQ(o.code, 0) << o.err;
  const std::string page = text(at("r\u200f/report.html")), json = text(at("r\u200f/report.json"));
  const std::string ledger = text(at("net\u202e.onnx.viva/ledger.jsonl"));
  for (const std::string& all : {o.out, o.err, page, json, ledger})
    for (const char* raw : {"\u202e", "\u2066", "\u2067", "\u200b", "\u200f", "\u0085"})
      EXPECT_EQ(all.find(raw), std::string::npos) << raw;
  VIVA_EXPECT_HAS(page, "n4\\u202eexe\\u2066\\u200b\\xc2\\x85");
  VIVA_EXPECT_HAS(o.out, "net\\u202e.onnx");
  VIVA_EXPECT_HAS(json, "\"n4\\u202eexe\\u2066\\u200b\\u0085\"");
  EXPECT_EQ(nlohmann::json::parse(json)["data"][0]["classes"][4], "n4\u202eexe\u2066\u200b\u0085");
  const Outcome none = call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.accuracy\u202e > .5"});
  EXPECT_EQ(none.code, 2);
  VIVA_EXPECT_HAS(none.err, "risk.accuracy\\u202e");
}

TEST_F(ExamineVerb, RadiiAndRowsThatCannotBe) {
  const auto refused = [&](std::vector<std::string> more, const std::string& says) {
    std::vector<std::string> words = {"examine", "net.onnx", "--data", "rows", "--out", at("r")};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome o = call(words);
    EXPECT_EQ(o.code, 2) << says;
    VIVA_EXPECT_HAS(o.err, says);
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
    EXPECT_EQ(names(), 0);
  };
  refused({"--eps", "8"}, "--eps 8: the radius 8 is beyond the whole range [0, 1], which is taken without --range");
  refused({"--eps", "1.0001"}, "--eps 1.0001: the radius 1.0001 is beyond the whole range [0, 1]");
  refused({"--eps", "1/255,300", "--range", "0,255"}, "--eps 300: the radius 300 is beyond the whole range [0, 255]: ");
  refused({"--claim", "robustness.accuracy[8] >= .5"}, "claim 'robustness.accuracy[8] >= 0.5': the radius 8");
  refused({"--rows", "1001"}, "--rows 1001: rows holds 1,000 rows: write at most as many");
  refused({"--rows", "1001", "--plan"}, "write at most as many");
  refused({"--rows", "5000000000"}, "write at most as many");
  for (const char* bad : {"0", "-1", "x", "1e3", "99999999999999999999"})
    refused({"--rows", bad}, "write a whole number of at least 1");
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--eps", "1", "--rows", "1000", "--plan"}).code, 0);
}

TEST_F(ExamineVerb, OneSpellingOfTheCommand) {
  const auto report = [&](const std::string& claim, const std::string& only) {
    EXPECT_EQ(
        call({"examine", "net.onnx", "--data", "rows", "--claim", claim, "--only", only, "--no-cost", "--out", at("r")})
            .code,
        0);
    return text(at("r/report.json"));
  };
  const std::string one = report("risk.accuracy>=.8", "risk,identity");
  EXPECT_EQ(one, report(" risk.accuracy  >= 0.80", "identity,risk"));
  EXPECT_NE(one.find("--claim 'risk.accuracy >= 0.8' --only identity,risk --seed"), std::string::npos);
}

TEST_F(ExamineVerb, NothingRawReachesTheTerminal) {
  const Outcome o = call({"examine", "net\x1b[31m\n.onnx", "--data", "rows", "--out", at("r\x1b[31m")});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ((o.out + o.err).find('\x1b'), std::string::npos) << o.out;
  VIVA_EXPECT_HAS(text(at("r\x1b[31m/report.json")), "viva examine $'net\\\\x1b[31m\\\\x0a.onnx' --data");
  const Outcome plan = call({"examine", "net\x1b[31m\n.onnx", "--data", "rows", "--plan"});
  EXPECT_EQ(plan.out.find('\x1b'), std::string::npos) << plan.out;
}

TEST_F(ExamineVerb, NumbersThatAreNone) {
  VIVA_EXPECT_HAS(call({"examine", "net.onnx", "--data", "rows", "--threads", "x"}).err,
                  "--threads = x: is no number of the kind that this option takes");
}

TEST_F(ExamineVerb, APlaceWhereNothingCanBeMade) {
  const Outcome o = call({"examine", "net.onnx", "--data", "rows", "--out", "/proc/report"});
  EXPECT_EQ(o.code, 3);
  VIVA_EXPECT_HAS(o.err, "/proc/report: cannot be written");
}

// As an unset variable of a script leaves them.
TEST_F(ExamineVerb, NothingIsGivenEmpty) {
  for (const char* option : {"--data", "--normalize", "--range", "--eps", "--rows", "--groups", "--classes", "--train",
                             "--layout", "--claims", "--ledger", "--mend", "--budget", "--input-name"}) {
    const Outcome o = call({"examine", "net.onnx", "--data", "rows", option, ""});
    EXPECT_EQ(o.code, 2) << option;
    EXPECT_EQ(std::ranges::count(o.err, '\n'), 1) << o.err;
  }
  VIVA_EXPECT_HAS(call({"examine", "net.onnx", "--data", "rows", "--range", ""}).err,
                  "--range: is empty: write a value");
  EXPECT_EQ(call({"examine", "", "--data", "rows"}).code, 2);
  EXPECT_EQ(names(), 0);
}

TEST_F(ExamineVerb, AnEmptyPlaceIsNoPlace) {
  EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--out", ""}).code, 2);
}

TEST_F(ExamineVerb, OnlyKeepsTheOrderOfTheList) {
  std::string all;
  for (const Examiner* e : examiners()) all = std::string(e->name) + (all.empty() ? "" : ",") + all;
  ASSERT_EQ(call({"examine", "net.onnx", "--data", "rows", "--only", all, "--out", at("a")}).code, 0);
  ASSERT_EQ(call({"examine", "net.onnx", "--data", "rows", "--only", "risk", "--out", at("b")}).code, 0);
  // All of them are no choice.
  EXPECT_EQ(text(at("a/report.json")).find("--only"), std::string::npos);
  EXPECT_NE(text(at("b/report.json")).find("--only risk --seed"), std::string::npos);
  const auto json = nlohmann::json::parse(text(at("b/report.json")));
  for (const auto& f : json["findings"]) EXPECT_TRUE(f["id"].get<std::string>().starts_with("risk.")) << f["id"];
}

TEST_F(ExamineVerb, ABudgetBecomesCounts) {
  ASSERT_EQ(call({"examine", "net.onnx", "--data", "rows", "--budget", "1e-9", "--out", at("r")}).code, 0);
  VIVA_EXPECT_HAS(text(at("r/report.json")), "the budget allows too few rows for it: give a larger --budget");
  VIVA_EXPECT_HAS(text(at("r/report.json")), " --budget 1e-09 --seed");
  for (const char* bad : {"0", "-1", "x"})
    EXPECT_EQ(call({"examine", "net.onnx", "--data", "rows", "--budget", bad, "--out", at("r")}).code, 2) << bad;
}

TEST_F(ExamineVerb, PlanWritesNothing) {
  const Outcome o =
      call({"examine", "net.onnx", "--data", "rows", "--claim", "risk.accuracy >= .9", "--plan", "--out", at("r")});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("network over --data: 1,000 rows, 1 GFLOP"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("nothing was run"), std::string::npos);
  EXPECT_EQ(names(), 0);
}

TEST_F(ExamineVerb, InterruptionWritesNothing) {
  cancel_ = true;
  const Outcome o = call({"examine", "net.onnx", "--data", "rows", "--out", at("r")});
  EXPECT_EQ(o.code, 130);
  EXPECT_EQ(names(), 0);
}

TEST_F(ExamineVerb, ReplacesOnlyAReport) {
  const std::vector<std::string> words = {"examine", "net.onnx", "--data", "small", "--out", at("r")};
  EXPECT_EQ(call(words).code, 0);
  EXPECT_EQ(call(words).code, 0);
  std::ofstream(at("r/notes.txt")) << "mine";
  EXPECT_EQ(call(words).code, 3);
  EXPECT_EQ(text(at("r/notes.txt")), "mine");
  fs::remove(at("r/notes.txt"));
  std::ofstream(at("r/report.json")) << "{\"schema\": \"other\"}";
  EXPECT_EQ(call(words).code, 3);
  fs::remove_all(at("r"));
  fs::create_directory(at("r"));
  EXPECT_EQ(call(words).code, 0);
  EXPECT_EQ(names(), 1);
}

TEST_F(ExamineVerb, ReplaceableReports) {
  EXPECT_FALSE(is_replaceable_report(at("nothing")));
  fs::create_directory(at("r"));
  EXPECT_TRUE(is_replaceable_report(at("r")));
  std::ofstream(at("r/report.html")) << "x";
  EXPECT_FALSE(is_replaceable_report(at("r")));
  std::ofstream(at("r/report.json")) << "not json";
  EXPECT_FALSE(is_replaceable_report(at("r")));
  std::ofstream(at("r/report.json")) << "{\"schema\": \"viva.report/1\"}";
  EXPECT_TRUE(is_replaceable_report(at("r")));
  fs::remove(at("r/report.html"));
  fs::create_directory(at("r/report.html"));
  EXPECT_FALSE(is_replaceable_report(at("r")));
  fs::remove(at("r/report.html"));
  fs::create_symlink("/nowhere", at("r/report.html"));
  EXPECT_FALSE(is_replaceable_report(at("r")));
}

TEST(Cli, ShellQuoting) {
  EXPECT_EQ(shell_quoted("a/b-c_1.onnx"), "a/b-c_1.onnx");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_quoted("~x"), "'~x'");
  EXPECT_EQ(shell_quoted("é"), "'é'");
  EXPECT_EQ(shell_quoted("a\nb'\\\x1b[31m\xff"), "$'a\\x0ab\\'\\\\\\x1b[31m\\xff'");
}

TEST(Cli, ThreadCount) {
  EXPECT_EQ(thread_count(3), 3);
  setenv("VIVA_THREADS", "5", 1);
  EXPECT_EQ(thread_count({}), 5);
  EXPECT_EQ(thread_count(2), 2);
  for (const char* bad : {"0", "-1", "x", "5x", "1025", "99999999999"}) {
    setenv("VIVA_THREADS", bad, 1);
    EXPECT_THROW(thread_count({}), Error) << bad;
  }
  unsetenv("VIVA_THREADS");
  EXPECT_GE(thread_count({}), 1);
  EXPECT_THROW(thread_count(0), Error);
  EXPECT_THROW(thread_count(-2), Error);
}

TEST(Cli, EveryVerbShowsItsExample) {
  for (const Verb* v : verbs()) {
    std::ostringstream out, err;
    const Cancel go{false};
    Session session{out, err, go, false, {}};
    const std::string name(v->name);
    const char* argv[] = {"viva", name.c_str(), "--help"};
    EXPECT_EQ(run_cli(3, argv, session), 0);
    EXPECT_NE(out.str().find(v->example), std::string::npos);
    EXPECT_TRUE(v->example.starts_with("viva " + name));
  }
}

int program(const std::string& arguments) {
  const int status = std::system((std::string(VIVA_PROGRAM) + " " + arguments).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Program, Starts) {
  EXPECT_EQ(program("--version > /dev/null"), 0);
  EXPECT_EQ(program("examine --help > /dev/null"), 0);
  EXPECT_EQ(program("2> /dev/null"), 2);
  EXPECT_EQ(program("examine x.onnx --data y --claim 'a b' 2> /dev/null"), 2);
}

TEST(Program, AReaderMayLeave) {
  TempDir dir;
  const std::string command = std::string("bash -c '{ sleep .2; ") + VIVA_PROGRAM + " ops --json 2> " + (dir / "err") +
                              "; } | true; exit ${PIPESTATUS[0]}'";
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 141);
  EXPECT_EQ(get(dir / "err"), "");
}

TEST(Program, AFullDiskIsAnError) { EXPECT_EQ(program("examine --help > /dev/full 2> /dev/null"), 3); }
TEST(Program, ALimitOnSizesOfFilesIsAnError) {
  TempDir dir;
  const std::string limited =
      std::string("sh -c 'ulimit -f 1; ") + VIVA_PROGRAM + " ops > " + (dir / "ops") + " 2> /dev/null'";
  const int status = std::system(limited.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

}  // namespace
}  // namespace viva
