// The tokens of the text form, for its parser only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace viva {

class Lexer {
 public:
  enum class Kind : uint8_t { word, number, string, value, mark, end };
  struct Token {
    Kind kind = Kind::end;
    std::string_view text;  // as written; a mark is one character or "->", a value begins with %
    size_t offset = 0;
    std::string string;  // what stands between the quotes, without escapes
  };

  Lexer(std::string_view text, std::string_view file);

  const Token& token() const { return token_; }
  Token take();  // the current token; the next one becomes current
  bool is(std::string_view mark_or_word) const;
  bool accept(std::string_view mark_or_word);  // takes it where it is there
  void expect(std::string_view mark_or_word);
  Token expect(Kind kind, std::string_view what);

  // Throw "file:line:column: problem" for the place of the current token, or of an offset.
  [[noreturn]] void fail(std::string_view problem) const { fail(token_.offset, problem); }
  [[noreturn]] void fail(size_t offset, std::string_view problem) const;

 private:
  void advance();
  void skip_space();
  void scan(Kind kind, bool (*belongs)(char));
  void scan_string();
  char escape();
  uint8_t hex_digit();
  std::string seen() const;

  std::string_view text_, file_;
  size_t at_ = 0;
  Token token_;
};

}  // namespace viva
