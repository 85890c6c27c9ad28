// What the page shows: digits, plots and their captions, rows, intervals counted.
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "examine/fake_subject.h"
#include "report/html.h"
#include "report/image.h"
#include "report/markup.h"
#include "report/plots.h"
#include "report/svg.h"

namespace viva {
namespace {

using testing::FakeSubject;
using testing::place_in;

// Logits that are right for most rows and as sure as the row says, so that bins, quantiles and errors differ.
Report varied(int64_t classes, const std::vector<std::string>& names = {}, bool examples = true) {
  FakeSubject net(2, classes, [classes](std::span<const float> row) {
    std::vector<double> y(static_cast<size_t>(classes));
    const auto i = static_cast<int64_t>(row[0]);
    y[place_in(y, row[1])] = .1 + 4 * std::abs(std::sin(static_cast<double>(i)));
    return y;
  });
  RowSource data = testing::source(
      [&] {
        std::vector<int64_t> labels;
        for (int64_t i = 0; i < 400; ++i) labels.push_back(i % classes);
        return labels;
      }(),
      2,
      [classes](int64_t i, int64_t column) {
        const bool wrong = std::sin(static_cast<double>(3 * i)) > .8;
        return static_cast<float>(column == 0 ? i : (i % classes + (wrong ? 1 + i % 3 : 0)) % classes);
      });
  data.record.classes = names;
  ExamineOptions options;
  options.examples = examples;
  options.claims = parse_claims(std::vector<std::string>{"risk.accuracy >= .5"}, known_quantities());
  ThreadPool pool(1);
  const Cancel go{false};
  return examine(options, net, data, nullptr, pool, go, {});
}

int64_t count(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// What a reader sees: no tags, no style, no script, no code.
std::string words(std::string html) {
  for (const char* tag : {"style", "script", "code", "svg"})
    html = std::regex_replace(html, std::regex(std::string("<") + tag + "[ >][^]*?</" + tag + ">"), " ");
  return std::regex_replace(html, std::regex("<[^>]*>"), " ");
}

TEST(Svg, AxesAndTicks) {
  const svg::Axis a{0, 1, 10, 110};
  EXPECT_EQ(a.at(.5), 60);
  EXPECT_EQ(a.at(7), 110);
  EXPECT_EQ(svg::ticks(a).size(), 6u);
  const svg::Axis logit{.1, .9, 0, 100, svg::Scale::logit};
  EXPECT_NEAR(logit.at(.5), 50, 1e-9);
  EXPECT_NEAR(logit.at(.25) + logit.at(.75), 100, 1e-9);
  const svg::Axis log{1e-6, 10, 300, 30, svg::Scale::log};
  EXPECT_NEAR(log.at(1e-6), 300, 1e-9);
  EXPECT_LE(svg::ticks(log).size(), 5u);
  EXPECT_EQ(svg::tick_text(1e-5), "10⁻⁵");
  EXPECT_EQ(svg::tick_text(1e-3), "10⁻³");
  EXPECT_EQ(svg::tick_text(1e5), "10⁵");
  EXPECT_EQ(svg::tick_text(.9999), "0.9999");
  EXPECT_EQ(svg::tick_text(1e4), "10,000");
  EXPECT_EQ(svg::text("a", -0.01, 2.04, svg::Anchor::end, "<b>"),
            "<text class=\"a\" x=\"0\" y=\"2\" text-anchor=\"end\">&lt;b&gt;</text>");
}

TEST(Image, PngInBase64) {
  EXPECT_EQ(base64(as_bytes(std::string_view("any carnal pleas"))), "YW55IGNhcm5hbCBwbGVhcw==");
  EXPECT_EQ(base64(as_bytes(std::string_view("any carnal pleasu"))), "YW55IGNhcm5hbCBwbGVhc3U=");
  EXPECT_EQ(base64(as_bytes(std::string_view(""))), "");
  ShownRow r{.data = "data", .height = 1, .width = 2, .channels = 1, .pixels = {0, 255}};
  // Signature and header of a grey image of two pixels.
  EXPECT_TRUE(image_of(r).starts_with("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAA"));
  r.pixels.pop_back();
  EXPECT_EQ(image_of(r), "");
}

TEST(Page, PlotsWithWholeCaptions) {
  for (const int64_t classes : {10, 30}) {
    const std::string page = report_html(varied(classes), {});
    for (const char* id : {"recall-plot", "confusion", "loss-plot", "reliability"})
      EXPECT_EQ(count(page, std::string("<svg class=\"plot\" id=\"") + id + "\" role=\"img\""), 1) << id << classes;
    for (const char* part :
         {"<b>n:</b>", "<b>Unit:</b>", "<b>Interval:</b>", "<b>To read it:</b>", "<b>Not shown:</b>", "<desc id"})
      EXPECT_EQ(count(page, part), 4) << part;
    EXPECT_EQ(count(page, "=\"nan") + count(page, "=\"-nan"), 0);
    EXPECT_EQ(count(page, "x=\"inf"), 0);
  }
  EXPECT_NE(report_html(varied(30), {}).find("The most frequent confusions"), std::string::npos);
}

TEST(Page, ErrorsAtRandomBesideTheMostConfident) {
  const Report r = varied(10);
  const Finding* f = r.find("risk.accuracy");
  const Examples *random = examples_in(*f, "random_errors"), *sure = examples_in(*f, "confident_errors");
  ASSERT_TRUE(random && sure);
  EXPECT_EQ(random->rows.size(), 12u);
  EXPECT_EQ(sure->rows.size(), 12u);
  EXPECT_NE(random->rows, sure->rows);
  const auto confidence = [&](int64_t row) {
    for (const ShownRow& s : r.rows)
      if (s.row == row) return s.confidence.value();
    return -1.;
  };
  for (size_t i = 1; i < 12; ++i) EXPECT_GE(confidence(sure->rows[i - 1].first), confidence(sure->rows[i].first));
  const std::string page = report_html(r, {});
  EXPECT_LT(page.find("Drawn at random"), page.find("The most confident"));
  for (const auto& [row, note] : random->rows)
    EXPECT_NE(page.find(fmt::format("<tr id=\"row-data-{}\">", row)), std::string::npos);
}

TEST(Page, ScriptsStayText) {
  std::vector<std::string> names;
  for (int k = 0; k < 9; ++k) names.push_back(std::to_string(k));
  names.emplace_back("<script>alert(1)</script>");
  const std::string page = report_html(varied(10, names), {});
  EXPECT_EQ(count(page, "<script"), 1);
  EXPECT_GT(count(page, "&lt;script&gt;"), 3);
}

TEST(Page, NoRowWhereNoneMayBeShown) {
  const Report r = varied(10, {}, false);
  EXPECT_TRUE(r.rows.empty());
  const std::string page = report_html(r, {});
  EXPECT_EQ(page.find("row-data-"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(count(report_json_text(r, {}), "\"row\":"), 0);
}

TEST(Page, IntervalsAreCounted) {
  const Report r = varied(10);
  int64_t all = 0, alone = 0;
  for (const Finding& f : r.findings) all += f.interval.has_value(), alone += f.interval && !f.family;
  const Finding *loss = r.find("risk.log_loss"), *ece = r.find("calibration.ece");
  for (const Point& p : series_of(*loss, "quantiles")->points) all += p.low && p.high, alone += p.low && p.high;
  all += std::ssize(series_of(*ece, "reliability")->points);
  EXPECT_NE(report_html(r, {}).find(
                fmt::format("{} intervals shown; about {} of the {} unadjusted miss.", all, (alone + 10) / 20, alone)),
            std::string::npos);
}

TEST(Page, NoFiveDecimals) {
  const std::string text = words(report_html(varied(10), {.cost = false}));
  std::smatch found;
  EXPECT_FALSE(std::regex_search(text, found, std::regex("[0-9]*\\.[0-9]{5}"))) << found.str();
}

TEST(Page, SaysWhatWasNotExamined) {
  const std::string page = report_html(varied(10), {});
  // The closed form has no graph: what needs one did not run.
  const size_t lead = page.find("class=\"lead\"");
  const std::string first = page.substr(lead, page.find("</p>", lead) - lead);
  EXPECT_NE(first.find("400 rows"), std::string::npos);
  EXPECT_NE(first.find("not examined were "), std::string::npos);
  EXPECT_NE(first.find("robustness"), std::string::npos);
  EXPECT_NE(first.find("the training rows"), std::string::npos);
}

// On a phone the cells of wide tables stand below one another, each with its name.
TEST(Page, CellsOfWideTablesSayWhatTheyAre) {
  Table t{"t", "T", {"a", "b", "c", "<d>", "e"}, {{std::string("x"), 1.5, int64_t{2}, std::string("y"), 3.}}};
  const std::string wide = markup::data_table(t);
  EXPECT_NE(wide.find("<table class=\"data wide\">"), std::string::npos);
  EXPECT_NE(wide.find("<td data-label=\"&lt;d&gt;\">y</td>"), std::string::npos) << wide;
  t.columns.pop_back(), t.rows[0].pop_back();
  EXPECT_EQ(markup::data_table(t).find("data-label"), std::string::npos);
}

TEST(Page, RobustAccuracyIsBoundedFromAbove) {
  Finding f;
  f.id = "robustness.accuracy[8/255]";
  f.estimate = .14;
  f.interval = Interval{std::nullopt, .15937, .95, "Clopper-Pearson, one-sided", Sided::upper};
  EXPECT_NE(markup::interval(f).find(">R(8/255) ≤ 0.160<"), std::string::npos) << markup::interval(f);
  f.id = "numerics.flip_rate";
  EXPECT_EQ(markup::interval(f).find("R("), std::string::npos);
}

}  // namespace
}  // namespace viva
