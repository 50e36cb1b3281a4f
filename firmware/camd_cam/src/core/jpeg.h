// Where a JPEG ends. Drivers append junk or zeros behind the end.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace camd {

// The size up to and with EOI of the whole JPEG (SOI, a frame header, a scan,
// EOI) that `data` begins with, 0 when there is none.
size_t jpeg_size(const uint8_t* data, size_t size);

}  // namespace camd
