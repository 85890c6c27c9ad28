// Arbitrary bytes as a model file: read, or refused by an input error. Seeds: tests/fuzz/onnx_file.
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "onnx/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    viva::parse_onnx({reinterpret_cast<const char*>(data), size}, "fuzzed", "/nonexistent");
  } catch (const viva::Error& e) {
    if (e.kind() != viva::ErrorKind::input || e.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
