#include "ops/catalog.h"

#include <unordered_map>

#include "base/error.h"
#include "ops/axis.h"
#include "ops/custom.h"

namespace viva {
namespace {

// In the order of the documentation.
constexpr const OpList* families[] = {
    &ops::source,        &ops::unary,       &ops::special,     &ops::binary,       &ops::complex,
    &ops::elementwise,   &ops::contraction, &ops::convolution, &ops::movement,     &ops::slicing,
    &ops::joining,       &ops::indexing,    &ops::gather,      &ops::scatter,      &ops::reduction,
    &ops::position,      &ops::sorting,     &ops::window,      &ops::quantization, &ops::window_element,
    &ops::factorization, &ops::spectral,    &ops::fourier,     &ops::structure,    &ops::tapping,
    &ops::conditional,   &ops::scanning,    &ops::repetition,  &ops::custom,       &ops::linear_calling,
    &ops::axis};

}  // namespace

std::span<const OpDef* const> catalog() {
  static const auto all = [] {
    std::vector<const OpDef*> v;
    for (const OpList* f : families) v.insert(v.end(), f->begin(), f->end());
    return v;
  }();
  return all;
}

const OpDef* find_op(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const OpDef*> m;
    for (const OpDef* d : catalog()) m.emplace(d->name, d);
    return m;
  }();
  const auto it = index.find(name);
  return it == index.end() ? nullptr : it->second;
}

const OpDef& op(std::string_view name) {
  if (const OpDef* d = find_op(name)) return *d;
  throw usage_error("there is no operation '{}'; viva ops lists them", name);
}

}  // namespace viva
