#include "loops/compose.h"

#include <numeric>

#include "loops/reference.h"

namespace viva::loops::test {
namespace {

constexpr Dtype f32 = Dtype::float32;

Array whole_numbers(Type t, std::mt19937_64& rng) { return random_array(std::move(t), rng, true); }

// Random nests on whole numbers, so that fused and unfused agree in bits.
class Random {
 public:
  explicit Random(uint64_t seed) : rng_(seed) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(rng_() % static_cast<uint64_t>(n)); }
  std::mt19937_64& rng() { return rng_; }

  Shape shape(int rank) {
    Shape s;
    for (int i = 0; i < rank; ++i) s.push_back(1 + below(6));
    return s;
  }

  // An index of one operand dimension: affine, perhaps reversed, strided, shifted out of range or dilated.
  Index index(const Nest& n, int64_t extent, Register indirect) {
    Index i;
    i.coefficients.assign(n.extents.size(), 0);
    if (!n.extents.empty() && below(5) != 0) {
      const auto l = static_cast<size_t>(below(n.loops()));
      i.coefficients[l] = below(4) == 0 ? -1 : 1 + below(2);
      if (i.coefficients[l] < 0) i.offset = n.extents[l] - 1;
      if (below(4) == 0) i.coefficients[static_cast<size_t>(below(n.loops()))] += 1;
    } else {
      i.offset = below(extent);
    }
    if (below(3) == 0) i.offset += below(5) - 2;
    if (below(4) == 0) i.divisor = 1 + below(3);
    if (indirect != no_register && below(4) == 0) i.terms.push_back({indirect, 1 + below(2)});
    return i;
  }

  // A register of random arithmetic over loads of all operands. May hold iotas, guards and indirection.
  Register expression(Nest& n, int slots) {
    Register indirect = no_register;
    if (!n.extents.empty() && below(2) == 0)
      indirect = n.clip(n.iota(Dtype::int16, n.at(static_cast<int>(below(n.loops())))), 0, 2);
    std::vector<Register> r;
    for (int s = 0; s < slots; ++s) {
      for (int64_t times = 1 + below(2); times > 0; --times) {
        std::vector<Index> at;
        for (int64_t e : n.operands[static_cast<size_t>(s)].shape) at.push_back(index(n, e, indirect));
        r.push_back(n.load(s, at, Scalar::of(static_cast<float>(below(3)))));
      }
    }
    if (r.empty()) r.push_back(n.constant(f32, Scalar::of(2.0F)));
    if (!n.extents.empty() && below(3) == 0) r.push_back(n.iota(f32, n.at(static_cast<int>(below(n.loops())), 2, -1)));
    for (int64_t k = 1 + below(3); k > 0; --k) {
      const auto pick = [&] { return r[static_cast<size_t>(below(static_cast<int64_t>(r.size())))]; };
      r.push_back(below(2) == 0 ? add_f32(n, pick(), pick()) : sub_f32(n, pick(), pick()));
    }
    return r.back();
  }

  Nest producer() {
    Nest n = elementwise(shape(static_cast<int>(below(4))), {});
    for (int64_t k = 1 + below(2); k > 0; --k) n.operands.push_back({f32, shape(static_cast<int>(below(4)))});
    n.store(expression(n, static_cast<int>(n.operands.size())));
    return n;
  }

  // Reads `type` as its operand `slot`; elementwise, a reduction, or a dot.
  Nest consumer(const Type& type, int& slot) {
    Nest n{.extents = shape(static_cast<int>(1 + below(4))), .parallel = 0};
    n.parallel = below(2) == 0 ? n.loops() : static_cast<int>(below(n.loops()));
    n.operands = {type, {f32, shape(2)}};
    slot = static_cast<int>(below(2));
    if (slot == 1) std::swap(n.operands[0], n.operands[1]);
    const Register x = expression(n, 2);
    if (n.parallel == n.loops()) {
      n.store(x);
    } else {
      n.store(below(2) == 0 ? n.reduce(Reduction::sum, {x}, f32)
                            : n.reduce(Reduction::dot, {x, expression(n, 2)}, f32));
    }
    return n;
  }

