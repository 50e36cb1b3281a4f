// The camera. The program's loop and the live page share it: each waits a
// bounded time for its turn.
#pragma once

#include <esp_camera.h>
#include <freertos/FreeRTOS.h>
#include <freertos/semphr.h>

#include "../core/ports.h"
#include "boards.h"
#include "framesizes.h"
#include "lamp.h"

namespace camd {

class Sensor : public Camera {
 public:
  explicit Sensor(Lamp& lamp) : lamp_(lamp) {}

  bool begin(const BoardPins& pins);

  // For the program's loop alone.
  bool grab(bool flash, Picture* picture) override;
  void release() override;
  bool restart() override;
  bool set(const char* name, int32_t value) override;
  bool set_framesize(const char* name) override;

  // For any other task: a whole JPEG in memory of its own, which free() gives
  // back. False when the camera was busy, or gave none.
  bool copy(uint32_t wait_ms, Picture* picture);

  bool running() const { return running_; }
  bool has_psram() const { return has_psram_; }
  // For deep sleep.
  void power_down();

 private:
  static const uint32_t kTurnMs = 8000;
  static const uint32_t kFlashSettleMs = 400;
  static const int kMostStale = 3;

  bool start();
  bool begin_driver(const Framesize& most);
  bool take_turn(uint32_t wait_ms);
  void end_turn();
  camera_fb_t* fresh();

  Lamp& lamp_;
  const BoardPins* pins_ = nullptr;
  const Framesize* most_ = nullptr;  // that the buffers were made for
  SemaphoreHandle_t turn_ = nullptr;
  camera_fb_t* held_ = nullptr;
  bool running_ = false;
  bool has_psram_ = false;
};

}  // namespace camd
