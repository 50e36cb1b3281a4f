// When the next photo is due, what time it is, and how long to sleep. Works on
// board time, which runs on through deep sleep.
#pragma once

#include "ports.h"
#include "settings.h"

namespace camd {

class Schedule {
 public:
  Schedule(Clock& clock, RtcState& state) : clock_(clock), state_(state) {}

  // Takes the state up again after deep sleep, or draws a new boot. A state
  // that does not check is never taken up. True when it was.
  bool start(bool woke, Random& random);
  // Numbers a photo. Past the last number, a new boot begins.
  uint32_t take_seq(Random& random);
  void raise_seq(uint32_t seq);

  uint64_t board_ms() const { return state_.board_ms + clock_.now_ms(); }
  bool time_known() const { return state_.unix_offset_ms != 0; }
  // Unix ms of a board time, 0 while unknown.
  uint64_t unix_ms(uint64_t board_ms) const;
  void set_time(uint64_t unix_ms);
  // What a time should have been that was given by unix_ms() in this wake. The
  // clock that runs through deep sleep is off by percents until camd sets it.
  uint64_t corrected(uint64_t unix_ms) const;

  bool photo_due(uint32_t interval_ms) const;
  // Plans the one after the photo that is due now, keeping the beat.
  void photo_taken(uint32_t interval_ms);
  // The interval has changed.
  void replan(uint32_t interval_ms);
  // Board time until the next photo, 0 when it is due or overdue.
  uint64_t until_next_ms() const;

  // The state as it has to be when the program starts again after `sleep_ms`.
  void prepare_sleep(uint64_t sleep_ms);
  void save();

 private:
  void draw_boot(Random& random);

  Clock& clock_;
  RtcState& state_;
  uint64_t guessed_from_ = UINT64_MAX;   // unix_ms() was a guess from then
  uint64_t guessed_until_ = UINT64_MAX;  // until then,
  int64_t guess_error_ = 0;              // and wrong by that much
};

uint32_t state_check(const RtcState& state);
// False for what RTC memory holds after power-on.
bool state_is_whole(const RtcState& state);

}  // namespace camd
