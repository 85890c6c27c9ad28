#include "loops/reference.h"

namespace viva::loops::test {
namespace {

constexpr Dtype f32 = Dtype::float32;

// [b, m, n] = Σ_k a[b, m, k] c[b, n, k], each operand with its dimensions in some order.
Nest matmul(Dtype from, Dtype to, int64_t b, int64_t m, int64_t n, int64_t k, Ints a_order, Ints c_order) {
  const Ints a{b, m, k}, c{b, n, k};
  Nest nest{
      .extents = {b, m, n, k}, .parallel = 3, .operands = {{from, permute(a, a_order)}, {from, permute(c, c_order)}}};
  const int a_loops[] = {0, 1, 3}, c_loops[] = {0, 2, 3};
  std::vector<Index> x, y;
  for (int64_t d : a_order) x.push_back(nest.at(a_loops[d]));
  for (int64_t d : c_order) y.push_back(nest.at(c_loops[d]));
  nest.store(nest.reduce(Reduction::dot, {nest.load(0, x), nest.load(1, y)}, to));
  return nest;
}

TEST(Contract, EveryLayoutAndAwkwardSize) {
  std::mt19937_64 rng(1);
  const std::vector<Ints> orders{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}};
  for (const Ints& size :
       {Ints{1, 7, 17, 300}, Ints{3, 1, 40, 33}, Ints{2, 30, 1, 50}, Ints{1, 13, 5, 4}, Ints{5, 2, 2, 9},
        Ints{1, 100, 37, 3}, Ints{40, 1, 1, 60}, Ints{1, 1, 1, 9000}, Ints{2, 3, 0, 4}, Ints{2, 3, 4, 0}}) {
    for (const Ints& p : orders) {
      for (const Ints& q : orders) {
        const Nest n = matmul(f32, f32, size[0], size[1], size[2], size[3], p, q);
        check(n, {random_array(n.operands[0], rng), random_array(n.operands[1], rng)}, 16 * epsilon(f32), 20);
      }
    }
  }
}

TEST(Contract, EveryDtype) {
  std::mt19937_64 rng(2);
  for (auto [from, to] : {std::pair{f32, f32},
                          {Dtype::float64, Dtype::float64},
                          {Dtype::int8, Dtype::int32},
                          {Dtype::int8, Dtype::int8},
                          {Dtype::int64, Dtype::int64},
                          {Dtype::uint16, Dtype::uint64},
                          {Dtype::bfloat16, Dtype::bfloat16},
                          {Dtype::float16, f32},
                          {Dtype::complex64, Dtype::complex64},
                          {Dtype::complex128, Dtype::complex128},
                          {f32, Dtype::float64},
                          {Dtype::boolean, Dtype::int32}}) {
    for (const Ints& size : {Ints{1, 20, 33, 70}, Ints{2, 1, 9, 40}, Ints{1, 1, 1, 3000}}) {
      const Nest n = matmul(from, to, size[0], size[1], size[2], size[3], {0, 1, 2}, {0, 2, 1});
      check(n, {random_array(n.operands[0], rng, true), random_array(n.operands[1], rng, true)}, 4 * epsilon(to), 100);
    }
  }
}

TEST(Contract, LargeEnoughForManyBlocks) {
  std::mt19937_64 rng(3);
  const Nest n = matmul(f32, f32, 1, 500, 300, 600, {0, 1, 2}, {0, 2, 1});
  const Array a = random_array(n.operands[0], rng), b = random_array(n.operands[1], rng);
  const Array got = evaluate(n, {a, b}, 2)[0];
  for (int threads : {1, 3, 4}) EXPECT_TRUE(same_bits(got, evaluate(n, {a, b}, threads)[0]));
  const auto x = a.as<float>(), y = b.as<float>(), z = got.as<float>();
  double worst = 0;
  for (size_t i = 0; i < 500; ++i) {
    for (size_t j = 0; j < 300; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 600; ++k) sum += static_cast<double>(x[i * 600 + k]) * static_cast<double>(y[k * 300 + j]);
      worst = std::max(worst, std::abs(sum - static_cast<double>(z[i * 300 + j])));
    }
  }
  EXPECT_LT(worst, 1e-4);
}

struct Conv {
  int64_t batch = 2, groups = 1, in = 3, out = 4, height = 9, width = 11, window = 3;
  int64_t stride = 1, low = 1, lhs_dilation = 1, rhs_dilation = 1, rows = 9, columns = 11;
  bool reversed = false;
  Dtype dtype = f32;
};

Nest convolution(const Conv& c) {
  Nest n{.extents = {c.batch, c.groups, c.out, c.rows, c.columns, c.in, c.window, c.window}, .parallel = 5};
  n.operands = {{c.dtype, {c.batch, c.groups * c.in, c.height, c.width}},
                {c.dtype, {c.groups * c.out, c.in, c.window, c.window}}};
  const auto position = [&](int out, int window) {
    Index i = n.at(out, c.stride, -c.low, c.lhs_dilation);
    i.coefficients[static_cast<size_t>(window)] = c.reversed ? -c.rhs_dilation : c.rhs_dilation;
    if (c.reversed) i.offset += c.rhs_dilation * (c.window - 1);
    return i;
  };
  Index channel = n.at(1, c.in), feature = n.at(1, c.out);
  channel.coefficients[5] = 1;
  feature.coefficients[2] = 1;
  const Register x = n.load(0, {n.at(0), channel, position(3, 6), position(4, 7)});
  const Register w = n.load(1, {feature, n.at(5), n.at(6), n.at(7)});
  n.store(n.reduce(Reduction::dot, {x, w}, c.dtype));
  return n;
}

