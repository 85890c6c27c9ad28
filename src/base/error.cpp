#include "base/error.h"

#include <string_view>

namespace viva {

std::string to_string(Where w) {
  if (!w) return "";
  std::string_view f = w.file;
  return fmt::format("{}:{}", f.substr(f.rfind('/') + 1), w.line);
}

Error::Error(ErrorKind kind, std::string message, Where where)
    : kind_(kind),
      message_(std::move(message)),
      text_(where ? to_string(where) + ": " + message_ : message_),
      where_(where) {}

}  // namespace viva
