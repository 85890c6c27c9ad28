// The series of x(t)^y(t): x^y₀ · exp((y - y₀)·log x), each by a recurrence of quadratic cost.
#include <limits>

#include "ops/series.h"

namespace viva {
namespace {

// Coefficients from 0; null: zero.
using Coefficients = std::vector<Value>;

class Power {
 public:
  explicit Power(JetSite& s) : s_(s), b_(s.b), order_(s.series.order) {}

  void run() {
    const Coefficients x = operand(0), y = operand(1);
    const bool base_moves = moves(x), exponent_moves = moves(y);
    Coefficients z{s_.out(0, 0).value};
    if (base_moves) z = of_constant_exponent(x, y[0], z[0]);
    z.resize(count());
    if (exponent_moves) z = product(z, of_moving_exponent(x, y));
    for (int64_t k = s_.order; k <= order_; ++k) s_.set(0, k, {z[at(k)]});
    s_.finish();
  }

 private:
  static size_t at(int64_t k) { return static_cast<size_t>(k); }
  size_t count() const { return at(order_) + 1; }
  static bool moves(const Coefficients& c) {
    for (size_t k = 1; k < c.size(); ++k)
      if (c[k]) return true;
    return false;
  }
  Coefficients operand(size_t i) {
    Coefficients c;
    for (int64_t k = 0; k <= order_; ++k) c.push_back(s_.in(i, k).value);
    return c;
  }
  Value plus(Value x, Value y) { return !x ? y : !y ? x : b_.add(x, y); }
  Value is(Value x, double number) { return b_.compare(Direction::eq, x, b_.full_like(x, number)); }
  Value real(Value x) { return is_complex(x.dtype()) ? b_.real(x) : x; }

  // With n = x's order of vanishing at 0, x = tⁿ·u and u₀ ≠ 0, xᵖ = t^(np)·uᵖ: a series where np is a whole number.
  Coefficients of_constant_exponent(Coefficients u, Value p, Value z0) {
    size_t last = 0;
    for (size_t k = 0; k < u.size(); ++k)
      if (u[k]) last = k;
    Value vanishing;  // n, as a number of x's dtype
    for (size_t pass = 0; pass < last; ++pass) {
      const Value none = is(u[0], 0), zero = b_.zero(u[0]);
      for (size_t k = 0; k <= last - pass; ++k) {
        const Value next = k < last - pass ? u[k + 1] : Value{};
        if (!u[k] && !next) continue;
        u[k] = b_.select(none, next ? next : zero, u[k] ? u[k] : zero);
      }
      vanishing = plus(vanishing, b_.convert(none, zero.dtype()));
    }
    const Value flat = is(u[0], 0);  // x is 0 to this order
    u[0] = b_.select(flat, b_.one(u[0]), u[0]);
    const Coefficients w = power(u, p);
    const Value shift = b_.mul(vanishing, p);
    Coefficients z{z0};
    Values is_shift;
    for (int64_t k = 0; k <= order_; ++k) is_shift.push_back(is(shift, static_cast<double>(k)));
    const Value untouched = b_.compare(Direction::eq, vanishing, b_.zero(vanishing));
    for (int64_t k = 1; k <= order_; ++k) {
      const Value zero = b_.zero(p),
                  beyond = b_.compare(Direction::gt, real(shift), real(b_.full_like(p, static_cast<double>(k))));
      Value v = b_.select(beyond, zero, b_.full_like(p, std::numeric_limits<double>::quiet_NaN()));
      for (int64_t i = 0; i <= k; ++i) v = b_.select(is_shift[at(k - i)], w[at(i)] ? w[at(i)] : zero, v);
      v = b_.select(untouched, w[at(k)] ? w[at(k)] : zero, v);
      z.push_back(b_.select(flat, zero, v));
    }
    return z;
  }

