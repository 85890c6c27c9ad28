#include "graph/lexer.h"

#include <algorithm>

namespace viva {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_word(char c) { return is_letter(c) || is_digit(c); }
bool in_number(char c) { return in_word(c) || c == '.' || c == '+' || c == '-'; }

}  // namespace

Lexer::Lexer(std::string_view text, std::string_view file) : text_(text), file_(file) { advance(); }

Lexer::Token Lexer::take() {
  Token t = std::move(token_);
  advance();
  return t;
}

bool Lexer::is(std::string_view what) const {
  return (token_.kind == Kind::mark || token_.kind == Kind::word) && token_.text == what;
}

bool Lexer::accept(std::string_view what) {
  if (!is(what)) return false;
  advance();
  return true;
}

void Lexer::expect(std::string_view what) {
  if (!accept(what)) fail(fmt::format("expected '{}', not {}", what, seen()));
}

Lexer::Token Lexer::expect(Kind kind, std::string_view what) {
  if (token_.kind != kind) fail(fmt::format("expected {}, not {}", what, seen()));
  return take();
}

void Lexer::fail(size_t offset, std::string_view problem) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = 1 + std::ranges::count(before, '\n');
  const size_t line_start = before.rfind('\n') + 1;  // 0 where there is no line before
  std::string shown(problem);                        // may quote names of the text: an error stays one line
  std::ranges::replace_if(shown, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }, ' ');
  throw input_error("{}{}{}:{}: {}", file_, file_.empty() ? "" : ":", line, offset - line_start + 1, shown);
}

// The current token for a message: short, and never with a control character in it.
std::string Lexer::seen() const {
  if (token_.kind == Kind::end) return "the end of the text";
  if (token_.kind == Kind::string) return "a text in quotes";
  return fmt::format("'{}'", token_.text.substr(0, 40));
}

void Lexer::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') ++at_;
    else if (text_.substr(at_, 2) == "//") at_ = std::min(text_.find('\n', at_), text_.size());
    else return;
  }
}

void Lexer::scan(Kind kind, bool (*belongs)(char)) {
  while (at_ < text_.size() && belongs(text_[at_])) ++at_;
  token_.kind = kind;
}

void Lexer::advance() {
  skip_space();
  token_.offset = at_;
  token_.string.clear();
  if (at_ == text_.size()) {
    token_.kind = Kind::end, token_.text = {};
    return;
  }
  const std::string_view rest = text_.substr(at_);
  const char c = rest[0], after = rest.size() > 1 ? rest[1] : '\0';
  ++at_;
  if (c == '"') scan_string();
  else if (is_letter(c)) scan(Kind::word, in_word);
  else if (is_digit(c) || (c == '-' && is_digit(after))) scan(Kind::number, in_number);
  else if (c == '%') scan(Kind::value, in_word);
  else if (c == '-' && after == '>') ++at_, token_.kind = Kind::mark;
  else if (std::string_view("(){}[],:=@-").find(c) != std::string_view::npos) token_.kind = Kind::mark;
  else fail(token_.offset, fmt::format("the byte 0x{:02x} means nothing here", static_cast<uint8_t>(c)));
  token_.text = text_.substr(token_.offset, at_ - token_.offset);
}

void Lexer::scan_string() {
  token_.kind = Kind::string;
  while (true) {
    if (at_ == text_.size()) fail(token_.offset, "the quotes are never closed");
    const char c = text_[at_++];
    if (c == '"') return;
    if (static_cast<uint8_t>(c) < 0x20) fail(at_ - 1, "a control character in quotes: write it as \\xHH");
    token_.string += c == '\\' ? escape() : c;
  }
}

char Lexer::escape() {
  const size_t start = at_ - 1;
  if (at_ == text_.size()) fail(token_.offset, "the quotes are never closed");
  const char c = text_[at_++];
  if (c == '"' || c == '\\') return c;
  if (c == 'n') return '\n';
  if (c == 'r') return '\r';
  if (c == 't') return '\t';
  if (c != 'x') fail(start, "unknown escape: \\\" \\\\ \\n \\r \\t and \\xHH are known");
  const uint8_t high = hex_digit(), low = hex_digit();
  return static_cast<char>(high << 4 | low);
}

uint8_t Lexer::hex_digit() {
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  ++at_;
  if (is_digit(c)) return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  fail(std::min(at_ - 1, text_.size()), "\\x needs two hexadecimal digits");
}

}  // namespace viva
