// When to join the Wi-Fi, and how: the access point of last time first, then
// any that is found, with growing pauses. Knows no radio.
#pragma once

#include <stdint.h>

namespace camd {

class WifiPlan {
 public:
  enum class Act : uint8_t {
    kNothing,
    kJoinQuick,  // the access point, channel and address of last time
    kJoinFull,   // search all channels, ask for an address
    kDrop        // give the connection up for now
  };
  static const uint32_t kQuickMs = 4000;
  static const uint32_t kFullMs = 20000;
  static const uint32_t kFirstPauseMs = 1000;
  static const uint32_t kMostPauseMs = 60000;
  // An association that carries nothing for so long is begun anew.
  static const uint32_t kUselessMs = 600000;
  // Last time's address may be another's by now, and looks well until it is used.
  static const uint32_t kQuickUselessMs = 20000;

  // `up`: there is an address now. `quick`: last time's is known.
  // `useful`: camd was reached since the last call.
  Act next(uint64_t now, bool up, bool quick, bool useful);
  // Begins again from nothing: the network's name has changed.
  void reset() { state_ = State::kStart; }
  bool joined_quick() const { return joined_quick_; }

 private:
  enum class State : uint8_t { kStart, kQuick, kFull, kUp, kPause };

  Act full(uint64_t now);

  uint64_t until_ = 0;
  uint64_t useful_at_ = 0;
  uint8_t failures_ = 0;
  State state_ = State::kStart;
  bool joined_quick_ = false;
};

}  // namespace camd
