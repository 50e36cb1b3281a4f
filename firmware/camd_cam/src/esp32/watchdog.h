// Restarts the board when its loop stands still.
#pragma once

#include <stdint.h>

namespace camd {

const uint32_t kWatchdogMs = 60000;

// Watches the task that calls it.
void begin_watchdog();
void feed_watchdog();

}  // namespace camd
