// What every target holds readers to: they read, or refuse with an error of one kind and one line.
#pragma once

#include <cstdlib>

#include "base/error.h"

template <class Read> void read_or_refuse(Read read, viva::ErrorKind kind = viva::ErrorKind::input) {
  try {
    read();
  } catch (const viva::Error& e) {
    if (e.kind() != kind || e.message().find('\n') != std::string::npos) std::abort();
  }
}
