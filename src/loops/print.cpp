#include <fmt/format.h>

#include "loops/nest.h"

namespace viva::loops {
namespace {

std::string index_text(const Index& i) {
  std::string s;
  auto term = [&](int64_t c, const std::string& what) {
    if (c == 0) return;
    s += c < 0 ? "-" : s.empty() ? "" : "+";
    const uint64_t size = c < 0 ? 0 - static_cast<uint64_t>(c) : static_cast<uint64_t>(c);
    s += size == 1 ? what : fmt::format("{}{}", size, what);
  };
  for (size_t l = 0; l < i.coefficients.size(); ++l) term(i.coefficients[l], fmt::format("i{}", l));
  for (const Term& t : i.terms) term(t.coefficient, fmt::format("%{}", t.reg));
  if (i.offset != 0 || s.empty()) s += fmt::format("{}{}", i.offset >= 0 && !s.empty() ? "+" : "", i.offset);
  return i.divisor == 1 ? s : fmt::format("({})/{}", s, i.divisor);
}

std::string list(const std::vector<Index>& v) {
  std::string s;
  for (const Index& i : v) s += (s.empty() ? "" : ", ") + index_text(i);
  return s;
}

std::string registers(const std::vector<Register>& v) {
  std::string s;
  for (Register r : v) s += fmt::format("{}%{}", s.empty() ? "" : ", ", r);
  return s;
}

std::string scalar_text(Dtype d, const Scalar& s) {
  return dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T v;
    std::memcpy(&v, s.bytes.data(), sizeof v);
    if constexpr (is_std_complex<T>) return fmt::format("({},{})", v.real(), v.imag());
    else if constexpr (is_half<T>) return fmt::format("{}", static_cast<float>(v));
    else if constexpr (std::is_same_v<T, int8_t> || std::is_same_v<T, uint8_t>) return fmt::format("{}", int{v});
    else return fmt::format("{}", v);
  });
}

constexpr std::string_view reduction_names[] = {"sum", "product", "max",    "min", "all",
                                                "any", "argmax",  "argmin", "dot"};
constexpr std::string_view combine_names[] = {"set", "add", "mul", "min", "max"};

std::string inside_text(const Instruction& i) {
  std::string s;
  for (const Condition& c : i.conditions)
    s += fmt::format("{}0 <= {} < {}", s.empty() ? "" : ", ", index_text(c.index), c.extent);
  for (const Range& r : i.ranges) s += fmt::format("{}{} <= %{} <= {}", s.empty() ? "" : ", ", r.low, r.reg, r.high);
  return "inside " + s;
}

std::string body_text(const Instruction& i) {
  switch (i.kind) {
    case Kind::load: {
      const std::string fill = i.value == Scalar{} ? "" : " else " + scalar_text(i.dtype, i.value);
      return fmt::format("load ${}[{}]{}", i.slot, list(i.at), fill);
    }
    case Kind::iota:
      return "iota " + list(i.at);
    case Kind::constant:
      return "constant " + scalar_text(i.dtype, i.value);
    case Kind::apply:
      return fmt::format("{} {}", i.name, registers(i.args));
    case Kind::select:
      return "select " + registers(i.args);
    case Kind::inside:
      return inside_text(i);
    case Kind::clip:
      return fmt::format("clip {} to {}..{}", registers(i.args), i.low, i.high);
    case Kind::convert:
      return "convert " + registers(i.args);
    case Kind::reduce:
    case Kind::scan:
      break;
  }
  std::string s = fmt::format("{} {} {}", i.kind == Kind::scan ? (i.reverse ? "scan reverse" : "scan") : "reduce",
                              reduction_names[static_cast<int>(i.reduction)], registers(i.args));
  return i.mask == no_register ? s : fmt::format("{} where %{}", s, i.mask);
}

std::string store_text(const Store& s) {
  if (s.scatter) {
    std::string text =
        fmt::format("scatter {} %{} to [{}] of {} from ${}", combine_names[static_cast<int>(s.scatter->combine)], s.reg,
                    list(s.scatter->at), viva::to_string(s.scatter->target), s.scatter->initial);
    return s.scatter->mask == no_register ? text : fmt::format("{} where %{}", text, s.scatter->mask);
  }
  if (s.strides.empty()) return fmt::format("store %{}", s.reg);
  return fmt::format("store %{} at {} strides {} of {}", s.reg, s.offset, viva::to_string(s.strides), s.size);
}

}  // namespace

std::string to_string(const Nest& nest) {
  std::string s = fmt::format("nest {} parallel {}\n", viva::to_string(nest.extents), nest.parallel);
  for (size_t i = 0; i < nest.operands.size(); ++i)
    s += fmt::format("  ${}: {}\n", i, viva::to_string(nest.operands[i]));
  for (size_t i = 0; i < nest.body.size(); ++i)
    s += fmt::format("  %{}: {} = {}\n", i, name(nest.body[i].dtype), body_text(nest.body[i]));
  for (const Store& t : nest.stores) s += "  " + store_text(t) + "\n";
  return s;
}

}  // namespace viva::loops
