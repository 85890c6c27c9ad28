#include "graph/text.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "graph/deferred.h"
#include "graph/opdef.h"

namespace viva {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are printed and parsed as the bytes lie in memory");

// Up to these many elements an array of different elements is numbers, and an array of equal ones is written out.
constexpr int64_t most_numbers = 64;
constexpr int64_t least_splat = 5;

// The length of the UTF-8 sequence at the start of s that may stand in quotes as it is; 0 where there is none.
size_t plain_utf8(std::string_view s) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  if (at(0) < 0x80) return at(0) >= 0x20 && at(0) != 0x7f;
  const size_t length = at(0) >= 0xf0 ? 4 : at(0) >= 0xe0 ? 3 : at(0) >= 0xc2 ? 2 : 0;
  if (length == 0 || at(0) > 0xf4 || s.size() < length) return 0;
  uint32_t code = at(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (at(i) & 0x3fu);
  }
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool legal = code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  // C1 controls, line and paragraph separators, the marks that reorder text, the byte order mark.
  const bool hidden = code < 0xa0 || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
                      (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
  return legal && !hidden ? length : 0;
}

bool is_word(std::string_view s) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !s.empty() && letter(s[0]) &&
         std::ranges::all_of(s, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

template <class T> std::string float_text(T v) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  if (!std::isnan(v)) return fmt::format("{}", v);  // the shortest text that reads back as v
  const auto bits = std::bit_cast<Bits>(v);
  if (bits == std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN())) return "nan";
  return fmt::format("nan({:#x})", bits);
}

template <class T> std::string half_text(T v) {
  const auto f = static_cast<float>(v);
  if (!std::isnan(f)) return fmt::format("{}", f);
  return v.bits == T(std::numeric_limits<float>::quiet_NaN()).bits ? "nan" : fmt::format("nan({:#x})", v.bits);
}

template <class T> std::string element_text(T v) {
  if constexpr (is_half<T>) return half_text(v);
  else if constexpr (std::is_floating_point_v<T>) return float_text(v);
  else if constexpr (is_std_complex<T>) return fmt::format("({}, {})", float_text(v.real()), float_text(v.imag()));
  else return fmt::format("{}", v);
}

bool all_equal(const Array& a) {
  const auto width = static_cast<size_t>(size_of(a.dtype())), bytes = static_cast<size_t>(a.bytes());
  return std::memcmp(a.data(), a.data() + width, bytes - width) == 0;
}

// A byte that is neither true nor false has no number; only a broken program holds one.
bool has_numbers(const Array& a) {
  return !is_bool(a.dtype()) ||
         std::all_of(a.data(), a.data() + a.bytes(), [](std::byte b) { return b <= std::byte{1}; });
}

std::string hex(const Array& a) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string s = "hex \"";
  s.reserve(s.size() + 2 * static_cast<size_t>(a.bytes()) + 1);
  for (const std::byte* b = a.data(); b != a.data() + a.bytes(); ++b) {
    s += digits[std::to_integer<size_t>(*b) >> 4];
    s += digits[std::to_integer<size_t>(*b) & 15];
  }
  return s + '"';
}

std::string elements(const Array& a, const PrintOptions& options) {
  const bool numbers = has_numbers(a), splat = numbers && a.size() >= least_splat && all_equal(a);
  if (!splat && a.size() > options.most_elements) return "...";
  if (!splat && (!numbers || a.size() > most_numbers)) return hex(a);
  return dispatch(a.dtype(), [&](auto tag) {
    const auto values = a.as<typename decltype(tag)::type>();
    if (splat) return fmt::format("splat {}", element_text(values[0]));
    std::string s;
    for (const auto v : values) {
      if (!s.empty()) s += ", ";
      s += element_text(v);
    }
    return s;
  });
}

class Printer {
 public:
  Printer(const Program& program, const PrintOptions& options) : options_(options) {
    for (const auto& [name, f] : program.functions()) names_.emplace(f.get(), name);
    for (const auto& [name, f] : program.functions()) function(name, *f);
  }
  std::string take() { return std::move(text_); }

