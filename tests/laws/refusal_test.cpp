// An error in one way in is an error in all: what infer refuses is refused by the builder, the parser and the verifier
// for the same reason; what it accepts passes all three, is evaluated by the interpreter and by the plan.
#include <gtest/gtest.h>

#include <algorithm>

#include "cpu/executable.h"
#include "graph/build.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "ops/record.h"

namespace viva {
namespace {

using namespace laws;

// One application of an operation, right or wrong.
struct Application {
  std::string label;
  std::vector<Type> in;
  Attrs attrs;
  std::vector<Body> bodies;
};

std::vector<Dtype> all_dtypes() {
  std::vector<Dtype> all;
  for (int i = 0; i < dtype_count; ++i) all.push_back(static_cast<Dtype>(i));
  return all;
}

// An attribute taken away or changed: numbers moved and far out, lists longer, shorter and out of range, other kinds.
std::vector<Attr> wrong_values(const Attr& a) {
  std::vector<Attr> all{true, int64_t{-7}, std::string("nonsense"), Ints{}};
  if (const auto* v = std::get_if<int64_t>(&a))
    for (const int64_t w : {*v - 1, *v + 1, int64_t{99}, int64_t{1} << 62}) all.emplace_back(w);
  if (const auto* v = std::get_if<Ints>(&a)) {
    for (const int64_t w : {int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{99}, int64_t{1} << 40}) {
      Ints longer = *v;
      longer.push_back(w), all.emplace_back(longer);
      for (size_t i = 0; i < v->size(); ++i) {
        Ints other = *v;
        other[i] = w, all.emplace_back(other);
      }
    }
    if (!v->empty()) all.emplace_back(Ints(v->begin(), v->end() - 1)), all.emplace_back(Ints(v->size(), v->front()));
  }
  if (std::holds_alternative<Dtype>(a))
    for (const Dtype d : all_dtypes()) all.emplace_back(d);
  return all;
}

std::vector<Application> variations(const Sample& s) {
  Application right{s.label, {}, s.attrs, s.bodies};
  for (const Array& a : s.in) right.in.push_back(a.type());
  std::vector<Application> all{right};
  const auto add = [&](std::string label, auto&& change) {
    Application a = right;
    a.label += ": " + std::move(label);
    change(a), all.push_back(std::move(a));
  };
  add("one operand more", [](Application& a) { a.in.push_back({Dtype::float64, {2}}); });
  if (!right.in.empty()) add("one operand less", [](Application& a) { a.in.pop_back(); });
  if (!right.bodies.empty()) add("no function", [](Application& a) { a.bodies.clear(); });
  for (size_t i = 0; i < right.in.size(); ++i) {
    for (const Dtype d : all_dtypes())
      add(fmt::format("operand {} is {}", i, name(d)), [&](Application& a) { a.in[i].dtype = d; });
    add(fmt::format("operand {} of a rank more", i),
        [&](Application& a) { a.in[i].shape.insert(a.in[i].shape.begin(), 2); });
    for (size_t d = 0; d < right.in[i].shape.size(); ++d) {
      add(fmt::format("operand {} without dimension {}", i, d),
          [&](Application& a) { a.in[i].shape.erase(a.in[i].shape.begin() + static_cast<int64_t>(d)); });
      for (const int64_t by : {-1, 1})
        add(fmt::format("operand {} changed by {} along {}", i, by, d),
            [&](Application& a) { a.in[i].shape[d] = std::max<int64_t>(a.in[i].shape[d] + by, 0); });
    }
  }
  for (const Dtype d : all_dtypes())
    add(fmt::format("all operands are {}", name(d)), [&](Application& a) {
      for (Type& t : a.in) t.dtype = d;
    });
  for (const auto& [key, value] : right.attrs.items()) {
    add("without " + key, [&](Application& a) {
      Attrs rest;
      for (const auto& [k, v] : right.attrs.items())
        if (k != key) rest.set(k, v);
      a.attrs = rest;
    });
    const std::vector<Attr> wrong = wrong_values(value);
    for (size_t i = 0; i < wrong.size(); ++i)
      add(fmt::format("{}, change {}", key, i), [&](Application& a) { a.attrs.set(key, wrong[i]); });
  }
  return all;
}

// What a call throws, or "".
template <class F> std::string refusal(F&& f) {
  try {
    f();
    return "";
  } catch (const Error& e) { return e.message().empty() ? "refused" : e.message(); }
}

Values parameters(Build& b, const std::vector<Type>& types) {
  Values in;
  for (size_t i = 0; i < types.size(); ++i) in.push_back(b.parameter(types[i], fmt::format("x{}", i)));
  return in;
}

// The function that no builder would give: the operation with the output types of another application.
Body unchecked(const OpDef& op, const Application& a, const Function& right) {
  Build b(std::string(op.name));
  const Values in = parameters(b, a.in);
  Value last;
  for (size_t i = 0; i < right.nodes().back().types.size(); ++i) last = b.scalar(Dtype::float64, 0);
  const Body f = b.finish({last});
  Node& n = const_cast<Node&>(*last.node());
  n.op = &op, n.in = in, n.attrs = a.attrs, n.bodies = a.bodies;
  n.types = right.nodes().back().types, n.names.assign(n.types.size(), "");
  return f;
}

class Refusal : public testing::TestWithParam<const OpDef*> {
 protected:
  static const OpDef& op() { return *GetParam(); }

