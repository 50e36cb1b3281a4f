#include "md_crypto.h"

#include <stdlib.h>

namespace camd {
namespace {

// The only failures are a lack of memory at the start and a misuse. Going on
// with a digest that is not one would let anybody in.
void must(int result) {
  if (result != 0) abort();
}

void set_up(mbedtls_md_context_t* context, bool hmac) {
  mbedtls_md_init(context);
  must(mbedtls_md_setup(context, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), hmac ? 1 : 0));
}

const unsigned char* bytes(const void* data) { return static_cast<const unsigned char*>(data); }

}  // namespace

MdCrypto::MdCrypto() {
  for (mbedtls_md_context_t& lane : lanes_) set_up(&lane, true);
}

void MdCrypto::hmac_begin(Lane lane, const uint8_t key[32]) {
  must(mbedtls_md_hmac_starts(&at(lane), key, 32));
}

void MdCrypto::hmac_update(Lane lane, const void* data, size_t size) {
  must(mbedtls_md_hmac_update(&at(lane), bytes(data), size));
}

void MdCrypto::hmac_finish(Lane lane, uint8_t digest[32]) {
  must(mbedtls_md_hmac_finish(&at(lane), digest));
}

MdSha256::MdSha256() { set_up(&context_, false); }

void MdSha256::begin() { must(mbedtls_md_starts(&context_)); }

void MdSha256::update(const void* data, size_t size) {
  must(mbedtls_md_update(&context_, bytes(data), size));
}

void MdSha256::finish(uint8_t digest[32]) { must(mbedtls_md_finish(&context_, digest)); }

}  // namespace camd
