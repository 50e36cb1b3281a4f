// The pins of every board that is known, in one table.
#pragma once

#include <stdint.h>

#include "../core/text.h"

namespace camd {

enum class Chip : uint8_t { kEsp32, kEsp32S3 };

// -1 for a pin that the board does not have.
struct BoardPins {
  const char* id;
  const char* model;
  Chip chip;
  int8_t pwdn, reset, xclk, siod, sioc;
  int8_t d7, d6, d5, d4, d3, d2, d1, d0;
  int8_t vsync, href, pclk;
  int8_t card_clk, card_cmd, card_d0;  // for one data line; all -1: no card
  int8_t lamp;                         // the flash
  int8_t light;                        // the small light, lit when low
  int8_t button;                       // to ground while it is held
  int8_t pulled_up[2];                 // inputs that must not float
  bool vflip, hmirror;                 // the sensor sits upside down
};

// Where the button is on the pin of the camera's clock, it can be seen only
// before the camera starts.
// clang-format off
const BoardPins kBoards[] = {
    // pwdn reset xclk siod sioc, D7 to D0, vsync href pclk,
    // card: clk cmd d0, lamp, light, button, pulled up, vflip, hmirror
    {"ai-thinker", "AI-Thinker ESP32-CAM", Chip::kEsp32,
     32, -1, 0, 26, 27,  35, 34, 39, 36, 21, 19, 18, 5,  25, 23, 22,
     14, 15, 2,  4, 33, 0,  {-1, -1}, false, false},
    {"wrover-kit", "ESP-WROVER-KIT", Chip::kEsp32,
     -1, -1, 21, 26, 27,  35, 34, 39, 36, 19, 18, 5, 4,  25, 23, 22,
     14, 15, 2,  -1, -1, 0,  {-1, -1}, false, false},
    {"m5stack-psram", "M5Stack ESP32 camera, PSRAM", Chip::kEsp32,
     -1, 15, 27, 25, 23,  19, 36, 18, 39, 5, 34, 35, 32,  22, 26, 21,
     -1, -1, -1,  -1, -1, 0,  {-1, -1}, false, false},
    {"m5stack-wide", "M5Stack ESP32 camera, wide", Chip::kEsp32,
     -1, 15, 27, 22, 23,  19, 36, 18, 39, 5, 34, 35, 32,  25, 26, 21,
     -1, -1, -1,  2, -1, 0,  {-1, -1}, true, true},
    {"esp-eye", "ESP-EYE", Chip::kEsp32,
     -1, -1, 4, 18, 23,  36, 37, 38, 39, 35, 14, 13, 34,  5, 27, 25,
     -1, -1, -1,  22, -1, 15,  {13, 14}, false, false},
    {"xiao-esp32s3", "XIAO ESP32S3 Sense", Chip::kEsp32S3,
     -1, -1, 10, 40, 39,  48, 11, 12, 14, 16, 18, 17, 15,  38, 47, 13,
     7, 9, 8,  -1, -1, 0,  {-1, -1}, false, false},
    {"esp32s3-eye", "ESP32-S3-EYE", Chip::kEsp32S3,
     -1, -1, 15, 4, 5,  16, 17, 18, 12, 10, 8, 9, 11,  6, 7, 13,
     39, 38, 40,  -1, -1, 0,  {-1, -1}, true, false},
};
// clang-format on

// The board of that name on that chip, else the chip's first.
inline const BoardPins& find_board(Text id, Chip chip) {
  const BoardPins* first = nullptr;
  for (const BoardPins& board : kBoards) {
    if (board.chip != chip) continue;
    if (id == board.id) return board;
    if (first == nullptr) first = &board;
  }
  return *first;
}

// What the board was built as; the setting `board` goes before it.
#if defined(CAMD_BOARD_AI_THINKER)
#define CAMD_BOARD "ai-thinker"
#elif defined(CAMD_BOARD_WROVER_KIT)
#define CAMD_BOARD "wrover-kit"
#elif defined(CAMD_BOARD_M5STACK_PSRAM)
#define CAMD_BOARD "m5stack-psram"
#elif defined(CAMD_BOARD_M5STACK_WIDE)
#define CAMD_BOARD "m5stack-wide"
#elif defined(CAMD_BOARD_ESP_EYE)
#define CAMD_BOARD "esp-eye"
#elif defined(CAMD_BOARD_XIAO_ESP32S3) || defined(ARDUINO_XIAO_ESP32S3)
#define CAMD_BOARD "xiao-esp32s3"
#elif defined(CAMD_BOARD_ESP32S3_EYE)
#define CAMD_BOARD "esp32s3-eye"
#else
#define CAMD_BOARD ""
#endif

#if defined(CONFIG_IDF_TARGET_ESP32S3)
const Chip kChip = Chip::kEsp32S3;
#else
const Chip kChip = Chip::kEsp32;
#endif

}  // namespace camd
