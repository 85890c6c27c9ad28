// Arbitrary bytes as an npy file. Seeds: tests/fuzz/npy.
#include "fuzz/arrays.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read_or_refuse([&] { write_and_read(viva::parse_npy(fuzzed(data, size), "fuzzed")); });
  return 0;
}
