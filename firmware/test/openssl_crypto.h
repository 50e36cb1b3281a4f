// HMAC-SHA256 out of OpenSSL.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ports.h"

class OpensslCrypto : public camd::Crypto {
 public:
  OpensslCrypto() : mac_(EVP_MAC_fetch(nullptr, "HMAC", nullptr)) {}
  ~OpensslCrypto() override {
    for (EVP_MAC_CTX* lane : lanes_) EVP_MAC_CTX_free(lane);
    EVP_MAC_free(mac_);
  }
  OpensslCrypto(const OpensslCrypto&) = delete;
  OpensslCrypto& operator=(const OpensslCrypto&) = delete;

  void hmac_begin(Lane lane, const uint8_t key[32]) override {
    EVP_MAC_CTX*& context = lanes_[size_t(lane)];
    if (context == nullptr) context = EVP_MAC_CTX_new(mac_);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_init(context, key, 32, params);
  }

  void hmac_update(Lane lane, const void* data, size_t size) override {
    EVP_MAC_update(lanes_[size_t(lane)], static_cast<const unsigned char*>(data), size);
  }

  void hmac_finish(Lane lane, uint8_t digest[32]) override {
    size_t size = 0;
    EVP_MAC_final(lanes_[size_t(lane)], digest, &size, 32);
  }

 private:
  EVP_MAC* mac_;
  EVP_MAC_CTX* lanes_[2] = {nullptr, nullptr};
};