 private:
  void function(const std::string& name, const Function& f) {
    number(f);
    text_ += fmt::format("{}func {}(", text_.empty() ? "" : "\n", double_quoted(name));
    list(f.params(), [&](Value v) { result(v); });
    text_ += ") -> (";
    list(f.output_names(), [&](const std::string& s) { text_ += double_quoted(s); });
    text_ += ") {\n";
    for (const Node& n : f.nodes())
      if (n.op) node(n);
    text_ += f.outputs().empty() ? "  return" : "  return ";
    list(f.outputs(), [&](Value v) { id(v); });
    text_ += "\n}\n";
  }

  void number(const Function& f) {
    first_.clear();
    int64_t next = 0;
    for (const Node& n : f.nodes()) first_.emplace(&n, next), next += n.outputs();
  }

  void node(const Node& n) {
    text_ += "  ";
    if (n.outputs() == 0) text_ += "()";
    list(n.outs(), [&](Value v) { result(v); });
    text_ += fmt::format(" = {}(", n.op->name);
    list(n.in, [&](Value v) { id(v); });
    text_ += ")";
    if (!n.attrs.items().empty()) attributes(n.attrs);
    if (!n.bodies.empty()) {
      text_ += " [";
      list(n.bodies, [&](const Body& f) { text_ += fmt::format("@{}", double_quoted(names_.at(written(f).get()))); });
      text_ += "]";
    }
    text_ += "\n";
  }

  void attributes(const Attrs& attrs) {
    text_ += " {";
    list(attrs.items(), [&](const auto& item) {
      text_ += is_word(item.first) ? item.first : double_quoted(item.first);
      text_ += fmt::format("={}", to_string(item.second, options_));
    });
    text_ += "}";
  }

  // A value of another function, which only a broken program uses, has no number.
  void id(Value v) {
    const auto it = first_.find(v.node());
    text_ += it == first_.end() ? std::string("%?") : fmt::format("%{}", it->second + v.port());
  }

  void result(Value v) {
    id(v);
    if (!v.name().empty()) text_ += fmt::format(" {}", double_quoted(v.name()));
    text_ += fmt::format(": {}", to_string(v.type()));
  }

  template <class Range, class F> void list(const Range& range, F&& f) {
    bool first = true;
    for (const auto& item : range) {
      if (!first) text_ += ", ";
      first = false;
      f(item);
    }
  }

  const PrintOptions& options_;
  std::unordered_map<const Function*, std::string> names_;
  std::unordered_map<const Node*, int64_t> first_;  // the number of each node's first output
  std::string text_;
};

}  // namespace

std::string double_quoted(std::string_view s) {
  std::string r(1, '"');
  while (!s.empty()) {
    const size_t plain = plain_utf8(s), length = std::max<size_t>(plain, 1);
    const char c = s[0];
    if (c == '"' || c == '\\') r += fmt::format("\\{}", c);
    else if (plain) r += s.substr(0, plain);
    else if (c == '\n') r += "\\n";
    else if (c == '\r') r += "\\r";
    else if (c == '\t') r += "\\t";
    else r += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
    s.remove_prefix(length);
  }
  r += '"';
  return r;
}

std::string to_string(const Attr& a, const PrintOptions& options) {
  return std::visit(
      [&](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) return double_quoted(v);
        else if constexpr (std::is_same_v<T, Dtype>) return std::string(name(v));
        else if constexpr (std::is_same_v<T, Ints>) return viva::to_string(v);
        else if constexpr (std::is_same_v<T, Array>)
          return fmt::format("{}({})", viva::to_string(v.type()), v.empty() ? "absent" : elements(v, options));
        else if constexpr (std::is_same_v<T, double>) {
          std::string s = float_text(v);
          if (s.find_first_not_of("-0123456789") == std::string::npos) s += ".0";
          return s;
        } else return fmt::format("{}", v);
      },
      a);
}

std::string print(const Program& program, const PrintOptions& options) { return Printer(program, options).take(); }
std::string print(const Body& entry, const PrintOptions& options) { return print(Program(entry), options); }

}  // namespace viva
