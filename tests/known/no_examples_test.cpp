// A report without examples names no row, whatever was found in one.
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "examine/graph_subject.h"
#include "report/html.h"
#include "report/json.h"

namespace viva {
namespace {

using testing::FakeSubject;
using testing::GraphSubject;
using testing::linear;
using testing::source;

constexpr int64_t rows = 900, special = 877;  // the row in which everything happens

bool names_the_row(const std::string& text) {
  static const std::regex number("(^|[^0-9.])877([^0-9.]|$)");
  return std::regex_search(text, number);
}

RowSource with_special(float value, float others_from = 0) {
  std::vector<int64_t> labels(rows, 0);
  return source(labels, 2, [=](int64_t i, int64_t j) {
    if (i == special) return value;
    return j == 0 ? others_from + .4F * static_cast<float>(i) / rows : .25F;
  });
}

std::string reported(Subject& net, const RowSource& data, bool examples, const RowSource* train = nullptr) {
  ExamineOptions o;
  o.examples = examples;
  o.rows = 30;
  o.curvature_rows = 100;
  ThreadPool pool(1);
  const Cancel go{false};
  const Report r = examine(o, net, data, train, pool, go, {});
  return report_json_text(r, {.cost = false}) + report_html(r, {.cost = false});
}

void expect_hidden(const char* what, Subject& net, const RowSource& data, const RowSource* train = nullptr) {
  EXPECT_TRUE(names_the_row(reported(net, data, true, train))) << what << ": the search finds nothing";
  EXPECT_FALSE(names_the_row(reported(net, data, false, train))) << what;
}

TEST(NoExamples, NameNoRow) {
  GraphSubject near(2, 2, linear({.7, 0}, -.69293)), plain(2, 2, linear({-1, 0}, .75));
  expect_hidden("least margin", near, with_special(.9899F));
  expect_hidden("greatest loss", plain, with_special(.99F));
  GraphSubject nan(2, 2, [](Build& b, Value x) { return b.sqrt(b.sub(b.full(x.type(), .95), x)); });
  expect_hidden("NaN", nan, with_special(1));
  GraphSubject infinite(2, 2, [](Build& b, Value x) { return b.log(b.sub(b.full(x.type(), 1), x)); });
  expect_hidden("infinite output", infinite, with_special(1));
  GraphSubject flips(2, 2, [](Build& b, Value x) {
    const Value large = b.full(x.type(), 1e8);
    return b.concatenate({b.slice(b.sub(b.add(x, large), large), {0, 0}, {x.dim(0), 1}),
                          b.slice(b.full(x.type(), .5), {0, 0}, {x.dim(0), 1})},
                         1);
  });
  expect_hidden("flipped label", flips, with_special(.9F));
  GraphSubject narrow(2, 2, [](Build& b, Value x) {
    const Value e = b.exp(b.scale(x, 100));
    return b.concatenate({b.slice(e, {0, 0}, {x.dim(0), 1}), b.slice(x, {0, 1}, {x.dim(0), 2})}, 1);
  });
  expect_hidden("finite in one precision", narrow, with_special(1));
  GraphSubject flat(2, 2, [](Build& b, Value x) {
    return b.concatenate({b.slice(b.relu(b.sub(b.full(x.type(), .9), x)), {0, 0}, {x.dim(0), 1}),
                          b.slice(b.zero(x), {0, 0}, {x.dim(0), 1})},
                         1);
  });
  expect_hidden("no gradient", flat, with_special(.95F));
  FakeSubject never(
      2, 2,
      [](std::span<const float> row) {
        return row[0] > .9F ? std::vector<double>{-INFINITY, 0} : std::vector<double>{0, 0};
      },
      true);
  expect_hidden("infinite loss", never, with_special(.95F));
}

TEST(NoExamples, NameNoRowThatRepeats) {
  GraphSubject net(2, 2, linear({1, 0}, .5));
  RowSource twice = with_special(.5F);
  const auto again = [twice](int64_t first, int64_t n) {
    Array a = twice.rows(first, n);
    for (int64_t i = 0; i < n; ++i)
      if (first + i == 3)
        a.as_mutable<float>()[static_cast<size_t>(2 * i)] = a.as_mutable<float>()[static_cast<size_t>(2 * i + 1)] = .5F;
    return a;
  };
  twice.rows = again, twice.stored = again(0, rows), twice.labels[3] = 1;
  RowSource train = twice;
  train.record.id = "train";
  expect_hidden("repeated row", net, twice, &train);
}

}  // namespace
}  // namespace viva
