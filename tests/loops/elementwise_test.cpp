#include "loops/reference.h"

namespace viva::loops::test {
namespace {

constexpr Dtype f32 = Dtype::float32;

TEST(Elementwise, AddsOfManyShapes) {
  std::mt19937_64 rng(1);
  for (const Shape& s : {Shape{}, Shape{1}, Shape{0}, Shape{5}, Shape{4097}, Shape{3, 0, 2}, Shape{7, 1, 13},
                         Shape{70, 90}, Shape{300000}}) {
    Nest n = elementwise(s, {{f32, s}, {f32, s}});
    n.store(add_f32(n, n.load(0), n.load(1)));
    check(n, {random_array({f32, s}, rng), random_array({f32, s}, rng)}, 0);
  }
}

TEST(Elementwise, BroadcastsOnAnySide) {
  std::mt19937_64 rng(2);
  const Shape s{37, 130};
  Nest n = elementwise(s, {{f32, s}, {f32, {130}}, {f32, {37}}, {f32, {}}});
  Register r = add_f32(n, n.load(0), n.load(1, {n.at(1)}));
  r = mul_f32(n, r, n.load(2, {n.at(0)}));
  n.store(add_f32(n, r, n.load(3, {})));
  check(n,
        {random_array({f32, s}, rng), random_array({f32, {130}}, rng), random_array({f32, {37}}, rng),
         random_array({f32, {}}, rng)},
        0);
}

TEST(Elementwise, KeepsWhatDoesNotVary) {
  std::mt19937_64 rng(3);
  const Shape s{50, 3000};
  Nest n = elementwise(s, {{f32, s}, {f32, {50}}, {f32, {3000}}});
  const Register row = n.apply(exp_tile<float>, f32, {n.load(1, {n.at(0)})}, "exp");
  const Register column = n.apply(exp_tile<float>, f32, {n.load(2, {n.at(1)})}, "exp");
  n.store(add_f32(n, mul_f32(n, n.load(0), row), column));
  check(n, {random_array({f32, s}, rng), random_array({f32, {50}}, rng), random_array({f32, {3000}}, rng)}, 0);
}

TEST(Elementwise, TransposesEveryPermutationAndSize) {
  std::mt19937_64 rng(4);
  const Ints extents{5, 33, 40};
  for (Dtype d : {Dtype::int8, Dtype::int16, f32, Dtype::float64, Dtype::complex128}) {
    Ints p{0, 1, 2};
    do {
      Nest n = elementwise(permute(extents, p), {{d, extents}});
      std::vector<Index> at(3);
      for (size_t i = 0; i < 3; ++i) at[static_cast<size_t>(p[i])] = n.at(static_cast<int>(i));
      n.store(n.load(0, at));
      check(n, {random_array({d, extents}, rng)}, 0);
    } while (std::next_permutation(p.begin(), p.end()));
  }
}

TEST(Elementwise, LargeTranspose) {
  std::mt19937_64 rng(5);
  Nest n = elementwise({257, 515}, {{f32, {515, 257}}});
  n.store(n.load(0, {n.at(1), n.at(0)}));
  check(n, {random_array({f32, {515, 257}}, rng)}, 0);
}

TEST(Elementwise, ReversesSlicesAndPads) {
  std::mt19937_64 rng(6);
  const Array x = random_array({f32, {9, 20}}, rng);
  const Scalar fill = Scalar::of(7.0f);
  Nest reverse = elementwise({9, 20}, {x.type()});
  reverse.store(reverse.load(0, {reverse.at(0), reverse.at(1, -1, 19)}));
  check(reverse, {x}, 0);
  Nest strided = elementwise({3, 6}, {x.type()});
  strided.store(strided.load(0, {strided.at(0, 2, 1), strided.at(1, 3, 2)}));
  check(strided, {x}, 0);
  for (int64_t interior : {1, 2, 3, 5}) {
    for (int64_t low : {-4, 0, 3}) {
      Nest pad = elementwise({9, 45}, {x.type()});
      pad.store(pad.load(0, {pad.at(0), pad.at(1, 1, -low, interior)}, fill));
      check(pad, {x}, 0);
      Nest both = elementwise({20, 45}, {x.type()});
      both.store(both.load(0, {both.at(0, 2, -low, interior), both.at(1, -1, 40, interior)}, fill));
      check(both, {x}, 0);
      Nest diagonal = elementwise({30, 45}, {x.type()});
      diagonal.store(diagonal.load(
          0, {{.coefficients = {1, 1}, .offset = -low, .divisor = interior}, diagonal.at(1, 3, low, 2)}, fill));
      check(diagonal, {x}, 0);
    }
  }
}

TEST(Elementwise, ConcatenatesByStridedStoresAndByGuards) {
  std::mt19937_64 rng(7);
  const Array a = random_array({f32, {4, 5}}, rng), b = random_array({f32, {4, 7}}, rng);
  Nest piece = elementwise({4, 7}, {b.type()});
  piece.stores.push_back({.reg = piece.load(0), .offset = 5, .strides = {12, 1}, .size = 48});
  check(piece, {b}, 0);
  Nest n = elementwise({4, 12}, {a.type(), b.type()});
  const Register left = n.load(0, {n.at(0), n.at(1)}), right = n.load(1, {n.at(0), n.at(1, 1, -5)});
  n.store(n.select(n.inside({{n.at(1), 5}}), left, right));
  check(n, {a, b}, 0);
}

TEST(Elementwise, IotaInEveryDtype) {
  for (int d = 0; d < dtype_count; ++d) {
    Nest n = elementwise({3, 300}, {});
    n.store(n.iota(static_cast<Dtype>(d), {.coefficients = {-2, 3}, .offset = -100}));
    check(n, {}, 0);
  }
}

TEST(Elementwise, ConvertsBetweenAllDtypes) {
  std::mt19937_64 rng(8);
  for (int a = 0; a < dtype_count; ++a) {
    for (int b = 0; b < dtype_count; ++b) {
      Nest n = elementwise({67}, {{static_cast<Dtype>(a), {67}}});
      n.store(n.convert(n.load(0), static_cast<Dtype>(b)));
      check(n, {random_array({static_cast<Dtype>(a), {67}}, rng)}, 0);
    }
  }
}

// Rows of a table by indices of any integer dtype, hostile values included.
TEST(Elementwise, GathersClippedAndFilled) {
  std::mt19937_64 rng(9);
  const Array table = random_array({f32, {11, 40}}, rng);
  for (Dtype d : {Dtype::int8, Dtype::uint8, Dtype::int16, Dtype::int32, Dtype::uint32, Dtype::int64, Dtype::uint64}) {
    Array index = Array::make({d, {60}});
    dispatch(d, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_integral_v<T>) {
        auto v = index.as_mutable<T>();
        for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<T>(rng() % 14 - 1);
        v[3] = std::numeric_limits<T>::max(), v[4] = std::numeric_limits<T>::min();
      }
    });
    for (bool filled : {false, true}) {
      Nest rows = elementwise({60, 40}, {table.type(), index.type()});
      const Register raw = rows.load(1, {rows.at(0)});
      const Register at = rows.clip(raw, 0, 10);
      Register v = rows.load(0, {{.terms = {{at, 1}}}, rows.at(1)});
      if (filled) v = rows.select(rows.inside({}, {{raw, 0, 10}}), v, rows.constant(f32, Scalar::of(-1.0f)));
      rows.store(v);
      check(rows, {table, index}, 0);
    }
    Nest along = elementwise({11, 60}, {table.type(), index.type()});
    const Register at = along.clip(along.load(1, {along.at(1)}), 0, 12);
    along.store(along.load(0, {along.at(0), {.offset = -1, .terms = {{at, 4}}}}, Scalar::of(5.0f)));
    check(along, {table, index}, 0);
    Nest free = elementwise({11, 60}, {table.type(), index.type()});
    const Register to = free.clip(free.load(1, {free.at(1)}), 0, 39);
    free.store(free.load(0, {free.at(0), {.terms = {{to, 1}}}}));
    check(free, {table, index}, 0);
    Nest scalar = elementwise({11, 8}, {table.type(), index.type()});
    const Register start = scalar.clip(scalar.load(1, {{.offset = 3}}), 0, 32);
    scalar.store(scalar.load(0, {scalar.at(0), {.coefficients = {0, 1}, .terms = {{start, 1}}}}));
    check(scalar, {table, index}, 0);
  }
}

