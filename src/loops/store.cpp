// Writing finished tiles: strided stores and scattered updates.
#include <limits>

#include "loops/extreme.h"
#include "loops/program.h"

namespace viva::loops {

void write_store(const Stage& stage, const FlatStore& store, const Tile& tile, const std::byte* dense, int64_t element,
                 void* output) {
  std::array<Side, max_loops> sides;
  const int count = stage.sides(store.strides, tile, sides.data());
  const int64_t at = store.offset + linear(store.strides, tile.origin.data());
  copy_out(static_cast<std::byte*>(output) + at * element, dense, element, {sides.data(), static_cast<size_t>(count)});
}

namespace {

template <class T, class F>
void update(T* output, const T* updates, const int64_t* at, const uint8_t* mask, int64_t n, F f) {
  for (int64_t i = 0; i < n; ++i)
    if (at[i] >= 0 && (!mask || mask[i])) output[at[i]] = f(output[at[i]], updates[i]);
}

// a + b and a · b, integers wrapping, 16-bit floats through float.
template <class T> T sum(T a, T b) {
  if constexpr (is_half<T>) return T(static_cast<float>(a) + static_cast<float>(b));
  else if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else return a + b;
}
template <class T> T product(T a, T b) {
  if constexpr (is_half<T>) return T(static_cast<float>(a) * static_cast<float>(b));
  else if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  else if constexpr (is_std_complex<T>)
    return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
  else return a * b;
}
template <bool greatest, class T> T extreme_element(T a, T b) {
  return static_cast<T>(extreme<greatest>(static_cast<Compute<T>>(a), static_cast<Compute<T>>(b)));
}

}  // namespace

void scatter_tile(Combine combine, Dtype d, void* output, const std::byte* updates, const int64_t* at,
                  const uint8_t* mask, int64_t n) {
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* out = static_cast<T*>(output);
    const auto* in = reinterpret_cast<const T*>(updates);
    switch (combine) {
      case Combine::set:
        return update(out, in, at, mask, n, [](T, T b) { return b; });
      case Combine::add:
        return update(out, in, at, mask, n, sum<T>);
      case Combine::mul:
        return update(out, in, at, mask, n, product<T>);
      case Combine::min:
        if constexpr (!is_std_complex<T>) return update(out, in, at, mask, n, extreme_element<false, T>);
        break;
      case Combine::max:
        if constexpr (!is_std_complex<T>) return update(out, in, at, mask, n, extreme_element<true, T>);
        break;
    }
  });
}

}  // namespace viva::loops
