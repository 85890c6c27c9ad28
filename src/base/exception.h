// The one exception type of the library, and Result for calls where failure is an ordinary outcome; without the
// formatting helpers of base/error.h, so that public headers stay light.
#pragma once

#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <utility>
#include <variant>

namespace viva {

enum class ErrorKind : uint8_t {
  usage,        // a call or command line that makes no sense
  input,        // a file or array that is malformed, or output that cannot be written
  unsupported,  // a valid request that Viva does not cover
  internal,     // a broken invariant: a defect in Viva
  cancelled,    // the caller's stop request was seen
};

// A place in the user's program: a line of source, or a name such as that of a node of a model file. Transformations
// hand it on from node to node, so that an error in a gradient still names the line that made the primal operation.
struct Where {
  const char* file = nullptr;
  uint32_t line = 0;
  std::shared_ptr<const std::string> name;  // in place of file and line
  Where() = default;
  static Where named(std::string name);
  Where(const char* f, uint32_t l) : file(f), line(l) {}
  Where(const std::source_location& s) : file(s.file_name()), line(s.line()) {}
  explicit operator bool() const { return file || name; }
};
std::string to_string(const Where& w);  // "model.cpp:12", the name, or "" where unknown

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, Where where = {});
  const char* what() const noexcept override { return text_.c_str(); }
  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }  // without the place
  const Where& where() const { return where_; }

 private:
  ErrorKind kind_;
  std::string message_, text_;
  Where where_;
};

template <class T> class Result {
 public:
  Result(T value) : v_(std::move(value)) {}
  Result(Error error) : v_(std::move(error)) {}
  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return std::get<1>(v_); }
  const T& operator*() const& { return std::get<0>(v_); }
  T& operator*() & { return std::get<0>(v_); }
  const T* operator->() const { return &std::get<0>(v_); }
  // The value, or the error thrown.
  T take() && {
    if (!ok()) throw std::get<1>(std::move(v_));
    return std::get<0>(std::move(v_));
  }

 private:
  std::variant<T, Error> v_;
};

}  // namespace viva
