// Arbitrary bytes as a gzip file, and as text in characters. Seeds: tests/fuzz/data.
#include "base/gzip.h"
#include "fuzz/arrays.h"
#include "viva/data.h"

namespace {

void read_text(std::string_view text) {
  const viva::Vocabulary v(text);
  if (v.decode(v.encode(text)) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const viva::Bytes content = fuzzed(data, size);
  read_or_refuse([&] { viva::gunzip(content, "fuzzed", most_bytes); });
  read_or_refuse([&] { read_text(content.text()); });
  return 0;
}
