#include "wifi_plan.h"

#include "../core/backoff.h"

namespace camd {

WifiPlan::Act WifiPlan::full(uint64_t now) {
  state_ = State::kFull;
  until_ = now + kFullMs;
  joined_quick_ = false;
  return Act::kJoinFull;
}

WifiPlan::Act WifiPlan::next(uint64_t now, bool up, bool quick, bool useful) {
  if (useful) useful_at_ = now;
  switch (state_) {
    case State::kStart:
      failures_ = 0;
      if (!quick) return full(now);
      state_ = State::kQuick;
      until_ = now + kQuickMs;
      joined_quick_ = true;
      return Act::kJoinQuick;

    case State::kQuick:
    case State::kFull:
      if (up) {
        state_ = State::kUp;
        failures_ = 0;
        useful_at_ = now;
        return Act::kNothing;
      }
      if (now < until_) return Act::kNothing;
      if (state_ == State::kQuick) return full(now);
      state_ = State::kPause;
      until_ = now + doubled(kFirstPauseMs, failures_, kMostPauseMs);
      if (failures_ < 100) ++failures_;
      return Act::kDrop;

    case State::kUp:
      if (!up) return full(now);
      if (now - useful_at_ < (joined_quick_ ? kQuickUselessMs : kUselessMs)) return Act::kNothing;
      useful_at_ = now;
      return full(now);

    case State::kPause: return now < until_ ? Act::kNothing : full(now);
  }
  return Act::kNothing;
}

}  // namespace camd
