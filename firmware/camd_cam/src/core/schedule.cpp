#include "schedule.h"

#include <string.h>

#include "crc32.h"

namespace camd {
namespace {

const uint32_t kMagic = 0x63616d32;

}  // namespace

uint32_t state_check(const RtcState& state) {
  return crc32(0, reinterpret_cast<const uint8_t*>(&state), offsetof(RtcState, check));
}

bool state_is_whole(const RtcState& state) {
  return state.magic == kMagic && state.check == state_check(state);
}

bool Schedule::start(bool woke, Random& random) {
  if (woke && state_is_whole(state_)) {
    if (time_known()) guessed_from_ = unix_ms(state_.board_ms);
    return true;
  }
  memset(static_cast<void*>(&state_), 0, sizeof state_);
  state_.magic = kMagic;
  draw_boot(random);
  save();
  return false;
}

void Schedule::draw_boot(Random& random) {
  random.fill(reinterpret_cast<uint8_t*>(&state_.boot), sizeof state_.boot);
  state_.seq = 0;
}

uint32_t Schedule::take_seq(Random& random) {
  if (state_.seq == UINT32_MAX) draw_boot(random);
  ++state_.seq;
  save();
  return state_.seq;
}

void Schedule::raise_seq(uint32_t seq) {
  if (seq <= state_.seq) return;
  state_.seq = seq;
  save();
}

uint64_t Schedule::unix_ms(uint64_t board_ms) const {
  return time_known() ? uint64_t(int64_t(board_ms) + state_.unix_offset_ms) : 0;
}

void Schedule::set_time(uint64_t unix_ms) {
  int64_t offset = int64_t(unix_ms) - int64_t(board_ms());
  bool guessing = guessed_from_ != UINT64_MAX && guessed_until_ == UINT64_MAX;
  if (guessing) {
    guessed_until_ = this->unix_ms(board_ms());
    guess_error_ = offset - state_.unix_offset_ms;
  }
  state_.unix_offset_ms = offset;
  save();
}

uint64_t Schedule::corrected(uint64_t unix_ms) const {
  bool guessed = unix_ms >= guessed_from_ && unix_ms < guessed_until_;
  return guessed && guessed_until_ != UINT64_MAX ? uint64_t(int64_t(unix_ms) + guess_error_)
                                                 : unix_ms;
}

bool Schedule::photo_due(uint32_t interval_ms) const {
  return interval_ms != 0 && board_ms() >= state_.next_photo_ms;
}

void Schedule::photo_taken(uint32_t interval_ms) {
  if (interval_ms == 0) return;
  uint64_t now = board_ms();
  uint64_t late = now > state_.next_photo_ms ? now - state_.next_photo_ms : 0;
  state_.next_photo_ms += (late / interval_ms + 1) * interval_ms;
  save();
}

void Schedule::replan(uint32_t interval_ms) {
  uint64_t next = board_ms() + interval_ms;
  if (state_.next_photo_ms <= next) return;
  state_.next_photo_ms = next;
  save();
}

uint64_t Schedule::until_next_ms() const {
  uint64_t now = board_ms();
  return state_.next_photo_ms > now ? state_.next_photo_ms - now : 0;
}

void Schedule::prepare_sleep(uint64_t sleep_ms) {
  state_.board_ms = board_ms() + sleep_ms;
  save();
}

void Schedule::save() { state_.check = state_check(state_); }

}  // namespace camd
