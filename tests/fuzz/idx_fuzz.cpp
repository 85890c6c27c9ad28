// Arbitrary bytes as an IDX file. Seeds: tests/fuzz/idx.
#include "data/idx.h"
#include "fuzz/arrays.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read_or_refuse([&] { write_and_read(viva::parse_idx(fuzzed(data, size), "fuzzed")); });
  return 0;
}
