#pragma once
#include <stdint.h>

#include "gpio.h"
typedef enum { RTC_GPIO_MODE_OUTPUT_ONLY } rtc_gpio_mode_t;
bool rtc_gpio_is_valid_gpio(gpio_num_t pin);
esp_err_t rtc_gpio_init(gpio_num_t pin);
esp_err_t rtc_gpio_deinit(gpio_num_t pin);
esp_err_t rtc_gpio_set_direction(gpio_num_t pin, rtc_gpio_mode_t mode);
esp_err_t rtc_gpio_set_level(gpio_num_t pin, uint32_t level);
esp_err_t rtc_gpio_hold_en(gpio_num_t pin);
esp_err_t rtc_gpio_hold_dis(gpio_num_t pin);
