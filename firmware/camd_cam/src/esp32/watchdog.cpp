#include "watchdog.h"

#include <esp_arduino_version.h>
#include <esp_task_wdt.h>

namespace camd {

void begin_watchdog() {
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  esp_task_wdt_config_t config = {};
  config.timeout_ms = kWatchdogMs;
  config.trigger_panic = true;
  // The core may have begun it already.
  if (esp_task_wdt_init(&config) != ESP_OK) esp_task_wdt_reconfigure(&config);
#else
  esp_task_wdt_init(kWatchdogMs / 1000, true);
#endif
  esp_task_wdt_add(nullptr);
}

void feed_watchdog() { esp_task_wdt_reset(); }

}  // namespace camd
