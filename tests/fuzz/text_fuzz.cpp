// Arbitrary bytes as the text of a program: what parses verifies and prints to a text that parses to the same; anything
// else is refused by an input error of one line. Seeds: tests/fuzz/text.
#include <cstdint>
#include <cstdlib>

#include "graph/text.h"
#include "graph/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  viva::Body f;
  try {
    f = viva::parse({reinterpret_cast<const char*>(data), size}, "fuzzed");
  } catch (const viva::Error& e) {
    if (e.kind() != viva::ErrorKind::input || e.message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  viva::verify(viva::Program(f));
  const std::string text = viva::print(f);
  if (viva::print(viva::parse(text)) != text) std::abort();
  return 0;
}
