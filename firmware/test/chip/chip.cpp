#include "chip/chip.h"

#include <Preferences.h>
#include <SD_MMC.h>
#include <doctest/doctest.h>
#include <driver/rtc_io.h>
#include <esp_heap_caps.h>
#include <esp_mac.h>
#include <esp_task_wdt.h>
#include <esp_timer.h>
#include <freertos/semphr.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "esp32/framesizes.h"

using std::string;

const uint8_t kJpeg[32] = {0xff, 0xd8, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0,    1,    0,   1,
                           1,    1,    0x11, 0,    0xff, 0xda, 0,    8,    1,    1,   0,
                           0,    0x3f, 0,    0x12, 0x34, 0xff, 0xd9, 0x00, 0x00, 0x00};

static ChipState spare;
ChipState* chip = &spare;

ChipBench::ChipBench() { chip = &state; }
ChipBench::~ChipBench() { chip = &spare; }

SDMMCFS SD_MMC;
WiFiClass WiFi;

unsigned long millis() { return static_cast<unsigned long>(chip->now_us / 1000); }
void delay(uint32_t ms) { chip->now_us += ms * 1000u; }
int64_t esp_timer_get_time() { return int64_t(chip->now_us); }
bool psramFound() { return chip->psram; }
void pinMode(uint8_t pin, uint8_t) { chip->dimmed.erase(pin); }
void digitalWrite(uint8_t pin, uint8_t level) { chip->level[pin] = level; }
uint32_t ledc(int pin, uint32_t duty) {
  chip->duty[pin] = duty;
  if (duty > chip->most_duty) chip->most_duty = duty;
  return 0;
}
bool ledcAttachChannel(uint8_t pin, uint32_t, uint8_t, uint8_t) {
  return chip->dimmed.insert(pin).second;
}
bool ledcWrite(uint8_t pin, uint32_t duty) { return ledc(pin, duty) == 0; }
bool ledcDetach(uint8_t) { return true; }
bool rtc_gpio_is_valid_gpio(gpio_num_t pin) { return pin != gpio_num_t(22); }
esp_err_t rtc_gpio_init(gpio_num_t) { return ESP_OK; }
esp_err_t rtc_gpio_deinit(gpio_num_t) { return ESP_OK; }
esp_err_t rtc_gpio_set_direction(gpio_num_t, rtc_gpio_mode_t) { return ESP_OK; }
esp_err_t rtc_gpio_set_level(gpio_num_t pin, uint32_t level) {
  chip->level[pin] = int(level);
  return ESP_OK;
}
esp_err_t rtc_gpio_hold_en(gpio_num_t pin) {
  chip->held.insert(pin);
  return ESP_OK;
}
esp_err_t rtc_gpio_hold_dis(gpio_num_t pin) {
  chip->held.erase(pin);
  return ESP_OK;
}
esp_err_t gpio_hold_en(gpio_num_t pin) { return rtc_gpio_hold_en(pin); }
esp_err_t gpio_hold_dis(gpio_num_t pin) { return rtc_gpio_hold_dis(pin); }
void gpio_deep_sleep_hold_en() {}
void gpio_deep_sleep_hold_dis() {}
void* heap_caps_malloc_prefer(size_t size, size_t, ...) { return malloc(size); }
esp_err_t esp_task_wdt_init(const esp_task_wdt_config_t*) { return ESP_OK; }
esp_err_t esp_task_wdt_reconfigure(const esp_task_wdt_config_t*) { return ESP_OK; }
esp_err_t esp_task_wdt_add(TaskHandle_t) { return ESP_OK; }
esp_err_t esp_task_wdt_reset() {
  ++chip->feeds;
  return ESP_OK;
}
esp_err_t esp_read_mac(uint8_t* mac, esp_mac_type_t) {
  for (int i = 0; i < 6; ++i) mac[i] = uint8_t(0xa0 + i);
  return ESP_OK;
}

SemaphoreHandle_t xSemaphoreCreateRecursiveMutex() {
  return reinterpret_cast<SemaphoreHandle_t>(chip);
}
BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t, TickType_t wait) {
  if (chip->held_elsewhere) {
    CHECK(wait < 60000);  // no wait is without an end
    chip->now_us += uint64_t(wait) * 1000;
    return pdFALSE;
  }
  ++chip->depth;
  return pdTRUE;
}
BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t) {
  --chip->depth;
  return pdTRUE;
}

