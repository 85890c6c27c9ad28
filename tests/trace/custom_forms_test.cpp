// User rules as text, in plans, in other precisions; what is said of rules that are wrong.
#include <gtest/gtest.h>

#include "cpu/executable.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "trace/custom_functions.h"
#include "transform/transform.h"

namespace viva {
namespace {

// Rules that are graphs are part of the text; those that need code are refused there.
TEST(Custom, Text) {
  const Body whole = vmap(trace([](const Tensor& x) { return three(x) + five(x); }, zeros({2}, f64)), {0}, 3);
  verify(Program(whole));
  const std::string text = print(whole);
  const Body again = parse(text, "text");
  EXPECT_EQ(print(again), text);
  const std::vector<Array> in{Array::of<double>({1, 2, 3, 4, 5, 6}, {3, 2})};
  const Body first = jvp(whole, {true}), second = jvp(again, {true});
  EXPECT_EQ(print(parse(print(first), "text")), print(first));
  const std::vector<Array> both{in[0], in[0]};
  EXPECT_EQ(to_string(Tensor(interpret(*first, both)[1])),
            to_string(Tensor(interpret(*parse(print(first), "text"), both)[1])));
  EXPECT_EQ(to_string(Tensor(interpret(*first, both)[1])), to_string(Tensor(interpret(*second, both)[1])));
  const Body own = trace(own_exp, zeros({2}, f64));
  verify(Program(own));
  EXPECT_SAYS(parse(print(own), "text"), "is C++ code that text does not hold");
  const Body plain = run_pass(inline_all_pass, own, {});
  EXPECT_EQ(print(parse(print(plain), "text")), print(plain));
}

TEST(Custom, InterpretedIsCompiled) {
  const auto f = [](const Tensor& x) { return sum(three(x) * own_exp(five(x)) + fresh_exp(x)); };
  const Tensor x = tensor({0.5, -0.25}, f64);
  const Body g = trace(f, x);
  const auto run = [](const Body& body, const std::vector<Array>& in) {
    ThreadPool pool(2);
    const std::vector<Array> slow = interpret(*body, in), fast = viva::compile(body).call(in, pool).take();
    PlanOptions options;  // calls stay, and are run as functions
    options.passes.disabled = {"inline_all", "inline_calls"};
    const std::vector<Array> kept = viva::compile(body, options).call(in, pool).take();
    for (size_t i = 0; i < slow.size(); ++i)
      for (int64_t k = 0; k < slow[i].size(); ++k) {
        const double tolerance = slow[i].dtype() == f64 ? 1e-12 : 1e-6;
        EXPECT_NEAR(slow[i].at(k), fast[i].at(k), tolerance);
        EXPECT_NEAR(slow[i].at(k), kept[i].at(k), tolerance);
      }
  };
  const Array at = x.array();
  run(g, {at});
  run(grad(g, {true}), {at});
  run(jvp(grad(g, {true}), {true}), {at, at});
  run(vmap(grad(g, {true}), {0}, 2), {stack({x, 2 * x}, 0).array()});
  run(retype(jvp(g, {true}), Dtype::float32), {at.converted(Dtype::float32), at.converted(Dtype::float32)});
  EXPECT_EQ(retype(jvp(g, {true}), Dtype::float32)->output_types()[1].dtype, Dtype::float32);
  const Body narrow = jvp(retype(g, Dtype::float32), {true});
  EXPECT_EQ(interpret(*narrow, std::vector{at.converted(Dtype::float32), at.converted(Dtype::float32)})[1].dtype(),
            Dtype::float32);
}

TEST(Custom, RulesAreChecked) {
  const Tensor x = ones({2}, f64);
  const auto square = [](const Tensor& v) { return v * v; };
  const auto longer =
      custom_jvp(square, [](const Tensor& v, const Tensor& dv) { return std::pair(v * v, concatenate({dv, dv}, 0)); });
  EXPECT_EQ(to_string(compile(longer)(x)), "f64[2] [1, 1]");  // no derivative asks for the rule
  EXPECT_SAYS(grad([&](const Tensor& v) { return sum(longer(v)); })(x),
              "[custom_jvp] leaf 0 of the tangent that the rule gives is f64[4], and must be f64[2] as the result");
  EXPECT_SAYS(jvp(longer)(x, x), "custom_forms_test.cpp");
  const auto other = custom_jvp(square, [](const Tensor& v, const Tensor& dv) { return std::pair(sum(v), dv); });
  EXPECT_SAYS(jvp(other)(x, x), "leaf 0 of the result that the rule gives is f64[], and must be f64[2]");
  const auto narrow = custom_vjp(
      square, [](const Tensor& v) { return std::pair(v * v, v); },
      [](const Tensor& v, const Tensor& c) { return convert(v * c, Dtype::float32); });
  EXPECT_SAYS(grad([&](const Tensor& v) { return sum(narrow(v)); })(x),
              "leaf 0 of the cotangent that the rule gives is f32[2], and must be f64[2] as the argument");
  using List = std::vector<Tensor>;
  const auto list =
      custom_vjp([](const List& v) { return v[0] * v[1]; }, [](const List& v) { return std::pair(v[0] * v[1], v); },
                 [](const List& v, const Tensor& c) { return List{c * v[1]}; });
  EXPECT_SAYS(grad([&](const List& v) { return sum(list(v)); })(List{x, x}),
              "a cotangent of 1 leaves for a argument of 2");
  const auto short_batch = custom_batch(square, [](const MappedAxis&, const Tensor& v) { return v(range(0, 1)); });
  EXPECT_SAYS(vmap(short_batch)(ones({3, 2}, f64)),
              "leaf 0 of the result that the rule gives is f64[1,2], and must be f64[3,2]");
  EXPECT_SAYS(jvp([](const Tensor& v) {
                return linear_call([](const Tensor& r, const Tensor& i) { return convert(i, f64) * r; },
                                   [](const Tensor&, const Tensor& c) { return c; }, v, ones({2}, Dtype::int32));
              })(x, x),
              "a linear argument is i32[2]");
  const auto endless = custom_jvp(square, [&](const Tensor& v, const Tensor& dv) {
    const auto again = custom_jvp([](const Tensor& u) { return u * u; },
                                  [](const Tensor&, const Tensor&) -> std::pair<Tensor, Tensor> {
                                    throw Error(ErrorKind::usage, "no derivative of this");
                                  });
    return std::pair(again(v), grad([&](const Tensor& u) { return sum(again(u)); })(v) * dv);
  });
  EXPECT_SAYS(grad([&](const Tensor& v) { return sum(endless(v)); })(x), "no derivative of this");
}

}  // namespace
}  // namespace viva
