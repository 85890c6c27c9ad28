// Checks of one application of an operation against its own eval rule: transposition, batching, finite differences and
// the loop nest. The laws fold over the samples; these also serve configurations drawn at random.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "graph/build.h"
#include "graph/opdef.h"
#include "interpret/interpret.h"
#include "loops/lowered.h"
#include "loops/run.h"

namespace viva::test {

// For rules of operations that hold no function.
class NoTransforms final : public Transforms {
  std::pair<Body, Mask> jvp(const Body&, const Mask&, const Mask&) override { throw internal_error("no function"); }
  SplitBody split(const Body&, const Mask&, const Mask&) override { throw internal_error("no function"); }
  SplitBody checkpoint(const Body&, const Mask&, const std::string&) override { throw internal_error("no function"); }
  Body transpose(const Body&, const Mask&, const Mask&) override { throw internal_error("no function"); }
  std::pair<Body, std::vector<int>> batch(const Body&, const std::vector<int>&, int64_t, const Mask&) override {
    throw internal_error("no function");
  }
  std::pair<Body, Mask> jet(const Body&, const Taylor&, const Mask&, const Mask&) override {
    throw internal_error("no function");
  }
  std::pair<Body, Mask> bound(const Body&, const Mask&, const Mask&) override { throw internal_error("no function"); }
};

inline std::vector<Array> run(const Body& f, const std::vector<Array>& args) { return interpret(*f, args); }

// The operation alone as a function of all its operands.
inline Body alone(const OpDef& op, const Sample& s) {
  Build b(std::string(op.name));
  Values in;
  for (const Array& a : s.in) in.push_back(b.parameter(a.type()));
  Values out = b.emit(op, std::move(in), s.attrs);
  return b.finish(std::move(out));
}
inline const Node& node_of(const Body& f) { return f->nodes().back(); }
inline Array value_of(const OpDef& op, const Sample& s) { return run(alone(op, s), s.in)[0]; }

// Numbers of any dtype; other numbers for another seed.
inline Array random_array(const Type& t, uint64_t seed) {
  std::mt19937_64 random(seed);
  Array a = Array::make({Dtype::float64, t.shape});
  const bool whole = !is_float(t.dtype);
  for (double& v : a.as_mutable<double>()) {
    const double u = static_cast<double>(random() >> 11) * 0x1p-53;
    v = whole ? std::floor((is_unsigned(t.dtype) || is_bool(t.dtype) ? u : u - 0.5) * 8) : 4 * u - 2;
  }
  return a.converted(t.dtype);
}

inline double inner(const Array& a, const Array& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

inline void expect_near(const Array& got, const Array& want, double tolerance, const std::string& what) {
  ASSERT_EQ(to_string(got.type()), to_string(want.type())) << what;
  for (int64_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want.at(i)) && std::isnan(got.at(i))) continue;
    if (want.at(i) == got.at(i)) continue;
    ASSERT_NEAR(got.at(i), want.at(i), tolerance * (1 + std::abs(want.at(i)))) << what << " at " << i;
  }
}

// The function of (operands that are not linear, cotangent) that the transpose rule gives.
inline Body transposed(const OpDef& op, const Sample& s, const Mask& linear) {
  const Body f = alone(op, s);
  Build b("transposed");
  Values in(s.in.size()), result(s.in.size());
  for (size_t i = 0; i < in.size(); ++i)
    if (!linear[i]) in[i] = b.parameter(s.in[i].type());
  const Value ct = b.parameter(f->output_types()[0]);
  NoTransforms none;
  (*op.transpose)(b, node_of(f), in, std::array{ct}, result, none);
  Values out;
  for (size_t i = 0; i < in.size(); ++i)
    if (linear[i]) out.push_back(result[i] ? result[i] : b.full(s.in[i].type(), 0));
  return b.finish(std::move(out));
}

// ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for random x and y, where A x is the operation's value above that at x = 0: operands that are
// not linear may add something. Returns the transposed function.
inline Body check_transpose(const OpDef& op, Sample s, const Mask& linear, const std::string& what) {
  const Body t = transposed(op, s, linear);
  std::vector<Array> known, x;
  Sample origin = s;
  for (size_t i = 0; i < s.in.size(); ++i) {
    if (linear[i])
      x.push_back(s.in[i] = random_array(s.in[i].type(), i + 17)), origin.in[i] = Array::zeros(x.back().type());
    else known.push_back(s.in[i]);
  }
  const Array y = value_of(op, s), ct = random_array(y.type(), 5);
  known.push_back(ct);
  const std::vector<Array> back = run(t, known);
  double right = 0, scale = 1;
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(to_string(back[i].type()), to_string(x[i].type())) << what;
    right += inner(x[i], back[i]);
  }
  for (int64_t i = 0; i < y.size(); ++i) scale += std::abs(y.at(i) * ct.at(i));
  EXPECT_NEAR(inner(y, ct) - inner(value_of(op, origin), ct), right, 1e-12 * scale) << what;
  return t;
}

// n arrays as one, with a new dimension at `axis`.
inline Array stacked(const std::vector<Array>& parts, int64_t axis) {
  Build b("stack");
  Values in;
  for (const Array& p : parts) in.push_back(b.parameter(p.type()));
  Values rows;
  for (const Value& v : in) rows.push_back(b.unsqueeze(v, {axis}));
  return run(b.finish({b.concatenate(rows, axis)}), parts)[0];
}

