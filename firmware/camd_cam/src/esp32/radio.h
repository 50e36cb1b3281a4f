// The Wi-Fi connection: joined quickly after a sleep, joined again whenever it
// is gone, and never waited for.
#pragma once

#include <stdint.h>

#include "../core/ports.h"
#include "../core/settings.h"
#include "../portable/wifi_plan.h"

namespace camd {

// What is known of the network of last time. In RTC memory, beside RtcState,
// which is the core's and must not change before the core has checked it.
struct Lease {
  uint32_t address;
  uint32_t gateway;
  uint32_t mask;
  uint32_t dns;
  uint64_t given_ms;  // board time
  uint32_t network;   // CRC-32 of the SSID
  uint8_t bssid[6];
  uint8_t channel;
  uint8_t reserved;
  uint32_t check;  // CRC-32 of all before it
};

class Radio {
 public:
  // A static address is used for so long after the router gave it.
  static const uint64_t kLeaseMs = 12ull * 3600 * 1000;

  Radio(const RtcState& rtc, Lease& lease) : rtc_(rtc), lease_(lease) {}

  void begin(const char* hostname);
  // `useful`: camd is connected.
  void step(uint64_t now, const Settings& settings, bool useful);
  bool up() const;
  void off();

 private:
  bool knows(uint64_t now, const Settings& settings) const;
  void join_quick(const Settings& settings);
  void join_full(const Settings& settings);
  void remember(uint64_t now, const Settings& settings);

  const RtcState& rtc_;
  Lease& lease_;
  WifiPlan plan_;
  uint32_t credentials_ = 0;  // CRC-32 of those in use
  bool was_up_ = false;
};

}  // namespace camd
