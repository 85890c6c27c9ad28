#include "examine/claims.h"

#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "base/error.h"
#include "examine/words.h"

namespace viva {
namespace {

constexpr std::string_view example = "write for example 'risk.accuracy >= 0.90'";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Claim claim() {
    Claim c;
    c.examiner = word("the name of an examiner");
    expect('.', "'.' between examiner and quantity");
    c.quantity = c.examiner + "." + word("the name of a quantity");
    if (skip_blanks(), peek() == '[') c.key = key();
    c.op = op();
    skip_blanks();
    const std::string value = spelled_number(c.value);
    if (peek() == '%') fail("'%' after the number", "write a fraction: 0.9, not 90%");
    skip_blanks();
    if (at_ < text_.size()) fail("more text after the number", example);
    const std::string bracket = c.key.none() ? "" : "[" + c.key.text + "]";
    c.statement = fmt::format("{}{} {} {}", c.quantity, bracket, to_string(c.op), value);
    return c;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  [[noreturn]] void fail(std::string_view found, std::string_view mend) const {
    throw usage_error("claim '{}', column {}: {}; {}", printable(text_), at_ + 1, found, mend);
  }
  [[noreturn]] void missing(std::string_view what) const { fail(fmt::format("{} is expected here", what), example); }
  void expect(char c, std::string_view what) {
    if (peek() != c) missing(what);
    ++at_;
  }

  std::string word(std::string_view what) {
    skip_blanks();
    const size_t first = at_;
    if (!is_letter(peek())) missing(what);
    while (is_letter(peek()) || is_digit(peek())) ++at_;
    return std::string(text_.substr(first, at_ - first));
  }

  ClaimKey key() {
    expect('[', "'['");
    skip_blanks();
    ClaimKey k;
    if (peek() == '"') {
      const std::string name = quoted();
      k.text = quoted_key(name);
      k.value = name;
    } else if (is_letter(peek()))
      fail("a key without quotes", "write it in double quotes, as in risk.recall[\"Shirt\"]");
    else {
      double v = 0;
      k.text = spelled_number(v);
      k.value = v;
    }
    skip_blanks();
    expect(']', "']' after the key");
    return k;
  }

  std::string quoted() {
    std::string s;
    for (++at_; peek() != '"'; ++at_) {
      if (peek() == '\\') {
        ++at_;
        if (peek() != '"' && peek() != '\\') fail("an escape other than \\\" and \\\\", "double each backslash");
      }
      if (at_ >= text_.size()) fail("the string does not end", "close it with '\"'");
      s += text_[at_];
    }
    ++at_;
    return s;
  }

  Comparison op() {
    skip_blanks();
    const char c = peek();
    if (c != '>' && c != '<') missing(">=, <=, > or <");
    ++at_;
    const bool equal = peek() == '=';
    if (equal) ++at_;
    if (c == '>') return equal ? Comparison::at_least : Comparison::above;
    return equal ? Comparison::at_most : Comparison::below;
  }

  // A number into v, and its one spelling: the shortest decimal that gives it back, or a fraction of two such.
  std::string spelled_number(double& v) {
    v = decimal();
    const std::string top = fmt::format("{}", v);
    if (peek() != '/') return top;
    ++at_;
    const double bottom = decimal();
    if (bottom == 0) fail("a division by zero", example);
    v /= bottom;
    if (!std::isfinite(v)) fail("a fraction beyond the range of a double", example);
    return fmt::format("{}/{}", top, bottom);
  }

  double decimal() {
    const size_t first = at_;
    size_t digits = 0;
    if (peek() == '-' || peek() == '+') ++at_;
    for (; is_digit(peek()); ++at_) ++digits;
    if (peek() == '.') ++at_;
    for (; is_digit(peek()); ++at_) ++digits;
    if (digits == 0) at_ = first, missing("a number");
    exponent();
    std::string_view s = text_.substr(first, at_ - first);
    if (s[0] == '+') s.remove_prefix(1);
    double v = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
    if (error != std::errc() || !std::isfinite(v)) at_ = first, fail("a number beyond the range of a double", example);
    return v;
  }

  void exponent() {
    if (peek() != 'e' && peek() != 'E') return;
    ++at_;
    if (peek() == '-' || peek() == '+') ++at_;
    if (!is_digit(peek())) missing("the exponent's digits");
    while (is_digit(peek())) ++at_;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string spelled(std::string_view examiner, const Quantity& q) {
  constexpr std::string_view keys[] = {"", "[\"NAME\"]", "[NUMBER]", "[\"NAME\" or INDEX]"};
  return fmt::format("{}.{}{}", examiner, q.name, keys[static_cast<size_t>(q.key)]);
}

std::string list_of(std::span<const QuantitySet> known) {
  std::string s;
  for (const QuantitySet& set : known) {
    for (const Quantity& q : set.quantities)
      if (q.no_claim.empty()) s += (s.empty() ? "" : ", ") + spelled(set.examiner, q);
  }
  return s;
}

const Quantity& find_quantity(const Claim& c, std::span<const QuantitySet> known) {
  for (const QuantitySet& set : known) {
    for (const Quantity& q : set.quantities) {
      if (c.quantity != fmt::format("{}.{}", set.examiner, q.name)) continue;
      if (!q.no_claim.empty())
        throw usage_error("claim '{}': {} cannot be claimed: {}", printable(c.statement), c.quantity, q.no_claim);
      return q;
    }
  }
  throw usage_error("claim '{}': nothing measures {}; known are {}", printable(c.statement), c.quantity,
                    list_of(known));
}

void check_key(const Claim& c, const Quantity& q) {
  const std::string right = spelled(c.examiner, q);
  if (c.key.none()) {
    if (q.key == KeyKind::none || q.key_optional) return;
    throw usage_error("claim '{}': {} needs a key; write {}", printable(c.statement), c.quantity, right);
  }
  const bool is_name = c.key.value.index() == 1;
  if (q.key == KeyKind::none) throw usage_error("claim '{}': {} takes no key", printable(c.statement), c.quantity);
  if ((q.key == KeyKind::name && !is_name) || (q.key == KeyKind::number && is_name))
    throw usage_error("claim '{}': the key is of the wrong kind; write {}", printable(c.statement), right);
}

}  // namespace

Claim parse_claim(std::string_view text) { return Parser(text).claim(); }

std::vector<Claim> parse_claims(std::span<const std::string> texts, std::span<const QuantitySet> known) {
  std::vector<Claim> claims;
  for (const std::string& text : texts) {
    Claim c = parse_claim(text);
    c.id = fmt::format("claim.{}", claims.size() + 1);
    const Quantity& q = find_quantity(c, known);
    check_key(c, q);
    if (q.fraction && !(c.value >= 0 && c.value <= 1))
      throw usage_error("claim '{}': {} is a fraction between 0 and 1; write 0.9, not 90", printable(c.statement),
                        c.quantity);
    claims.push_back(std::move(c));
  }
  return claims;
}

}  // namespace viva
