// Arbitrary bytes as a claim: what is read states itself in the one spelling, which reads to the same; anything else is
// refused by a usage error of one line. Seeds: tests/fuzz/claims.
#include <cstdint>
#include <cstdlib>

#include "examine/claims.h"
#include "fuzz/refuse.h"

namespace {

constexpr viva::Quantity quantities[] = {{.name = "a", .fraction = true},
                                         {.name = "b", .key = viva::KeyKind::either, .fraction = true},
                                         {.name = "c", .key = viva::KeyKind::number, .key_optional = true}};
constexpr viva::QuantitySet known[] = {{"risk", quantities}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto refused = viva::ErrorKind::usage;
  read_or_refuse([&] { viva::parse_claims({&text, 1}, known); }, refused);
  read_or_refuse(
      [&] {
        const viva::Claim c = viva::parse_claim(text), again = viva::parse_claim(c.statement);
        if (again.statement != c.statement || again.value != c.value || again.key.value != c.key.value) std::abort();
      },
      refused);
  return 0;
}