  // uᵖ for u₀ ≠ 0: with v = u / u₀, k·w_k = Σ (j·(p + 1) - k)·v_j·w_{k-j}.
  Coefficients power(const Coefficients& u, Value p) {
    const Value inverse = b_.recip(u[0]), more = b_.add(p, b_.one(p));
    Coefficients v(count()), scaled(count()), w{b_.pow(u[0], p)};
    for (int64_t j = 1; j <= order_; ++j)
      if (u[at(j)])
        v[at(j)] = b_.mul_no_nan(u[at(j)], inverse), scaled[at(j)] = b_.scale(v[at(j)], static_cast<double>(j));
    for (int64_t k = 1; k <= order_; ++k) {
      Value weighted, sum;
      for (int64_t j = 1; j <= k; ++j) {
        if (!v[at(j)] || !w[at(k - j)]) continue;
        weighted = plus(weighted, b_.mul_no_nan(scaled[at(j)], w[at(k - j)]));
        sum = plus(sum, b_.mul_no_nan(v[at(j)], w[at(k - j)]));
      }
      w.push_back(sum ? b_.sub(b_.scale(b_.mul_no_nan(weighted, more), 1.0 / static_cast<double>(k)), sum) : Value{});
    }
    return w;
  }

  // exp((y - y₀)·log x), where x is 0 and y's real part not negative as if log x were 0.
  Coefficients of_moving_exponent(const Coefficients& x, const Coefficients& y) {
    const Value origin = b_.logical_and(is(x[0], 0), b_.compare(Direction::ge, real(y[0]), b_.zero(real(y[0]))));
    Coefficients safe{b_.select(origin, b_.one(x[0]), x[0])};
    for (int64_t k = 1; k <= order_; ++k)
      safe.push_back(x[at(k)] ? b_.select(origin, b_.zero(x[0]), x[at(k)]) : Value{});
    const Coefficients log = logarithm(safe);
    Coefficients w(count()), e(count());
    for (int64_t k = 1; k <= order_; ++k)
      for (int64_t i = 1; i <= k; ++i)
        if (y[at(i)] && log[at(k - i)]) w[at(k)] = plus(w[at(k)], b_.mul_no_nan(y[at(i)], log[at(k - i)]));
    e[0] = b_.one(x[0]);
    for (int64_t k = 1; k <= order_; ++k) {
      Value sum;
      for (int64_t j = 1; j <= k; ++j)
        if (w[at(j)] && e[at(k - j)]) sum = plus(sum, b_.mul(b_.scale(w[at(j)], static_cast<double>(j)), e[at(k - j)]));
      if (sum) e[at(k)] = b_.scale(sum, 1.0 / static_cast<double>(k));
    }
    return e;
  }

  // k·x₀·l_k = k·x_k - Σ j·l_j·x_{k-j}
  Coefficients logarithm(const Coefficients& x) {
    const Value inverse = b_.recip(x[0]);
    Coefficients l{b_.log(x[0])};
    for (int64_t k = 1; k <= order_; ++k) {
      Value sum;
      for (int64_t j = 1; j < k; ++j)
        if (l[at(j)] && x[at(k - j)]) sum = plus(sum, b_.mul(b_.scale(l[at(j)], static_cast<double>(j)), x[at(k - j)]));
      Value right = sum ? b_.scale(sum, -1.0 / static_cast<double>(k)) : Value{};
      right = plus(x[at(k)], right);
      l.push_back(right ? b_.mul_no_nan(right, inverse) : Value{});
    }
    return l;
  }

  // Of a series and one that begins with 1.
  Coefficients product(const Coefficients& z, const Coefficients& e) {
    Coefficients r = z;
    for (int64_t k = 1; k <= order_; ++k)
      for (int64_t i = 1; i <= k; ++i)
        if (e[at(i)] && z[at(k - i)]) r[at(k)] = plus(r[at(k)], b_.mul_no_nan(e[at(i)], z[at(k - i)]));
    return r;
  }

  JetSite& s_;
  Build& b_;
  int64_t order_;
};

}  // namespace

bool power_jet(JetSite& s) {
  if (s.series.directions > 0) return false;
  Power(s).run();
  return true;
}

}  // namespace viva
