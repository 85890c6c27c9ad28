#include "ops/catalog.h"

#include <array>
#include <unordered_map>

#include "base/error.h"

namespace viva {
namespace {

// One line an operation, in the order of the documentation.
constexpr std::array all = {
    &ops::constant,
    &ops::iota,
    &ops::rng_bits,
    &ops::neg,
    &ops::abs,
    &ops::sign,
    &ops::floor,
    &ops::ceil,
    &ops::round,
    &ops::exp,
    &ops::expm1,
    &ops::log,
    &ops::log1p,
    &ops::softplus,
    &ops::sqrt,
    &ops::rsqrt,
    &ops::square,
    &ops::sin,
    &ops::cos,
    &ops::tanh,
    &ops::logistic,
    &ops::erf,
    &ops::not_,
    &ops::is_finite,
    &ops::add,
    &ops::sub,
    &ops::mul,
    &ops::div,
    &ops::rem,
    &ops::pow,
    &ops::max,
    &ops::min,
    &ops::atan2,
    &ops::and_,
    &ops::or_,
    &ops::xor_,
    &ops::shift_left,
    &ops::shift_right,
    &ops::compare,
    &ops::select,
    &ops::convert,
    &ops::bitcast,
    &ops::dot_general,
    &ops::conv_general,
    &ops::broadcast,
    &ops::reshape,
    &ops::transpose,
    &ops::reverse,
    &ops::slice,
    &ops::pad,
    &ops::concatenate,
    &ops::dynamic_slice,
    &ops::dynamic_update_slice,
    &ops::gather,
    &ops::scatter,
    &ops::reduce_sum,
    &ops::reduce_max,
    &ops::reduce_prod,
    &ops::reduce_and,
    &ops::reduce_or,
    &ops::argmax,
    &ops::cumsum,
    &ops::window_sum,
    &ops::window_argmax,
    &ops::call,
    &ops::barrier,
    &ops::tap,
};

}  // namespace

std::span<const OpDef* const> catalog() { return all; }

const OpDef* find_op(std::string_view name) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const OpDef*> m;
    for (const OpDef* d : all) m.emplace(d->name, d);
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