 private:
  std::mt19937_64 rng_;
};

TEST(Compose, FusedEqualsUnfusedOnRandomNests) {
  int fused_count = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    Random random(seed);
    const Nest producer = random.producer();
    int slot = 0;
    const Nest consumer = random.consumer({f32, producer.extents}, slot);
    const std::optional<Nest> fused = compose(producer, consumer, slot);
    if (!fused) continue;
    ++fused_count;
    SCOPED_TRACE(fmt::format("seed {}\n{}{}{}", seed, to_string(producer), to_string(consumer), to_string(*fused)));
    std::vector<Array> first, second, all;
    for (const Type& t : producer.operands) first.push_back(whole_numbers(t, random.rng()));
    for (const Type& t : consumer.operands) second.push_back(whole_numbers(t, random.rng()));
    second[static_cast<size_t>(slot)] = evaluate(producer, first)[0];
    for (size_t i = 0; i < second.size(); ++i)
      if (static_cast<int>(i) != slot) all.push_back(second[i]);
    all.insert(all.end(), first.begin(), first.end());
    const Array unfused = Reference(consumer, second).run()[0];
    ASSERT_TRUE(same_bits(evaluate(consumer, second)[0], unfused));
    ASSERT_TRUE(same_bits(Reference(*fused, all).run()[0], unfused));
    ASSERT_TRUE(same_bits(evaluate(*fused, all)[0], unfused));
    ASSERT_TRUE(same_bits(evaluate(*fused, all, 3)[0], unfused));
  }
  EXPECT_GT(fused_count, 450);
}

Nest map(const Shape& s, TileFn fn, std::string_view name) {
  Nest n = elementwise(s, {{f32, s}});
  n.store(n.apply(fn, f32, {n.load(0)}, name));
  return n;
}

TEST(Compose, RefusesWhatHasNoForm) {
  Nest sum{.extents = {4, 5}, .parallel = 1, .operands = {{f32, {4, 5}}}};
  sum.store(sum.reduce(Reduction::sum, {sum.load(0)}, f32));
  const Nest exp4 = map({4}, exp_tile<float>, "exp");
  EXPECT_FALSE(compose(sum, exp4, 0));                               // a reduction is no producer here
  EXPECT_FALSE(compose(map({5}, exp_tile<float>, "exp"), exp4, 0));  // another shape
  EXPECT_FALSE(compose(exp4, exp4, 1));                              // no such operand
  EXPECT_FALSE(append(sum, map({2, 2}, exp_tile<float>, "exp"), 0));
  EXPECT_FALSE(join(sum, exp4));
  Nest strided = elementwise({4}, {{f32, {4}}});
  strided.stores.push_back({.reg = strided.load(0), .offset = 0, .strides = {2}, .size = 8});
  EXPECT_FALSE(compose(strided, exp4, 0));
}

TEST(Compose, SharesEqualInstructions) {
  Nest square = elementwise({8}, {{f32, {8}}, {f32, {8}}});
  square.store(mul_f32(square, square.load(0), square.load(1)));
  const Nest once = compose(map({8}, exp_tile<float>, "exp"), square, 0).value();
  const Nest twice = compose(map({8}, exp_tile<float>, "exp"), once, 0).value();
  const int same[] = {0, 0};
  const Nest shared = rename_operands(twice, same, {{f32, {8}}});
  EXPECT_EQ(to_string(shared),
            "nest [8] parallel 1\n"
            "  $0: f32[8]\n"
            "  %0: f32 = load $0[i0]\n"
            "  %1: f32 = exp %0\n"
            "  %2: f32 = mul %1, %1\n"
            "  store %2\n");
}

TEST(Append, EpiloguesOfReductionsAndContractions) {
  std::mt19937_64 rng(1);
  for (const Ints& e : {Ints{300, 40, 50}, Ints{7, 9, 5}, Ints{2, 600, 200}}) {
    Nest dot{.extents = e, .parallel = 2, .operands = {{f32, {e[0], e[2]}}, {f32, {e[2], e[1]}}}};
    dot.store(
        dot.reduce(Reduction::dot, {dot.load(0, {dot.at(0), dot.at(2)}), dot.load(1, {dot.at(2), dot.at(1)})}, f32));
    Nest bias = elementwise({e[0], e[1]}, {{f32, {e[1]}}, {f32, {e[0], e[1]}}});
    bias.store(add_f32(bias, bias.load(0, {bias.at(1)}), bias.load(1)));
    Nest turned = elementwise({e[1], e[0]}, {{f32, {e[0], e[1]}}});
    turned.store(add_f32(turned, turned.load(0, {turned.at(1), turned.at(0)}), turned.iota(f32, turned.at(0))));
    const Array a = whole_numbers({f32, {e[0], e[2]}}, rng), b = whole_numbers({f32, {e[2], e[1]}}, rng),
                c = whole_numbers({f32, {e[1]}}, rng);
    const Array plain = evaluate(dot, {a, b})[0];
    const Array biased = evaluate(bias, {c, plain})[0], last = evaluate(turned, {biased})[0];
    const Nest first = append(dot, bias, 1).value();
    EXPECT_TRUE(same_bits(evaluate(first, {a, b, c})[0], biased));
    const Nest both = append(first, turned, 0, 0, true).value();
    const std::vector<Array> got = evaluate(both, {a, b, c}, 2);
    EXPECT_TRUE(same_bits(got[0], biased));
    EXPECT_TRUE(same_bits(got[1].reshaped(last.shape()), last));
  }
}

