// SHA-256 (FIPS 180-4), as lower-case hexadecimal.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"

namespace viva {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(ByteSpan bytes);
  // 64 digits; the object then starts afresh.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(ByteSpan bytes);

}  // namespace viva
