#pragma once
#include <stddef.h>
#include <stdint.h>

#include "esp_arduino_version.h"
#include "esp_err.h"

typedef enum {
  ESP_RST_UNKNOWN,
  ESP_RST_POWERON,
  ESP_RST_EXT,
  ESP_RST_SW,
  ESP_RST_PANIC,
  ESP_RST_INT_WDT,
  ESP_RST_TASK_WDT,
  ESP_RST_WDT,
  ESP_RST_DEEPSLEEP,
  ESP_RST_BROWNOUT,
  ESP_RST_SDIO,
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  ESP_RST_USB,
#endif
} esp_reset_reason_t;

esp_reset_reason_t esp_reset_reason();

#if ESP_ARDUINO_VERSION_MAJOR < 3
#include "esp_random_calls.h"
#endif
