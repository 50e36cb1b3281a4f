// Photos to camd, from an ESP32 with a camera. Everything is set over the
// serial console or the set-up network; nothing is set here.
#include "src/esp32/program.h"

void setup() { camd::program().begin(); }

void loop() { camd::program().step(); }
