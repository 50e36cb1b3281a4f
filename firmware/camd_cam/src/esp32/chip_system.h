// The chip itself: what it measures, why it started, how it is updated.
#pragma once

#include "../core/ports.h"
#include "../core/settings.h"
#include "../portable/firmware_fetch.h"
#include "boards.h"

namespace camd {

class ChipSystem : public System {
 public:
  ChipSystem(FirmwareFetch& fetch, Log& log) : fetch_(fetch), log_(log) {}

  void begin(const BoardPins& pins) { pins_ = &pins; }
  // Where the battery is measured; settings of a live board.
  void follow(const Settings& settings) { settings_ = &settings; }

  void measure(Readings* readings) override;
  const char* reset_reason() override;
  const char* firmware() override;
  const char* model() override { return pins_ ? pins_->model : ""; }
  void reboot() override;
  bool update_begin(const char* url, const uint8_t sha256[32]) override;
  Update update_step() override;

 private:
  FirmwareFetch& fetch_;
  Log& log_;
  const BoardPins* pins_ = nullptr;
  const Settings* settings_ = nullptr;
};

}  // namespace camd
