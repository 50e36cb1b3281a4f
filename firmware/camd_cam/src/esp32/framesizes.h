// Picture sizes by name. The numbers behind the driver's symbols have changed
// four times; only the symbols are used.
#pragma once

#include <esp_camera.h>

#include "../core/text.h"

namespace camd {

struct Framesize {
  const char* name;
  framesize_t size;
  uint16_t width;
  uint16_t height;
};

const Framesize kFramesizes[] = {
    {"96x96", FRAMESIZE_96X96, 96, 96},       {"qqvga", FRAMESIZE_QQVGA, 160, 120},
    {"qcif", FRAMESIZE_QCIF, 176, 144},       {"hqvga", FRAMESIZE_HQVGA, 240, 176},
    {"240x240", FRAMESIZE_240X240, 240, 240}, {"qvga", FRAMESIZE_QVGA, 320, 240},
    {"cif", FRAMESIZE_CIF, 400, 296},         {"hvga", FRAMESIZE_HVGA, 480, 320},
    {"vga", FRAMESIZE_VGA, 640, 480},         {"svga", FRAMESIZE_SVGA, 800, 600},
    {"xga", FRAMESIZE_XGA, 1024, 768},        {"hd", FRAMESIZE_HD, 1280, 720},
    {"sxga", FRAMESIZE_SXGA, 1280, 1024},     {"uxga", FRAMESIZE_UXGA, 1600, 1200},
};

// Null for a name that is not in the table.
inline const Framesize* find_framesize(Text name) {
  for (const Framesize& framesize : kFramesizes) {
    if (name == framesize.name) return &framesize;
  }
  return nullptr;
}

// A larger picture overflows the buffers that were made for `most`.
inline bool fits(const Framesize& framesize, const Framesize& most) {
  return uint32_t(framesize.width) * framesize.height <= uint32_t(most.width) * most.height;
}

}  // namespace camd