#define CONTROL(name)            \
  [](sensor_t*, int value) {     \
    chip->sensor[#name] = value; \
    return value == 42 ? -1 : 0; \
  }
sensor_t* esp_camera_sensor_get() {
  static sensor_t sensor;
  sensor = sensor_t();
  sensor.set_framesize = [](sensor_t*, framesize_t size) {
    chip->framesize = size;
    return 0;
  };
  sensor.set_quality = CONTROL(quality);
  sensor.set_vflip = CONTROL(vflip);
  sensor.set_hmirror = CONTROL(hmirror);
  sensor.set_whitebal = CONTROL(awb);
  sensor.set_gain_ctrl = CONTROL(agc);
  sensor.set_gainceiling = [](sensor_t*, gainceiling_t value) {
    chip->sensor["gainceiling"] = int(value);
    return 0;
  };
  return &sensor;
}
esp_err_t esp_camera_init(const camera_config_t* config) {
  ++chip->starts;
  chip->config = *config;
  uint32_t buffer = 0;
  for (const camd::Framesize& framesize : camd::kFramesizes) {
    if (framesize.size == config->frame_size) buffer = framesize.width * framesize.height / 5u;
  }
  chip->camera_up = chip->camera_starts && buffer <= chip->whole_piece;
  chip->exposed_us = int64_t(chip->now_us);
  return chip->camera_up ? ESP_OK : ESP_FAIL;
}
esp_err_t esp_camera_deinit() {
  CHECK(chip->frames_out == 0);
  chip->camera_up = false;
  return ESP_OK;
}
camera_fb_t* esp_camera_fb_get() {
  CHECK(chip->camera_up);
  if (chip->dead_grabs > 0) {
    --chip->dead_grabs;
    chip->now_us += 4000000;
    return nullptr;
  }
  chip->now_us += 40000;
  ++chip->frames_out;
  chip->frame.buf = const_cast<uint8_t*>(kJpeg);
  chip->frame.len = sizeof kJpeg;
  chip->frame.timestamp.tv_sec = chip->exposed_us / 1000000;
  chip->frame.timestamp.tv_usec = chip->exposed_us % 1000000;
  return &chip->frame;
}
void esp_camera_fb_return(camera_fb_t*) {
  --chip->frames_out;
  chip->exposed_us = int64_t(chip->now_us);
}

void WiFiClass::persistent(bool) {}
bool WiFiClass::mode(wifi_mode_t) { return true; }
bool WiFiClass::setHostname(const char*) { return true; }
bool WiFiClass::setAutoReconnect(bool) { return true; }
bool WiFiClass::setSleep(bool) { return true; }
void WiFiClass::setScanMethod(wifi_scan_method_t) {}
void WiFiClass::setSortMethod(wifi_sort_method_t) {}
bool WiFiClass::config(IPAddress address, IPAddress, IPAddress, IPAddress) {
  chip->address = address;
  return true;
}
wl_status_t WiFiClass::begin(const char*, const char*, int32_t channel, const uint8_t* bssid,
                             bool) {
  ++(channel != 0 && bssid != nullptr ? chip->quick : chip->full);
  return WL_IDLE_STATUS;
}
bool WiFiClass::disconnect(bool) {
  ++chip->drops;
  chip->wifi = WL_IDLE_STATUS;
  return true;
}
wl_status_t WiFiClass::status() { return chip->wifi; }
uint8_t* WiFiClass::BSSID() { return chip->let_go ? nullptr : chip->bssid; }
int32_t WiFiClass::channel() { return 11; }
IPAddress WiFiClass::localIP() { return IPAddress(0x0a00002a); }
IPAddress WiFiClass::gatewayIP() { return IPAddress(0x0a000001); }
IPAddress WiFiClass::subnetMask() { return IPAddress(0x00ffffff); }
IPAddress WiFiClass::dnsIP(uint8_t) { return IPAddress(0x0a000001); }

bool SDMMCFS::begin(const char* mount, bool one_bit) {
  CHECK(one_bit);
  ++chip->mounts;
  mkdir(mount, 0777);
  return chip->card;
}
void SDMMCFS::end() {}
sdcard_type_t SDMMCFS::cardType() { return chip->card ? CARD_SDHC : CARD_NONE; }
uint64_t SDMMCFS::totalBytes() { return chip->card_size; }
uint64_t SDMMCFS::usedBytes() { return chip->card_size != 0 ? 400 : 0; }

bool Preferences::begin(const char*, bool) { return true; }
bool Preferences::isKey(const char* key) {
  CHECK(strlen(key) <= 15);  // NVS takes no longer ones
  return chip->kept.count(key) != 0;
}
bool Preferences::remove(const char* key) { return chip->kept.erase(key) != 0; }
String Preferences::getString(const char* key, String) { return String(chip->kept[key].c_str()); }
size_t Preferences::putString(const char* key, const char* value) {
  CHECK(strlen(key) <= 15);
  chip->kept[key] = value;
  return chip->kept[key].size();
}
