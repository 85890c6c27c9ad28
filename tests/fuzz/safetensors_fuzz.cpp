// Arbitrary bytes as a safetensors file and as a checkpoint: what is read is written to a file that reads to the same;
// anything else is refused by an input error of one line. Seeds: tests/fuzz/safetensors.
#include <cstdint>
#include <cstdlib>

#include "fuzz/refuse.h"
#include "train/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const viva::Bytes content = viva::Bytes::of({reinterpret_cast<const char*>(data), size});
  read_or_refuse([&] { viva::parse_checkpoint(content, "fuzzed"); });
  read_or_refuse([&] {
    const viva::Safetensors s = viva::parse_safetensors(content, "fuzzed");
    if (s.tensors.size() > 0 && s.tensors.front().name == "__metadata__") std::abort();
    const viva::Bytes once = viva::safetensors_bytes(s);
    if (viva::safetensors_bytes(viva::parse_safetensors(once, "written")).text() != once.text()) std::abort();
  });
  return 0;
}
