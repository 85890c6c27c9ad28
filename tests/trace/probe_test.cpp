// probe and intervene: what is read equals what a program that returns the value gives, at any depth and under every
// transformation; an edit equals the program that was written with it.
#include "viva/probe.h"

#include <gtest/gtest.h>

#include "trace/values.h"

namespace viva {
namespace {

using testing::f64;
using testing::message_of;
using testing::near;

const Tensor x3 = tensor({0.5, -1, 2}, f64);
const Tensor rows = tensor({{0.5, -1, 2}, {1.5, 0.25, -0.5}, {-2, 1, 0.75}, {0.1, 0.2, -0.3}}, f64);

Tensor layer(const Tensor& x) { return tap(tanh(tap(x * x, "square")), "h"); }
Tensor network(const Tensor& x) { return sum(sin(3 * layer(x))); }

TEST(Probe, ReadsValues) {
  const auto [y, read] = probe(network, {"h", "square"})(x3);
  near(y, network(x3));
  near(read("h"), tanh(x3 * x3));
  near(read("square"), x3 * x3);
  EXPECT_TRUE(read.places.at("h")[0].taken.empty());
  EXPECT_EQ(probe(network)(x3).second.places.size(), 2u);
  const auto [again, compiled] = compile(probe(network, {"h"}))(x3);
  near(compiled("h"), tanh(x3 * x3));
}

TEST(Probe, NamesThatAreNotThere) {
  const std::string wrong = message_of([] { probe(network, {"hidden"})(x3); });
  EXPECT_TRUE(wrong.find("probe_test.cpp") != std::string::npos) << wrong;
  EXPECT_TRUE(wrong.find("[tap] no result of f needs a value named 'hidden'; there are 'h', 'square'") !=
              std::string::npos)
      << wrong;
  const std::string none = message_of([] { intervene([](const Tensor& x) { return x; }, "h", layer)(x3); });
  EXPECT_TRUE(none.find("[tap] no result of f needs a value named 'h'; none has a name") != std::string::npos) << none;
  const auto [y, read] = probe(network, {"h"})(x3);
  const std::string unread = message_of([&, r = read] { r("square"); });
  EXPECT_TRUE(unread.find("[probe] 'square' was not read; there are 'h'") != std::string::npos) << unread;
  const auto twice = [](const Tensor& x) { return layer(layer(x)); };
  const std::string several = message_of([&] { probe(twice)(x3).second("h"); });
  EXPECT_TRUE(several.find("'h' names 2 values") != std::string::npos) << several;
}

TEST(Probe, EveryPlaceOfAName) {
  const auto f = [](const Tensor& x) { return checkpoint(layer)(checkpoint(layer)(x)); };
  const auto [y, read] = probe(f, {"h"})(x3);
  const std::vector<Reading>& h = read.places.at("h");
  ASSERT_EQ(h.size(), 2u);
  near(h[0].value, tanh(x3 * x3));
  near(h[1].value, y);
}

Tensor looped(const Tensor& x) {
  const auto step = [](const Tensor& c, const Tensor& v) { return std::pair(layer(c + v), tap(c * v, "product")); };
  const auto [last, products] = scan(step, zeros({}, f64), x);
  return last + sum(products);
}

TEST(Probe, StacksTheStepsOfAScan) {
  const auto [y, read] = probe(looped)(x3);
  near(y, looped(x3));
  Tensor c = scalar(0, f64);
  std::vector<Tensor> h, product;
  for (int i = 0; i < 3; ++i) {
    product.push_back(c * x3(i));
    c = tanh(square(c + x3(i)));
    h.push_back(c);
  }
  near(read("h"), stack(h, 0));
  near(read("product"), stack(product, 0));
  // Loops inside each other, and backwards.
  const auto nested = [](const Tensor& m) {
    return scan([](const Tensor& s, const Tensor& row) { return std::pair(s + looped(row), std::tuple<>()); },
                zeros({}, f64), m, {.reverse = true})
        .first;
  };
  near(probe(nested, {"h"})(rows).second("h"),
       vmap([](const Tensor& r) { return probe(looped, {"h"})(r).second("h"); })(rows));
}

Tensor branched(const Tensor& x) {
  return cond(
      sum(x) > 0, [](const Tensor& v) { return tap(log(v + 3), "left"); },
      [](const Tensor& v) { return tap(v * 2, "right"); }, x);
}

TEST(Probe, SaysWhichBranchWasTaken) {
  const auto [y, read] = probe(branched)(x3);
  near(read("left"), log(x3 + 3));
  EXPECT_EQ(read.places.at("left")[0].taken.item(), 1);
  EXPECT_EQ(read.places.at("right")[0].taken.item(), 0);
  near(read("right"), zeros({3}, f64));
  // Under vmap for each example, whether probe is inside or outside.
  for (const auto& [name, flip] : {std::pair{"left", false}, {"right", true}}) {
    const auto outside = probe([](const Tensor& m) { return vmap(branched)(m); })(rows).second.places.at(name)[0];
    const auto inside = vmap(probe(branched))(rows).second.places.at(name)[0];
    const Tensor taken = flip ? sum(rows, 1) <= 0 : sum(rows, 1) > 0;
    EXPECT_EQ(to_string(outside.taken), to_string(taken)) << name;
    EXPECT_EQ(to_string(inside.taken), to_string(taken)) << name;
    const Tensor expected = flip ? rows * 2 : log(rows + 3), mask = reshape(taken, {4, 1});
    near(where(mask, outside.value, 0), where(mask, expected, 0));
    near(where(mask, inside.value, 0), where(mask, expected, 0));
  }
}

Tensor halved(const Tensor& x) {
  return while_loop([](const Tensor& v) { return v > 1; }, [](const Tensor& v) { return tap(v, "before") / 2; }, x);
}

TEST(Probe, LastStepOfAWhile) {
  const auto last = [](double from) { return probe(halved)(scalar(from, f64)).second.places.at("before")[0]; };
  EXPECT_EQ(last(5).value.item(), 1.25);
  EXPECT_EQ(last(5).taken.item(), 1);
  EXPECT_EQ(last(0.5).taken.item(), 0);
  const Tensor from = tensor({5, 0.5, 3, 32}, f64);
  for (const Reading& r : {probe([](const Tensor& v) { return vmap(halved)(v); })(from).second.places.at("before")[0],
                           vmap(probe(halved))(from).second.places.at("before")[0]}) {
    EXPECT_EQ(to_string(r.taken), "bool[4] [true, false, true, true]");
    near(where(r.taken, r.value, 0), tensor({1.25, 0, 1.5, 2}, f64));
  }
  // A branch in a loop: the last step that took it.
  const auto odd = [](const Tensor& x) {
    return fori_loop(
        5,
        [&](const Tensor& i, const Tensor& c) {
          return cond(i % 2 == 1, [&] { return tap(c * convert(i, f64), "odd"); }, [&] { return c + 1; });
        },
        x);
  };
  const Reading r = probe(odd)(scalar(2, f64)).second.places.at("odd")[0];
  EXPECT_EQ(to_string(r.taken), "bool[5] [false, true, false, true, false]");
  near(r.value, tensor({0, 3, 0, 12, 0}, f64));
}

TEST(Probe, AxesOfExamplesInFront) {
  const auto each = [](const Tensor& m) { return vmap(network, in_axes(1))(m); };
  near(probe(each, {"h"})(transpose(rows)).second("h"), tanh(rows * rows));
  near(vmap(probe(network, {"h"}), in_axes(1))(transpose(rows)).second("h"), tanh(rows * rows));
  // Two axes, the outer one in front; steps in front of both.
  const auto twice = [](const Tensor& m) {
    return vmap([](const Tensor& row) { return vmap([](const Tensor& v) { return tap(exp(v), "e"); })(row); },
                in_axes(1))(m);
  };
  near(probe(twice)(rows).second("e"), transpose(exp(rows)));
  const auto loops = [](const Tensor& m) { return vmap(looped)(m); };
  near(probe(loops, {"h"})(rows).second("h"), transpose(vmap(probe(looped, {"h"}))(rows).second("h")));
}

TEST(Probe, TangentsAndCotangents) {
  const Tensor t = tensor({1, 0.5, -2}, f64);
  const auto moved = [&](const Tensor& x) { return jvp(network)(x, t).second; };
  near(probe(moved, {"h.tangent"})(x3).second("h.tangent"), (1 - square(tanh(x3 * x3))) * 2 * x3 * t);
  const Tensor slope = 3 * cos(3 * tanh(x3 * x3));
  near(probe(grad(network), {"h.cotangent"})(x3).second("h.cotangent"), slope);
  near(probe(vmap(grad(network)), {"h.cotangent"})(rows).second("h.cotangent"), 3 * cos(3 * tanh(rows * rows)));
  // The cotangent that reaches h at each step of a loop is the derivative by what is added there.
  const auto shifted = [](const Tensor& d) {
    const auto step = [](const Tensor& c, const std::pair<Tensor, Tensor>& v) {
      return std::pair(tanh(square(c + v.first)) + v.second, c * v.first);
    };
    const auto [last, products] = scan(step, zeros({}, f64), std::pair(x3, d));
    return last + sum(products);
  };
  near(probe(grad(looped), {"h.cotangent"})(x3).second("h.cotangent"), grad(shifted)(zeros({3}, f64)));
  // A value has one place, though a checkpoint and the reversal of a while compute it again.
  const auto saved = [](const Tensor& x) { return sum(checkpoint(layer)(x)); };
  const auto both = probe(value_and_grad(saved), {"h", "h.cotangent"})(x3).second;
  near(both("h"), tanh(x3 * x3));
  near(both("h.cotangent"), ones({3}, f64));
  const auto wandering = [](const Tensor& x) {
    return while_loop([](const Tensor& v) { return v < 3; }, [](const Tensor& v) { return tap(v * v, "v"); }, x);
  };
  const auto loop = probe(value_and_grad(wandering), {"v", "v.cotangent"})(scalar(1.2, f64)).second;
  near(loop("v"), pow(scalar(1.2, f64), 8));
  near(loop("v.cotangent"), 4 * pow(scalar(1.2, f64), 6));  // of the first step: d v⁸ / d v²
  const auto line = [&](const Tensor& x) { return jet(network)(x, std::vector<Tensor>{t, zeros({3}, f64)}).second; };
  const auto h = [](const Tensor& x) { return tanh(x * x); };
  const auto second = jvp([&](const Tensor& x) { return jvp(h)(x, t).second; })(x3, t).second;
  near(probe(line, {"h.coefficient2"})(x3).second("h.coefficient2"), second / 2);
}

TEST(Probe, ReadingsAreDifferentiatedAndBatched) {
  const auto of_h = [](const Tensor& x) { return sum(square(probe(network, {"h"})(x).second("h"))); };
  near(grad(of_h)(x3), grad([](const Tensor& x) { return sum(square(tanh(x * x))); })(x3));
  near(hessian(of_h)(x3), hessian([](const Tensor& x) { return sum(square(tanh(x * x))); })(x3));
  const auto aux = grad(probe(network, {"h"}), has_aux)(x3);
  near(aux.first, grad(network)(x3));
  near(aux.second("h"), tanh(x3 * x3));
  const auto of_loop = [](const Tensor& x) { return sum(sin(probe(looped, {"product"})(x).second("product"))); };
  const auto by_hand = [](const Tensor& x) {
    Tensor c = scalar(0, f64), s = c;
    for (int i = 0; i < 3; ++i) s = s + sin(c * x(i)), c = tanh(square(c + x(i)));
    return s;
  };
  near(grad(of_loop)(x3), grad(by_hand)(x3));
  near(hessian(of_loop)(x3), hessian(by_hand)(x3));
  near(laplacian(of_loop)(x3), laplacian(by_hand)(x3));
  near(compile(vmap(grad(of_loop)))(rows), vmap(grad(by_hand))(rows));
  const auto saved = checkpoint([&](const Tensor& x) { return of_loop(x); });
  near(grad(saved)(x3), grad(by_hand)(x3));
}

TEST(Probe, BesideRules) {
  // The rule is kept for the result; what is read has the derivative of the body.
  const auto f = custom_jvp([](const Tensor& x) { return tap(x * x, "square") * x; },
                            [](const Tensor& x, const Tensor& dx) { return std::pair(x * x * x, 7 * dx); });
  const auto both = [&](const Tensor& x) {
    const auto [y, read] = probe(f, {"square"})(x);
    return std::pair(sum(y), read("square"));
  };
  near(jvp([&](const Tensor& x) { return both(x).first; })(x3, ones({3}, f64)).second, scalar(21, f64));
  near(jvp([&](const Tensor& x) { return both(x).second; })(x3, ones({3}, f64)).second, 2 * x3);
  const std::string refused = message_of([&] { intervene(f, "square", [](const Tensor& v) { return v; })(x3); });
  EXPECT_TRUE(refused.find("rule of its own") != std::string::npos) << refused;
}

// Intervene

TEST(Intervene, EditsEqualTheProgramWrittenWithThem) {
  const auto doubled = [](const Tensor& h) { return 2 * h; };
  const auto by_hand = [](const Tensor& x) { return sum(sin(6 * tanh(x * x))); };
  const auto edited = intervene(network, "h", doubled);
  near(edited(x3), by_hand(x3));
  near(grad(edited)(x3), grad(by_hand)(x3));
  near(hessian(edited)(x3), hessian(by_hand)(x3));
  near(compile(vmap(edited))(rows), vmap(by_hand)(rows));
  near(laplacian(edited)(x3), laplacian(by_hand)(x3));
  near(grad(checkpoint(edited))(x3), grad(by_hand)(x3));
  near(intervene(grad(network), "h.cotangent", doubled)(x3), 2 * grad(network)(x3));
  // One after the other, and read afterwards.
  const auto two = intervene(edited, "square", [](const Tensor& s) { return s + 1; });
  near(two(x3), sum(sin(6 * tanh(x3 * x3 + 1))));
  near(probe(two, {"h"})(x3).second("h"), 2 * tanh(x3 * x3 + 1));
}

TEST(Intervene, ByTensorsThatAreDifferentiated) {
  const auto steered = [](const Tensor& direction) {
    return intervene(network, "h", [&](const Tensor& h) { return h + direction; })(x3);
  };
  const auto by_hand = [](const Tensor& d) { return sum(sin(3 * (tanh(x3 * x3) + d))); };
  near(grad(steered)(x3), grad(by_hand)(x3));
  near(vmap(steered)(rows), vmap(by_hand)(rows));
  const std::string wrong = message_of([] { intervene(network, "h", [](const Tensor& h) { return sum(h); })(x3); });
  EXPECT_TRUE(wrong.find("the edit of 'h' gives f64[], and must give f64[3] as the value is") != std::string::npos)
      << wrong;
}

TEST(Intervene, KnowsTheStep) {
  const auto only_second = [](const Tensor& h, const Place& at) { return where(at.steps[0] == 1, 0.25, h); };
  const auto edited = intervene(looped, "h", only_second);
  const auto by_hand = [](const Tensor& x) {
    return tanh(square(0.25 + x(2))) + tanh(square(x(0))) * x(1) + 0.25 * x(2);
  };
  near(edited(x3), by_hand(x3));
  near(grad(edited)(x3), grad(by_hand)(x3));
  // In a while, and in two loops.
  const auto until = [](const Tensor& x) {
    return while_loop([](const Tensor& v) { return v < 10; }, [](const Tensor& v) { return tap(v + 1, "v"); }, x);
  };
  const auto faster =
      intervene(until, "v", [](const Tensor& v, const Place& at) { return v + convert(at.steps[0], f64); });
  EXPECT_EQ(faster(scalar(0, f64)).item(), 10);  // 1, 3, 6, 10
  const auto table = [](const Tensor& x) {
    return fori_loop(
        3,
        [](const Tensor&, const Tensor& a) {
          return fori_loop(2, [](const Tensor&, const Tensor& b) { return tap(b, "b"); }, a);
        },
        x);
  };
  const auto add = [](const Tensor& b, const Place& at) { return b + convert(at.steps[0] * 10 + at.steps[1], f64); };
  EXPECT_EQ(intervene(table, "b", add)(scalar(0, f64)).item(), 63);
  // By number, where functions are shared.
  const auto f = [](const Tensor& x) { return checkpoint(layer)(checkpoint(layer)(x)); };
  const auto second = [](const Tensor& h, const Place& at) { return at.number == 1 ? zeros_like(h) : h; };
  near(intervene(f, "h", second)(x3), zeros({3}, f64));
}

// What was read is put back: the same result, whatever the program.
TEST(Intervene, WhatWasReadPutBackChangesNothing) {
  const auto all = [](const Tensor& m) {
    const Tensor a = vmap(looped)(m), b = vmap(branched)(m);
    const Tensor c = scan([](const Tensor& s, const Tensor& row) { return std::pair(s + branched(row), layer(row)); },
                          zeros({3}, f64), m)
                         .first;
    return sum(a) + sum(b) + sum(c) + sum(checkpoint(layer)(m));
  };
  const auto [y, read] = probe(all)(rows);
  EXPECT_EQ(read.places.size(), 5u);
  near(intervene(all, read)(rows), y);
  near(intervene(all, read)(rows + 0.01), y);  // every path goes through a tap, so other rows give the same
  near(compile([&, r = read](const Tensor& m) { return intervene(all, r)(m); })(rows), y);
  const std::string loop = message_of([] { intervene(halved, probe(halved)(scalar(5, f64)).second)(scalar(5, f64)); });
  EXPECT_TRUE(loop.find("last step of a while_loop") != std::string::npos) << loop;
  const std::string shape = message_of([] { intervene(network, probe(network)(x3).second)(ones({4}, f64)); });
  EXPECT_TRUE(shape.find("was read as f64[3], and is f64[4] here") != std::string::npos) << shape;
}

// The example of docs/reference/probe.md.
TEST(Intervene, ActivationPatching) {
  const Tensor w1 = tensor({{1, -1}, {0.5, 2}}, f64), w2 = tensor({3, -2}, f64);
  const Tensor clean = tensor({1, 2}, f64), corrupt = tensor({1, -2}, f64);
  const auto net = [&](Tensor x) { return dot(tap(relu(dot(x, w1)), "h"), w2); };
  const auto [y, read] = probe(net, {"h"})(clean);
  const auto patched = [&](Tensor unit) {
    return intervene(net, "h", [&](Tensor h) { return where(unit, read("h"), h); })(corrupt);
  };
  const Tensor effect = vmap(patched)(eye(2, f64) > 0) - net(corrupt);
  // h is (2, 3) for the clean input and (0, 0) for the other, so each unit restores its weight times its value.
  EXPECT_EQ(to_string(read("h")), "f64[2] [2, 3]");
  EXPECT_EQ(to_string(effect), "f64[2] [6, -6]");
}

}  // namespace
}  // namespace viva
