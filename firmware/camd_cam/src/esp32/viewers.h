// Those who watch the stream. One task takes the pictures and sends each to
// all of them; who does not keep up is let go.
#pragma once

#include <esp_http_server.h>
#include <freertos/FreeRTOS.h>
#include <freertos/semphr.h>
#include <freertos/task.h>

#include "sensor.h"

#define CAMD_BOUNDARY "camd-2fd1b6b0c3e94a57"

namespace camd {

class Viewers {
 public:
  static const uint8_t kMost = 3;

  explicit Viewers(Sensor& sensor) : sensor_(sensor) {
    for (int& socket : sockets_) socket = -1;
  }

  // Once; later calls only say how that went.
  bool begin();
  bool has_room();
  bool add(httpd_handle_t server, int socket);
  // The server closes a connection: a viewer's, or another.
  static void on_close(httpd_handle_t server, int socket);

 private:
  static const uint32_t kEveryMs = 100;
  static const uint32_t kSendMs = 2000;
  static const uint32_t kLockMs = 10000;
  static const uint32_t kPictureMs = 5000;
  static const uint32_t kStack = 4096;

  static void run(void* self);
  bool lock() { return xSemaphoreTake(lock_, pdMS_TO_TICKS(kLockMs)) == pdTRUE; }
  void unlock() { xSemaphoreGive(lock_); }
  bool any();
  void show(const Picture& picture);
  static bool send_all(int socket, const void* data, size_t size, uint32_t began);

  Sensor& sensor_;
  SemaphoreHandle_t lock_ = nullptr;
  TaskHandle_t task_ = nullptr;
  httpd_handle_t server_ = nullptr;
  int sockets_[kMost];
};

}  // namespace camd
