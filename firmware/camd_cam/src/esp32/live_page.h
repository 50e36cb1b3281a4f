// The live page: one picture, how things stand, and the settings, on port 80;
// a stream for up to three viewers on port 81. Off unless the setting says so.
//
// The servers run in tasks of their own and never touch the board: they take
// pictures through Sensor::copy(), read a text that the loop wrote, and leave
// a wish for the loop to do.
#pragma once

#include <esp_http_server.h>
#include <freertos/FreeRTOS.h>
#include <freertos/queue.h>
#include <freertos/semphr.h>

#include "../core/board.h"
#include "../portable/page_text.h"
#include "sensor.h"
#include "viewers.h"

namespace camd {

class LivePage {
 public:
  explicit LivePage(Sensor& sensor) : sensor_(sensor), viewers_(sensor) {}

  // From the program's loop: starts and stops, brings the text up to date, and
  // does what was wished for.
  void step(uint64_t now, bool network, Board& board, System& system);
  void stop();

 private:
  static const uint32_t kRefreshMs = 1000;
  static const uint32_t kLockMs = 1000;
  static const uint32_t kPictureMs = 5000;
  static const uint32_t kWishMs = 3000;

  struct Wish {
    uint32_t id;
    char name[Settings::kNameRoom];
    char value[Settings::kValueRoom];
  };
  struct Answer {
    uint32_t id;
    SetResult result;
  };
  enum class Access : uint8_t { kGranted, kAnswered };

  static esp_err_t on_root(httpd_req_t* request);
  static esp_err_t on_capture(httpd_req_t* request);
  static esp_err_t on_status(httpd_req_t* request);
  static esp_err_t on_control(httpd_req_t* request);
  static esp_err_t on_stream(httpd_req_t* request);
  static LivePage& of(httpd_req_t* request);

  bool start();
  bool serve(httpd_handle_t* server, uint16_t port, uint16_t control_port, bool streams);
  void refresh(Board& board, System& system);
  Access admit(httpd_req_t* request);
  bool wish(const Wish& wish, SetResult* result);

  Sensor& sensor_;
  Viewers viewers_;
  httpd_handle_t pages_ = nullptr;
  httpd_handle_t streams_ = nullptr;
  SemaphoreHandle_t lock_ = nullptr;  // for the texts below
  QueueHandle_t wishes_ = nullptr;
  QueueHandle_t answers_ = nullptr;
  uint64_t refresh_at_ = 0;
  uint32_t wish_id_ = 0;
  size_t status_size_ = 0;
  char status_[1536];
  char password_[33] = "";
};

}  // namespace camd