TEST(Append, MeansOfManyElements) {
  Nest sum{.extents = {3, 70000}, .parallel = 1, .operands = {{f32, {3, 70000}}}};
  sum.store(sum.reduce(Reduction::sum, {sum.load(0)}, f32));
  Nest scale = elementwise({3}, {{f32, {3}}});
  scale.store(mul_f32(scale, scale.load(0), scale.constant(f32, Scalar::of(1.0F / 70000))));
  const Nest mean = append(sum, scale, 0).value();
  const Array out = evaluate(mean, {Array::full({f32, {3, 70000}}, 2)}, 3)[0];
  for (int64_t i = 0; i < 3; ++i) EXPECT_NEAR(out.at(i), 2, 1e-6);
}

TEST(Join, OnePassForSeveralOutputs) {
  std::mt19937_64 rng(2);
  const Type t{f32, {999}};
  Nest moment = elementwise(t.shape, {t, t});
  moment.store(add_f32(moment, moment.load(0), moment.load(1)));
  Nest weight = elementwise(t.shape, {t, t});
  weight.store(sub_f32(weight, weight.load(0), weight.load(1)));
  const Nest update = compose(moment, weight, 1).value();  // operands: weights, moments, gradients
  const Nest joined = join(moment, update).value();
  const int slots[] = {0, 1, 2, 0, 1};
  const Nest step = rename_operands(joined, slots, {t, t, t});
  EXPECT_EQ(step.body.size(), 5U);
  const Array m = whole_numbers(t, rng), g = whole_numbers(t, rng), w = whole_numbers(t, rng);
  const Array next = evaluate(moment, {m, g})[0];
  const std::vector<Array> got = evaluate(step, {m, g, w}, 2);
  EXPECT_TRUE(same_bits(got[0], next));
  EXPECT_TRUE(same_bits(got[1], evaluate(weight, {w, next})[0]));
}

TEST(Verify, NamesTheBrokenRule) {
  const auto rule = [](const Nest& n) -> std::string {
    try {
      verify(n);
    } catch (const Error& e) {
      const std::string text = e.what();
      return text.substr(text.find("(rule"));
    }
    return "none";
  };
  Nest good = elementwise({4}, {{f32, {4}}});
  good.store(good.load(0));
  EXPECT_EQ(rule(good), "none");
  Nest n = good;
  n.extents[0] = -1;
  EXPECT_EQ(rule(n), "(rule 1)");
  n = good;
  n.body.push_back({.kind = Kind::convert, .dtype = f32, .args = {7}});
  EXPECT_EQ(rule(n), "(rule 2)");
  n = good;
  n.body[0].at[0].coefficients = {int64_t{1} << 61};
  EXPECT_EQ(rule(n), "(rule 3)");
  n = good;
  n.body[0].slot = 1;
  EXPECT_EQ(rule(n), "(rule 4)");
  n = good;
  n.store(n.select(0, 0, 0));
  EXPECT_EQ(rule(n), "(rule 5)");
  n = good;
  n.store(n.scan(Reduction::sum, 0, f32));
  EXPECT_EQ(rule(n), "(rule 6)");
  n = good;
  n.parallel = 0;
  EXPECT_EQ(rule(n), "(rule 7)");
  n = good;
  n.stores[0].strides = {3};
  n.stores[0].size = 9;
  EXPECT_EQ(rule(n), "(rule 8)");
}

}  // namespace
}  // namespace viva::loops::test
