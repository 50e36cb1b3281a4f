#include "lamp.h"

#include <Arduino.h>
#include <esp_arduino_version.h>

#include "held_pin.h"

namespace camd {
namespace {

const uint32_t kFrequency = 5000;
const uint8_t kBits = 8;
// The camera's clock runs on channel 0 and its timer; this one has another.
const uint8_t kChannel = 4;

}  // namespace

void Lamp::begin(int8_t pin) {
  pin_ = pin;
  if (pin_ < 0) return;
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  ledcAttachChannel(uint8_t(pin_), kFrequency, kBits, kChannel);
#else
  ledcSetup(kChannel, kFrequency, kBits);
  ledcAttachPin(uint8_t(pin_), kChannel);
#endif
  off();
}

void Lamp::write(uint8_t level) {
  if (pin_ < 0) return;
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  ledcWrite(uint8_t(pin_), level);
#else
  ledcWrite(kChannel, level);
#endif
}

void Lamp::hold_low() {
  if (pin_ < 0) return;
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  ledcDetach(uint8_t(pin_));
#else
  ledcDetachPin(uint8_t(pin_));
#endif
  hold_pin(pin_, false);
}

}  // namespace camd
