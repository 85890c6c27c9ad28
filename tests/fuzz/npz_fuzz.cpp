// Arbitrary bytes as an npz file, each array of it read. Seeds: tests/fuzz/npz.
#include "fuzz/arrays.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read_or_refuse([&] {
    const viva::Npz npz(fuzzed(data, size), "fuzzed");
    for (const auto& key : npz.keys()) read_or_refuse([&] { write_and_read(npz.read(key, most_bytes)); });
  });
  return 0;
}
