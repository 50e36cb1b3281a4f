// The whole firmware above its ports: takes photos when they are due, keeps
// them, hands them to camd, does what camd asks, and sleeps.
//
//   Board board(ports, rtc, slots);
//   board.begin(woke_from_deep_sleep);
//   for (;;) {
//     board.step();
//     if (board.sleep_ms() != 0) ...deep sleep for that long...
//   }
#pragma once

#include "ports.h"
#include "schedule.h"
#include "settings.h"
#include "spool.h"
#include "uplink.h"

namespace camd {

class Board : private Uplink::Owner {
 public:
  // `ports` and `rtc` outlive the board.
  Board(const Ports& ports, RtcState& rtc, const SlotMemory& slots);

  // Reads the settings and begins. The camera port is ready by then. `woke`:
  // from deep sleep, with `rtc` as it was.
  void begin(bool woke);
  // Does what there is to do now. Call it often.
  void step();
  // Not 0: the board has closed all and wants deep sleep for that long. `rtc`
  // is as the next start needs it.
  uint64_t sleep_ms() const { return sleep_ms_; }

  // Changes a setting, saves it and brings it into effect.
  SetResult set(Text name, Text value, Origin origin);
  const Settings& settings() const { return settings_; }
  // Takes a photo soon, as for a button or a motion sensor.
  void trigger(Trigger trigger);
  // A weak battery is no reason to sleep before the next start: somebody is here.
  void disregard_battery() { settings_.cutoff_mv = 0; }
  // The most bytes that photos may take on the card.
  void limit_card(uint64_t bytes) { spool_.limit(bytes); }

  // For a page or a light that shows how things stand.
  bool connected() const { return uplink_.ready(); }
  uint32_t queued() const { return spool_.queued(); }
  uint32_t aside() const { return spool_.aside(); }
  uint32_t lost() const { return rtc_.lost + spool_.lost(); }
  uint64_t unix_ms() const { return schedule_.unix_ms(schedule_.board_ms()); }

 private:
  static const uint32_t kRebootMs = 30000;
  static const uint32_t kBatteryMs = 1000;  // between two looks at it
  static const uint8_t kWeakLooks = 5;      // in a row: the radio's bursts are short

  enum class Shot : uint8_t { kTaken, kNotYet, kFailed };

  void welcomed(uint64_t unix_ms, uint32_t last) override;
  void commanded(const Line& line) override;
  void command_set(const Line& line, uint64_t id);
  void command_snap(const Line& line, uint64_t id);
  void command_stream(const Line& line, uint64_t id);
  void command_reboot(const Line& line, uint64_t id);
  void command_update(const Line& line, uint64_t id);

  void take_photos();
  Shot shoot(Trigger trigger, bool flash);
  bool grab(bool flash, Picture* picture);
  void grab_failed(const char* why);
  bool keep(const Picture& picture, Trigger trigger);
  void end_snap(Shot shot);
  void stream();
  void end_view();
  void apply_camera();
  void update();
  void reboot();
  void restart_uplink();
  void say_stat();
  void watch_battery();
  void consider_sleep();
  void rest();
  void fall_asleep(uint64_t ms);

  void say_done(uint64_t id);
  void say_fail(uint64_t id, Text reason, Text detail = Text());
  void state_changed();

  const Ports& ports_;
  RtcState& rtc_;
  Settings settings_;
  Schedule schedule_;
  Spool spool_;
  Uplink uplink_;

  uint64_t now_ = 0;
  uint64_t sleep_ms_ = 0;
  uint64_t awake_since_ = 0;  // or since the last success
  uint64_t grab_at_ = 0;      // not before, after a failure
  uint64_t stat_at_ = 0;
  uint64_t view_at_ = 0;
  uint64_t battery_at_ = 0;
  uint64_t restart_by_ = 0;  // the uplink's; 0 for none is due
  uint64_t reboot_by_ = 0;   // 0 for none is due
  uint64_t snap_id_ = 0;
  uint64_t update_id_ = 0;
  uint32_t view_every_ms_ = 0;  // 0: nobody watches
  uint32_t last_seq_ = 0;
  uint8_t warmup_left_ = 0;
  uint8_t grab_failures_ = 0;
  uint8_t weak_looks_ = 0;
  Trigger wanted_ = Trigger::kTimer;  // kTimer: no photo out of turn is wanted
  bool snap_ = false;                 // camd asked for wanted_
  bool snap_flash_ = false;
  bool first_ = false;  // no photo was taken since power-on
  bool view_held_ = false;
  bool updating_ = false;
};

// All that the core keeps in RAM, frame buffers aside.
static_assert(sizeof(Board) + sizeof(RtcState) <= 4096, "the core is to fit 4 KiB");

}  // namespace camd
