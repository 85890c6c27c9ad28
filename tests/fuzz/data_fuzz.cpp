// Arbitrary bytes as a file of data (npy, npz, IDX or gzip): read, or refused by an input error. Seeds:
// tests/fuzz/data.
#include <cstdint>
#include <cstdlib>

#include "base/gzip.h"
#include "base/npy.h"
#include "data/idx.h"
#include "fuzz/refuse.h"

namespace {

constexpr uint64_t limit = 1 << 24;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const viva::Bytes content = viva::Bytes::of({reinterpret_cast<const char*>(data), size});
  read_or_refuse([&] { viva::parse_npy(content, "fuzzed"); });
  read_or_refuse([&] { viva::parse_idx(content, "fuzzed"); });
  read_or_refuse([&] { viva::gunzip(content, "fuzzed", limit); });
  read_or_refuse([&] {
    const viva::Npz npz(content, "fuzzed");
    for (const auto& key : npz.keys()) read_or_refuse([&] { npz.read(key, limit); });
  });
  return 0;
}
