// HMAC and SHA-256 by mbedtls, through calls that 2.28 and 3.x share.
#pragma once

#include <mbedtls/md.h>

#include "../core/ports.h"
#include "../portable/firmware_fetch.h"

namespace camd {

class MdCrypto : public Crypto {
 public:
  MdCrypto();
  void hmac_begin(Lane lane, const uint8_t key[32]) override;
  void hmac_update(Lane lane, const void* data, size_t size) override;
  void hmac_finish(Lane lane, uint8_t digest[32]) override;

 private:
  mbedtls_md_context_t& at(Lane lane) { return lanes_[size_t(lane)]; }

  mbedtls_md_context_t lanes_[2];
};

class MdSha256 : public Sha256 {
 public:
  MdSha256();
  void begin() override;
  void update(const void* data, size_t size) override;
  void finish(uint8_t digest[32]) override;

 private:
  mbedtls_md_context_t context_;
};

}  // namespace camd
