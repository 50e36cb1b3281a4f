// The lines a board says, without their macs and line ends.
#pragma once

#include "photo.h"
#include "ports.h"
#include "text.h"

namespace camd {

struct Hello {
  Text cam;
  uint64_t boot;
  uint8_t nonce[16];
  Text firmware;
  Text model;
};

struct Stat {
  Readings readings;
  uint64_t uptime_s;
  uint32_t queued;
  uint32_t aside;
  uint32_t lost;
  Text reset;
};

void encode_hello(Writer& out, const Hello& hello);
void encode_auth(Writer& out, const uint8_t digest[32]);
// `ts` is unix ms, 0 for unknown. `boot` goes on the line if it is not `session_boot`.
void encode_frame(Writer& out, const Photo& photo, uint64_t ts, uint64_t session_boot);
void encode_view(Writer& out, uint32_t size, uint32_t crc);
void encode_stat(Writer& out, const Stat& stat);
void encode_done(Writer& out, uint64_t id);
void encode_done(Writer& out, uint64_t id, uint32_t seq);
void encode_fail(Writer& out, uint64_t id, Text reason, Text detail);
void encode_ping(Writer& out, Text word);
void encode_pong(Writer& out, Text word);
void encode_bye(Writer& out, uint64_t next_s);  // 0: no word about when

}  // namespace camd
