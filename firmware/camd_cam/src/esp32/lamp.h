// The flash, dimmed by pulses.
#pragma once

#include <stdint.h>

namespace camd {

class Lamp {
 public:
  // `pin` -1: there is none. After the card, which shares the pin.
  void begin(int8_t pin);
  bool present() const { return pin_ >= 0; }
  void brightness(uint8_t level) { level_ = level; }
  void on() { write(level_); }
  void off() { write(0); }
  // Keeps the pin low while the chip sleeps, where it would float otherwise.
  void hold_low();

 private:
  void write(uint8_t level);

  int8_t pin_ = -1;
  uint8_t level_ = 255;
};

}  // namespace camd
