// Claims from a file, the ledger beside the report, roles, names of classes, and what is not shown.
#include <nlohmann/json.hpp>

#include "cli/class_names.h"
#include "cli/examine_files.h"
#include "report/json.h"
#include "report/schema_check.h"

namespace viva {
namespace {

class Rulings : public ExamineFiles {
 protected:
  std::string claims(const std::string& text) const { return put(dir_ / "claims.toml", text); }
  std::string ledger(const std::string& name = "end_scores.onnx.viva/ledger.jsonl") const { return get(dir_ / name); }
  const std::string two_ =
      "[[claim]]\nid = \"acc\"\nstatement = \"risk.accuracy >= 0.2\"\n[[claim]]\nid = \"less\"\n"
      "statement = \"risk.accuracy < 0.99\"\n";
};

double any(int64_t i, int64_t k) { return std::sin(static_cast<double>(7 * i + 13 * k)); }

TEST_F(Rulings, ClaimsOfAFile) {
  const Outcome o = examine("end_scores", rows_of(90, {4}, 4, any),
                            {"--claims", claims(two_), "--claim", "risk.brier <= 2", "--only", "risk"});
  EXPECT_LE(o.code, 1) << o.err;
  const auto r = report();
  ASSERT_EQ(r["claims"].size(), 3u);
  EXPECT_EQ(r["claims"][0]["id"], "claim.acc");
  EXPECT_EQ(r["claims"][2]["id"], "claim.1");
  EXPECT_EQ(r["claim_files"][0]["bytes"], two_.size());
  const std::string command = r["command"];
  VIVA_EXPECT_HAS(command, "claims.toml --claim 'risk.brier <= 2' --only risk --seed 0");
  EXPECT_EQ(command.find("0.99"), std::string::npos);
  const auto schema = nlohmann::ordered_json::parse(report_schema());
  EXPECT_EQ(testing::SchemaCheck(schema)(nlohmann::ordered_json::parse(get(dir_ / "out/report.json"))), "");
  const Outcome bad = examine("end_scores", rows(30), {"--claims", claims(two_ + "x = 1\n")});
  EXPECT_EQ(bad.code, 3);
  VIVA_EXPECT_HAS(bad.err, "claims.toml:7: 'x' is no key of a claim");
  const Outcome twice = examine(
      "end_scores", rows(30),
      {"--claims", claims("[[claim]]\nid = \"1\"\nstatement = \"risk.brier <= 2\"\n"), "--claim", "risk.brier <= 2"});
  EXPECT_EQ(twice.code, 2);
  VIVA_EXPECT_HAS(twice.err, "it would be claim.1, which is an id in");
}

TEST_F(Rulings, TheLedgerOutlivesTheReport) {
  const std::string data = rows_of(90, {4}, 4, any);
  const std::vector<std::string> more = {"--claims", claims(two_), "--only", "risk", "--no-cost"};
  ASSERT_LE(examine("end_scores", data, more).code, 1);
  const std::string first = ledger(), json = get(dir_ / "out/report.json"), page = get(dir_ / "out/report.html");
  EXPECT_EQ(std::ranges::count(first, '\n'), 2);
  ASSERT_LE(examine("end_scores", data, more).code, 1);
  EXPECT_TRUE(ledger().starts_with(first));
  EXPECT_EQ(std::ranges::count(ledger(), '\n'), 4);
  EXPECT_EQ(get(dir_ / "out/report.json"), json);
  EXPECT_EQ(get(dir_ / "out/report.html"), page);
  EXPECT_EQ(
      json.find("20" + nlohmann::json::parse(first.substr(0, first.find('\n')))["date"].get<std::string>().substr(2)),
      std::string::npos);
  // Without a ruling nothing is added; a plan and a failure add nothing.
  ASSERT_EQ(examine("end_scores", data, {"--only", "risk"}).code, 0);
  ASSERT_EQ(examine("end_scores", data, {"--claims", dir_ / "claims.toml", "--plan"}).code, 0);
  EXPECT_EQ(std::ranges::count(ledger(), '\n'), 4);
  EXPECT_EQ(names_in(dir_ / "out"), (std::vector<std::string>{"report.html", "report.json", "report.schema.json"}));
}

// Whatever names the reports have, all rulings on a network stand in one ledger.
TEST_F(Rulings, OneLedgerForTenReports) {
  const std::string data = rows_of(90, {4}, 4, any), net = copied("end_scores");
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"examine", net, "--data", data, "--only", "risk", "--claims", claims(two_)};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  };
  for (int i = 0; i < 3; ++i) {
    const Outcome o = run({"--out", dir_ / fmt::format("out{}", i)});
    ASSERT_LE(o.code, 1) << o.err;
    VIVA_EXPECT_HAS(o.out, "ledger     " + net + ".viva/ledger.jsonl\n");
    EXPECT_FALSE(std::filesystem::exists(dir_ / fmt::format("out{}/ledger.jsonl", i)));
  }
  EXPECT_EQ(names_in(net + ".viva"), std::vector<std::string>{"ledger.jsonl"});
  const std::string three = ledger();
  EXPECT_EQ(std::ranges::count(three, '\n'), 6);
  // The network's own report takes the folder and keeps the ledger.
  ASSERT_LE(run({}).code, 1);
  EXPECT_EQ(names_in(net + ".viva"),
            (std::vector<std::string>{"ledger.jsonl", "report.html", "report.json", "report.schema.json"}));
  EXPECT_TRUE(ledger().starts_with(three));
  EXPECT_EQ(std::ranges::count(ledger(), '\n'), 8);
  ASSERT_LE(run({"--out", net + ".viva/"}).code, 1);
  EXPECT_EQ(std::ranges::count(ledger(), '\n'), 10);
}

