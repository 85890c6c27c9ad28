#include "graph/dims.h"

#include <array>

namespace viva {
namespace {

template <size_t N> size_t index_in(const std::array<std::string_view, N>& names, std::string_view s) {
  for (size_t i = 0; i < N; ++i)
    if (names[i] == s) return i;
  throw usage_error("'{}' is none of {}", s, fmt::join(names, ", "));
}

constexpr std::array<std::string_view, 5> combines = {"set", "add", "mul", "min", "max"};
constexpr std::array<std::string_view, 6> directions = {"eq", "ne", "lt", "le", "gt", "ge"};
constexpr std::array<std::string_view, 2> modes = {"clip", "fill"};

}  // namespace

std::string_view to_string(Combine c) { return combines[static_cast<size_t>(c)]; }
Combine combine_from(std::string_view s) { return static_cast<Combine>(index_in(combines, s)); }
std::string_view to_string(Direction d) { return directions[static_cast<size_t>(d)]; }
Direction direction_from(std::string_view s) { return static_cast<Direction>(index_in(directions, s)); }

DotDims DotDims::from(const Attrs& a) {
  return {a.ints("lhs_batch"), a.ints("rhs_batch"), a.ints("lhs_contract"), a.ints("rhs_contract")};
}

void DotDims::put(Attrs& a) const {
  a.set("lhs_batch", lhs_batch), a.set("rhs_batch", rhs_batch);
  a.set("lhs_contract", lhs_contract), a.set("rhs_contract", rhs_contract);
}

ConvDims ConvDims::plain(int64_t n) {
  ConvDims d;
  d.lhs_spec = d.rhs_spec = d.out_spec = iota_ints(n + 2);
  const auto size = static_cast<size_t>(n);
  d.strides = d.lhs_dilation = d.rhs_dilation = Ints(size, 1);
  d.pad_low = d.pad_high = d.reversal = Ints(size, 0);
  return d;
}

ConvDims ConvDims::from(const Attrs& a) {
  return {a.ints("lhs_spec"), a.ints("rhs_spec"),          a.ints("out_spec"),       a.ints("strides"),
          a.ints("pad_low"),  a.ints("pad_high"),          a.ints("lhs_dilation"),   a.ints("rhs_dilation"),
          a.ints("reversal"), a.integer("feature_groups"), a.integer("batch_groups")};
}

void ConvDims::put(Attrs& a) const {
  a.set("lhs_spec", lhs_spec), a.set("rhs_spec", rhs_spec), a.set("out_spec", out_spec);
  a.set("strides", strides), a.set("pad_low", pad_low), a.set("pad_high", pad_high);
  a.set("lhs_dilation", lhs_dilation), a.set("rhs_dilation", rhs_dilation), a.set("reversal", reversal);
  a.set("feature_groups", feature_groups), a.set("batch_groups", batch_groups);
}

WindowDims WindowDims::plain(Ints size) {
  const Ints one(size.size(), 1), zero(size.size(), 0);
  return {std::move(size), one, zero, zero, one, one};
}

WindowDims WindowDims::from(const Attrs& a) {
  return {a.ints("size"),     a.ints("strides"),       a.ints("pad_low"),
          a.ints("pad_high"), a.ints("base_dilation"), a.ints("dilation")};
}

void WindowDims::put(Attrs& a) const {
  a.set("size", size), a.set("strides", strides), a.set("pad_low", pad_low), a.set("pad_high", pad_high);
  a.set("base_dilation", base_dilation), a.set("dilation", dilation);
}

GatherDims GatherDims::from(const Attrs& a) {
  return {a.ints("offset_dims"),
          a.ints("collapsed"),
          a.ints("operand_batch"),
          a.ints("indices_batch"),
          a.ints("start_map"),
          a.ints("slice_sizes"),
          static_cast<OutOfBounds>(index_in(modes, a.text("mode")))};
}

void GatherDims::put(Attrs& a) const {
  a.set("offset_dims", offset_dims), a.set("collapsed", collapsed), a.set("operand_batch", operand_batch);
  a.set("indices_batch", indices_batch), a.set("start_map", start_map), a.set("slice_sizes", slice_sizes);
  a.set("mode", std::string(modes[static_cast<size_t>(mode)]));
}

}  // namespace viva
