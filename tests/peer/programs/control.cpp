#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

using Two = std::pair<Tensor, Tensor>;

Tensor halve_until(const Tensor& x, const Arg& least, WhileOptions options = {}) {
  return while_loop([&](const Tensor& t) { return sum(square(t)) > least; },
                    [](const Tensor& t) { return t * .6 + .05 * sin(t); }, x, options);
}
// x = cos(a·x) + b, by steps until they are small.
Tensor fixed_point(const Tensor& a, const Tensor& b) {
  const auto next = [&](const Tensor& x) { return cos(a * x) * .5 + b; };
  const auto end =
      while_loop([](const Two& t) { return max(abs(t.first - t.second)) > 1e-13; },
                 [&](const Two& t) { return Two(next(t.first), t.first); }, Two(next(b), b), {.max_steps = 200});
  return end.first;
}

Programs conds() {
  return {
      {"cond_true",
       [](In x) {
         return cond(
             sum(x[0]) > -100, [](const Tensor& t) { return sin(t); }, [](const Tensor& t) { return exp(t); }, x[0]);
       }},
      {"cond_false",
       [](In x) {
         return cond(
             sum(x[0]) > 100, [](const Tensor& t) { return sin(t); }, [](const Tensor& t) { return exp(t); }, x[0]);
       }},
      {"cond_capture",
       [](In x) {
         return cond(
             x[1](0) > 0, [&](const Tensor& t) { return t * x[1]; },
             [&](const Tensor& t) { return t / (2 + square(x[1])); }, square(x[0]));
       }},
      {"cond_nested",
       [](In x) {
         const auto inner = [&](const Tensor& t) {
           return cond(t(1) > 0, [](const Tensor& u) { return u * u * u; }, [](const Tensor& u) { return exp(-u); }, t);
         };
         return cond(x[0](0) > 0, inner, [&](const Tensor& t) { return inner(sin(t)); }, x[0]);
       }},
      {"cond_vmap",
       [](In x) {
         return vmap([](const Tensor& t) {
           return cond(
               t(0) > 0, [](const Tensor& u) { return sum(u * u * u); }, [](const Tensor& u) { return sum(exp(u)); },
               t);
         })(x[0]);
       }},
      {"cond_in_scan",
       [](In x) {
         const auto step = [](const Tensor& c, const Tensor& t) {
           const Tensor n = cond(
               t > 0, [](const Tensor& a, const Tensor& b) { return a * b; },
               [](const Tensor& a, const Tensor& b) { return a + sin(b); }, c, t);
           return Two(n, n * c);
         };
         const auto [last, all] = scan(step, ones_like(x[0](0)), x[0]);
         return all_of({last, all});
       }},
      {"switch",
       [](In x) {
         const auto branch = [&](int k) { return x[1](0) == k; };
         return cond(
             branch(0), [](const Tensor& t) { return sin(t); },
             [&](const Tensor& t) {
               return cond(
                   branch(1), [](const Tensor& u) { return square(u); },
                   [](const Tensor& u) { return log1p(square(u)); }, t);
             },
             x[0]);
       }},
  };
}

