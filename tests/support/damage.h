// Damaged versions of a small file: a reader must load each or throw an Error, and never crash.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace viva {

// The number of contents that load.
template <class Read> int loads(Read read, const std::string& content) {
  try {
    read(content);
    return 1;
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::input) << e.what();
    EXPECT_EQ(e.message().find('\n'), std::string::npos) << e.what();
    return 0;
  }
}

// Cut off after each number of bytes; the whole is not among them.
template <class Read> int loads_truncated(Read read, const std::string& whole) {
  int n = 0;
  for (size_t size = 0; size < whole.size(); ++size) n += loads(read, whole.substr(0, size));
  return n;
}

// With each single bit flipped, and with each byte set to 0 and to 255.
template <class Read> int loads_damaged(Read read, const std::string& whole) {
  int n = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    for (int bit = 0; bit < 8; ++bit) {
      damaged[i] = static_cast<char>(whole[i] ^ (1 << bit));
      n += loads(read, damaged);
    }
    for (int value : {0, 255}) {
      damaged[i] = static_cast<char>(value);
      if (damaged[i] != whole[i]) n += loads(read, damaged);
    }
  }
  return n;
}

}  // namespace viva
