// Who is who, and that nobody changes what they say: the proofs of the opening
// and the macs of a sealed session.
#pragma once

#include "ports.h"
#include "text.h"

namespace camd {

// What both sides have said before any proof.
struct Opening {
  Text cam;
  uint64_t boot;
  uint8_t nonce[16];
  uint8_t challenge[16];
};

enum class Proof : uint8_t { kBoard, kCamd, kSession };

void opening_digest(Crypto& crypto, const uint8_t key[32], Proof what, const Opening& opening,
                    uint8_t digest[32]);

// Takes the same time wherever the difference is.
bool same_bytes(const uint8_t* a, const uint8_t* b, size_t size);

// The macs of one session, one counter for each direction. Payload bytes follow
// begin_*() through *_payload(), and finish_*() ends the line. A sent line that
// is begun and never finished was not said: its number is used again.
class Seal {
 public:
  static const size_t kMacBytes = 16;

  void open(const uint8_t session_key[32]);
  void close();
  bool on() const { return on_; }

  void begin_sent(Crypto& crypto, Text line);
  void sent_payload(Crypto& crypto, const void* data, size_t size);
  void finish_sent(Crypto& crypto, uint8_t mac[kMacBytes]);

  // Takes the mac off the line's end. False when none is there.
  bool begin_received(Crypto& crypto, Text* line);
  void received_payload(Crypto& crypto, const void* data, size_t size);
  bool finish_received(Crypto& crypto);

 private:
  void begin(Crypto& crypto, Crypto::Lane lane, Text side, uint64_t n, Text line);

  uint8_t key_[32];
  uint8_t expected_[kMacBytes];
  uint32_t sent_ = 0;
  uint32_t received_ = 0;
  bool on_ = false;
};

}  // namespace camd
