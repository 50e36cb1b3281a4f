// The set-up network: a captive portal for Wi-Fi, server, name and key.
//
// While it is open the board takes no photos; the board starts anew after it.
#pragma once

#include <WiFiManager.h>

#include "../portable/console.h"

namespace camd {

class Portal {
 public:
  // `console` takes what the form says.
  explicit Portal(Console& console) : console_(console) {}

  // `settings` are the live ones, that the console changes.
  void open(const Settings& settings, uint64_t now);
  bool active() const { return manager_ != nullptr; }
  // True once the board is to start anew: all is set, or nobody came.
  bool step(uint64_t now);

 private:
  static const uint32_t kMostMs = 600000;
  static const uint32_t kFarewellMs = 3000;  // for the page that says "saved"

  void build(const Settings& settings);
  void saved();

  Console& console_;
  const Settings* settings_ = nullptr;
  // Made when it is needed, and kept until the board starts anew.
  WiFiManager* manager_ = nullptr;
  uint64_t until_ = 0;  // 0: for as long as it takes
  uint64_t done_at_ = 0;
  bool saved_ = false;
};

}  // namespace camd
