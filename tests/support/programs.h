// Programs for tests, made from the samples of the catalogue, and their comparison node by node.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "graph/build.h"
#include "graph/opdef.h"

namespace viva {

// The sample as a function: of parameters, or of constants that hold the sample's operands.
inline Body sample_function(const OpDef& op, const Sample& s, bool constants) {
  Build b(std::string(op.name));
  Values in;
  for (const Array& a : s.in) in.push_back(constants ? b.constant(a) : b.parameter(a.type()));
  return b.finish(b.emit(op, in, s.attrs, s.bodies));
}

// A function of `nodes` applications of samples, each operand an earlier value of its type or a new constant, with some
// calls of the functions in callees. The same seed gives the same function.
inline Body random_function(uint32_t seed, int nodes, const std::vector<Body>& callees = {}) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  static const std::vector<std::pair<const OpDef*, Sample>> samples = [] {
    std::vector<std::pair<const OpDef*, Sample>> all;
    for (const OpDef* d : catalog())
      for (Sample& s : d->samples()) all.emplace_back(d, std::move(s));
    return all;
  }();
  Build b(below(2) ? "f" : fmt::format("f{}", seed));
  Values values;
  for (size_t i = below(4); i-- > 0;) {
    const auto& s = samples[below(samples.size())].second;
    if (!s.in.empty()) values.push_back(b.parameter(s.in[0].type(), below(2) ? fmt::format("p {}", i) : ""));
  }
  const auto operand = [&](const Type& t, const Array* value) {
    Values fit;
    for (const Value& v : values)
      if (v.type() == t) fit.push_back(v);
    if (!fit.empty() && below(4)) return fit[below(fit.size())];
    return b.constant(value ? *value : Array::zeros(t));
  };
  for (int i = 0; i < nodes; ++i) {
    Values in, out;
    if (!callees.empty() && below(4) == 0) {
      const Body& f = callees[below(callees.size())];
      for (const Value& p : f->params()) in.push_back(operand(p.type(), nullptr));
      out = b.call(f, in, below(2) == 0 ? "recompute" : "save");
    } else {
      const auto& [op, s] = samples[below(samples.size())];
      for (const Array& a : s.in) in.push_back(operand(a.type(), &a));
      out = b.emit(*op, in, s.attrs, s.bodies);
    }
    for (const Value& v : out) {
      if (below(3) == 0) b.set_name(v, fmt::format("v{}\n\"{}", i, seed));
      values.push_back(v);
    }
  }
  Values outputs;
  for (size_t i = below(4); i-- > 0 && !values.empty();) outputs.push_back(values[below(values.size())]);
  return b.finish(outputs, below(2) ? std::vector<std::string>{"first"} : std::vector<std::string>{});
}

// Calls of calls: a program whose functions share callees and names.
inline Body random_program(uint32_t seed) {
  std::vector<Body> functions;
  for (uint32_t i = 0; i < 4; ++i) functions.push_back(random_function(seed * 4 + i, 6, functions));
  return functions.back();
}

// The same nodes, attributes, types, names, outputs and, in the same places, the same functions; source lines and the
// functions' own names apart.
inline void expect_same(const Function& a, const Function& b, std::map<const Function*, const Function*>& met) {
  if (const auto [it, fresh] = met.emplace(&a, &b); !fresh) {
    EXPECT_EQ(it->second, &b) << "a function was shared, and is no longer";
    return;
  }
  ASSERT_EQ(a.nodes().size(), b.nodes().size());
  const auto expect_value = [](Value x, Value y) {
    EXPECT_EQ(x.node()->id, y.node()->id);
    EXPECT_EQ(x.port(), y.port());
  };
  for (size_t i = 0; i < a.nodes().size(); ++i) {
    const Node &x = a.nodes()[i], &y = b.nodes()[i];
    EXPECT_EQ(x.op, y.op);
    EXPECT_EQ(x.types, y.types);
    EXPECT_EQ(x.names, y.names);
    EXPECT_TRUE(same(x.attrs, y.attrs)) << "node " << i;
    ASSERT_EQ(x.in.size(), y.in.size());
    for (size_t k = 0; k < x.in.size(); ++k) expect_value(x.in[k], y.in[k]);
    ASSERT_EQ(x.bodies.size(), y.bodies.size());
    for (size_t k = 0; k < x.bodies.size(); ++k) expect_same(*x.bodies[k], *y.bodies[k], met);
  }
  EXPECT_EQ(a.output_names(), b.output_names());
  ASSERT_EQ(a.params().size(), b.params().size());
  ASSERT_EQ(a.outputs().size(), b.outputs().size());
  for (size_t k = 0; k < a.outputs().size(); ++k) expect_value(a.outputs()[k], b.outputs()[k]);
}
inline void expect_same(const Body& a, const Body& b) {
  std::map<const Function*, const Function*> met;
  expect_same(*a, *b, met);
}

}  // namespace viva
