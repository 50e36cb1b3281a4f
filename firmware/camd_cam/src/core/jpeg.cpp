#include "jpeg.h"

#include <string.h>

namespace camd {
namespace {

const uint8_t kSoi = 0xd8;
const uint8_t kEoi = 0xd9;
const uint8_t kSos = 0xda;

bool is_frame_header(uint8_t marker) {
  bool is_table = marker == 0xc4 || marker == 0xc8 || marker == 0xcc;  // DHT, JPG, DAC
  return marker >= 0xc0 && marker <= 0xcf && !is_table;
}

bool has_no_length(uint8_t marker) { return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7); }

// The offset of the next marker's code at or behind `at`, where entropy-coded
// data is: FF 00 is data there and FF D0..D7 are restarts. `size` for none.
size_t end_of_scan(const uint8_t* data, size_t at, size_t size) {
  while (at + 1 < size) {
    const void* found = memchr(data + at, 0xff, size - at - 1);
    if (found == nullptr) return size;
    at = size_t(static_cast<const uint8_t*>(found) - data) + 1;
    uint8_t code = data[at];
    if (code != 0x00 && code != 0xff && !has_no_length(code)) return at;
  }
  return size;
}

}  // namespace

size_t jpeg_size(const uint8_t* data, size_t size) {
  if (size < 4 || data[0] != 0xff || data[1] != kSoi) return 0;
  bool framed = false, scanned = false;
  size_t at = 2;
  while (at + 1 < size) {
    if (data[at] != 0xff) return 0;
    uint8_t marker = data[++at];
    if (marker == 0xff) continue;  // fill bytes
    ++at;
    if (marker == kEoi) return framed && scanned ? at : 0;
    if (has_no_length(marker)) continue;
    if (marker < 0xc0 || marker == kSoi || size - at < 2) return 0;
    size_t length = size_t(data[at] << 8 | data[at + 1]);
    if (length < 2 || length > size - at) return 0;
    at += length;
    if (is_frame_header(marker)) framed = true;
    if (marker == kSos) {
      scanned = true;
      at = end_of_scan(data, at, size);
      if (at == size) return 0;
      --at;  // back to the FF before the code
    }
  }
  return 0;
}

}  // namespace camd
