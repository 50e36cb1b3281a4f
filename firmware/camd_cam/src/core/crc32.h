// CRC-32 as in zip, gzip and PNG.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace camd {

// Pass the result of the pieces before as `crc`, 0 for the first.
uint32_t crc32(uint32_t crc, const uint8_t* data, size_t size);

}  // namespace camd
