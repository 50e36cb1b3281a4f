// Pins that keep their level while the chip sleeps.
#pragma once

#include <stdint.h>

namespace camd {

void hold_pin(int8_t pin, bool high);
// Before the pin is used after a sleep. Harmless if it was never held.
void release_pin(int8_t pin);

}  // namespace camd
