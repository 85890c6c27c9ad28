// Scans of associative functions against a loop, in both forms; derivatives against each other and closed forms.
#include <gtest/gtest.h>

#include "trace/values.h"
#include "viva/control.h"

namespace viva {
namespace {

using testing::f64;
using testing::message_of;
using Form = AssociativeScanOptions::Form;

// x -> a·x + b: a linear recurrence, which does not commute.
struct Affine {
  Tensor a, b;
};

Affine then(const Affine& first, const Affine& second) { return {first.a * second.a, second.a * first.b + second.b}; }

bool near(const Tensor& x, const Tensor& y) {
  return x.shape() == y.shape() &&
         (numel(x.shape()) == 0 || max(abs(x - y)).item() <= 1e-12 * (1 + max(abs(y)).item()));
}

TEST(AssociativeScan, IsTheLoop) {
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 100, 1023})
    for (const bool reverse : {false, true})
      for (const Form form : {Form::cheaper, Form::tree, Form::steps}) {
        const Affine xs{cos(arange(n, f64)), sin(arange(n, f64) * 3)};
        const Affine ys = associative_scan(then, xs, {.reverse = reverse, .form = form});
        const auto step = [](const Tensor& c, const Affine& x) {
          const Tensor next = x.a * c + x.b;
          return std::pair(next, next);
        };
        EXPECT_TRUE(near(ys.b, scan(step, scalar(0.0, f64), xs, {.reverse = reverse}).second)) << n << ' ' << form;
      }
}

TEST(AssociativeScan, OfNothingIsNothing) {
  for (const Form form : {Form::tree, Form::steps}) {
    const auto sums = [&](const Tensor& x) {
      return associative_scan([](const Tensor& a, const Tensor& b) { return a + b; }, x, {.form = form});
    };
    EXPECT_EQ(sums(zeros({0, 3}, f64)).shape(), (Shape{0, 3}));
  }
}

TEST(AssociativeScan, HasDerivativesInEveryMode) {
  const Tensor xs = tensor({.5, 2, -1.5, .25, 3}, f64), v = tensor({1, -2, .5, 3, -1}, f64);
  const auto last = [](Form form) {
    return [=](const Tensor& x) {
      const Tensor y = associative_scan([](const Tensor& a, const Tensor& b) { return a * b; }, x, {.form = form});
      return sum(y * y);
    };
  };
  const auto closed = [](const Tensor& x) {
    const Tensor y = cumprod(x, 0);
    return sum(y * y);
  };
  for (const Form form : {Form::tree, Form::steps}) {
    EXPECT_TRUE(near(grad(last(form))(xs), grad(closed)(xs)));
    EXPECT_TRUE(near(hvp(last(form))(xs, v), hvp(closed)(xs, v)));
    const Tensor rows = stack({xs, v}, 0);
    EXPECT_TRUE(near(vmap(grad(last(form)))(rows), vmap(grad(closed))(rows)));
    EXPECT_TRUE(near(compile(grad(last(form)))(xs), grad(closed)(xs)));
  }
}

TEST(AssociativeScan, OfMatricesKeepsTheirOrder) {
  const Tensor ms = reshape(sin(arange(6 * 4, f64)), {6, 2, 2});
  const auto product = [](const Tensor& a, const Tensor& b) { return matmul(a, b); };
  const Tensor tree = associative_scan(product, ms, {.form = Form::tree});
  EXPECT_TRUE(near(tree, associative_scan(product, ms, {.form = Form::steps})));
  Tensor all = eye(2, f64);
  for (const Tensor& m : split(ms, 6)) all = matmul(all, reshape(m, {2, 2}));
  EXPECT_TRUE(near(reshape(split(tree, 6)[5], {2, 2}), all));
}

TEST(AssociativeScan, MessagesNameTheLine) {
  const auto sum_of = [](const Tensor& a, const Tensor& b) { return stack({a, b}); };
  for (const Form form : {Form::tree, Form::steps}) {
    const std::string m = message_of([&] { associative_scan(sum_of, ones({4}, f64), {.form = form}); });
    EXPECT_NE(m.find("associative_test.cpp"), std::string::npos) << m;
    EXPECT_NE(m.find("what it gives is what it takes"), std::string::npos) << m;
  }
  const auto pairs = [](const std::pair<Tensor, Tensor>& a, const std::pair<Tensor, Tensor>&) { return a; };
  const std::string m = message_of([&] { associative_scan(pairs, std::pair(ones({4}), ones({5}))); });
  EXPECT_NE(m.find("one array has 4 elements, another 5"), std::string::npos) << m;
}

}  // namespace
}  // namespace viva
