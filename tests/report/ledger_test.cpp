// The ledger: what a line states, and that lines are whole however many write.
#include "report/ledger.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "examine/fake_subject.h"
#include "report/html.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

Report ruled() {
  testing::FakeSubject net(2, 10, testing::names_class(10, 3));
  Report r = testing::examined(net, testing::planted(150, 10, 12), {"risk.accuracy >= 0.5", "risk.accuracy >= .99"});
  r.viva = "0.1.0";
  r.command = "viva examine fake.onnx";
  return r;
}

TEST(Ledger, ALineARuling) {
  const std::string lines = ledger_lines(ruled(), "2026-11-23T12:00:00Z");
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
  const auto j = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
  EXPECT_EQ(j["date"], "2026-11-23T12:00:00Z");
  EXPECT_EQ(j["claim"], "claim.1");
  EXPECT_EQ(j["ruling"], "supported");
  EXPECT_EQ(j["estimate"], .92);
  EXPECT_EQ(j["interval"]["level"], .975);
  EXPECT_EQ(j["models"][0][0]["sha256"], std::string(64, 'a'));
  EXPECT_EQ(j["data"][0]["files"][0]["sha256"], std::string(64, 'b'));
  EXPECT_EQ(j["command"], "viva examine fake.onnx");
  const auto read = parse_ledger(lines, "l");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].ruling, "refuted");
  EXPECT_EQ(read[1].model, std::string(64, 'a'));
  EXPECT_EQ(read[0].date, "2026-11-23T12:00:00Z");
  Report none = ruled();
  none.claims.clear();
  EXPECT_EQ(ledger_lines(none, ""), "");
}

// What a claim speaks of, however it is spelled: blanks, and the index of a class with a name.
TEST(Ledger, ClaimsAreTheSameHoweverTheyAreSpelled) {
  testing::FakeSubject net(2, 10, testing::names_class(10, 3));
  RowSource data = testing::planted(150, 10, 12);
  const auto ruling_on = [&](const std::string& claim) {
    ExamineOptions options;
    options.claims = parse_claims({&claim, 1}, known_quantities());
    options.only = {"risk"};
    ThreadPool pool(1);
    const Cancel go{false};
    return examine(options, net, data, nullptr, pool, go, {});
  };
  const auto lines_of = [&](const std::string& claim) {
    return ledger_lines(ruling_on(claim), "2026-11-23T12:00:00Z");
  };
  const auto heard = [&](const std::string& lines, const std::string& claim) {
    return report_html(ruling_on(claim), {}, parse_ledger(lines, "l")).find("Earlier rulings") != std::string::npos;
  };
  EXPECT_TRUE(heard(lines_of("risk.accuracy >= 1/2"), "risk.accuracy>=0.5"));
  EXPECT_TRUE(heard(lines_of("risk.accuracy >= 1/2"), "risk.accuracy > 0.25"));  // whatever is said of it
  EXPECT_FALSE(heard(lines_of("risk.accuracy >= 1/2"), "risk.brier >= 0.5"));
  const std::string nameless = lines_of("risk.recall[ 3 ] >= 0.5");
  data.record.classes = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  const std::string named = lines_of("risk.recall[\"d\"] >= 5e-1");
  for (const std::string& lines : {nameless, named, lines_of("risk.recall[3] >= .5")}) {
    EXPECT_TRUE(heard(lines, "risk.recall[\"d\"] >= 0.5"));
    EXPECT_TRUE(heard(lines, "risk.recall[3] >= 0.5"));
    EXPECT_FALSE(heard(lines, "risk.recall[2] >= 0.5"));
  }
  // Lines that hold no more than the statement.
  const auto old = [](const std::string& statement) {
    return nlohmann::json{{"statement", statement}, {"ruling", "refuted"}}.dump() + "\n";
  };
  EXPECT_TRUE(heard(old("risk.recall[6/2] >= 1/2"), "risk.recall[\"d\"] >= 0.5"));
  EXPECT_TRUE(heard(old("risk.recall[\"d\"] >= 1/2"), "risk.recall[3] >= 0.5"));
  EXPECT_FALSE(heard(old("nothing that is a claim"), "risk.recall[3] >= 0.5"));
  const std::string page = report_html(ruling_on("risk.recall[\"d\"] >= 0.5"), {}, parse_ledger(nameless, "l"));
  EXPECT_NE(page.find("risk.recall[3] &gt;= 0.5"), std::string::npos);  // as it was stated
  // The same name at another index is the same class; another name at the same index is another.
  std::ranges::reverse(data.record.classes);
  EXPECT_TRUE(heard(named, "risk.recall[\"d\"] >= 0.5"));
  EXPECT_FALSE(heard(named, "risk.recall[3] >= 0.5"));
}

TEST(Ledger, StrangeLinesAreNamed) {
  const std::string line = ledger_lines(ruled(), "d");
  for (const char* bad : {"{", "[]", "null", "{\"statement\": 3, \"ruling\": \"x\"}", "\xff\x00"})
    EXPECT_TRUE(error_of([&] { parse_ledger(line + bad + "\n", "l"); }).starts_with("l:3: is no line of a ledger"));
  // Fields of other kinds are left empty.
  const auto odd =
      parse_ledger(R"({"statement":"s","ruling":"r","models":[3],"data":{"a":1},"interval":[1],"date":2})", "l");
  EXPECT_EQ(odd.at(0).model + odd.at(0).date + odd.at(0).interval, "");
}

TEST(Ledger, OnlyGrowsAndEndsTornLines) {
  TempDir dir;
  append_to_ledger(dir / "l", "");
  EXPECT_FALSE(std::filesystem::exists(dir / "l"));
  append_to_ledger(dir / "l", "a\n");
  append_to_ledger(dir / "l", "b\nc\n");
  EXPECT_EQ(get(dir / "l"), "a\nb\nc\n");
  put(dir / "t", "torn");
  append_to_ledger(dir / "t", "x\n");
  EXPECT_EQ(get(dir / "t"), "torn\nx\n");
  EXPECT_NE(error_of([&] { append_to_ledger(dir.path(), "x\n"); }), "");
  EXPECT_NE(error_of([&] { append_to_ledger("/dev/full", "x\n"); }), "");
}

TEST(Ledger, ManyWritersTearNoLine) {
  TempDir dir;
  std::vector<std::thread> writers;
  for (int w = 0; w < 8; ++w)
    writers.emplace_back([&, w] {
      const std::string line(static_cast<size_t>(5000 + w), static_cast<char>('a' + w));
      for (int i = 0; i < 25; ++i) append_to_ledger(dir / "l", line + "\n");
    });
  for (std::thread& t : writers) t.join();
  const std::string all = get(dir / "l");
  EXPECT_EQ(std::ranges::count(all, '\n'), 200);
  for (size_t at = 0; at < all.size();) {
    const size_t end = all.find('\n', at);
    EXPECT_EQ(end - at, static_cast<size_t>(5000 + all[at] - 'a'));
    EXPECT_EQ(all.find_first_not_of(all[at], at), end);
    at = end + 1;
  }
}

}  // namespace
}  // namespace viva