TEST(Contract, ConvolutionsOfTheWholeFamily) {
  std::mt19937_64 rng(4);
  std::vector<Conv> cases{
      {},
      {.stride = 2, .rows = 5, .columns = 6},
      {.low = 3, .lhs_dilation = 2, .rows = 19, .columns = 20},
      {.low = 2, .rhs_dilation = 2},
      {.groups = 3, .in = 1, .out = 1},
      {.groups = 2, .in = 2, .out = 5},
      {.window = 1, .low = 0},
      {.low = -2, .rows = 5, .columns = 6},
      {.reversed = true},
      {.stride = 3, .low = 4, .lhs_dilation = 2, .rhs_dilation = 3, .rows = 7, .columns = 8, .reversed = true},
      {.batch = 1, .in = 20, .out = 33, .height = 30, .width = 40, .rows = 30, .columns = 40},
      {.groups = 5, .in = 1, .out = 2, .stride = 2, .low = 5, .lhs_dilation = 3, .rows = 13, .columns = 9},
      {.batch = 9, .in = 7, .height = 4, .width = 4, .rows = 4, .columns = 4},
      {.dtype = Dtype::float64},
      {.low = 5, .lhs_dilation = 3, .dtype = Dtype::int8},
      {.window = 5, .low = 2, .dtype = Dtype::bfloat16},
      {.low = 20, .rows = 60, .columns = 3}};
  for (const Conv& c : cases) {
    const Nest n = convolution(c);
    check(n, {random_array(n.operands[0], rng, true), random_array(n.operands[1], rng, true)}, 8 * epsilon(c.dtype),
          10);
  }
}

// The gradient with respect to the weights: the image's positions are the contracted loops.
TEST(Contract, WeightGradientOfAConvolution) {
  std::mt19937_64 rng(5);
  Nest n{.extents = {6, 5, 3, 3, 2, 14, 15}, .parallel = 4, .operands = {{f32, {2, 5, 14, 15}}, {f32, {2, 6, 14, 15}}}};
  const Index row{.coefficients = {0, 0, 1, 0, 0, 1, 0}, .offset = -1},
      column{.coefficients = {0, 0, 0, 1, 0, 0, 1}, .offset = -1};
  n.store(n.reduce(Reduction::dot,
                   {n.load(0, {n.at(4), n.at(1), row, column}), n.load(1, {n.at(4), n.at(0), n.at(5), n.at(6)})}, f32));
  check(n, {random_array(n.operands[0], rng), random_array(n.operands[1], rng)}, 16 * epsilon(f32), 30);
}

TEST(Contract, PrologueAndEpilogue) {
  std::mt19937_64 rng(6);
  for (int64_t m : {5, 40}) {
    Nest n = matmul(f32, f32, 2, m, 50, 20, {0, 1, 2}, {0, 2, 1});
    n.operands.push_back({f32, {50}});
    n.operands.push_back({f32, {2, m, 50}});
    n.body.clear();
    n.stores.clear();
    const Register a = n.load(0, {n.at(0), n.at(1), n.at(3)}), c = n.load(1, {n.at(0), n.at(3), n.at(2)});
    const Register dot = n.reduce(Reduction::dot, {mul_f32(n, a, a), n.apply(exp_tile<float>, f32, {c}, "exp")}, f32);
    const Register biased = add_f32(n, dot, n.load(2, {n.at(2)}));
    n.store(add_f32(n, biased, n.load(3)));
    n.store(n.convert(dot, Dtype::int32));
    n.stores.push_back({.reg = biased, .offset = 3, .strides = {1, 2, 2 * m + 5}, .size = (2 * m + 5) * 50 + 10});
    std::vector<Array> in;
    for (const Type& t : n.operands) in.push_back(random_array(t, rng));
    const std::vector<Array> want = Reference(n, in).run(), got = evaluate(n, in);
    expect_close(got[0], want[0], 1e-5, 100);
    expect_close(got[2], want[2], 1e-5, 100);
    const std::vector<Array> again = evaluate(n, in, 3);
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(got[i], again[i]));
  }
}

TEST(Contract, FilledLoadsAreNotTakenForZero) {
  std::mt19937_64 rng(7);
  Nest n{.extents = {20, 30, 12}, .parallel = 2, .operands = {{f32, {20, 10}}, {f32, {10, 30}}}};
  n.store(n.reduce(
      Reduction::dot,
      {n.load(0, {n.at(0), n.at(2, 1, -1)}, Scalar::of(2.0f)), n.load(1, {n.at(2, 1, -1), n.at(1)}, Scalar::of(3.0f))},
      f32));
  check(n, {random_array(n.operands[0], rng), random_array(n.operands[1], rng)}, 1e-6, 30);
}

TEST(Contract, NanAndInfinityPropagate) {
  Nest n = matmul(f32, f32, 1, 8, 20, 40, {0, 1, 2}, {0, 1, 2});
  Array a = Array::full(n.operands[0], 1), c = Array::full(n.operands[1], 1);
  a.as_mutable<float>()[3] = NAN;
  a.as_mutable<float>()[45] = INFINITY;
  c.as_mutable<float>()[85] = -INFINITY;
  check(n, {a, c}, 1e-6);
}

}  // namespace
}  // namespace viva::loops::test
