#include "examine/claims_file.h"

#include <toml++/toml.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"

namespace viva {
namespace {

constexpr size_t longest_id = 64, most_claims = 10000;

class ClaimsFile {
 public:
  ClaimsFile(const std::string& shown, std::span<const QuantitySet> known) : shown_(shown), known_(known) {}

  std::vector<Claim> read(std::string_view text) {
    const toml::table file = parsed(text);
    for (const auto& [key, node] : file)
      if (key.str() != "claim")
        throw refused(node, fmt::format("'{}' has no meaning here: write [[claim]] tables with id and statement",
                                        printable(key.str())));
    const toml::node* claims = file.get("claim");
    if (!claims) throw input_error("{}: holds no claim: write [[claim]] tables with id and statement", shown_);
    if (!claims->is_array()) throw refused(*claims, "claim is one table: write [[claim]], in double brackets");
    if (claims->as_array()->size() > most_claims)
      throw refused(*claims, fmt::format("more than {} claims", most_claims));
    for (const toml::node& node : *claims->as_array()) add(node);
    if (all_.empty()) throw refused(*claims, "holds no claim: write [[claim]] tables with id and statement");
    return std::move(all_);
  }

 private:
  toml::table parsed(std::string_view text) const {
    try {
      return toml::parse(text);
    } catch (const toml::parse_error& e) {
      throw input_error("{}:{}: {}", shown_, e.source().begin.line, printable(e.description()));
    }
  }

  Error refused(const toml::node& at, const std::string& problem) const {
    return input_error("{}:{}: {}", shown_, at.source().begin.line, problem);
  }

  std::string text_of(const toml::table& table, const toml::node& at, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (!node) throw refused(at, fmt::format("the claim has no {}: write {} = \"…\"", key, key));
    if (!node->is_string()) throw refused(*node, fmt::format("{} is no text: write it in double quotes", key));
    return node->as_string()->get();
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
        throw refused(value, fmt::format("'{}' is no key of a claim: they are id and statement", printable(key.str())));
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
