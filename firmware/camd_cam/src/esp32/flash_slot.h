// The second half of the flash, where a new firmware is written.
#pragma once

#include "../portable/firmware_fetch.h"

namespace camd {

class FlashSlot : public FirmwareSink {
 public:
  bool begin(uint32_t size) override;
  bool write(const uint8_t* data, size_t size) override;
  bool finish() override;
  void abandon() override;

  // The running firmware is new, and nothing has shown yet that it works.
  static bool on_trial();
  static void keep();
  // Starts the firmware before this one. Comes back only if there is none.
  static void roll_back();
};

}  // namespace camd