// vmap equals the loop, for every choice of batched operands. varied(i, k) gives operand i of example k.
template <class Varied> void check_batch(const OpDef& op, const Sample& s, Varied&& varied, const std::string& what) {
  const Body f = alone(op, s);
  constexpr int64_t n = 3;
  for (unsigned choice = 1; choice < 1u << s.in.size() && choice < 8; ++choice) {
    Build b("batched");
    std::vector<Sample> examples(n, s);
    std::vector<Array> args;
    std::vector<int> axes;
    Values in;
    for (size_t i = 0; i < s.in.size(); ++i) {
      const bool batched = choice >> std::min<size_t>(i, 2) & 1;  // operands from the third on go together
      const int axis = !batched ? -1 : static_cast<int>((i + choice) % (s.in[i].shape().size() + 1));
      std::vector<Array> parts;
      for (size_t k = 0; k < n; ++k) parts.push_back(examples[k].in[i] = batched ? varied(i, k) : s.in[i]);
      args.push_back(batched ? stacked(parts, axis) : s.in[i]);
      axes.push_back(axis), in.push_back(b.parameter(args.back().type()));
    }
    if (std::ranges::all_of(axes, [](int a) { return a < 0; })) continue;
    NoTransforms none;
    std::vector<int> out_axis(1, -2);
    const Values out = (*op.batch)(b, node_of(f), in, axes, n, out_axis, none);
    ASSERT_GE(out_axis[0], 0) << what;
    const Array got = run(b.finish({b.move_axis(out[0], out_axis[0], 0)}), args)[0];
    std::vector<Array> wanted;
    for (const Sample& e : examples) wanted.push_back(value_of(op, e));
    expect_near(got, stacked(wanted, 0), 1e-13, fmt::format("{}, batched operands {:b}", what, choice));
  }
}

// Examples that differ from the sample in floats by numbers, in integers by their order.
inline auto shuffled(const Sample& s) {
  return [&s](size_t i, size_t k) {
    const Array& a = s.in[i];
    if (is_float(a.dtype())) return random_array(a.type(), 100 * i + k);
    Array r = Array::make(a.type());
    const auto width = size_of(a.dtype());
    for (int64_t j = 0; j < a.size(); ++j)
      std::copy_n(a.data() + (j + static_cast<int64_t>(k)) % a.size() * width, width, r.mutable_data() + j * width);
    return r;
  };
}

// An empty batch gives an empty result of the right type.
inline void check_empty_batch(const OpDef& op, const Sample& s, const std::string& what) {
  const Body f = alone(op, s);
  for (size_t i = 0; i < s.in.size(); ++i) {
    Build b("batched");
    std::vector<int> axes(s.in.size(), -1), out_axis(1, -2);
    axes[i] = 0;
    Values in;
    std::vector<Array> args = s.in;
    Shape empty = s.in[i].shape();
    empty.insert(empty.begin(), 0);
    args[i] = Array::zeros({s.in[i].dtype(), empty});
    for (const Array& a : args) in.push_back(b.parameter(a.type()));
    NoTransforms none;
    const Values out = (*op.batch)(b, node_of(f), in, axes, 0, out_axis, none);
    Shape want = f->output_types()[0].shape;
    if (out_axis[0] >= 0) want.insert(want.begin() + out_axis[0], 0);
    EXPECT_EQ(to_string(run(b.finish(out), args)[0].shape()), to_string(want)) << what;
  }
}

// The loop nest gives what eval gives.
inline void check_lowered(const OpDef& op, const Sample& s, double tolerance, const std::string& what) {
  const Body f = alone(op, s);
  const Lowered lowered = (*op.lower)(node_of(f));
  const loops::Prepared nest(std::get<loops::Nest>(lowered.form));
  std::vector<const void*> in;
  for (const Array& a : s.in) in.push_back(a.data());
  Array got = Array::make(f->output_types()[0]);
  void* out = got.mutable_data();
  static ThreadPool pool(2);
  loops::Scratch scratch;
  loops::run(nest, in, {&out, 1}, pool, scratch);
  expect_near(got, value_of(op, s), tolerance, what + ", lowered");
}

// The tangent of the active operands against a central difference of eval.
inline void check_jvp(const OpDef& op, const Sample& s, const Mask& active, const std::string& what) {
  if (is_complex(s.in[0].dtype())) return;  // the laws take complex differences
  const Body f = alone(op, s);
  Build b("jvp");
  Values in, tangent(s.in.size());
  std::vector<Array> args = s.in;
  for (const Array& a : s.in) in.push_back(b.parameter(a.type()));
  Sample up = s, down = s;
  constexpr double h = 1e-6;
  for (size_t i = 0; i < s.in.size(); ++i) {
    if (!active[i]) continue;
    tangent[i] = b.parameter(s.in[i].type());
    const Array t = random_array(s.in[i].type(), 31 + i);
    args.push_back(t);
    const auto moved = [&](double by) {
      Array a = Array::make(t.type());
      for (size_t j = 0; j < a.as<double>().size(); ++j)
        a.as_mutable<double>()[j] = s.in[i].as<double>()[j] + by * t.as<double>()[j];
      return a;
    };
    up.in[i] = moved(h), down.in[i] = moved(-h);
  }
  NoTransforms none;
  const Values out = b.emit(op, in, s.attrs);
  const Values t = (*op.jvp)(b, *out[0].node(), in, out, tangent, none);
  const Array got = run(b.finish({t[0] ? t[0] : b.zero(out[0])}), args)[0];
  const Array high = value_of(op, up), low = value_of(op, down);
  Array want = Array::make(got.type());
  for (size_t j = 0; j < want.as<double>().size(); ++j)
    want.as_mutable<double>()[j] = (high.as<double>()[j] - low.as<double>()[j]) / (2 * h);
  expect_near(got, want, 1e-7, what);
}

}  // namespace viva::test