  static void refused_by_all(const Application& a, const std::string& why, const Function& right) {
    const std::string built = refusal([&] {
      Build b("f");
      const Values in = parameters(b, a.in);
      b.emit(op(), in, a.attrs, a.bodies);
    });
    EXPECT_NE(built.find(why), std::string::npos) << built << " against " << why;
    const Body f = unchecked(op(), a, right);
    const std::string verified = refusal([&] { verify(*f); }), parsed = refusal([&] { parse(print(f)); });
    EXPECT_NE(verified.find(why), std::string::npos) << verified << " against " << why;
    EXPECT_NE(parsed.find(why), std::string::npos) << parsed << " against " << why;
  }

  static void accepted_by_all(const Application& a) {
    Build b("f");
    const Values in = parameters(b, a.in);
    const Body f = b.finish(b.emit(op(), in, a.attrs, a.bodies));
    verify(*f);
    EXPECT_EQ(print(parse(print(f))), print(f));
    int64_t elements = 0;
    for (const Node& n : f->nodes())
      for (const Type& t : n.types) elements += numel(t.shape);
    if (elements > 10000) return;
    Arrays args;
    for (const Type& t : a.in) {
      const int seed = static_cast<int>(args.size());
      args.push_back(is_complex(t.dtype) ? sample_complex(t.shape, 0.3, 2, seed, t.dtype)
                     : is_float(t.dtype) ? sample_floats(t.shape, 0.3, 2, seed, t.dtype)
                                         : sample_ints(t.shape, 0, is_bool(t.dtype) ? 1 : 3, seed, t.dtype));
    }
    ThreadPool pool(1);
    const Arrays slow = interpret(*f, args), fast = compile(f).call(args, pool).take();
    for (size_t i = 0; i < slow.size(); ++i) EXPECT_EQ(slow[i].type(), fast[i].type());
    EXPECT_EQ(close(slow, fast, 1e-2), "");
  }
};

TEST_P(Refusal, IsTheSameInEveryWayIn) {
  int refused = 0, accepted = 0;
  const std::vector<Sample> samples = op().samples();
  // Samples of one operation differ in numbers more than in kind; the long run varies each.
  const size_t step = std::getenv("VIVA_LONG") ? 1 : std::max<size_t>(samples.size() / 4, 1);
  for (size_t i = 0; i < samples.size(); i += step) {
    const Body right = case_of(op(), samples[i]).f;
    for (const Application& a : variations(samples[i])) {
      SCOPED_TRACE(a.label);
      std::string why;
      try {
        for (const Type& t : (*op().infer)({a.in, a.attrs, a.bodies})) numel(t.shape);
      } catch (const Error& e) { why = e.message(); }
      try {
        why.empty() ? accepted_by_all(a) : refused_by_all(a, why, *right);
        ++(why.empty() ? accepted : refused);
      } catch (const std::exception& e) { ADD_FAILURE() << e.what(); }
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(accepted, 0);
}

INSTANTIATE_TEST_SUITE_P(Catalog, Refusal, testing::ValuesIn(catalog().begin(), catalog().end()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace viva
