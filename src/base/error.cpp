#include "base/error.h"

#include <string_view>

namespace viva {

Where Where::named(std::string name) {
  Where w;
  w.name = std::make_shared<const std::string>(std::move(name));
  return w;
}

std::string to_string(const Where& w) {
  if (w.name) return *w.name;
  if (!w.file) return "";
  std::string_view f = w.file;
  return fmt::format("{}:{}", f.substr(f.rfind('/') + 1), w.line);
}

Error::Error(ErrorKind kind, std::string message, Where where)
    : kind_(kind),
      message_(std::move(message)),
      text_(where ? to_string(where) + ": " + message_ : message_),
      where_(std::move(where)) {}

}  // namespace viva
