#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "esp_arduino_version.h"
#include "esp_err.h"

typedef enum { LEDC_TIMER_0 } ledc_timer_t;
typedef enum { LEDC_CHANNEL_0 } ledc_channel_t;
typedef enum { PIXFORMAT_RGB565, PIXFORMAT_JPEG = 4 } pixformat_t;
typedef enum { CAMERA_FB_IN_PSRAM, CAMERA_FB_IN_DRAM } camera_fb_location_t;
typedef enum { CAMERA_GRAB_WHEN_EMPTY, CAMERA_GRAB_LATEST } camera_grab_mode_t;
typedef enum { GAINCEILING_2X } gainceiling_t;

// Renumbered between the two, as the driver's are.
typedef enum {
  FRAMESIZE_96X96,
  FRAMESIZE_QQVGA,
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  FRAMESIZE_128X128,
#endif
  FRAMESIZE_QCIF,
  FRAMESIZE_HQVGA,
  FRAMESIZE_240X240,
  FRAMESIZE_QVGA,
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  FRAMESIZE_320X320,
#endif
  FRAMESIZE_CIF,
  FRAMESIZE_HVGA,
  FRAMESIZE_VGA,
  FRAMESIZE_SVGA,
  FRAMESIZE_XGA,
  FRAMESIZE_HD,
  FRAMESIZE_SXGA,
  FRAMESIZE_UXGA
} framesize_t;

typedef struct {
  int pin_pwdn, pin_reset, pin_xclk, pin_sccb_sda, pin_sccb_scl;
  int pin_d7, pin_d6, pin_d5, pin_d4, pin_d3, pin_d2, pin_d1, pin_d0;
  int pin_vsync, pin_href, pin_pclk;
  int xclk_freq_hz;
  ledc_timer_t ledc_timer;
  ledc_channel_t ledc_channel;
  pixformat_t pixel_format;
  framesize_t frame_size;
  int jpeg_quality;
  size_t fb_count;
  camera_fb_location_t fb_location;
  camera_grab_mode_t grab_mode;
} camera_config_t;

typedef struct {
  uint8_t* buf;
  size_t len;
  struct timeval timestamp;
} camera_fb_t;

typedef struct stub_sensor sensor_t;
struct stub_sensor {
  int (*set_framesize)(sensor_t* sensor, framesize_t size);
  int (*set_gainceiling)(sensor_t* sensor, gainceiling_t value);
  int (*set_quality)(sensor_t* sensor, int value);
  int (*set_contrast)(sensor_t* sensor, int value);
  int (*set_brightness)(sensor_t* sensor, int value);
  int (*set_saturation)(sensor_t* sensor, int value);
  int (*set_ae_level)(sensor_t* sensor, int value);
  int (*set_special_effect)(sensor_t* sensor, int value);
  int (*set_wb_mode)(sensor_t* sensor, int value);
  int (*set_agc_gain)(sensor_t* sensor, int value);
  int (*set_aec_value)(sensor_t* sensor, int value);
  int (*set_whitebal)(sensor_t* sensor, int value);
  int (*set_awb_gain)(sensor_t* sensor, int value);
  int (*set_gain_ctrl)(sensor_t* sensor, int value);
  int (*set_exposure_ctrl)(sensor_t* sensor, int value);
  int (*set_aec2)(sensor_t* sensor, int value);
  int (*set_hmirror)(sensor_t* sensor, int value);
  int (*set_vflip)(sensor_t* sensor, int value);
  int (*set_dcw)(sensor_t* sensor, int value);
  int (*set_bpc)(sensor_t* sensor, int value);
  int (*set_wpc)(sensor_t* sensor, int value);
  int (*set_raw_gma)(sensor_t* sensor, int value);
  int (*set_lenc)(sensor_t* sensor, int value);
  int (*set_colorbar)(sensor_t* sensor, int value);
};

esp_err_t esp_camera_init(const camera_config_t* config);
esp_err_t esp_camera_deinit();
camera_fb_t* esp_camera_fb_get();
void esp_camera_fb_return(camera_fb_t* frame);
sensor_t* esp_camera_sensor_get();
