#include "loops/reference.h"

namespace viva::loops::test {
namespace {

constexpr Dtype f32 = Dtype::float32;

// Reduces the dimensions after the first `keep`, with the operand's dimensions in the order `layout`.
Nest reduction(Reduction r, Dtype from, Dtype to, const Ints& extents, int keep, const Ints& layout) {
  Nest n{.extents = extents, .parallel = keep, .operands = {{from, permute(extents, layout)}}};
  std::vector<Index> at;
  for (int64_t l : layout) at.push_back(n.at(static_cast<int>(l)));
  n.store(n.reduce(r, {n.load(0, at)}, to));
  return n;
}

TEST(Reduce, SumsOfEveryFormAndLayout) {
  std::mt19937_64 rng(1);
  for (const Ints& e : {Ints{1, 5000}, Ints{3, 20000}, Ints{700, 90}, Ints{5000, 3}, Ints{2, 150000}, Ints{4, 0},
                        Ints{0, 4}, Ints{1000, 1}, Ints{40000, 5}}) {
    for (const Ints& layout : {Ints{0, 1}, Ints{1, 0}}) {
      const Nest n = reduction(Reduction::sum, f32, f32, e, 1, layout);
      check(n, {random_array(n.operands[0], rng)}, 64 * epsilon(f32), std::sqrt(static_cast<double>(e[1])));
    }
  }
}

TEST(Reduce, SumsAreAccurate) {
  const int64_t n = 3'000'000;
  for (int keep : {0, 1}) {
    const Nest nest = reduction(Reduction::sum, f32, f32, keep == 0 ? Ints{n} : Ints{40, n / 40}, keep,
                                keep == 0 ? Ints{0} : Ints{1, 0});
    const Array out = evaluate(nest, {Array::full(nest.operands[0], 0.1)})[0];
    const double want = static_cast<double>(0.1f) * static_cast<double>(keep == 0 ? n : n / 40);
    EXPECT_NEAR(out.at(0), want, want * 1e-6);
  }
}

TEST(Reduce, EveryKindAndDtype) {
  std::mt19937_64 rng(2);
  for (int d = 0; d < dtype_count; ++d) {
    const auto dtype = static_cast<Dtype>(d);
    for (Reduction r : {Reduction::sum, Reduction::product, Reduction::max, Reduction::min, Reduction::all,
                        Reduction::any, Reduction::argmax, Reduction::argmin}) {
      const bool logical = r == Reduction::all || r == Reduction::any;
      const bool order = r == Reduction::max || r == Reduction::min || r == Reduction::argmax || r == Reduction::argmin;
      const bool place = r == Reduction::argmax || r == Reduction::argmin;
      if (logical != is_bool(dtype) && (logical || !order)) continue;
      if (order && is_complex(dtype)) continue;
      for (const Ints& e : {Ints{40, 33}, Ints{3, 1200}, Ints{300, 9}, Ints{6, 0}}) {
        for (const Ints& layout : {Ints{0, 1}, Ints{1, 0}}) {
          const Nest n = reduction(r, dtype, place ? Dtype::int32 : dtype, e, 1, layout);
          if (r == Reduction::product && !is_integer(dtype) && e[1] > 50) continue;  // overflow depends on the order
          const bool small = r == Reduction::sum || place || is_bool(dtype);
          Array x = random_array(n.operands[0], rng, small);
          check(n, {x}, (is_complex(dtype) ? 2 : 200) * epsilon(dtype),
                r == Reduction::sum ? 300
                : is_complex(dtype) ? 1e6
                                    : 1e-30);
        }
      }
    }
  }
}

TEST(Reduce, ResultDtypesWiden) {
  std::mt19937_64 rng(3);
  for (auto [from, to] : {std::pair{Dtype::int8, Dtype::int32},
                          {Dtype::bfloat16, f32},
                          {Dtype::float16, Dtype::float16},
                          {f32, Dtype::float64},
                          {Dtype::uint8, f32},
                          {Dtype::boolean, Dtype::int64},
                          {Dtype::float64, f32},
                          {Dtype::int64, Dtype::int8}}) {
    for (const Ints& layout : {Ints{0, 1}, Ints{1, 0}}) {
      const Nest n = reduction(Reduction::sum, from, to, {30, 400}, 1, layout);
      check(n, {random_array(n.operands[0], rng, true)}, 4 * epsilon(to), 40);
    }
  }
}

TEST(Reduce, NanInfinityAndTies) {
  const float nan = NAN, inf = INFINITY;
  const std::vector<std::vector<float>> rows{{1, nan, 3, nan},   {2, 2, 1, 2},     {-inf, -inf, -inf, -inf},
                                             {inf, 1, inf, nan}, {nan, inf, 0, 0}, {-1, -0.f, 0, -1}};
  for (Reduction r :
       {Reduction::max, Reduction::min, Reduction::argmax, Reduction::argmin, Reduction::sum, Reduction::product}) {
    for (int64_t copies : {1, 300}) {
      for (const Ints& layout : {Ints{0, 1}, Ints{1, 0}}) {
        const auto k = 4 * copies;
        const Nest n = reduction(r, f32, r >= Reduction::argmax ? Dtype::int64 : f32, {6, k}, 1, layout);
        Array x = Array::make(n.operands[0]);
        auto v = x.as_mutable<float>();
        for (int64_t i = 0; i < 6; ++i)
          for (int64_t j = 0; j < k; ++j)
            v[static_cast<size_t>(layout[0] == 0 ? i * k + j : j * 6 + i)] =
                rows[static_cast<size_t>(i)][static_cast<size_t>(j % 4)];
        check(n, {x}, 1e-5);
      }
    }
  }
}

TEST(Reduce, SeveralReductionsWithAnEpilogue) {
  std::mt19937_64 rng(4);
  for (const Ints& e : {Ints{60, 500}, Ints{4, 40000}, Ints{3000, 7}}) {
    Nest n{.extents = e, .parallel = 1, .operands = {{f32, e}, {f32, {e[0]}}}};
    const Register x = n.load(0);
    const Register sum = n.reduce(Reduction::sum, {x}, f32), squares = n.reduce(Reduction::dot, {x, x}, f32);
    const Register most = n.reduce(Reduction::argmax, {x}, Dtype::int32);
    const Register bias = n.load(1, {n.at(0)});
    n.store(add_f32(n, sub_f32(n, squares, mul_f32(n, sum, sum)), bias));
    n.store(most);
    n.store(bias);
    check(n, {random_array({f32, e}, rng, true), random_array({f32, {e[0]}}, rng)}, 1e-5);
  }
}

// Max-pooling with padding: the position inside the window; padding never wins.
TEST(Reduce, WindowArgmaxWithAMask) {
  std::mt19937_64 rng(5);
  Array x = random_array({f32, {3, 11, 12}}, rng, true);
  x.as_mutable<float>()[5] = NAN;
  for (float& v : x.as_mutable<float>().subspan(11 * 12, 60)) v = -INFINITY;
  Nest n{.extents = {3, 6, 6, 3, 3}, .parallel = 3, .operands = {x.type()}};
  const Index row{.coefficients = {0, 2, 0, 1, 0}, .offset = -1}, column{.coefficients = {0, 0, 2, 0, 1}, .offset = -1};
  const Register v = n.load(0, {n.at(0), row, column}, Scalar::of(-INFINITY));
  const Register in = n.inside({{row, 11}, {column, 12}});
  n.store(n.reduce(Reduction::argmax, {v}, Dtype::int32, in));
  n.store(n.reduce(Reduction::max, {v}, f32, in));
  n.store(n.reduce(Reduction::sum, {v}, f32, in));
  check(n, {x}, 1e-6);
}

TEST(Reduce, MasksInEveryForm) {
  std::mt19937_64 rng(6);
  for (const Ints& e : {Ints{3, 5000}, Ints{400, 6}}) {
    for (Reduction r : {Reduction::sum, Reduction::min, Reduction::argmin, Reduction::product}) {
      Nest n{.extents = e, .parallel = 1, .operands = {{Dtype::int32, e}, {Dtype::boolean, e}}};
      n.store(n.reduce(r, {n.load(0)}, Dtype::int32, n.load(1)));
      check(n, {random_array(n.operands[0], rng), random_array(n.operands[1], rng)});
    }
  }
}

TEST(Scan, PrefixesInBothDirectionsAndLayouts) {
  std::mt19937_64 rng(7);
  for (const Ints& e : {Ints{2, 600}, Ints{500, 4}, Ints{3, 1}, Ints{2, 0}, Ints{30, 70}}) {
    for (Dtype d : {f32, Dtype::int8, Dtype::float64, Dtype::bfloat16}) {
      for (bool reverse : {false, true}) {
        for (bool turned : {false, true}) {
          const Shape s = turned ? Shape{e[1], e[0]} : e;
          Nest n{.extents = e, .parallel = 1, .operands = {{d, s}}};
          const Register x = turned ? n.load(0, {n.at(1), n.at(0)}) : n.load(0);
          Store store{.reg = n.scan(Reduction::sum, x, d, reverse)};
          if (turned) store.strides = {1, e[0]}, store.size = e[0] * e[1];
          n.stores.push_back(store);
          n.store(n.scan(Reduction::max, x, d, reverse));
          check(n, {random_array({d, s}, rng, true)}, 8 * epsilon(d), 1);
        }
      }
    }
  }
}

TEST(Scatter, CombinesInOrderAndDropsWhatIsOutside) {
  std::mt19937_64 rng(8);
  const Type target{f32, {13, 40}}, updates{f32, {500, 40}}, index{Dtype::int32, {500}};
  Array at = Array::make(index);
  for (int32_t& v : at.as_mutable<int32_t>()) v = static_cast<int32_t>(rng() % 17) - 2;
  for (Combine c : {Combine::set, Combine::add, Combine::mul, Combine::min, Combine::max}) {
    for (bool masked : {false, true}) {
      Nest n = elementwise(updates.shape, {target, updates, index});
      const Register raw = n.load(2, {n.at(0)}), place = n.clip(raw, -1, 13);
      Scatter s{.target = target.shape, .at = {{.terms = {{place, 1}}}, n.at(1)}, .combine = c};
      if (masked) s.mask = n.inside({}, {{raw, 3, 9}});
      n.stores.push_back({.reg = n.load(1), .scatter = s});
      check(n, {random_array(target, rng), random_array(updates, rng), at}, 1e-5);
    }
  }
}

TEST(Scatter, EveryDtypeAndEmptyUpdates) {
  std::mt19937_64 rng(9);
  for (int d = 0; d < dtype_count; ++d) {
    const auto dtype = static_cast<Dtype>(d);
    for (Combine c : {Combine::set, Combine::add, Combine::mul, Combine::min, Combine::max}) {
      if (is_complex(dtype) && c >= Combine::min) continue;
      if (is_bool(dtype) && c != Combine::set) continue;
      for (int64_t k : {0, 50}) {
        Nest n = elementwise({k}, {{dtype, {7}}, {dtype, {k}}});
        n.stores.push_back(
            {.reg = n.load(1), .scatter = Scatter{.target = {7}, .at = {n.at(0, 1, 0, 8)}, .combine = c}});
        check(n, {random_array({dtype, {7}}, rng), random_array({dtype, {k}}, rng)}, 0);
      }
    }
  }
}

}  // namespace
}  // namespace viva::loops::test
