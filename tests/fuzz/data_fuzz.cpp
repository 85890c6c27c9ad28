// Arbitrary bytes as a file of data (npy, npz, IDX, gzip or text): what is read is written to what reads to the same;
// anything else is refused by an input error of one line. Seeds: tests/fuzz/data.
#include <cstdint>
#include <cstdlib>

#include "base/gzip.h"
#include "base/npy.h"
#include "data/idx.h"
#include "fuzz/refuse.h"
#include "viva/data.h"

namespace {

constexpr uint64_t limit = 1 << 24;

// An array may be a view of its file, so that its elements are looked at too.
void write_and_read(const viva::Array& a) {
  if (!viva::same_bits(viva::parse_npy(viva::npy_bytes(a), "written"), a)) std::abort();
}

void read_text(std::string_view text) {
  const viva::Vocabulary v(text);
  if (v.decode(v.encode(text)) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const viva::Bytes content = viva::Bytes::of({reinterpret_cast<const char*>(data), size});
  read_or_refuse([&] { write_and_read(viva::parse_npy(content, "fuzzed")); });
  read_or_refuse([&] { write_and_read(viva::parse_idx(content, "fuzzed")); });
  read_or_refuse([&] { viva::gunzip(content, "fuzzed", limit); });
  read_or_refuse([&] { read_text(content.text()); });
  read_or_refuse([&] {
    const viva::Npz npz(content, "fuzzed");
    for (const auto& key : npz.keys()) read_or_refuse([&] { write_and_read(npz.read(key, limit)); });
  });
  return 0;
}