TEST_F(Rulings, TheReportsOwnLedgerWhereTheOtherCannotBe) {
  const std::string data = rows_of(90, {4}, 4, any), net = copied("end_scores");
  const std::vector<std::string> words = {"examine", net,        "--data",     data,    "--only",
                                          "risk",    "--claims", claims(two_), "--out", dir_ / "out"};
  put(net + ".viva", "a file");
  const Outcome file = call(words);
  ASSERT_LE(file.code, 1) << file.err;
  VIVA_EXPECT_HAS(file.out, "out/ledger.jsonl, because " + net + ".viva is no folder\n");
  EXPECT_EQ(std::ranges::count(ledger("out/ledger.jsonl"), '\n'), 2);
  EXPECT_EQ(get(net + ".viva"), "a file");
  std::filesystem::remove(net + ".viva");
  std::filesystem::create_directory(net + ".viva");
  put(net + ".viva/thesis.tex", "mine");
  const Outcome other = call(words);
  VIVA_EXPECT_HAS(other.out, ", because " + net + ".viva holds other files than a report\n");
  EXPECT_EQ(std::ranges::count(ledger("out/ledger.jsonl"), '\n'), 4);
  EXPECT_EQ(names_in(net + ".viva"), std::vector<std::string>{"thesis.tex"});
}

TEST_F(Rulings, EarlierRulingsOfTheSameClaim) {
  const std::string data = rows_of(90, {4}, 4, any);
  const std::vector<std::string> more = {"--claims", claims(two_), "--only", "risk", "--ledger", dir_ / "mine.jsonl"};
  ASSERT_LE(examine("end_scores", data, more).code, 1);
  EXPECT_EQ(get(dir_ / "out/report.html").find("Earlier rulings"), std::string::npos);
  VIVA_EXPECT_HAS(get(dir_ / "out/report.html"), "no earlier ruling on <code>risk.accuracy</code>");
  ASSERT_LE(examine("end_scores", data, more).code, 1);
  const std::string page = get(dir_ / "out/report.html");
  VIVA_EXPECT_HAS(page, "Earlier rulings");
  const std::string date =
      nlohmann::json::parse(ledger("mine.jsonl").substr(0, ledger("mine.jsonl").find('\n')))["date"];
  VIVA_EXPECT_HAS(page, date);
  EXPECT_EQ(get(dir_ / "out/report.json").find(date), std::string::npos);
  EXPECT_EQ(std::ranges::count(ledger("mine.jsonl"), '\n'), 4);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "end_scores.onnx.viva"));
  // No report whose ruling could not be written down.
  const Outcome nowhere =
      examine("end_scores", data, {"--claims", dir_ / "claims.toml", "--only", "risk", "--ledger", dir_ / "none/l"});
  EXPECT_EQ(nowhere.code, 3) << nowhere.err;
  EXPECT_EQ(get(dir_ / "out/report.html"), page);
  put(dir_ / "notes", "not a ledger\n");
  const Outcome o = examine("end_scores", data, {"--ledger", dir_ / "notes"});
  EXPECT_EQ(o.code, 3);
  VIVA_EXPECT_HAS(o.err, "notes:1: is no line of a ledger");
  EXPECT_EQ(get(dir_ / "notes"), "not a ledger\n");
}

