#include "battery.h"

#include "schedule.h"

namespace camd {
namespace {

const uint32_t kFullerMv = 100;

}  // namespace

bool is_weak(const Settings& settings, const Readings& readings, bool rested) {
  if (settings.cutoff_mv == 0 || readings.battery_mv == Readings::kNone) return false;
  // With less than half of it no board runs: nothing is connected to that pin.
  if (readings.battery_mv < int32_t(settings.cutoff_mv / 2)) return false;
  return readings.battery_mv < int32_t(settings.cutoff_mv + (rested ? kFullerMv : 0));
}

uint64_t rest_at_start(const Settings& settings, System& system, Clock& clock, RtcState& rtc,
                       bool woke) {
  if (settings.cutoff_mv == 0) return 0;
  bool known = woke && state_is_whole(rtc);
  Readings readings;
  system.measure(&readings);
  if (!is_weak(settings, readings, known && rtc.rested != 0)) return 0;
  if (known) {
    rtc.rested = 1;
    Schedule(clock, rtc).prepare_sleep(kRestMs);
  }
  return kRestMs;
}

}  // namespace camd
