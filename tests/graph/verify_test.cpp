#include "graph/verify.h"

#include <gtest/gtest.h>

#include "graph/build.h"
#include "graph/opdef.h"
#include "support/programs.h"

namespace viva {
namespace {

// Functions are immutable, so that nothing breaks an invariant but these casts; the objects behind are not const.
template <class T> T& mutable_of(const T& x) { return const_cast<T&>(x); }

// main(x, y): sum = x + y (node 2), call of a function that negates (node 3), a bool constant (node 4).
struct Fixture {
  Body inner, f;
  Fixture() {
    Build g("inner");
    inner = g.finish({g.neg(g.parameter({Dtype::float32, {2}}))});
    Build b("main");
    const Value x = b.parameter({Dtype::float32, {2}}, "x"), y = b.parameter({Dtype::float32, {2}}, "y");
    const Value sum = b.add(x, y);
    b.set_name(sum, "sum");
    const Value z = b.call(inner, {sum})[0];
    b.constant(Array::of<bool>({true, false}, {2}));
    f = b.finish({z, sum});
  }
  Node& node(size_t i) { return mutable_of(f->nodes()[i]); }
};

// Breaks a fresh function and expects the verifier to cite the invariant.
template <class F> void expect_broken(int invariant, std::string_view place, F&& breaks) {
  Fixture fixture;
  verify(*fixture.f);
  breaks(fixture);
  try {
    verify(*fixture.f);
    ADD_FAILURE() << "invariant " << invariant << " was broken unseen";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    EXPECT_TRUE(e.message().ends_with(fmt::format("(invariant {})", invariant))) << e.what();
    EXPECT_TRUE(e.message().starts_with(fmt::format("[verify] {}", place))) << e.what();
  }
}

TEST(Verify, AcceptsWhatTheBuilderMakes) {
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples()) verify(*sample_function(*op, s, true));
  for (uint32_t seed = 0; seed < 50; ++seed) verify(Program(random_program(seed)));
}

TEST(Verify, NamesTheUsersLine) {
  Fixture fixture;
  fixture.node(2).where = Where("/home/somebody/model.cpp", 12);
  fixture.node(2).types[0].shape = {3};
  try {
    verify(*fixture.f);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "model.cpp:12: [verify] main, node 2 (add): output 0 is f32[3], inferred f32[2] (invariant 8)");
  }
}

TEST(Verify, Invariant1IdsAndNames) {
  expect_broken(1, "main, node 2 (add)", [](Fixture& x) { x.node(2).id = 7; });
  expect_broken(1, "main, node 2 (add)", [](Fixture& x) { x.node(2).names.clear(); });
}

TEST(Verify, Invariant2Parameters) {
  expect_broken(2, "main, node 3 (parameter)", [](Fixture& x) { x.node(3).op = nullptr; });
  expect_broken(2, "main, node 0",
                [](Fixture& x) { std::swap(mutable_of(x.f->params())[0], mutable_of(x.f->params())[1]); });
  expect_broken(2, "main, node 1", [](Fixture& x) { mutable_of(x.f->params()).pop_back(); });
  expect_broken(2, "main:", [](Fixture& x) { mutable_of(x.f->params()).push_back(x.f->params()[0]); });
  expect_broken(2, "main, node 0", [](Fixture& x) {
    x.node(0).types.push_back({});
    x.node(0).names.emplace_back();
  });
  expect_broken(2, "main, node 1", [](Fixture& x) { x.node(1).in = {x.node(0).out()}; });
  expect_broken(2, "main, node 0", [](Fixture& x) { x.node(0).attrs.set("a", true); });
}

TEST(Verify, Invariant3Records) {
  static const OpDef copy = op("add");
  expect_broken(3, "main, node 2 (add)", [](Fixture& x) { x.node(2).op = &copy; });
}

TEST(Verify, Invariant4Inputs) {
  expect_broken(4, "main, node 2 (add)", [](Fixture& x) { x.node(2).in[1] = {}; });
  expect_broken(4, "main, node 2 (add)", [](Fixture& x) { x.node(2).in[1] = x.node(2).out(); });
  expect_broken(4, "main, node 2 (add)", [](Fixture& x) { x.node(2).in[1] = x.node(3).out(); });
  expect_broken(4, "main, node 2 (add)", [](Fixture& x) { x.node(2).in[1] = x.inner->nodes()[0].out(); });
  expect_broken(4, "main, node 2 (add)", [](Fixture& x) { x.node(2).in[1] = x.node(0).out(1); });
  expect_broken(4, "main, node 2 (add)", [](Fixture& x) { x.node(2).in[1] = x.node(0).out(-1); });
}

TEST(Verify, Invariant5Types) {
  expect_broken(5, "main, node 0", [](Fixture& x) { x.node(0).types[0].shape = {-1}; });
  expect_broken(5, "main, node 0", [](Fixture& x) { x.node(0).types[0].shape = {int64_t{1} << 40, int64_t{1} << 40}; });
  expect_broken(5, "main, node 0", [](Fixture& x) { x.node(0).types[0].dtype = static_cast<Dtype>(dtype_count); });
}