// Who moves the threshold until it holds is seen to.
TEST_F(Rulings, EarlierRulingsWithAnotherValue) {
  const std::string data = rows_of(90, {4}, 4, any);
  const auto run = [&](const std::string& claim) {
    return examine("end_scores", data, {"--claim", claim, "--only", "risk", "--ledger", dir_ / "mine.jsonl"}).code;
  };
  ASSERT_LE(run("risk.accuracy >= 0.95"), 1);
  ASSERT_LE(run("risk.recall[1] >= 0.9"), 1);
  ASSERT_LE(run("risk.accuracy > 0.1"), 1);
  const std::string page = get(dir_ / "out/report.html");
  VIVA_EXPECT_HAS(page, "Earlier rulings on <code>risk.accuracy</code>");
  VIVA_EXPECT_HAS(page, "<code>risk.accuracy &gt;= 0.95</code>");
  EXPECT_EQ(page.find("<code>risk.recall[1] &gt;= 0.9</code>"), std::string::npos);
}

TEST_F(Rulings, TheRoleOfTheData) {
  ASSERT_EQ(examine("end_scores", rows_of(90, {4}, 4, any), {"--data-role", "selection", "--only", "risk"}).code, 0);
  const auto r = report();
  EXPECT_EQ(r["data"][0]["role"], "selection");
  EXPECT_EQ(finding(r, "risk.accuracy")["assumptions"][0],
            "assumes independent, held-out rows; not checkable from the files; data role selection");
  EXPECT_EQ(examine("end_scores", rows(30), {"--data-role", "best"}).code, 2);
}

TEST_F(Rulings, NoRowIsShown) {
  const std::string data = rows_of(90, {4}, 4, any);
  ASSERT_EQ(examine("end_scores", data).code, 0);
  EXPECT_NE(finding(report(), "risk.accuracy")["evidence"]["examples"].size(), 0u);
  ASSERT_EQ(examine("end_scores", data, {"--no-examples"}).code, 0);
  const auto r = report();
  for (const auto& f : r["findings"]) {
    EXPECT_EQ(f["evidence"]["examples"].size(), 0u) << f["id"];
    for (const auto& t : f["evidence"]["tables"]) EXPECT_NE(t["columns"][0], "row") << t["id"];
  }
  EXPECT_TRUE(limits_say(report(), "--no-examples"));
}

// Neither sentences nor the program's own lines name a row that gives NaN.
TEST_F(Rulings, NoRowOfNanIsNamed) {
  const auto said = [&](std::vector<std::string> more) {
    const Outcome o = examine("some_nan", rows(90), more);
    EXPECT_EQ(o.code, 0) << o.err;
    return o.out + o.err + get(dir_ / "out/report.json") + get(dir_ / "out/report.html");
  };
  VIVA_EXPECT_HAS(said({}), "(row ");
  EXPECT_EQ(said({"--no-examples"}).find("(row "), std::string::npos);
}

