// A new firmware is on trial until camd has acknowledged a photo of it.
#pragma once

#include <stdint.h>

namespace camd {

class Trial {
 public:
  enum class Verdict : uint8_t { kOpen, kKeep, kRollBack };
  static const uint32_t kMs = 900000;

  void begin(bool on_trial) { on_trial_ = on_trial; }
  bool on() const { return on_trial_; }
  void photo_acked() { acked_ = true; }

  // Other than kOpen at most once. `leaving`: for deep sleep, from which the
  // bootloader would take a firmware on trial for one that crashed.
  Verdict verdict(uint64_t now_ms, bool leaving) {
    if (!on_trial_ || !(acked_ || leaving || now_ms >= kMs)) return Verdict::kOpen;
    on_trial_ = false;
    return acked_ ? Verdict::kKeep : Verdict::kRollBack;
  }

 private:
  bool on_trial_ = false;
  bool acked_ = false;
};

}  // namespace camd