TEST(Verify, Invariant6Attributes) {
  const auto items = [](Fixture& x, size_t i) -> auto& { return mutable_of(x.node(i).attrs.items()); };
  expect_broken(6, "main, node 2", [&](Fixture& x) { items(x, 2) = {{"b", true}, {"a", true}}; });
  expect_broken(6, "main, node 2", [&](Fixture& x) { items(x, 2) = {{"a", true}, {"a", true}}; });
  expect_broken(6, "main, node 2", [&](Fixture& x) { items(x, 2) = {{"", true}}; });
  expect_broken(6, "main, node 2", [&](Fixture& x) { items(x, 2) = {{"a", Array()}}; });
  expect_broken(6, "main, node 2", [&](Fixture& x) { items(x, 2) = {{"a", static_cast<Dtype>(99)}}; });
  expect_broken(6, "main, node 4 (constant)",
                [&](Fixture& x) { const_cast<std::byte*>(x.node(4).attrs.array("value").data())[0] = std::byte{2}; });
  expect_broken(6, "main, node 4 (constant)",
                [&](Fixture& x) { mutable_of(x.node(4).attrs.array("value").shape())[0] = 3; });
}

TEST(Verify, Invariant7Bodies) {
  expect_broken(7, "main, node 3", [](Fixture& x) { x.node(3).bodies[0] = nullptr; });
  expect_broken(4, "inner, node 1 (neg)", [](Fixture& x) { mutable_of(x.inner->nodes()[1]).in[0] = {}; });
  // The cycle owns itself until it is cut.
  Fixture x;
  Node& n = mutable_of(x.inner->nodes()[1]);
  n.bodies = {x.f};
  try {
    verify(*x.f);
    ADD_FAILURE();
  } catch (const Error& e) { EXPECT_EQ(e.message(), "[verify] main: the function holds itself (invariant 7)"); }
  n.bodies.clear();
}

TEST(Verify, Invariant8Inference) {
  expect_broken(8, "main, node 2 (add)", [](Fixture& x) { x.node(2).types[0].dtype = Dtype::float64; });
  expect_broken(8, "main, node 2 (add)", [](Fixture& x) { x.node(2).in.pop_back(); });
  expect_broken(8, "main, node 3 (call)", [](Fixture& x) { x.node(3).attrs.set("policy", int64_t{1}); });
  expect_broken(8, "main, node 3 (call)", [](Fixture& x) { x.node(3).bodies.clear(); });
  expect_broken(8, "main, node 2 (add)", [](Fixture& x) {
    x.node(2).types.push_back(x.node(2).types[0]);
    x.node(2).names.emplace_back();
  });
}

// What makes invariant 8 cover the attributes: infer reads every one, by its kind.
TEST(Verify, Invariant8MissingAndWrongAttributes) {
  const auto accepts = [](const OpDef& d, const Sample& s, const Attrs& attrs) {
    std::vector<Type> in;
    for (const Array& a : s.in) in.push_back(a.type());
    try {
      return !(*d.infer)({in, attrs, s.bodies}).empty();
    } catch (const Error&) { return false; }
  };
  for (const OpDef* d : catalog())
    for (const Sample& s : d->samples())
      for (const auto& item : s.attrs.items()) {
        Attrs without, wrong = s.attrs;
        for (const auto& [name, value] : s.attrs.items())
          if (name != item.first) without.set(name, value);
        wrong.set(item.first, 3.25);
        EXPECT_FALSE(accepts(*d, s, without)) << d->name << " without " << item.first;
        EXPECT_FALSE(accepts(*d, s, wrong)) << d->name << " with another kind of " << item.first;
      }
}

TEST(Verify, Invariant9Outputs) {
  expect_broken(9, "main:", [](Fixture& x) { mutable_of(x.f->outputs())[0] = {}; });
  expect_broken(9, "main:", [](Fixture& x) { mutable_of(x.f->outputs())[0] = x.inner->nodes()[1].out(); });
  expect_broken(9, "main:", [](Fixture& x) { mutable_of(x.f->outputs())[0] = x.node(3).out(1); });
}

TEST(Verify, Invariant10OutputNames) {
  expect_broken(10, "main:", [](Fixture& x) { mutable_of(x.f->output_names()).pop_back(); });
  expect_broken(10, "main:", [](Fixture& x) { mutable_of(x.f->output_names())[1].clear(); });
}

TEST(Verify, Invariant11Programs) {
  const auto expect = [](auto&& breaks) {
    const Program p(Fixture().f);
    verify(p);
    breaks(mutable_of(p.functions()));
    try {
      verify(p);
      ADD_FAILURE();
    } catch (const Error& e) { EXPECT_TRUE(e.message().ends_with("(invariant 11)")) << e.what(); }
  };
  expect([](auto& functions) { functions.clear(); });
  expect([](auto& functions) { functions[0].first = "main"; });
  expect([](auto& functions) { functions[0].second = nullptr; });
  expect([](auto& functions) { functions.erase(functions.begin()); });
  expect([](auto& functions) { std::swap(functions[0], functions[1]); });
}

TEST(Verify, Invariant12AttributeNames) {
  expect_broken(12, "main, node 3 (call)", [](Fixture& x) { x.node(3).attrs = {}; });
  expect_broken(12, "main, node 3 (call)", [](Fixture& x) { x.node(3).attrs.set("colour", int64_t{1}); });
  expect_broken(12, "main, node 2 (add)", [](Fixture& x) { x.node(2).attrs.set("dims", Ints{0}); });
}

TEST(Verify, Invariant13Depth) {
  EXPECT_EQ(Fixture().f->depth(), 1);
  expect_broken(13, "main", [](Fixture& x) {
    Build b("outer");
    x.node(3).bodies = {b.finish(b.call(x.inner, {b.parameter({Dtype::float32, {2}})}))};
  });
}

TEST(Verify, TheDeepestNest) {
  Body f;
  for (int64_t i = 0; i <= most_nested; ++i) {
    Build b("f");
    if (f) b.call(f, {});
    f = b.finish({});
  }
  verify(*f);
  EXPECT_EQ(f->depth(), most_nested);
}

}  // namespace
}  // namespace viva
