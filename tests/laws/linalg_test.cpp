// Matrices: what factorisations multiply back to, known values, conventions where they fail, and transforms by
// definition.
#include <Eigen/Dense>
#include <complex>
#include <numbers>

#include "laws/both.h"
#include "transform/transform.h"

namespace viva {
namespace {

using C = std::complex<double>;
using laws::Arrays;
using Maker = std::function<Values(Build&, const Values&)>;
using Mat = Eigen::Matrix<C, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Every output in both engines, with the same bits.
Arrays all_of(const Arrays& args, const Maker& make) {
  Build b("f");
  Values in;
  for (const Array& a : args) in.push_back(b.parameter(a.type()));
  const Body f = b.finish(make(b, in));
  ThreadPool pool(3);
  const Arrays slow = interpret(*f, args), fast = compile(f).call(args, pool).take();
  for (size_t i = 0; i < slow.size(); ++i) EXPECT_TRUE(same_bits(slow[i], fast[i])) << i;
  return slow;
}

Array random_matrix(Dtype d, const Shape& shape, uint32_t seed) { return laws::direction({d, shape}, seed); }

Mat matrix(const Array& a, int64_t at = 0) {
  const int64_t m = a.shape()[a.shape().size() - 2], n = a.shape().back();
  const Array z = a.converted(Dtype::complex128);
  return Eigen::Map<const Mat>(z.as<C>().data() + at * m * n, m, n);
}
double error(const Mat& a, const Mat& b) { return a.size() ? (a - b).cwiseAbs().maxCoeff() : 0.0; }
double tolerance(Dtype d) { return d == Dtype::float32 || d == Dtype::complex64 ? 2e-5 : 1e-13; }

constexpr Dtype dtypes[] = {Dtype::float32, Dtype::float64, Dtype::complex64, Dtype::complex128};
const std::vector<Shape> shapes{{4, 4}, {6, 3}, {3, 6}, {2, 5, 5}, {1, 1}};

int64_t count(const Array& a) {
  int64_t n = 1;
  for (size_t i = 0; i + 2 < a.shape().size(); ++i) n *= a.shape()[i];
  return n;
}

TEST(Linalg, FactorsMultiplyBack) {
  for (const Dtype d : dtypes)
    for (const Shape& shape : shapes) {
      SCOPED_TRACE(std::string(name(d)) + to_string(shape));
      const Array x = random_matrix(d, shape, 3);
      const Arrays qr = all_of({x}, [](Build& b, const Values& v) { return b.qr(v[0]); });
      const Arrays svd = all_of({x}, [](Build& b, const Values& v) { return b.svd(v[0]); });
      const Arrays lu = all_of({x}, [](Build& b, const Values& v) { return b.lu(v[0]); });
      for (int64_t i = 0; i < count(x); ++i) {
        const Mat a = matrix(x, i), q = matrix(qr[0], i), r = matrix(qr[1], i), u = matrix(svd[0], i),
                  vh = matrix(svd[2], i);
        const int64_t k = std::min(a.rows(), a.cols()), m = a.rows();
        const Mat one = Mat::Identity(k, k);
        EXPECT_LT(error(q * r, a), tolerance(d));
        EXPECT_LT(error(q.adjoint() * q, one), tolerance(d));
        Mat s = Mat::Zero(k, k);
        for (int64_t j = 0; j < k; ++j) {
          s(j, j) = svd[1].at(i * k + j);
          EXPECT_GE(svd[1].at(i * k + j), j + 1 < k ? svd[1].at(i * k + j + 1) : 0);
          EXPECT_GE(r(j, j).real(), 0);
          EXPECT_EQ(r(j, j).imag(), 0);
          for (int64_t row = j + 1; row < k; ++row) EXPECT_EQ(r(row, j), C(0));
        }
        EXPECT_LT(error(u * s * vh, a), tolerance(d));
        EXPECT_LT(error(u.adjoint() * u, one), tolerance(d));
        EXPECT_LT(error(vh * vh.adjoint(), one), tolerance(d));
        Mat l = Mat::Identity(m, k), upper = Mat::Zero(k, a.cols()), permuted(m, a.cols());
        const Mat f = matrix(lu[0], i);
        for (int64_t row = 0; row < m; ++row) {
          permuted.row(row) = a.row(static_cast<int64_t>(lu[2].at(i * m + row)));
          for (int64_t col = 0; col < a.cols(); ++col) (col < row ? l : upper).operator()(row, col) = f(row, col);
        }
        EXPECT_LT(error(l * upper, permuted), tolerance(d));
        EXPECT_LE(l.cwiseAbs().maxCoeff(), 1 + 1e-6);
      }
    }
}

TEST(Linalg, CholeskyAndEigenvaluesOfHermitianMatrices) {
  for (const Dtype d : dtypes)
    for (const Shape& shape : {Shape{4, 4}, Shape{3, 2, 2}, Shape{1, 1}}) {
      SCOPED_TRACE(std::string(name(d)) + to_string(shape));
      const Array x = random_matrix(d, shape, 5);
      const Maker positive = [](Build& b, const Values& v) -> Values {
        const int64_t r = v[0].rank(), n = v[0].dim(r - 1);
        Ints order = iota_ints(r);
        std::swap(order[order.size() - 1], order[order.size() - 2]);
        const Value t = b.transpose(v[0], order), h = is_complex(t.dtype()) ? b.conj(t) : t;
        const Value p = b.dot_general(v[0], h, {iota_ints(r - 2), iota_ints(r - 2), {r - 1}, {r - 2}});
        const Value row = b.iota({Dtype::int64, {n, n}}, 0), column = b.iota({Dtype::int64, {n, n}}, 1);
        return {b.add(p, b.broadcast_to(b.convert(b.compare(Direction::eq, row, column), p.dtype()), p.shape()))};
      };
      const Array a =
          interpret(*function_of({x}, [&](Build& b, const Values& v) { return positive(b, v)[0]; }), Arrays{x})[0];
      const Array l = all_of({a}, [](Build& b, const Values& v) { return Values{b.cholesky(v[0])}; })[0];
      const Arrays e = all_of({a}, [](Build& b, const Values& v) { return b.eigh(v[0]); });
      for (int64_t i = 0; i < count(a); ++i) {
        const Mat m = matrix(a, i), f = matrix(l, i), v = matrix(e[1], i);
        const int64_t n = m.rows();
        EXPECT_LT(error(f * f.adjoint(), m), 10 * tolerance(d));
        Mat w = Mat::Zero(n, n);
        for (int64_t j = 0; j < n; ++j) {
          w(j, j) = e[0].at(i * n + j);
          EXPECT_GE(e[0].at(i * n + j), e[0].at(i * n + std::max<int64_t>(j - 1, 0)));
          for (int64_t k = j + 1; k < n; ++k) EXPECT_EQ(f(j, k), C(0));
          int64_t at = 0;
          v.col(j).cwiseAbs().maxCoeff(&at);
          EXPECT_GT(v(at, j).real(), 0);
          EXPECT_NEAR(v(at, j).imag(), 0, tolerance(d));
        }
        EXPECT_LT(error(m * v, v * w), 10 * tolerance(d));
      }
    }
}

TEST(Linalg, KnownValues) {
  const Array a = Array::of<double>({4, 99, 2, 5}, {2, 2});  // the upper half is not read
  expect(all_of({a}, [](Build& b, const Values& v) { return Values{b.cholesky(v[0])}; })[0], {2, 0, 1, 2});
  const Array h = Array::of<double>({2, 99, 1, 2}, {2, 2});
  const Arrays e = all_of({h}, [](Build& b, const Values& v) { return b.eigh(v[0]); });
  expect(e[0], {1, 3}, 1e-15);
  expect(all_of({Array::of<double>({3, 0, 4, 5}, {2, 2})}, [](Build& b, const Values& v) { return b.svd(v[0]); })[1],
         {std::sqrt(45), std::sqrt(5)}, 1e-15);
  const Arrays lu =
      all_of({Array::of<double>({1, 2, 4, 4}, {2, 2})}, [](Build& b, const Values& v) { return b.lu(v[0]); });
  expect(lu[0], {4, 4, 0.25, 1}), expect(lu[1], {1, 1}), expect(lu[2], {1, 0});
  const Arrays qr =
      all_of({Array::of<double>({3, 1, 4, 2}, {2, 2})}, [](Build& b, const Values& v) { return b.qr(v[0]); });
  expect(qr[1], {5, 2.2, 0, 0.4}, 1e-14);
}

TEST(Linalg, WhatFailsIsNan) {
  const auto has_only_nan = [](const Array& a) {
    for (int64_t i = 0; i < a.size(); ++i) EXPECT_TRUE(std::isnan(a.at(i)));
  };
  const Array negative = Array::of<double>({1, 0, 2, 1}, {2, 2}), infinite = Array::of<double>({1, 0, inf, 1}, {2, 2});
  has_only_nan(all_of({negative}, [](Build& b, const Values& v) { return Values{b.cholesky(v[0])}; })[0]);
  for (const char* op : {"cholesky", "qr", "eigh", "svd", "lu"})
    for (const Array& a : all_of({infinite}, [op](Build& b, const Values& v) { return b.emit(op, {v[0]}); }))
      if (is_float(a.dtype())) has_only_nan(a);
  // One matrix of a batch does not spoil another.
  const Array two = Array::of<double>({-1, 4}, {2, 1, 1});
  expect(all_of({two}, [](Build& b, const Values& v) { return Values{b.cholesky(v[0])}; })[0], {nan, 2});
}

// Σ of all eigenvalues is the trace, whatever they are; a singular value 0 has no part in derivatives that could be
// NaN.
TEST(Linalg, EqualEigenvaluesGiveNoNan) {
  const Array one = Array::of<double>({1, 0, 0, 1}, {2, 2});
  const Body trace = function_of({one}, [](Build& b, const Values& v) { return b.reduce_sum(b.eigh(v[0])[0], {0}); });
  expect(interpret(*grad(trace, {true}), Arrays{one})[0], {1, 0, 0, 1}, 1e-15);
  const Body square =
      function_of({one}, [](Build& b, const Values& v) { return b.reduce_sum(b.square(b.eigh(v[0])[0]), {0}); });
  expect(interpret(*grad(square, {true}), Arrays{one})[0], {2, 0, 0, 2}, 1e-15);
  const Array flat = Array::of<double>({1, 0, 0, 0, 0, 0}, {3, 2});
  const Body norm =
      function_of({flat}, [](Build& b, const Values& v) { return b.reduce_sum(b.square(b.svd(v[0])[1]), {0}); });
  expect(interpret(*grad(norm, {true}), Arrays{flat})[0], {2, 0, 0, 0, 0, 0}, 1e-15);
  for (const Array& a : interpret(*hvp(norm, {true}), Arrays{flat, laws::direction(flat.type(), 3)}))
    for (int64_t i = 0; i < a.size(); ++i) EXPECT_TRUE(std::isfinite(a.at(i)));
}

// d log det a = a⁻ᵀ, and d² by differences of it.
TEST(Linalg, LogDeterminant) {
  const Array a = Array::of<double>({4, 1, -1, 0.5, 3, 1, 2, -1, 5}, {3, 3});
  const Body f = function_of({a}, [](Build& b, const Values& v) {
    const Value lu = b.lu(v[0])[0], row = b.iota({Dtype::int64, {3, 3}}, 0), column = b.iota({Dtype::int64, {3, 3}}, 1);
    const Value on = b.compare(Direction::eq, row, column);
    return b.reduce_sum(b.log(b.abs(b.select(on, lu, b.one(lu)))), {0, 1});
  });
  const Mat inverse = matrix(a).inverse().transpose();
  EXPECT_LT(error(matrix(interpret(*grad(f, {true}), Arrays{a})[0]), inverse), 1e-14);
  EXPECT_EQ(laws::hvp_is_difference({f, {a}}, 5), "");
}

TEST(Fft, ByDefinition) {
  for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 12, 30, 97, 128}) {
    const Array x = random_matrix(Dtype::complex128, {2, n}, 9);
    for (const bool inverse : {false, true}) {
      const Array y = all_of({x}, [&](Build& b, const Values& v) { return Values{b.fft(v[0], 1, inverse)}; })[0];
      const Mat a = matrix(x);
      Mat want = Mat::Zero(2, n);
      for (int64_t j = 0; j < n; ++j)
        for (int64_t k = 0; k < n; ++k)
          want.col(j) += a.col(k) * std::polar(inverse ? 1.0 / static_cast<double>(n) : 1.0,
                                               (inverse ? 2 : -2) * std::numbers::pi * static_cast<double>(j * k % n) /
                                                   static_cast<double>(n));
      EXPECT_LT(error(matrix(y), want), 1e-13 * static_cast<double>(n)) << n;
    }
    const Array columns = random_matrix(Dtype::complex64, {n, 3}, 4);
    const Array back =
        all_of({columns}, [](Build& b, const Values& v) { return Values{b.fft(b.fft(v[0], 0), 0, true)}; })[0];
    EXPECT_LT(error(matrix(back), matrix(columns)), 1e-6);
  }
}

TEST(Quantize, RoundsAndSaturates) {
  const Array x = vec<double>({-1000, -1.5, -0.5, 0.5, 1.5, 2.49, 1000, nan, inf}),
              one = vec<double>(std::vector<double>(9, 1));
  const auto q = [](Build& b, const Values& v) { return b.quantize(v[0], v[1], v[2]); };
  expect(both({x, one, vec<int8_t>(std::vector<int8_t>(9, 3))}, q), {-128, 1, 3, 3, 5, 5, 127, 3, 127});
  expect(both({x, one, vec<uint8_t>(std::vector<uint8_t>(9, 128))}, q), {0, 126, 128, 128, 130, 130, 255, 128, 255});
  for (const Dtype d : {Dtype::float32, Dtype::float16, Dtype::bfloat16})
    expect(both({vec<double>({1, -0.75, 300}).converted(d), vec<double>({0.5, 0.25, 1}).converted(d),
                 vec<int8_t>({0, 0, 0})},
                q),
           {2, -3, 127});
}

}  // namespace
}  // namespace viva
