#include "chip_system.h"

#include <Arduino.h>
#include <WiFi.h>

#include "reset_reasons.h"
#include "version.h"

namespace camd {
namespace {

const int kBatteryReadings = 16;

}  // namespace

void ChipSystem::measure(Readings* readings) {
  readings->heap_bytes = int32_t(ESP.getFreeHeap());
  if (WiFi.status() == WL_CONNECTED) readings->rssi_dbm = WiFi.RSSI();
  if (settings_ != nullptr && settings_->battery_pin != 0) {
    uint64_t sum = 0;  // one reading alone is off by some hundredths of a volt
    for (int i = 0; i < kBatteryReadings; ++i) sum += analogReadMilliVolts(settings_->battery_pin);
    readings->battery_mv = int32_t(sum * settings_->divider / (1000 * kBatteryReadings));
  }
#if defined(CONFIG_IDF_TARGET_ESP32S3)
  // The first ESP32 has a sensor of no use: it was never calibrated.
  readings->temperature_mc = int32_t(temperatureRead() * 1000);
#endif
}

const char* ChipSystem::reset_reason() { return reset_reason_name(esp_reset_reason()); }

const char* ChipSystem::firmware() { return CAMD_FIRMWARE; }

void ChipSystem::reboot() {
  Serial.flush();
  ESP.restart();
}

bool ChipSystem::update_begin(const char* url, const uint8_t sha256[32]) {
  return fetch_.begin(url, sha256);
}

System::Update ChipSystem::update_step() {
  Update progress = fetch_.step();
  if (progress == Update::kFailed) {
    log_.line(Level::kError, "no new firmware:");
    log_.line(Level::kError, fetch_.why());
  }
  return progress;
}

}  // namespace camd
