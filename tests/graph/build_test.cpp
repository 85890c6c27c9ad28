// Bad use of Build is a usage error that names the user's line, never a crash.
#include "graph/build.h"

#include <gtest/gtest.h>

#include "graph/opdef.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace viva {
namespace {

const Type four{Dtype::float32, {4}};

// Expects a usage error at a line of this file that says `what`.
template <class F> void expect_refused(std::string_view what, F&& f) {
  try {
    f();
    ADD_FAILURE() << "accepted: " << what;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage) << e.what();
    EXPECT_NE(e.message().find(what), std::string::npos) << e.what();
    EXPECT_TRUE(to_string(e.where()).starts_with("build_test.cpp:")) << e.what();
  }
}

TEST(Build, RefusesAbsentValues) {
  Build b("f");
  const Value x = b.parameter(four, "x"), none;
  expect_refused("[dot] operand 0 is absent", [&] { b.dot(none, x); });
  expect_refused("[relu]", [&] { b.relu(none); });
  expect_refused("[add] operand 1 is absent", [&] { b.add(x, none); });
  expect_refused("absent", [&] { b.zero(none); });
  expect_refused("absent", [&] { b.recip(none); });
  expect_refused("absent", [&] { b.scale(none, 2); });
  expect_refused("absent", [&] { b.reduce_mean(none, {0}); });
  expect_refused("absent", [&] { b.reduce_min(none, {0}); });
  expect_refused("absent", [&] { b.reduce_sum(none, {0}); });
  expect_refused("absent", [&] { b.move_axis(none, 0, 0); });
  expect_refused("absent", [&] { b.squeeze(none, {}); });
  expect_refused("absent", [&] { b.unsqueeze(none, {0}); });
  expect_refused("absent", [&] { b.reverse(none, {}); });
  expect_refused("absent", [&] { b.broadcast_to(none, {4}); });
  expect_refused("absent", [&] { b.set_name(none, "x"); });
  expect_refused("[return] operand 0 is absent", [&] { b.finish({none}); });
}

TEST(Build, RefusesValuesOfOtherFunctions) {
  Build a("a");
  const Value p = a.parameter(four, "p");
  Build b("b");
  const Value x = b.parameter(four, "x");
  expect_refused("[add] operand 1 is a value of another function", [&] { b.add(x, p); });
  expect_refused("another function", [&] { b.set_name(p, "stolen"); });
  expect_refused("another function", [&] { b.finish({p}); });
  const Body f = a.finish({a.neg(p)});
  expect_refused("another function", [&] { b.set_name(f->outputs()[0], "stolen"); });
  expect_refused("another function", [&] { b.neg(f->outputs()[0]); });
  expect_refused("another function", [&] { b.inline_call(*f, Values{p}); });
  expect_refused("is no output", [&] { b.neg(Value(x.node(), 1)); });
}

TEST(Build, RefusesUseAfterFinish) {
  Build b("f");
  const Value x = b.parameter(four, "x");
  const Body f = b.finish({x});
  expect_refused("finished", [&] { b.neg(x); });
  expect_refused("finished", [&] { b.parameter(four); });
  expect_refused("finished", [&] { b.set_name(x, "y"); });
  expect_refused("finished", [&] { b.finish({x}); });
  EXPECT_EQ(b.nodes(), 0);
}

TEST(Build, ErrorsNameTheUsersLine) {
  Build b("f");
  const Value x = b.parameter(four, "x");
  b.neg(x);
  expect_refused("[parameter] y: parameters come before", [&] { b.parameter(four, "y"); });
  expect_refused("negative", [] { Build("g").parameter({Dtype::float32, {-3}}); });
  Build g("g");
  const Body gf = g.finish({g.parameter({Dtype::float32, {3}})});
  expect_refused("[call] g: argument 0 is f32[4], not f32[3]", [&] { b.inline_call(*gf, Values{x}); });
  expect_refused("[call] g takes 1 arguments, not 0", [&] { b.inline_call(*gf, {}); });
  expect_refused("[move_axis] dimension 5 is outside f32[4]", [&] { b.move_axis(x, 5, 0); });
  expect_refused("[move_axis] dimension 5 is outside f32[4]", [&] { b.move_axis(x, 0, 5); });
  expect_refused("1099511627776 is outside rank 1", [&] { b.reduce_mean(x, {int64_t{1} << 40}); });
  EXPECT_EQ(to_string(x.node()->where).substr(0, 15), "build_test.cpp:");
}

