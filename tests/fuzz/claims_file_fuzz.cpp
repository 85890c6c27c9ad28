// Arbitrary bytes as a file of claims: claims with ids of their own, or an input error of one line. Seeds:
// tests/fuzz/claims_file.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "examine/claims_file.h"
#include "fuzz/refuse.h"

namespace {

constexpr viva::Quantity quantities[] = {{.name = "accuracy", .fraction = true},
                                         {.name = "recall", .key = viva::KeyKind::either, .fraction = true}};
constexpr viva::QuantitySet known[] = {{"risk", quantities}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_or_refuse([&] {
    std::set<std::string> ids;
    for (const viva::Claim& c : viva::parse_claims_file(text, "claims.toml", known))
      if (!ids.insert(c.id).second || c.statement.empty()) std::abort();
  });
  return 0;
}
