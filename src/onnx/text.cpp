#include "onnx/reader.h"

namespace viva {
namespace {

// The length of the well-formed UTF-8 sequence that s starts with (Unicode 15, table 3-7), or 0.
size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const auto tail = [&](size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xBF; };
  const unsigned a = byte(0), b = byte(1);
  if (a < 0x80) return 1;
  if (a >= 0xC2 && a <= 0xDF) return tail(1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    const bool good = tail(1) && tail(2) && !(a == 0xE0 && b < 0xA0) && !(a == 0xED && b > 0x9F);
    return good ? 3 : 0;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    const bool good = tail(1) && tail(2) && tail(3) && !(a == 0xF0 && b < 0x90) && !(a == 0xF4 && b > 0x8F);
    return good ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const size_t n = utf8_length(s.substr(i));
    const auto c = static_cast<unsigned char>(s[i]);
    if (n == 0 || c < 0x20 || c == 0x7F) out += fmt::format("\\x{:02x}", c);
    else if (c == '\'' || c == '\\') (out += '\\') += s[i];
    else out.append(s, i, n);
    i += n ? n : 1;
  }
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr size_t longest = 120;
  std::string out = "'";
  if (text.size() <= longest) append_escaped(out, text);
  else {
    append_escaped(out, text.substr(0, longest / 2));
    out += "…";
    append_escaped(out, text.substr(text.size() - longest / 2));
  }
  return out + "'";
}

std::string ModelReader::text(const std::string& s, std::string_view what) const {
  for (size_t i = 0; i < s.size();) {
    const size_t n = utf8_length(std::string_view(s).substr(i));
    if (n == 0) throw error("the {} {} is not UTF-8: the file is damaged", what, in_quotes(s));
    i += n;
  }
  return s;
}

std::string to_string(const NodeDef& n) {
  const std::string op = n.domain.empty() ? in_quotes(n.op_type) : in_quotes(n.domain + "." + n.op_type);
  const std::string bare = op.substr(1, op.size() - 2);
  if (!n.name.empty()) return bare + " " + in_quotes(n.name);
  for (const auto& o : n.outputs)
    if (!o.empty()) return bare + " making " + in_quotes(o);
  return bare;
}

const AttributeDef* NodeDef::find(std::string_view attribute) const {
  for (const auto& a : attributes)
    if (a.name == attribute) return &a;
  return nullptr;
}

}  // namespace viva
