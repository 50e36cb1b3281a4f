#include "sensor.h"

#include <Arduino.h>
#include <esp_heap_caps.h>
#include <esp_timer.h>
#include <string.h>

#include "../core/jpeg.h"
#include "held_pin.h"

namespace camd {
namespace {

const char kFirstFramesize[] = "vga";
// Without PSRAM the buffer wants a piece of memory that the radio has left whole.
const char* const kWithoutPsram[] = {"svga", "vga", "qvga"};

struct Control {
  const char* name;
  int (*sensor_t::*set)(sensor_t*, int);
};

const Control kControls[] = {
    {"quality", &sensor_t::set_quality},
    {"contrast", &sensor_t::set_contrast},
    {"brightness", &sensor_t::set_brightness},
    {"saturation", &sensor_t::set_saturation},
    {"ae_level", &sensor_t::set_ae_level},
    {"special_effect", &sensor_t::set_special_effect},
    {"wb_mode", &sensor_t::set_wb_mode},
    {"agc_gain", &sensor_t::set_agc_gain},
    {"aec_value", &sensor_t::set_aec_value},
    {"awb", &sensor_t::set_whitebal},
    {"awb_gain", &sensor_t::set_awb_gain},
    {"agc", &sensor_t::set_gain_ctrl},
    {"aec", &sensor_t::set_exposure_ctrl},
    {"aec2", &sensor_t::set_aec2},
    {"hmirror", &sensor_t::set_hmirror},
    {"vflip", &sensor_t::set_vflip},
    {"dcw", &sensor_t::set_dcw},
    {"bpc", &sensor_t::set_bpc},
    {"wpc", &sensor_t::set_wpc},
    {"raw_gma", &sensor_t::set_raw_gma},
    {"lenc", &sensor_t::set_lenc},
    {"colorbar", &sensor_t::set_colorbar},
};

camera_config_t configuration(const BoardPins& pins, const Framesize& most, bool psram) {
  camera_config_t config = {};
  config.pin_pwdn = pins.pwdn;
  config.pin_reset = pins.reset;
  config.pin_xclk = pins.xclk;
  config.pin_sccb_sda = pins.siod;
  config.pin_sccb_scl = pins.sioc;
  config.pin_d7 = pins.d7;
  config.pin_d6 = pins.d6;
  config.pin_d5 = pins.d5;
  config.pin_d4 = pins.d4;
  config.pin_d3 = pins.d3;
  config.pin_d2 = pins.d2;
  config.pin_d1 = pins.d1;
  config.pin_d0 = pins.d0;
  config.pin_vsync = pins.vsync;
  config.pin_href = pins.href;
  config.pin_pclk = pins.pclk;
  config.xclk_freq_hz = 20000000;
  config.ledc_timer = LEDC_TIMER_0;
  config.ledc_channel = LEDC_CHANNEL_0;
  config.pixel_format = PIXFORMAT_JPEG;
  config.frame_size = most.size;
  config.jpeg_quality = 12;
  config.fb_count = psram ? 2 : 1;
  config.fb_location = psram ? CAMERA_FB_IN_PSRAM : CAMERA_FB_IN_DRAM;
  config.grab_mode = psram ? CAMERA_GRAB_LATEST : CAMERA_GRAB_WHEN_EMPTY;
  return config;
}

int64_t began_us(const camera_fb_t& frame) {
  return int64_t(frame.timestamp.tv_sec) * 1000000 + frame.timestamp.tv_usec;
}

}  // namespace

bool Sensor::begin(const BoardPins& pins) {
  pins_ = &pins;
  // Recursive: a setting may change while the loop holds a picture.
  turn_ = xSemaphoreCreateRecursiveMutex();
  has_psram_ = psramFound();
  release_pin(pins.pwdn);
  most_ = find_framesize(has_psram_ ? "uxga" : kWithoutPsram[0]);
  for (int8_t pin : pins.pulled_up) {
    if (pin >= 0) pinMode(uint8_t(pin), INPUT_PULLUP);
  }
  return turn_ != nullptr && start();
}

bool Sensor::begin_driver(const Framesize& most) {
  camera_config_t config = configuration(*pins_, most, has_psram_);
  return esp_camera_init(&config) == ESP_OK;
}

bool Sensor::start() {
  running_ = begin_driver(*most_);
  for (const char* name : kWithoutPsram) {
    const Framesize* smaller = find_framesize(name);
    if (running_ || has_psram_ || fits(*most_, *smaller)) continue;
    running_ = begin_driver(*smaller);
    if (running_) most_ = smaller;
  }
  sensor_t* sensor = running_ ? esp_camera_sensor_get() : nullptr;
  if (sensor == nullptr) return false;
  // The buffers are made for the largest size; the settings choose a smaller.
  const Framesize* first = find_framesize(kFirstFramesize);
  sensor->set_framesize(sensor, fits(*first, *most_) ? first->size : most_->size);
  if (pins_->vflip) sensor->set_vflip(sensor, 1);
  if (pins_->hmirror) sensor->set_hmirror(sensor, 1);
  return true;
}

bool Sensor::take_turn(uint32_t wait_ms) {
  return turn_ != nullptr && xSemaphoreTakeRecursive(turn_, pdMS_TO_TICKS(wait_ms)) == pdTRUE;
}

void Sensor::end_turn() { xSemaphoreGiveRecursive(turn_); }

// With one buffer the driver filled it when the last picture was given back,
// however long ago that was: what began before the call is given back too.
camera_fb_t* Sensor::fresh() {
  int64_t asked = esp_timer_get_time();
  for (int i = 0; i < kMostStale; ++i) {
    camera_fb_t* frame = esp_camera_fb_get();
    if (frame == nullptr) return nullptr;
    if (began_us(*frame) >= asked) return frame;
    esp_camera_fb_return(frame);
  }
  return esp_camera_fb_get();
}

bool Sensor::grab(bool flash, Picture* picture) {
  if (!running_ || held_ != nullptr || !take_turn(kTurnMs)) return false;
  if (flash && lamp_.present()) {
    lamp_.on();
    delay(kFlashSettleMs);
  }
  held_ = fresh();
  if (flash) lamp_.off();
  if (held_ == nullptr) {
    end_turn();
    return false;
  }
  picture->data = held_->buf;
  picture->size = held_->len;
  return true;
}

void Sensor::release() {
  if (held_ == nullptr) return;
  esp_camera_fb_return(held_);
  held_ = nullptr;
  end_turn();
}

bool Sensor::copy(uint32_t wait_ms, Picture* picture) {
  if (!running_ || !take_turn(wait_ms)) return false;
  // restart() may have come in between.
  camera_fb_t* frame = running_ ? fresh() : nullptr;
  uint8_t* bytes = nullptr;
  if (frame != nullptr) {
    picture->size = jpeg_size(frame->buf, frame->len);
    if (picture->size > 0) {
      bytes = static_cast<uint8_t*>(heap_caps_malloc_prefer(
          picture->size, 2, MALLOC_CAP_SPIRAM | MALLOC_CAP_8BIT, MALLOC_CAP_8BIT));
    }
    if (bytes != nullptr) memcpy(bytes, frame->buf, picture->size);
    esp_camera_fb_return(frame);
  }
  end_turn();
  picture->data = bytes;
  return bytes != nullptr;
}

bool Sensor::restart() {
  if (pins_ == nullptr || !take_turn(kTurnMs)) return false;
  release();
  if (running_) esp_camera_deinit();
  running_ = false;
  if (pins_->pwdn >= 0) {
    pinMode(uint8_t(pins_->pwdn), OUTPUT);
    digitalWrite(uint8_t(pins_->pwdn), HIGH);
    delay(100);
    digitalWrite(uint8_t(pins_->pwdn), LOW);
    delay(100);
  }
  bool good = start();
  end_turn();
  return good;
}

bool Sensor::set(const char* name, int32_t value) {
  if (Text(name) == "led_intensity") {
    lamp_.brightness(uint8_t(value));
    return lamp_.present();
  }
  if (!running_ || !take_turn(kTurnMs)) return false;
  sensor_t* sensor = esp_camera_sensor_get();
  int result = -1;
  if (sensor != nullptr && Text(name) == "gainceiling") {
    result = sensor->set_gainceiling(sensor, gainceiling_t(value));
  }
  for (const Control& control : kControls) {
    if (sensor == nullptr || Text(name) != control.name) continue;
    int (*apply)(sensor_t*, int) = sensor->*control.set;
    if (apply != nullptr) result = apply(sensor, value);
  }
  end_turn();
  return result == 0;
}

bool Sensor::set_framesize(const char* name) {
  const Framesize* framesize = find_framesize(name);
  if (framesize == nullptr || most_ == nullptr || !fits(*framesize, *most_)) return false;
  if (!running_ || !take_turn(kTurnMs)) return false;
  sensor_t* sensor = esp_camera_sensor_get();
  bool good = sensor != nullptr && sensor->set_framesize(sensor, framesize->size) == 0;
  end_turn();
  return good;
}

void Sensor::power_down() {
  if (!take_turn(kTurnMs)) return;
  release();
  if (running_) esp_camera_deinit();
  running_ = false;
  hold_pin(pins_->pwdn, true);
  end_turn();
}

}  // namespace camd
