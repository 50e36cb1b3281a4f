// The end of a battery: before a brownout spoils the card, the board sleeps.
#pragma once

#include "ports.h"
#include "settings.h"

namespace camd {

const uint32_t kRestMs = 3600000;

// True if the battery is too weak to go on. After a rest it has to be a little
// fuller than before: without a load it shows more than it has.
bool is_weak(const Settings& settings, const Readings& readings, bool rested);

// For the very start, before radio, camera and card draw anything: how long to
// sleep on, 0 for not at all. `rtc` is as the next start needs it.
uint64_t rest_at_start(const Settings& settings, System& system, Clock& clock, RtcState& rtc,
                       bool woke);

}  // namespace camd