TEST_F(Rulings, RowsInGroups) {
  const std::string data = rows_of(90, {4}, 4, [](int64_t i, int64_t k) { return .5 + .5 * any(i, k); });
  std::string lines;
  for (int i = 0; i < 90; ++i) lines += fmt::format("patient {}\n", i % 30);
  ASSERT_EQ(examine("end_scores", data, {"--groups", put(dir_ / "groups", lines)}).code, 0);
  const auto r = report();
  EXPECT_EQ(r["data"][0]["groups"], 30);
  EXPECT_EQ(finding(r, "risk.accuracy")["unit"], "group");
  EXPECT_EQ(finding(r, "risk.accuracy")["n"], 30);
  EXPECT_EQ(finding(r, "robustness.accuracy[0]")["status"], "run");
  EXPECT_TRUE(finding(r, "robustness.accuracy[0]")["interval"].is_null());
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < 90; ++i) numbers.push_back(100 - i % 30);
  write_npy(dir_ / "groups.npy", Array::of(numbers, {90}));
  const auto interval = finding(r, "risk.accuracy")["interval"];
  ASSERT_EQ(examine("end_scores", data, {"--groups", dir_ / "groups.npy"}).code, 0);
  EXPECT_EQ(finding(report(), "risk.accuracy")["interval"], interval);
  VIVA_EXPECT_HAS(report()["command"].get<std::string>(), "--groups ");
  const Outcome few = examine("end_scores", data, {"--groups", put(dir_ / "few", "a\nb\n")});
  EXPECT_EQ(few.code, 3);
  VIVA_EXPECT_HAS(few.err, "holds 2 labels of groups, but the data have 90 rows");
}

TEST_F(Rulings, ThePlanSaysWhatWasInferred) {
  const auto unit = [](int64_t i, int64_t k) { return .5 + .5 * any(i, k); };
  const auto plan = [&](const std::string& data, std::vector<std::string> more) {
    more.emplace_back("--plan");
    return examine("end_scores", data, more).out;
  };
  const std::string names = put(dir_ / "names", "a\nb\nc\nd\n");
  const std::string in_unit = plan(rows_of(90, {4}, 4, unit), {"--data-role", "test", "--classes", names});
  VIVA_EXPECT_HAS(in_unit, "role       test\n");
  VIVA_EXPECT_HAS(in_unit, "classes    4: a, b, c, d\n");
  VIVA_EXPECT_HAS(in_unit, "range      0 to 1, assumed, because all rows keep to it\n");
  const std::string beyond = rows_of(90, {4}, 4, any);
  VIVA_EXPECT_HAS(plan(beyond, {}), "classes    4, without names: --classes FILE gives them\n");
  VIVA_EXPECT_HAS(plan(beyond, {}), "range      not known, robustness is not run: give --range LO,HI");
  VIVA_EXPECT_HAS(plan(beyond, {"--range", "-1,1"}), "range      -1 to 1, as --range says\n");
  EXPECT_FALSE(written());
}

TEST(ClassNames, OfMetadata) {
  using Names = std::vector<std::string>;
  const auto from = [](const std::string& value, int64_t n) { return class_names_in({{"classes", value}}, n); };
  EXPECT_EQ(from(R"(["a", "b\"c"])", 2), (Names{"a", "b\"c"}));
  EXPECT_EQ(from("['a', 'b']", 2), (Names{"a", "b"}));
  EXPECT_EQ(from("{0: 'cat', 1: 'dog'}", 2), (Names{"cat", "dog"}));
  EXPECT_EQ(from(R"({"0": "cat", "1": "dog"})", 2), (Names{"cat", "dog"}));
  EXPECT_EQ(from("cat, dog", 2), (Names{"cat", "dog"}));
  EXPECT_EQ(from("cat\ndog\n", 2), (Names{"cat", "dog"}));
  for (const char* bad : {"", "['a']", "['a', 'a']", "{1: 'a', 0: 'b'}", "['a', ''", "[\"a"})
    EXPECT_EQ(from(bad, 2), Names{}) << bad;
  EXPECT_EQ(class_names_in({{"author", "['a', 'b']"}, {"names", "{0: 'x', 1: '<script>'}"}}, 2),
            (Names{"x", "<script>"}));
}

