// Arbitrary bytes as a model file: read, or refused by an input error; external data come from the folder of the
// fixtures. Seeds: tests/fuzz/onnx_file.
#include <cstdint>

#include "fuzz/refuse.h"
#include "onnx/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view content{reinterpret_cast<const char*>(data), size};
  read_or_refuse([&] { viva::parse_onnx(content, "fuzzed", VIVA_SOURCE_DIR "/tests/onnx/fixtures"); });
  return 0;
}
