// Arbitrary bytes as a model to import: a function, or an error of a kind that the caller can mend.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto m = viva::parse_onnx({reinterpret_cast<const char*>(data), size}, "fuzzed", "/nonexistent");
    viva::Binding b;
    b.batch = 2;
    for (const auto& e : viva::open_extents(m))
      if (!e.symbol.empty()) b.symbols[e.symbol] = 2;
    viva::import_onnx(m, b);
  } catch (const viva::Error& e) {
    if (e.kind() == viva::ErrorKind::internal || e.message().find('\n') != std::string::npos) {
      fputs(e.what(), stderr);
      std::abort();
    }
  }
  return 0;
}