// Whole numbers beyond 2^53 are other groups than their neighbours; NaN is none, and blanks at an end are no
// difference.
TEST_F(Rulings, GroupsAreTakenAsWritten) {
  const std::string data = rows_of(90, {4}, 4, any);
  std::vector<int64_t> large;
  std::vector<double> nan(90, 1);
  std::string lines;
  for (int64_t i = 0; i < 90; ++i) {
    large.push_back((int64_t{1} << 60) + i / 3);
    lines += fmt::format("patient {}{}\n", i / 3, i % 3 == 0 ? " " : i % 3 == 1 ? "\r" : "");
  }
  nan[7] = std::nan("");
  write_npy(dir_ / "large.npy", Array::of(large, {90}));
  write_npy(dir_ / "nan.npy", Array::of(nan, {90}));
  for (const std::string& file : {dir_ / "large.npy", put(dir_ / "lines", lines)}) {
    ASSERT_EQ(examine("end_scores", data, {"--only", "risk", "--groups", file}).code, 0);
    EXPECT_EQ(report()["data"][0]["groups"], 30) << file;
  }
  const Outcome o = examine("end_scores", data, {"--only", "risk", "--groups", dir_ / "nan.npy"});
  EXPECT_EQ(o.code, 3);
  VIVA_EXPECT_HAS(o.err, "row 7 (counting from 0) has NaN as its group");
}

// What one run writes is refused before any work where it would overwrite the network, or another output.
TEST_F(Rulings, OutputsAreKeptApart) {
  const std::string data = rows_of(90, {4}, 4, any), net = copied("end_scores"), own = get(net);
  std::filesystem::create_hard_link(net, std::string(dir_ / "linked.onnx"));
  const auto refused = [&](std::vector<std::string> more, const std::string& words) {
    std::vector<std::string> all = {"examine", net, "--data", data, "--only", "risk"};
    all.insert(all.end(), more.begin(), more.end());
    const auto before = names_in(dir_ / ".");
    const Outcome o = call(all);
    EXPECT_EQ(o.code, 2) << o.out;
    VIVA_EXPECT_HAS(o.err, words);
    EXPECT_EQ(names_in(dir_ / "."), before);
    EXPECT_EQ(get(net), own);
  };
  const std::string one = "are one place", inside = "lies in the folder of a report";
  refused({"--mend", dir_ / "./end_scores.onnx"}, one);
  refused({"--mend", dir_ / "linked.onnx"}, one);
  refused({"--mend", dir_ / "m.onnx", "--out", dir_ / "m.onnx.viva/"}, one);
  refused({"--mend", dir_ / "m.onnx", "--ledger", dir_ / "m.onnx"}, one);
  refused({"--mend", dir_ / "m.onnx", "--ledger", dir_ / "m.onnx.viva"}, one);
  refused({"--out", dir_ / "m", "--mend", dir_ / "m"}, one);
  refused({"--out", dir_ / "m", "--ledger", dir_ / "m"}, one);
  refused({"--ledger", net + ".viva/mine.jsonl"}, inside);
  refused({"--out", dir_ / "w", "--mend", dir_ / "w/m.onnx"}, inside);
}

// Ranges are of values as examined: uint8 is in [0, 1] by then, and no data reach 1e308.
TEST_F(Rulings, RangesOfValuesThatAreThere) {
  const std::string bytes = rows_of(90, {4}, 4, [](int64_t, int64_t) { return 7.; }, Dtype::uint8);
  const Outcome o = examine("end_scores", bytes, {"--range", "0,255"});
  EXPECT_EQ(o.code, 2);
  VIVA_EXPECT_HAS(o.err, "uint8 divided by 255: its values lie in [0, 1]: write --range 0,1");
  EXPECT_EQ(examine("end_scores", bytes, {"--range", "0,1", "--only", "risk"}).code, 0);
  const Outcome wide = examine("end_scores", bytes, {"--range", "-1e308,1e308"});
  EXPECT_EQ(wide.code, 2);
  VIVA_EXPECT_HAS(wide.err, "beyond 1e30");
}

}  // namespace
}  // namespace viva
