// The ports that are a call or two into the chip: clock, random bytes, log.
#pragma once

#include <Arduino.h>
#include <esp_arduino_version.h>
#include <esp_timer.h>
#if ESP_ARDUINO_VERSION_MAJOR >= 3
#include <esp_random.h>
#else
#include <esp_system.h>
#endif

#include "../core/ports.h"

namespace camd {

class ChipClock : public Clock {
 public:
  uint64_t now_ms() override { return uint64_t(esp_timer_get_time()) / 1000; }
};

// True randomness while the radio runs; the boot number is drawn when it does.
class ChipRandom : public Random {
 public:
  void fill(uint8_t* to, size_t size) override { esp_fill_random(to, size); }
};

class SerialLog : public Log {
 public:
  void line(Level level, const char* text) override {
    static const char* const kNames[] = {"debug", "info", "warn", "error"};
    Serial.printf("[%lu] %s: %s\n", static_cast<unsigned long>(millis()), kNames[size_t(level)],
                  text);
  }
};

}  // namespace camd
