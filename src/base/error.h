// Errors with formatted messages; the exception type itself stands in base/exception.h.
#pragma once

#include <fmt/format.h>

#include "base/exception.h"

namespace viva {

template <class... A> Error usage_error(fmt::format_string<A...> f, A&&... a) {
  return {ErrorKind::usage, fmt::format(f, std::forward<A>(a)...)};
}
template <class... A> Error input_error(fmt::format_string<A...> f, A&&... a) {
  return {ErrorKind::input, fmt::format(f, std::forward<A>(a)...)};
}
template <class... A> Error unsupported(fmt::format_string<A...> f, A&&... a) {
  return {ErrorKind::unsupported, fmt::format(f, std::forward<A>(a)...)};
}
template <class... A> Error internal_error(fmt::format_string<A...> f, A&&... a) {
  return {ErrorKind::internal, fmt::format(f, std::forward<A>(a)...)};
}

}  // namespace viva
