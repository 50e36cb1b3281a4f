// Waits between attempts: each twice the one before, up to a most.
#pragma once

#include <stdint.h>

#include "ports.h"

namespace camd {

// `first` doubled `times` times, at most `most`.
inline uint32_t doubled(uint32_t first, unsigned times, uint32_t most) {
  for (; times > 0 && first < most; --times) first *= 2;
  return first < most ? first : most;
}

// Between half of `ms` and the whole, so that boards that lost the same server
// do not come back in step.
inline uint32_t jittered(uint32_t ms, Random& random) {
  uint32_t dice;
  random.fill(reinterpret_cast<uint8_t*>(&dice), sizeof dice);
  return ms / 2 + dice % (ms / 2 + 1);
}

}  // namespace camd
