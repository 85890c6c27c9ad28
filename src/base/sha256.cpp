#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>

#include "base/error.h"

namespace viva {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }

  void start() {
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1)
      throw internal_error("OpenSSL gives no SHA-256");
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->start(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteSpan bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1)
    throw internal_error("OpenSSL's SHA-256 failed");
  return *this;
}

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest;
  if (EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) != 1)
    throw internal_error("OpenSSL's SHA-256 failed");
  state_->start();
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_hex(ByteSpan bytes) { return Sha256().update(bytes).finish(); }

}  // namespace viva
