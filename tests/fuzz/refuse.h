// What every target holds readers to: they read, or refuse with an input error of one line.
#pragma once

#include <cstdlib>

#include "base/error.h"

template <class Read> void read_or_refuse(Read read) {
  try {
    read();
  } catch (const viva::Error& e) {
    if (e.kind() != viva::ErrorKind::input || e.message().find('\n') != std::string::npos) std::abort();
  }
}
