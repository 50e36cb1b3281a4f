#pragma once
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

typedef enum { ESP_MAC_WIFI_STA } esp_mac_type_t;
esp_err_t esp_read_mac(uint8_t* mac, esp_mac_type_t type);
void esp_fill_random(void* to, size_t size);
