// Complex numbers from their parts, and the parts. Linear over the reals: transposed in the pairing Re(c · t).
#include <array>
#include <complex>

#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/pointwise.h"

namespace viva {
namespace {

struct Singles {
  static constexpr std::string_view text = "f32 or f64";
  template <class T> static constexpr bool has = std::is_floating_point_v<T>;
};
struct Complexes {
  static constexpr std::string_view text = "a complex dtype";
  template <class T> static constexpr bool has = is_std_complex<T>;
};

bool made_by(Value v, std::string_view name) { return v.node()->op && v.node()->op->name == name; }

struct Complex {
  using Domain = Singles;
  static constexpr int arity = 2;
  static constexpr double lo = -2, hi = 2;
  static constexpr std::string_view name = "complex", doc = "x + iy";
  static Dtype result(Dtype d) { return d == Dtype::float32 ? Dtype::complex64 : Dtype::complex128; }
  template <class T> static std::complex<T> value(T x, T y) { return {x, y}; }
  static Values jvp(Build& b, const Node&, Ins in, Ins, Ins t, Transforms&) {
    return {b.complex(t[0] ? t[0] : b.zero(in[0]), t[1] ? t[1] : b.zero(in[1]))};
  }
  static void transpose(Build& b, const Node&, Ins in, Ins ct, std::span<Value> r, Transforms&) {
    if (!in[0]) r[0] = b.real(ct[0]);
    if (!in[1]) r[1] = b.neg(b.imag(ct[0]));
  }
  static constexpr std::array<std::array<bool, 2>, 3> linear = {{{true, true}, {true, false}, {false, true}}};
  static constexpr Bound::Fn bound = bounds::moves_all;
};

struct Part {
  using Domain = Complexes;
  static constexpr int arity = 1;
  static constexpr double lo = -2, hi = 2;
  static constexpr std::array<std::array<bool, 1>, 1> linear = {{{true}}};
};

struct Real : Part {
  static constexpr std::string_view name = "real", doc = "the real part";
  static Dtype result(Dtype d) { return real_of(d); }
  template <class T> static auto value(T x) { return x.real(); }
  static Values jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) { return {b.real(t[0])}; }
  static void transpose(Build& b, const Node&, Ins, Ins ct, std::span<Value> r, Transforms&) {
    r[0] = b.complex(ct[0], b.zero(ct[0]));
  }
  static Values simplify(Build&, const Node&, Ins in) {
    return made_by(in[0], "complex") ? Values{in[0].node()->in[0]} : Values{};
  }
  static constexpr Bound::Fn bound = bounds::moves_all;
};

struct Imag : Part {
  static constexpr std::string_view name = "imag", doc = "the imaginary part";
  static Dtype result(Dtype d) { return real_of(d); }
  template <class T> static auto value(T x) { return x.imag(); }
  static Values jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) { return {b.imag(t[0])}; }
  static void transpose(Build& b, const Node&, Ins, Ins ct, std::span<Value> r, Transforms&) {
    r[0] = b.complex(b.zero(ct[0]), b.neg(ct[0]));
  }
  static Values simplify(Build&, const Node&, Ins in) {
    return made_by(in[0], "complex") ? Values{in[0].node()->in[1]} : Values{};
  }
  static constexpr Bound::Fn bound = bounds::moves_all;
};

struct Conj : Part {
  static constexpr std::string_view name = "conj", doc = "the conjugate x - iy";
  template <class T> static T value(T x) { return {x.real(), -x.imag()}; }
  static Values jvp(Build& b, const Node&, Ins, Ins, Ins t, Transforms&) { return {b.conj(t[0])}; }
  static void transpose(Build& b, const Node&, Ins, Ins ct, std::span<Value> r, Transforms&) { r[0] = b.conj(ct[0]); }
  static Values simplify(Build&, const Node&, Ins in) {
    return made_by(in[0], "conj") ? Values{in[0].node()->in[0]} : Values{};
  }
  static constexpr Bound::Fn bound = bounds::conj;
};

using pointwise::record;
constexpr std::array records = {&record<Complex>, &record<Real>, &record<Imag>, &record<Conj>};

}  // namespace

constinit const OpList ops::complex = records;

}  // namespace viva
