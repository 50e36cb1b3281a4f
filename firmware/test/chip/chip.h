// A chip that the tests play: its camera, radio, card, flash memory and pins.
#pragma once

#include <Arduino.h>
#include <WiFi.h>
#include <esp_camera.h>

#include <map>
#include <set>
#include <string>

struct ChipState {
  uint64_t now_us = 1000000;
  bool psram = true;

  // Camera. With one buffer the next picture begins when the last is returned.
  camera_config_t config;
  bool camera_up = false;
  bool camera_starts = true;
  uint32_t whole_piece = UINT32_MAX;  // the largest that is left of the memory
  unsigned starts = 0;
  int frames_out = 0;
  int dead_grabs = 0;
  int64_t exposed_us = 0;
  camera_fb_t frame;
  std::map<std::string, int> sensor;
  framesize_t framesize = FRAMESIZE_96X96;

  // Locks.
  int depth = 0;
  bool held_elsewhere = false;

  // Pins.
  std::map<int, int> level;
  std::set<int> held;
  std::set<int> dimmed;  // whose level the pulses make
  std::map<int, uint32_t> duty;
  uint32_t most_duty = 0;

  // Radio.
  wl_status_t wifi = WL_IDLE_STATUS;
  unsigned quick = 0, full = 0, drops = 0;
  uint32_t address = 0;
  bool let_go = false;  // by the access point; the status does not say so
  uint8_t bssid[6] = {1, 2, 3, 4, 5, 6};

  // Card and flash memory.
  bool card = true;
  uint64_t card_size = 1000;
  unsigned mounts = 0;
  unsigned feeds = 0;
  std::map<std::string, std::string> kept;
};
extern ChipState* chip;

// A whole JPEG, and three bytes that the driver appended to it.
extern const uint8_t kJpeg[32];
const size_t kJpegSize = sizeof kJpeg - 3;

// A chip for one test.
struct ChipBench {
  ChipBench();
  ~ChipBench();
  ChipState state;
};
