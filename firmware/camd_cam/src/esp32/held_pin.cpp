#include "held_pin.h"

#include <Arduino.h>
#include <driver/gpio.h>
#include <driver/rtc_io.h>

namespace camd {

void hold_pin(int8_t pin, bool high) {
  if (pin < 0) return;
  gpio_num_t number = gpio_num_t(pin);
  if (rtc_gpio_is_valid_gpio(number)) {
    rtc_gpio_init(number);
    rtc_gpio_set_direction(number, RTC_GPIO_MODE_OUTPUT_ONLY);
    rtc_gpio_set_level(number, high);
    rtc_gpio_hold_en(number);
  } else {
    pinMode(uint8_t(pin), OUTPUT);
    digitalWrite(uint8_t(pin), high ? HIGH : LOW);
    gpio_hold_en(number);
    gpio_deep_sleep_hold_en();
  }
}

void release_pin(int8_t pin) {
  if (pin < 0) return;
  gpio_num_t number = gpio_num_t(pin);
  if (rtc_gpio_is_valid_gpio(number)) {
    rtc_gpio_hold_dis(number);
    rtc_gpio_deinit(number);
  } else {
    gpio_deep_sleep_hold_dis();
    gpio_hold_dis(number);
  }
}

}  // namespace camd
