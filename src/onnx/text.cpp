#include "base/bytes.h"
#include "onnx/reader.h"

namespace viva {
namespace {

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