TEST(Elementwise, SeveralOutputsInOnePassAndInPlace) {
  std::mt19937_64 rng(10);
  const Type t{f32, {5000}};
  Nest n = elementwise(t.shape, {t, t});
  const Register a = n.load(0), b = n.load(1), sum = add_f32(n, a, b);
  n.store(sum);
  n.store(mul_f32(n, sum, a));
  const std::vector<Array> in{random_array(t, rng), random_array(t, rng)};
  check(n, in, 0);
  const std::vector<Array> want = evaluate(n, in);
  Array x = Array::make(t), y = Array::make(t);
  std::memcpy(x.mutable_data(), in[0].data(), static_cast<size_t>(x.bytes()));
  std::memcpy(y.mutable_data(), in[1].data(), static_cast<size_t>(y.bytes()));
  ThreadPool pool(2);
  Scratch scratch;
  const void* operands[] = {x.data(), y.data()};
  void* outputs[] = {x.mutable_data(), y.mutable_data()};
  loops::run(Prepared(n), operands, outputs, pool, scratch);
  EXPECT_TRUE(same_bits(x, want[0]));
  EXPECT_TRUE(same_bits(y, want[1]));
}

// A result that lies over an operand read at other places is written when its tile is complete.
TEST(Elementwise, ResultsOverOperandsReadElsewhere) {
  std::mt19937_64 rng(12);
  const Type t{f32, {100}};
  Nest n = elementwise(t.shape, {t, t});
  n.store(add_f32(n, n.load(0, {n.at(0, -1, 99)}), n.load(1)));
  const std::vector<Array> in{random_array(t, rng), random_array(t, rng)};
  const std::vector<Array> want = evaluate(n, in);
  Array x = Array::make(t);
  std::memcpy(x.mutable_data(), in[0].data(), static_cast<size_t>(x.bytes()));
  ThreadPool pool(1);
  Scratch scratch;
  const void* operands[] = {x.data(), in[1].data()};
  void* outputs[] = {x.mutable_data()};
  loops::run(Prepared(n), operands, outputs, pool, scratch);
  EXPECT_TRUE(same_bits(x, want[0]));
}

TEST(Elementwise, ManyRegistersShareBuffers) {
  std::mt19937_64 rng(11);
  const Type t{f32, {3000}};
  Nest n = elementwise(t.shape, {t, t});
  std::vector<Register> r{n.load(0), n.load(1)};
  for (int i = 0; i < 60; ++i) {
    const auto pick = [&] { return r[rng() % r.size()]; };
    r.push_back(sub_f32(n, pick(), pick()));
  }
  for (size_t i = r.size() - 3; i < r.size(); ++i) n.store(r[i]);
  check(n, {random_array(t, rng), random_array(t, rng)}, 0);
}

TEST(Elementwise, StopsWhenCancelled) {
  Nest n = elementwise({100}, {});
  n.store(n.iota(f32, n.at(0)));
  Array out = Array::make({f32, {100}});
  ThreadPool pool(1);
  Scratch scratch;
  const Cancel cancel = true;
  void* outputs[] = {out.mutable_data()};
  try {
    loops::run(Prepared(n), {}, outputs, pool, scratch, &cancel);
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.kind(), ErrorKind::cancelled); }
}

}  // namespace
}  // namespace viva::loops::test