Programs scans() {
  return {
      {"scan_rnn",
       [](In x) {
         const auto step = [&](const Tensor& h, const Tensor& t) {
           const Tensor n = tanh(matmul(h, x[1]) + matmul(t, x[2]));
           return Two(n, sum(n));
         };
         const auto [last, sums] = scan(step, zeros({4}, x[0].dtype()), x[0]);
         return all_of({last, sums});
       }},
      {"scan_reverse",
       [](In x) {
         const auto step = [](const Tensor& c, const Tensor& t) { return Two(sin(c + t), c * t); };
         const auto [last, all] = scan(step, x[0](0), x[0], {.reverse = true});
         return all_of({last, all});
       }},
      {"scan_no_arrays",
       [](In x) {
         const auto step = [&](const Tensor& c, const std::tuple<>&) { return Two(c * x[1] + .1, sin(c)); };
         const auto [last, all] = scan(step, x[0], std::tuple<>(), {.length = 5});
         return all_of({last, all});
       }},
      {"scan_carry_pair",
       [](In x) {
         const auto step = [](const Two& c, const Tensor& t) {
           return std::pair(Two(c.second, c.first * .5 + sin(t)), c.first * c.second);
         };
         const auto [last, all] = scan(step, Two(x[1], cos(x[1])), x[0]);
         return all_of({last.first, last.second, all});
       }},
      {"scan_nested",
       [](In x) {
         const auto outer_step = [](const Tensor& c, const Tensor& row) {
           const auto inner = [](const Tensor& d, const Tensor& t) { return Two(tanh(d * t + .3), d); };
           const auto [last, all] = scan(inner, c, row);
           return Two(last, sum(all));
         };
         const auto [last, sums] = scan(outer_step, x[1], x[0]);
         return all_of({last, sums});
       }},
      {"scan_vmap",
       [](In x) {
         const auto f = [](const Tensor& xs, const Tensor& c) {
           return scan([](const Tensor& a, const Tensor& t) { return Two(a * t + 1, a); }, c, xs).first;
         };
         return vmap(f, in_axes(0, none))(x[0], x[1]);
       }},
      {"scan_of_grad",
       [](In x) {
         const auto energy = [](const Tensor& q) { return sum(square(square(q)) / 4 - square(q) / 2); };
         const auto step = [&](const Two& s, const std::tuple<>&) {
           const Tensor half = s.second - .05 * grad(energy)(s.first), q = s.first + .1 * half;
           return std::pair(Two(q, half - .05 * grad(energy)(q)), std::tuple<>());
         };
         const auto last = scan(step, Two(x[0], x[1]), std::tuple<>(), {.length = 6}).first;
         return all_of({last.first, last.second});
       }},
      {"scan_checkpoint",
       [](In x) {
         const auto step =
             checkpoint([](const Tensor& c, const Tensor& t) { return Two(sin(c * t) + exp(-c * c), c); });
         return scan(step, x[1], x[0]).first;
       }},
      {"fori",
       [](In x) {
         return fori_loop(
             5, [&](const Tensor& i, const Tensor& c) { return sin(c) + convert(i, c.dtype()) * .1 * x[0]; }, x[0]);
       }},
      {"fori_update",
       [](In x) {
         return fori_loop(
             4, [&](const Tensor& i, const Tensor& c) { return c.at(i + 1).set(c(i) * c(i + 1) + .5); }, x[0]);
       }},
      {"horner",
       [](In x) {
         return scan([&](const Tensor& c, const Tensor& a) { return Two(c * x[1] + a, c); }, zeros_like(x[1]), x[0])
             .first;
       }},
      {"logistic_map",
       [](In x) {
         return scan([&](const Tensor& c, const std::tuple<>&) { return Two(x[1] * c * (1 - c), c); }, x[0],
                     std::tuple<>(), {.length = 6})
             .second;
       }},
      {"rk4",
       [](In x) {
         const auto f = [&](const Tensor& y) { return stack({y(1), x[1](0) * (1 - square(y(0))) * y(1) - y(0)}); };
         const auto step = [&](const Tensor& y, const std::tuple<>&) {
           const double h = .1;
           const Tensor a = f(y), b = f(y + h / 2 * a), c = f(y + h / 2 * b), d = f(y + h * c);
           const Tensor n = y + h / 6 * (a + 2 * b + 2 * c + d);
           return Two(n, n(0));
         };
         return scan(step, x[0], std::tuple<>(), {.length = 5}).second;
       }},
      {"kalman",
       [](In x) {
         const auto step = [&](const Two& s, const Tensor& y) {
           const Tensor p = s.second + exp(x[1]), gain = p / (p + exp(x[2]));
           const Tensor m = s.first + gain * (y - s.first);
           return std::pair(Two(m, (1 - gain) * p), square(y - s.first) / (p + exp(x[2])) + log(p + exp(x[2])));
         };
         return scan(step, Two(zeros_like(x[1]), ones_like(x[1])), x[0]).second;
       }},
      {"viterbi",
       [](In x) {
         const auto step = [&](const Tensor& a, const Tensor& e) {
           return Two(logsumexp(expand_dims(a, 1) + x[1], 0) + e, a);
         };
         return logsumexp(scan(step, x[0](0), x[0](range(1))).first);
       }},
  };
}

Programs whiles() {
  return {
      {"while_halve", [](In x) { return halve_until(x[0], .01); }},
      {"while_bounded", [](In x) { return halve_until(x[0], .01, {.max_steps = 30}); }},
      {"while_none", [](In x) { return sin(halve_until(x[0], 1e6)); }},
      {"while_capture",
       [](In x) {
         return while_loop([](const Tensor& t) { return sum(t) < 20; },
                           [&](const Tensor& t) { return t * 1.5 + square(x[1]); }, abs(x[0]) + .5);
       }},
      {"while_pair",
       [](In x) {
         const auto end = while_loop([](const Two& t) { return t.second < 6; },
                                     [](const Two& t) { return Two(sin(t.first) * 1.2 + .1, t.second + 1); },
                                     Two(x[0], scalar(0, Dtype::int32)));
         return end.first;
       }},
      {"while_newton",
       [](In x) {
         return while_loop([&](const Tensor& y) { return any(abs(y * y - x[0]) > 1e-3); },
                           [&](const Tensor& y) { return (y + x[0] / y) / 2; }, ones_like(x[0]));
       }},
      {"while_fixed_point", [](In x) { return fixed_point(x[0], x[1]); }},
      {"while_vmap", [](In x) { return vmap([](const Tensor& t) { return halve_until(t, .1); })(x[0]); }},
      {"while_in_scan",
       [](In x) {
         return scan([](const Tensor& c, const Tensor& t) { return Two(halve_until(c + t, .2), c); }, x[0](0), x[0])
             .second;
       }},
      {"while_nested",
       [](In x) {
         return while_loop([](const Tensor& t) { return sum(t) < 30; },
                           [](const Tensor& t) { return halve_until(t, .5) + square(t) + 1; }, abs(x[0]) + .2);
       }},
      {"while_collatz",
       [](In x) {
         const auto step = [](const Two& t) {
           return Two(where(t.first % 2 == 0, t.first / 2, 3 * t.first + 1), t.second + 1);
         };
         return while_loop([](const Two& t) { return t.first != 1; }, step, Two(x[0], zeros_like(x[0]))).second;
       }},
  };
}

}  // namespace

Programs control_programs() {
  Programs all = conds();
  all.merge(scans());
  all.merge(whiles());
  return all;
}

}  // namespace viva::peer
