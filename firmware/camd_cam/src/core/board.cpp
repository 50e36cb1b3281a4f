#include "board.h"

#include "backoff.h"
#include "battery.h"
#include "encoder.h"
#include "jpeg.h"

namespace camd {
namespace {

const uint8_t kFailuresToRestart = 5;
const uint32_t kFirstGrabRetryMs = 1000;
const uint32_t kMostGrabRetryMs = 60000;
const uint32_t kShortestSleepMs = 3000;
const uint32_t kRestartMs = 5000;
const uint32_t kLingerMs = 500;  // after WELCOME, for commands that were waiting

}  // namespace

Board::Board(const Ports& ports, RtcState& rtc, const SlotMemory& slots)
    : ports_(ports),
      rtc_(rtc),
      schedule_(ports.clock, rtc),
      spool_(ports, slots, rtc),
      uplink_(ports, settings_, schedule_, spool_, rtc, *this) {}

void Board::begin(bool woke) {
  settings_.load(ports_.settings);
  first_ = !schedule_.start(woke, ports_.random);
  state_changed();
  spool_.order(settings_.order);
  spool_.check_card();
  apply_camera();
  awake_since_ = ports_.clock.now_ms();
}

void Board::step() {
  now_ = ports_.clock.now_ms();
  if (sleep_ms_ != 0) return;
  spool_.check_card();
  uplink_.step();
  end_view();
  watch_battery();
  take_photos();
  stream();
  say_stat();
  update();
  restart_uplink();
  reboot();
  consider_sleep();
}

void Board::trigger(Trigger trigger) {
  if (wanted_ == Trigger::kTimer) wanted_ = trigger;
}

void Board::state_changed() {
  if (ports_.journal) ports_.journal->state_changed(rtc_);
}

// Photos.

void Board::take_photos() {
  if (view_held_ || now_ < grab_at_ || reboot_by_ != 0 || weak_looks_ > 0) return;
  if (wanted_ != Trigger::kTimer) {
    Shot shot = shoot(wanted_, snap_flash_ || settings_.flash);
    if (shot != Shot::kNotYet) end_snap(shot);
    return;
  }
  if (!schedule_.photo_due(settings_.interval_ms)) return;
  Shot shot = shoot(first_ ? Trigger::kBoot : Trigger::kTimer, settings_.flash);
  if (shot == Shot::kNotYet) return;
  schedule_.photo_taken(settings_.interval_ms);
  state_changed();
  first_ = false;
}

Board::Shot Board::shoot(Trigger trigger, bool flash) {
  if (!spool_.has_room(1)) {
    ports_.log.line(Level::kWarn, "no photo: no room for it");
    return Shot::kFailed;
  }
  Picture picture;
  if (!grab(flash, &picture)) return Shot::kNotYet;
  if (warmup_left_ > 0) {
    --warmup_left_;
    ports_.camera.release();
    return Shot::kNotYet;
  }
  picture.size = jpeg_size(picture.data, picture.size);
  if (picture.size == 0) {
    ports_.camera.release();
    grab_failed("the camera gave a picture that is no whole JPEG");
    return Shot::kNotYet;
  }
  bool kept = keep(picture, trigger);
  ports_.camera.release();
  grab_failures_ = 0;
  return kept ? Shot::kTaken : Shot::kFailed;
}

bool Board::keep(const Picture& picture, Trigger trigger) {
  Photo photo;
  photo.when = schedule_.board_ms();
  photo.undated = !schedule_.time_known();
  if (!photo.undated) photo.when = schedule_.unix_ms(photo.when);
  photo.trigger = trigger;
  schedule_.raise_seq(spool_.highest_seq());
  photo.seq = schedule_.take_seq(ports_.random);
  photo.boot = rtc_.boot;
  state_changed();
  last_seq_ = photo.seq;
  return spool_.add(photo, picture.data, picture.size);
}

bool Board::grab(bool flash, Picture* picture) {
  if (ports_.camera.grab(flash, picture)) return true;
  grab_failed("the camera gave no picture");
  return false;
}

void Board::grab_failed(const char* why) {
  ports_.log.line(Level::kWarn, why);
  now_ = ports_.clock.now_ms();
  grab_at_ = now_ + doubled(kFirstGrabRetryMs, grab_failures_, kMostGrabRetryMs);
  if (grab_failures_ < 100) ++grab_failures_;
  if (grab_failures_ % kFailuresToRestart != 0) return;
  if (wanted_ != Trigger::kTimer) {
    end_snap(Shot::kFailed);
  } else if (schedule_.photo_due(settings_.interval_ms)) {
    // This one is given up: a board that waits for it does not sleep.
    schedule_.photo_taken(settings_.interval_ms);
  }
  if (ports_.camera.restart()) apply_camera();
}

// Live view.

void Board::stream() {
  if (!uplink_.ready()) view_every_ms_ = 0;
  if (view_every_ms_ == 0 || view_held_ || now_ < view_at_ || now_ < grab_at_) return;
  if (weak_looks_ > 0) return;
  view_at_ = now_ + view_every_ms_;
  Picture picture;
  if (!grab(settings_.flash, &picture)) return;
  picture.size = jpeg_size(picture.data, picture.size);
  if (picture.size != 0 && uplink_.view(picture)) {
    grab_failures_ = 0;
    view_held_ = true;
  } else {
    ports_.camera.release();
  }
}

void Board::end_view() {
  if (!view_held_ || uplink_.viewing()) return;
  ports_.camera.release();
  view_held_ = false;
}

// Settings.

SetResult Board::set(Text name, Text value, Origin origin) {
  SetResult result = settings_.set(name, value, origin);
  if (result != SetResult::kOk) return result;
  char saved[Settings::kValueRoom];
  if (settings_.get(name, saved, sizeof saved)) {
    char key[Settings::kNameRoom];
    const char* kept_as = Writer(key, sizeof key).text(name).c_str();
    if (!ports_.settings.save(kept_as, saved)) result = SetResult::kUnsaved;
  }
  int camera = Settings::camera_index(name);
  if (camera >= 0) {
    const char* sensor_name = Settings::camera_name(size_t(camera));
    if (!ports_.camera.set(sensor_name, settings_.camera[camera])) result = SetResult::kRefused;
  } else if (name == "framesize") {
    if (!ports_.camera.set_framesize(settings_.framesize)) result = SetResult::kRefused;
  } else if (name == "interval") {
    schedule_.replan(settings_.interval_ms);
  } else if (name == "order") {
    spool_.order(settings_.order);
  } else if (Settings::is_connection(name)) {
    restart_by_ = ports_.clock.now_ms() + kRestartMs;
  }
  return result;
}

void Board::apply_camera() {
  warmup_left_ = settings_.warmup;
  if (settings_.framesize[0] != '\0') ports_.camera.set_framesize(settings_.framesize);
  for (size_t i = 0; i < Settings::kCameraSettings; ++i) {
    if (settings_.camera[i] == Settings::kDriversChoice) continue;
    ports_.camera.set(Settings::camera_name(i), settings_.camera[i]);
  }
}

// What runs beside the photos.

void Board::welcomed(uint64_t unix_ms, uint32_t last) {
  schedule_.set_time(unix_ms);
  if (uplink_.session_boot() == rtc_.boot) schedule_.raise_seq(last);
  state_changed();
  stat_at_ = now_;
  view_every_ms_ = 0;
}

void Board::say_stat() {
  if (now_ < stat_at_ || !uplink_.can_say()) return;
  stat_at_ = now_ + settings_.stat_s * 1000u;
  Stat stat;
  ports_.system.measure(&stat.readings);
  stat.uptime_s = now_ / 1000;
  stat.queued = spool_.queued();
  stat.aside = spool_.aside();
  stat.lost = lost();
  stat.reset = ports_.system.reset_reason();
  char buffer[Outbox::kLongestReply];
  Writer line(buffer, sizeof buffer);
  encode_stat(line, stat);
  uplink_.say(line.view());
}

void Board::update() {
  if (!updating_) return;
  System::Update progress = ports_.system.update_step();
  if (progress == System::Update::kRunning) return;
  updating_ = false;
  if (progress == System::Update::kFailed) {
    say_fail(update_id_, "update");
    return;
  }
  say_done(update_id_);
  reboot_by_ = now_ + kRebootMs;
}

// Lines that are on their way go first, for a while.
void Board::restart_uplink() {
  if (restart_by_ == 0 || reboot_by_ != 0) return;
  if (uplink_.ready() && !uplink_.said_all() && now_ < restart_by_) return;
  restart_by_ = 0;
  uplink_.restart();
}

// Photos that a reboot would lose go first, for a while.
void Board::reboot() {
  if (reboot_by_ == 0) return;
  bool memory_empty = spool_.in_memory() == 0;
  uplink_.hold(memory_empty);
  bool in_order = memory_empty && spool_.flying() == 0 && uplink_.said_all();
  if (!in_order && now_ < reboot_by_) return;
  uplink_.park();
  end_view();
  ports_.system.reboot();
  // A host program comes back from there, and goes on.
  reboot_by_ = 0;
  uplink_.hold(false);
  uplink_.restart();
}

void Board::watch_battery() {
  if (settings_.cutoff_mv == 0 || weak_looks_ == kWeakLooks) return;
  if (now_ < battery_at_) return;
  battery_at_ = now_ + kBatteryMs;
  Readings readings;
  ports_.system.measure(&readings);
  bool weak = is_weak(settings_, readings, rtc_.rested != 0);
  weak_looks_ = weak ? uint8_t(weak_looks_ + 1) : 0;
  if (weak_looks_ == kWeakLooks) {
    ports_.log.line(Level::kError, "the battery is weak: asleep for an hour");
    stat_at_ = now_;
    say_stat();
  }
  if (!weak) rtc_.rested = 0;
}

// Photos in memory are lost by it, as they would be by the brownout.
void Board::rest() {
  if (!uplink_.parked()) {
    if (uplink_.ready()) return uplink_.leave(kRestMs / 1000);
    if (uplink_.leaving()) return;
    uplink_.park();
  }
  end_view();
  rtc_.rested = 1;
  rtc_.lost += spool_.in_memory();
  fall_asleep(kRestMs);
}

void Board::fall_asleep(uint64_t ms) {
  sleep_ms_ = ms == 0 ? 1 : ms;
  rtc_.lost += spool_.lost();
  schedule_.prepare_sleep(sleep_ms_);
  state_changed();
}

void Board::consider_sleep() {
  if (weak_looks_ == kWeakLooks) return rest();
  bool wanted = settings_.sleep && settings_.interval_ms != 0;
  bool at_work = wanted_ != Trigger::kTimer || view_every_ms_ != 0 || view_held_ || updating_ ||
                 reboot_by_ != 0 || restart_by_ != 0;
  if (uplink_.parked()) {
    // Something came up in the last moment.
    if (at_work || spool_.in_memory() > 0) return uplink_.restart();
    return fall_asleep(schedule_.until_next_ms());
  }
  if (uplink_.has_acked() || !wanted || at_work) awake_since_ = now_;
  if (!wanted || at_work) return;
  uint64_t left = schedule_.until_next_ms();
  if (left < kShortestSleepMs) return;

  bool in_order = uplink_.ready() && spool_.queued() == 0 && uplink_.said_all();
  if (in_order && now_ - uplink_.ready_since() >= kLingerMs) {
    uplink_.leave((left + 999) / 1000);
    return;
  }
  // Memory does not last through deep sleep: what is in it keeps the board up.
  bool too_long = now_ - awake_since_ > settings_.awake_s * 1000u;
  if (too_long && spool_.in_memory() == 0) uplink_.park();
}

}  // namespace camd
