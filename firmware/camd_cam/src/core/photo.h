// A photo's name and measure; its bytes are with the spool.
#pragma once

#include "text.h"

namespace camd {

enum class Trigger : uint8_t { kTimer, kMotion, kSnap, kBoot };

const char* trigger_name(Trigger trigger);

struct Photo {
  enum class State : uint8_t { kFree, kWaiting, kInFlight };
  static const int8_t kOnCard = -1;

  uint64_t boot = 0;
  uint64_t when = 0;      // unix ms; board ms while `undated`
  uint64_t retry_at = 0;  // clock ms before which it is not sent again
  uint32_t serial = 0;    // the order of taking, over all boots
  uint32_t seq = 0;
  uint32_t size = 0;
  uint32_t crc = 0;
  Trigger trigger = Trigger::kTimer;
  bool undated = true;
  State state = State::kFree;
  int8_t slot = kOnCard;
  uint8_t refusals = 0;
  uint8_t crc_refusals = 0;
  uint8_t misreads = 0;
};

// <serial>-<boot>-<seq>-<[u]when>-<trigger>-<size>-<crc>.jpg
struct PhotoName {
  static const size_t kRoom = 96;
  char text[kRoom];
};

PhotoName photo_name(const Photo& photo);
bool parse_photo_name(Text name, Photo* photo);

}  // namespace camd
