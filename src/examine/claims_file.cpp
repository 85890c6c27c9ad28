#include "examine/claims_file.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"

namespace viva {
namespace {
[[noreturn]] void no_toml(const char* expected) { throw input_error("is no TOML ({})", expected); }
}  // namespace
}  // namespace viva

// toml++ 3.3 asserts, or where NDEBUG is defined lets the compiler assume, what some files break ("[+[a"): every such
// place refuses the file.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(expression) ((expression) ? void() : viva::no_toml(#expression))
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace viva {
namespace {

constexpr std::string_view form =
    "write [[claim]], below it id = \"name\" and statement = \"risk.accuracy >= 0.90\", a line each";
constexpr size_t longest_id = 64, most_claims = 10000;

// toml++ 3.3 reaches what it calls unreachable on some characters beyond ASCII outside of strings (U+03D6). So it reads
// each of their bytes as %XX, which no bare key or value may hold, and what it gives is read back.
std::string plain_ascii(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string s;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || c == '%') s += fmt::format("%{:02X}", byte);
    else s += c;
  }
  return s;
}

std::string read_back(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string s;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t high = text[i] == '%' && i + 2 < text.size() ? digits.find(text[i + 1]) : digits.npos;
    const size_t low = high == digits.npos ? digits.npos : digits.find(text[i + 2]);
    if (low == digits.npos) s += text[i];
    else s += static_cast<char>(16 * high + low), i += 2;
  }
  return s;
}

void check_characters(std::string_view text, const std::string& shown) {
  for (size_t at = 0; at < text.size();) {
    const size_t n = utf8_length(text.substr(at));
    if (n == 0) throw input_error("{}: byte {} begins no character of UTF-8: convert the file", shown, at);
    at += n;
  }
  for (const char* percent : {"\\u0025", "\\U00000025"})
    if (text.find(percent) != text.npos) throw input_error("{}: holds {}: write %", shown, percent);
}

class ClaimsFile {
 public:
  ClaimsFile(const std::string& shown, std::span<const QuantitySet> known) : shown_(shown), known_(known) {}

  std::vector<Claim> read(std::string_view text) {
    const toml::table file = parsed(text);
    for (const auto& [key, node] : file)
      if (key.str() != "claim")
        throw refused(node, fmt::format("'{}' has no meaning here: write [[claim]] tables with id and statement",
                                        printable(read_back(key.str()))));
    const toml::node* claims = file.get("claim");
    if (!claims) throw input_error("{}: holds no claim: write [[claim]] tables with id and statement", shown_);
    if (!claims->is_array()) throw refused(*claims, "claim is one table: write [[claim]], in double brackets");
    if (claims->as_array()->size() > most_claims)
      throw refused(*claims, fmt::format("more than {} claims: write fewer", most_claims));
    for (const toml::node& node : *claims->as_array()) add(node);
    if (all_.empty()) throw refused(*claims, "holds no claim: write [[claim]] tables with id and statement");
    return std::move(all_);
  }

 private:
  toml::table parsed(std::string_view text) const {
    check_characters(text, shown_);
    try {
      return toml::parse(plain_ascii(text));
    } catch (const toml::parse_error& e) {
      throw input_error("{}:{}: is no TOML ({}): {}", shown_, e.source().begin.line,
                        printable(read_back(e.description())), form);
    } catch (const Error& e) { throw input_error("{}: {}: {}", shown_, e.message(), form); }
  }

  Error refused(const toml::node& at, const std::string& problem) const {
    return input_error("{}:{}: {}", shown_, at.source().begin.line, problem);
  }

  std::string text_of(const toml::table& table, const toml::node& at, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (!node) throw refused(at, fmt::format("the claim has no {}: write {} = \"…\"", key, key));
    if (!node->is_string()) throw refused(*node, fmt::format("{} is no text: write it in double quotes", key));
    return read_back(node->as_string()->get());
  }

  void check_id(const toml::node& at, const std::string& id) const {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (id.empty() || id.size() > longest_id || id.find_first_not_of(plain) != std::string::npos)
      throw refused(at, fmt::format("id \"{}\": write letters, digits, '-', '_' and '.', at most {}",
                                    printable(id.substr(0, longest_id)), longest_id));
    const std::string full = "claim." + id;
    if (std::ranges::any_of(all_, [&](const Claim& c) { return c.id == full; }))
      throw refused(at, fmt::format("id \"{}\" is given twice: give each claim its own", id));
  }

  void add(const toml::node& node) {
    if (!node.is_table()) throw refused(node, "a claim is a table: write [[claim]], then id and statement");
    const toml::table& table = *node.as_table();
    for (const auto& [key, value] : table)
      if (key.str() != "id" && key.str() != "statement")
        throw refused(value, fmt::format("'{}' is no key of a claim: they are id and statement",
                                         printable(read_back(key.str()))));
    const std::string id = text_of(table, node, "id"), statement = text_of(table, node, "statement");
    check_id(*table.get("id"), id);
    try {
      all_.push_back(parse_claims({&statement, 1}, known_).at(0));
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::usage) throw;
      throw refused(*table.get("statement"), e.message());
    }
    all_.back().id = "claim." + id;
  }

  const std::string& shown_;
  std::span<const QuantitySet> known_;
  std::vector<Claim> all_;
};

}  // namespace

std::vector<Claim> parse_claims_file(std::string_view text, const std::string& shown,
                                     std::span<const QuantitySet> known) {
  return ClaimsFile(shown, known).read(text);
}

}  // namespace viva