TEST(Build, RefusesFractionsOfIntegers) {
  Build b("f");
  const Value x = b.parameter({Dtype::int32, {4}}, "x");
  expect_refused("[reduce_mean] i32[4]: convert it to a float dtype first", [&] { b.reduce_mean(x, {0}); });
  expect_refused("[scale] 0.25 is no number of i32", [&] { b.scale(x, .25); });
  EXPECT_EQ(b.scale(x, 3).dtype(), Dtype::int32);
}

TEST(Build, RefusesUnknownAndMissingAttributes) {
  Build b("f");
  const Value x = b.parameter(four, "x");
  expect_refused("[neg] there is no attribute 'colour'", [&] { b.emit("neg", {x}, {{"colour", true}}); });
  expect_refused("[reverse] there is no attribute 'colour', only dims",
                 [&] { b.emit("reverse", {x}, {{"colour", true}, {"dims", Ints{0}}}); });
  expect_refused("[reduce_sum] the attribute dims is missing", [&] { b.emit("reduce_sum", {x}); });
  try {
    parse("func \"f\"(%0: f64[3]) -> (\"\") {\n  %2: f64[3] = neg(%0) {colour=3}\n  return %2\n}\n");
    ADD_FAILURE();
  } catch (const Error& e) { EXPECT_NE(e.message().find("2:16: [neg] there is no attribute"), std::string::npos); }
}

TEST(Build, RecordsListTheAttributesOfTheirSamples) {
  for (const OpDef* d : catalog())
    for (const Sample& s : d->samples()) EXPECT_NO_THROW(check_attributes(*d, s.attrs)) << d->name << " " << s.label;
}

TEST(Build, RefusesDeepNests) {
  Body f;
  for (int64_t i = 0; i <= most_nested; ++i) {
    Build b("f");
    const Value x = b.parameter(four);
    f = b.finish(f ? b.call(f, {x}) : Values{x});
  }
  Build b("f");
  expect_refused("[call] functions nest deeper than 1000", [&] { b.call(f, {b.parameter(four)}); });
}

TEST(Build, ExtremeAttributesAreRefusedBeforeArithmetic) {
  Build b("f");
  const Value x = b.parameter(four, "x"), zero = b.scalar(Dtype::float32, 0);
  for (const int64_t v : {INT64_MIN, INT64_MAX, int64_t{1} << 47}) {
    expect_refused("too large", [&] { b.pad(x, zero, {v}, {0}); });
    expect_refused("too large", [&] { b.pad(x, zero, {0}, {v}); });
  }
  expect_refused("interior", [&] { b.pad(x, zero, {0}, {0}, {INT64_MAX}); });
  EXPECT_EQ(b.slice(x, {1}, {4}, {INT64_MAX}).shape(), Shape{1});
  EXPECT_EQ(b.slice(x, {4}, {4}, {INT64_MAX}).shape(), Shape{0});
}

TEST(Build, APlaceInForceStandsForTheLine) {
  Build b("f");
  b.at(Where::named("Relu making 'y'"));
  const Value x = b.parameter(four, "x");
  EXPECT_EQ(to_string(x.node()->where), "Relu making 'y'");
  EXPECT_EQ(to_string(b.relu(x).node()->where), "Relu making 'y'");
  try {
    b.reshape(x, {5});
    ADD_FAILURE();
  } catch (const Error& e) { EXPECT_TRUE(std::string(e.what()).starts_with("Relu making 'y': [reshape]")) << e.what(); }
  b.at({});
  EXPECT_FALSE(b.neg(x).node()->where);
}

TEST(Program, NamesThousandsOfEqualNamesApart) {
  Build b("net");
  Value y = b.parameter(four, "x");
  for (int i = 0; i < 2000; ++i) {
    Build g(i == 1 ? "layer.2" : "layer");
    y = b.call(g.finish({g.scale(g.parameter(four), 1.0 + i)}), {y})[0];
  }
  const Program p(b.finish({y}));
  verify(p);
  EXPECT_EQ(p.functions()[0].first, "layer");
  EXPECT_EQ(p.functions()[1].first, "layer.2");
  EXPECT_EQ(p.functions()[2].first, "layer.3");
  EXPECT_EQ(p.functions()[1999].first, "layer.2000");
  EXPECT_EQ(p.name_of(*p.functions()[1999].second), "layer.2000");
}

}  // namespace
}  // namespace viva
