#include <limits>
#include <unordered_map>

#include "ops/check_rules.h"
#include "ops/random_indexing.h"

namespace viva::test {
namespace {

const OpDef& scatter = op("scatter");

constexpr Combine every[] = {Combine::set, Combine::add, Combine::mul, Combine::min, Combine::max};

Sample with(Sample s, Combine c) {
  s.attrs.set("combine", std::string(to_string(c)));
  s.label += fmt::format(", {}", to_string(c));
  return s;
}

TEST(Scatter, Samples) {
  for (const Sample& s : scatter.samples()) {
    for (const Mask& m : s.linear) check_transpose(scatter, s, m, s.label);
    if (is_float(s.in[0].dtype()))
      for (const Mask& m : {Mask{true, false, true}, Mask{true, false, false}, Mask{false, false, true}})
        check_jvp(scatter, s, m, s.label);
    check_batch(scatter, s, shuffled(s), s.label);
    check_empty_batch(scatter, s, s.label);
    check_lowered(scatter, s, 0, s.label);
  }
}

TEST(Scatter, RandomNumbers) {
  for (uint64_t seed = 0; seed < 100; ++seed)
    for (Combine c : every) {
      const Sample s = with(random_indexing(seed), c);
      if (c == Combine::set || c == Combine::add) {
        check_transpose(scatter, s, {true, false, true}, s.label);
        check_transpose(scatter, s, {false, false, true}, s.label);
      }
      if (c <= Combine::mul) check_transpose(scatter, s, {true, false, false}, s.label);
      check_jvp(scatter, s, {true, false, true}, s.label);
      check_batch(scatter, s, shuffled(s), s.label);
      check_lowered(scatter, s, 0, s.label);
    }
}

// A vector of four, with updates at single places.
Sample places(Combine c, std::vector<double> x, std::vector<int32_t> at, std::vector<double> updates) {
  const auto n = static_cast<int64_t>(at.size()), size = static_cast<int64_t>(x.size());
  Sample s{"",
           {Array::of(x, {size}), Array::of(at, {n, 1}), Array::of(updates, {n})},
           {{"combine", std::string(to_string(c))}},
           {}};
  GatherDims{{}, {0}, {}, {}, {0}, {1}, OutOfBounds::fill}.put(s.attrs);
  return s;
}
std::vector<double> numbers(const Array& a) { return {a.as<double>().begin(), a.as<double>().end()}; }

TEST(Scatter, KnownNumbers) {
  using V = std::vector<double>;
  const auto of = [](Combine c, V x, std::vector<int32_t> at, V u) {
    return numbers(value_of(scatter, places(c, std::move(x), std::move(at), std::move(u))));
  };
  const std::vector<int32_t> at = {1, 5, 1, -1, 2};
  EXPECT_EQ(of(Combine::set, {1, 2, 3}, at, {10, 20, 30, 40, 50}), (V{1, 30, 50}));  // the last wins
  EXPECT_EQ(of(Combine::add, {1, 2, 3}, at, {10, 20, 30, 40, 50}), (V{1, 42, 53}));
  EXPECT_EQ(of(Combine::mul, {1, 2, 3}, at, {10, 20, 30, 40, 50}), (V{1, 600, 150}));
  EXPECT_EQ(of(Combine::min, {1, 2, 3}, at, {10, 20, 0, 40, 50}), (V{1, 0, 3}));
  EXPECT_EQ(of(Combine::max, {1, 2, 3}, at, {10, 20, 0, 40, 1}), (V{1, 10, 3}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (Combine c : {Combine::min, Combine::max}) {
    EXPECT_TRUE(std::isnan(of(c, {1}, {0, 0}, {nan, 3})[0]));
    EXPECT_TRUE(std::isnan(of(c, {nan}, {0, 0}, {1, 3})[0]));
  }
  EXPECT_TRUE(std::signbit(of(Combine::min, {0.0}, {0}, {-0.0})[0]));
  EXPECT_FALSE(std::signbit(of(Combine::max, {-0.0}, {0}, {0.0})[0]));
}

// f with the tangents of the parameters that have one appended: parameters (p…, t…), outputs (tangent of each output).
Body pushed_forward(const Body& f, const std::vector<bool>& active) {
  Build b("forward");
  NoTransforms none;
  std::unordered_map<Value, Value, ValueHash> primal, tangent;
  for (const Value& p : f->params()) primal[p] = b.parameter(p.type());
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i]) tangent[f->params()[i]] = b.parameter(f->params()[i].type());
  for (const Node& n : f->nodes()) {
    if (!n.op) continue;
    Values in, t;
    for (const Value& v : n.in) in.push_back(primal[v]), t.push_back(tangent[v]);
    const Values out = b.repeat(n, in);
    primal[n.out()] = out[0];
    if (!n.op->jvp || std::ranges::none_of(t, [](Value v) { return bool(v); })) continue;
    tangent[n.out()] = (*n.op->jvp)(b, *out[0].node(), in, out, t, none)[0];
  }
  Values out;
  for (const Value& v : f->outputs()) out.push_back(tangent[v] ? tangent[v] : b.full(v.type(), 0));
  return b.finish(std::move(out));
}

TEST(Scatter, EqualExtremesShareTheTangent) {
  const Sample s = places(Combine::max, {5, 2}, {0, 0, 1, 0}, {5, 1, 2, 5});
  std::vector<Array> args = s.in;
  args.push_back(Array::of<double>({1, 0}, {2})), args.push_back(Array::of<double>({4, 100, 8, 1}, {4}));
  const Array t = run(pushed_forward(alone(scatter, s), {true, false, true}), args)[0];
  EXPECT_NEAR(t.at(0), (1 + 4 + 1) / 3.0, 1e-15);
  EXPECT_NEAR(t.at(1), (0 + 8) / 2.0, 1e-15);
}

// x·u₀·u₁·u₂ at u = (0, 0, 7) and beyond: d²/du₀du₁ = x·u₂ and d³/du₀du₁du₂ = x, where a rule that divides or that
// counts zeros gives 0.
TEST(Scatter, ProductsAreRightToEveryOrderAtZeros) {
  for (int32_t other : {0, 1}) {  // alone at its place, or beside an update elsewhere
    const Sample s = places(Combine::mul, {3, 5}, {0, 0, 0, other}, {0, 0, 7, 1});
    const auto unit = [](size_t i) {
      Array a = Array::zeros({Dtype::float64, {4}});
      a.as_mutable<double>()[i] = 1;
      return a;
    };
    const Body first = pushed_forward(alone(scatter, s), {false, false, true});
    const Body second = pushed_forward(first, {false, false, true});
    const Body third = pushed_forward(second, {false, false, true});
    std::vector<Array> args = s.in;
    args.push_back(unit(0));
    EXPECT_EQ(run(first, args)[0].at(0), 0);
    args.push_back(unit(1));
    EXPECT_EQ(run(second, args)[0].at(0), 21);
    args.push_back(unit(2));
    EXPECT_EQ(run(third, args)[0].at(0), 3);
    EXPECT_EQ(run(third, args)[0].at(1), 0);
  }
}

TEST(Scatter, RefusesWhatDoesNotFit) {
  const auto refused = [](Dtype t, Combine c, Shape updates = {5, 3}, Dtype u = Dtype::float32) {
    const GatherDims d{{1}, {0}, {}, {}, {0}, {1, 3}, OutOfBounds::fill};
    Build b("f");
    const Value x = b.parameter({t, {4, 3}}), i = b.parameter({Dtype::int32, {5, 1}}),
                v = b.parameter({u, std::move(updates)});
    EXPECT_THROW(b.scatter(x, i, v, c, d), Error);
  };
  refused(Dtype::float32, Combine::set, {5, 2});
  refused(Dtype::float64, Combine::set);
  refused(Dtype::boolean, Combine::add, {5, 3}, Dtype::boolean);
  refused(Dtype::complex64, Combine::max, {5, 3}, Dtype::complex64);
}

}  // namespace
}  // namespace viva::test
