#include "seal.h"

#include <string.h>

namespace camd {

void opening_digest(Crypto& crypto, const uint8_t key[32], Proof what, const Opening& opening,
                    uint8_t digest[32]) {
  static const char* const kNames[] = {"board", "camd", "session"};
  char buffer[192];
  Writer text(buffer, sizeof buffer);
  text.text("camd/2 ").text(kNames[size_t(what)]).text(" ").text(opening.cam);
  text.text(" ").hex64(opening.boot).text(" ").hex(opening.nonce, sizeof opening.nonce);
  text.text(" ").hex(opening.challenge, sizeof opening.challenge);
  crypto.hmac_begin(Crypto::Lane::kSend, key);
  crypto.hmac_update(Crypto::Lane::kSend, buffer, text.size());
  crypto.hmac_finish(Crypto::Lane::kSend, digest);
}

bool same_bytes(const uint8_t* a, const uint8_t* b, size_t size) {
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < size; ++i) difference = uint8_t(difference | (a[i] ^ b[i]));
  return difference == 0;
}

void Seal::open(const uint8_t session_key[32]) {
  memcpy(key_, session_key, sizeof key_);
  sent_ = 1;  // HELLO and AUTH have no number
  received_ = 0;
  on_ = true;
}

void Seal::close() {
  memset(key_, 0, sizeof key_);
  on_ = false;
}

void Seal::begin(Crypto& crypto, Crypto::Lane lane, Text side, uint64_t n, Text line) {
  char buffer[32];
  Writer prefix(buffer, sizeof buffer);
  prefix.text(side).text(" ").count(n).text(" ");
  crypto.hmac_begin(lane, key_);
  crypto.hmac_update(lane, buffer, prefix.size());
  crypto.hmac_update(lane, line.data, line.size);
  crypto.hmac_update(lane, "\n", 1);
}

void Seal::begin_sent(Crypto& crypto, Text line) {
  begin(crypto, Crypto::Lane::kSend, "board", sent_, line);
}

void Seal::sent_payload(Crypto& crypto, const void* data, size_t size) {
  crypto.hmac_update(Crypto::Lane::kSend, data, size);
}

void Seal::finish_sent(Crypto& crypto, uint8_t mac[kMacBytes]) {
  uint8_t digest[32];
  crypto.hmac_finish(Crypto::Lane::kSend, digest);
  memcpy(mac, digest, kMacBytes);
  ++sent_;
}

bool Seal::begin_received(Crypto& crypto, Text* line) {
  const Text kPrefix = " mac=";
  const size_t tail = kPrefix.size + 2 * kMacBytes;
  if (line->size < tail) return false;
  Text last = line->from(line->size - tail);
  if (!last.starts_with(kPrefix)) return false;
  if (!parse_hex(last.from(kPrefix.size), expected_, kMacBytes)) return false;
  *line = Text(line->data, line->size - tail);
  begin(crypto, Crypto::Lane::kReceive, "camd", received_++, *line);
  return true;
}

void Seal::received_payload(Crypto& crypto, const void* data, size_t size) {
  crypto.hmac_update(Crypto::Lane::kReceive, data, size);
}

bool Seal::finish_received(Crypto& crypto) {
  uint8_t digest[32];
  crypto.hmac_finish(Crypto::Lane::kReceive, digest);
  return same_bytes(digest, expected_, kMacBytes);
}

}  // namespace camd
