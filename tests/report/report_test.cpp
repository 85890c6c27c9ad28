#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "examine/fake_subject.h"
#include "report/html.h"
#include "report/json.h"
#include "report/schema_check.h"

namespace viva {
namespace {

using Json = nlohmann::ordered_json;
using testing::examined;
using testing::FakeSubject;
using testing::names_class;
using testing::planted;

Report sample(int threads = 1) {
  FakeSubject net(2, 10, names_class(10, 3));
  net.model.coverage[2].missing = {{"NonMaxSuppression", "integer output"}};
  RowSource data = planted(150, 10, 12);
  data.record.scaling = "uint8 divided by 255";
  Report r = examined(net, data, {"risk.accuracy >= 0.5", "risk.recall[3] > .99", "risk.brier <= 1"}, nullptr, threads);
  r.viva = "0.1.0";
  r.command = "viva examine 'fake.onnx' --data data.npz --seed 0";
  return r;
}

std::string misfit(const Json& document) {
  const Json schema = Json::parse(report_schema());
  return testing::SchemaCheck(schema)(document);
}

TEST(ReportJson, FitsTheSchema) {
  EXPECT_EQ(misfit(report_json(sample(), {})), "");
  EXPECT_EQ(misfit(report_json(sample(), {.cost = false})), "");
  EXPECT_EQ(misfit(Json::parse(report_json_text(sample(), {}))), "");
}

TEST(ReportJson, TheSchemaCanFail) {
  Json j = report_json(sample(), {});
  j["findings"][0]["verdict"] = "maybe";
  EXPECT_NE(misfit(j), "");
  j = report_json(sample(), {});
  j["claims"][0].erase("ruling");
  EXPECT_NE(misfit(j), "");
  j = report_json(sample(), {});
  j["extra"] = 1;
  EXPECT_NE(misfit(j), "");
}

TEST(ReportJson, TopLevelAndOrder) {
  const Json j = report_json(sample(), {});
  std::vector<std::string> keys;
  for (const auto& [k, v] : j.items()) keys.push_back(k);
  EXPECT_EQ(keys, (std::vector<std::string>{"schema", "viva", "command", "models", "data", "claim_files", "claims",
                                            "findings", "diagnosis", "limits", "rows", "cost"}));
  for (const char* list : {"models", "data", "claims", "findings", "limits"}) {
    for (const Json& o : j[list]) EXPECT_TRUE(o.contains("id")) << list;
  }
  EXPECT_EQ(j["claims"][0]["ruling"], "supported");
  EXPECT_EQ(j["claims"][1]["key"], 3);
  EXPECT_EQ(j["claims"][0]["value"], .5);
}

TEST(ReportJson, ClaimsNameFindingsThatExist) {
  const Json j = report_json(sample(), {});
  for (const Json& c : j["claims"]) {
    bool found = false;
    for (const Json& f : j["findings"]) found = found || f["id"] == c["finding"];
    EXPECT_TRUE(found) << c["finding"];
  }
}

TEST(ReportJson, FloatsReadBackEqual) {
  Report r = sample();
  r.findings[0].estimate = 0.1 + 0.2;
  EXPECT_EQ(Json::parse(report_json_text(r, {}))["findings"][0]["estimate"].get<double>(), 0.1 + 0.2);
  r.findings[0].estimate = .9027;
  EXPECT_NE(report_json_text(r, {}).find("\"estimate\": 0.9027,"), std::string::npos);
}

TEST(ReportJson, NumbersThatAreNotFiniteAreNullWithAReason) {
  Report r = sample();
  r.findings[0].estimate = std::numeric_limits<double>::infinity();
  const Json j = report_json(r, {});
  EXPECT_TRUE(j["findings"][0]["estimate"].is_null());
  EXPECT_NE(j["findings"][0]["why"], "");
  EXPECT_EQ(misfit(j), "");
}

TEST(ReportJson, HostileStringsStayValid) {
  Report r = sample();
  r.models[0].producer = "\xff\xfe \x01 \"quoted\"\n";
  r.data[0].classes = {"</script>", "\xc3"};
  const std::string text = report_json_text(r, {});
  EXPECT_EQ(misfit(Json::parse(text)), "");
}

TEST(Report, SameBytesForAnyNumberOfThreads) {
  const ReportOptions bare{.cost = false};
  EXPECT_EQ(report_json_text(sample(1), bare), report_json_text(sample(3), bare));
  EXPECT_EQ(report_html(sample(1), bare), report_html(sample(3), bare));
}

TEST(Report, NoCostLeavesItOutEverywhere) {
  const std::string json = report_json_text(sample(), {.cost = false}), html = report_html(sample(), {.cost = false});
  EXPECT_EQ(json.find("\"cost\""), std::string::npos);
  EXPECT_EQ(json.find("seconds"), std::string::npos);
  EXPECT_EQ(html.find("GFLOP"), std::string::npos);
  EXPECT_NE(report_html(sample(), {}).find("GFLOP"), std::string::npos);
}

TEST(ReportHtml, NeedsNothingFromElsewhere) {
  const std::string html = report_html(sample(), {});
  for (const char* bad : {"http:", "https:", "@import", "url(", "javascript:", "onload"})
    EXPECT_EQ(html.find(bad), std::string::npos) << bad;
  EXPECT_NE(html.find("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-"),
            std::string::npos);
  // One script, its own.
  const size_t script = html.find("<script>");
  ASSERT_NE(script, std::string::npos);
  EXPECT_EQ(html.find("<script", script + 1), std::string::npos);
  EXPECT_EQ(html.substr(script + 8, report_script().size()), report_script());
}

TEST(ReportHtml, EscapesEveryString) {
  Report r = sample();
  const std::string evil = "<img src=x onerror=\"alert('1')\">&";
  r.command = r.viva = evil;
  for (ModelRecord& m : r.models) {
    m.path = m.producer = m.input_name = m.output_name = m.input_type = m.output_type = m.sha256 = evil;
    for (FileRecord& f : m.files) f.path = f.sha256 = evil;
    for (OperatorCount& o : m.operators) o.op = evil;
    m.opsets = {{evil, 1}};
    m.training_operators = {evil};
    m.coverage[0].transformation = evil;
  }
  for (DataRecord& d : r.data) d.spec = d.scaling = d.row_type = evil;
  for (Claim& c : r.claims) c.statement = c.would_decide = evil;
  for (Finding& f : r.findings) {
    f.title = f.why = f.unit_of_estimate = evil;
    f.id += evil;
    f.assumptions = f.limits = {evil};
    if (f.check) f.check->what = evil;
    if (f.interval) f.interval->method = evil;
    f.evidence.tables = {{evil, evil, {evil}, {{evil}}}};
    f.evidence.examples = {{evil, evil, evil, {{0, evil}}}};
    f.evidence.series = {{evil, evil, evil, evil, {{evil, 1, 1, 0, 2}}}};
  }
  r.rows = {{.data = evil, .row = 0, .label = evil, .predicted = evil, .values = evil}};
  r.claim_files = {{evil, evil, 1}};
  r.limits = {{evil, evil}};
  r.diagnosis = {{evil, evil, evil}};
  const EarlierRuling before{evil, evil, evil, evil, evil, evil, evil, evil, evil};
  const std::string html = report_html(r, {}, Ledger{{before}});
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("onerror=\""), std::string::npos);
  EXPECT_NE(html.find("&lt;img"), std::string::npos);
}

TEST(ReportHtml, StaysSmall) {
  Report r = sample();
  const std::string lengthy(100000, 'x');
  Finding recall = *r.find("risk.recall[3]");
  for (int i = 0; i < 5000; ++i) {
    recall.id = fmt::format("risk.recall[{}]", i + 10);
    recall.title = lengthy;
    r.findings.push_back(recall);
    r.models[0].operators.push_back({lengthy, 1});
    r.models[0].files.push_back({lengthy, lengthy, 1});
  }
  EXPECT_LT(report_html(r, {}).size(), 5u << 20);
}

TEST(ReportHtml, SaysWhatWasRuled) {
  const std::string html = report_html(sample(), {});
  EXPECT_NE(html.find("3 claims ruled: 2 supported, 0 refuted, 1 undecided"), std::string::npos);
  EXPECT_NE(html.find("What would decide it"), std::string::npos);
  EXPECT_NE(html.find("lacks 1 operator"), std::string::npos);
}

TEST(ReportHtml, WithheldRiskIsStated) {
  FakeSubject net(2, 1, [](auto) { return std::vector<double>{7}; });
  const std::string html = report_html(examined(net, planted(30, 2, 0)), {});
  EXPECT_NE(html.find("Withheld: a row of the output has shape [1]"), std::string::npos);
}

// The page shows one option a line; joined again they are the command, quotes with dashes in them untouched.
TEST(ReportHtml, TheCommandIsOneOptionALine) {
  Report r = sample();
  r.command = "viva examine 'it'\\''s --a.onnx' --data d.npz --claim 'risk.recall[\"a --b\"] >= .5' --seed 0";
  EXPECT_NE(report_html(r, {}).find(
                "<code>viva examine &#39;it&#39;\\&#39;&#39;s --a.onnx&#39; \\\n  --data d.npz \\\n  --claim "
                "&#39;risk.recall[&quot;a --b&quot;] &gt;= .5&#39; \\\n  --seed 0</code>"),
            std::string::npos)
      << report_html(r, {});
}

TEST(ReportHtml, TheOrderOfThePage) {
  const std::string page = report_html(sample(), {});
  size_t before = page.find("class=\"lead\"");
  ASSERT_NE(before, std::string::npos);
  for (const char* id : {"<section id=\"claims", "<section id=\"baselines", "<section id=\"diagnoses",
                         "<section id=\"errors", "<section id=\"limits", "<p id=\"intervals", "<section id=\"reproduce",
                         "id=\"risk\"", "id=\"calibration\"", "<section id=\"identity", "<section id=\"rows"}) {
    const size_t at = page.find(id);
    ASSERT_NE(at, std::string::npos) << id;
    EXPECT_GT(at, before) << id;
    before = at;
  }
}

// A rate of 1 cannot be exceeded, and of one row nothing can be told.
TEST(ReportHtml, DifferencesThatCannotBeDetected) {
  FakeSubject net(2, 2, names_class(2, 3));
  const std::string all = report_html(examined(net, planted(1000, 2, 0)), {});
  EXPECT_NE(all.find("a difference of <b class=\"num\">−0.0016</b> from a fixed rate of 1.0000 "), std::string::npos);
  EXPECT_NE(report_html(examined(net, planted(1, 2, 0), {"risk.accuracy >= .5"}), {})
                .find("no difference from a fixed rate of 0.5 "),
            std::string::npos);
  // As it was claimed, whatever the nearest double is.
  const std::string claimed = report_html(examined(net, planted(1000, 2, 0), {"risk.accuracy >= 0.90"}), {});
  EXPECT_NE(claimed.find(" from a fixed rate of 0.9 (the rate of claim.1)"), std::string::npos);
}

TEST(ReportHtml, DiagnosesStandAtTheTop) {
  FakeSubject net(2, 2, [](auto) { return std::vector<double>(2, std::nan("")); });
  net.model.training_operators = {"BatchNormalization 'bn'"};
  const Report r = examined(net, planted(30, 2, 0));
  ASSERT_EQ(r.diagnosis.size(), 2u);
  EXPECT_EQ(misfit(report_json(r, {})), "");
  const std::string html = report_html(r, {});
  EXPECT_NE(html.find("1 operator computes as in training (BatchNormalization &#39;bn&#39;)"), std::string::npos);
  EXPECT_NE(html.find("30 rows give NaN"), std::string::npos);
}

}  // namespace
}  // namespace viva
