#include "program.h"

#include <Arduino.h>
#include <ESPmDNS.h>
#include <esp_heap_caps.h>
#include <esp_sleep.h>

#include "../core/battery.h"
#include "held_pin.h"
#include "watchdog.h"

// The handshake has a task of its own; the rest wants more than the usual 8 KiB.
SET_LOOP_TASK_STACK_SIZE(12 * 1024);

namespace camd {
namespace {

RTC_DATA_ATTR RtcState rtc_state;
RTC_DATA_ATTR Lease rtc_lease;

const size_t kSlotSize = 384000;      // the driver's buffer for the largest picture
const size_t kSmallSlotSize = 40000;  // without PSRAM
const size_t kPasteRoom = 2560;
const size_t kLeftInPsram = 1u << 20;  // for pictures of the live page, and others

}  // namespace

Program& program() {
  static Program the_program;
  return the_program;
}

Program::Program()
    : uplink_("uplink", store_),
      download_("download", store_),
      fetch_(download_, clock_, sha_, slot_),
      system_(fetch_, log_),
      card_(clock_),
      sensor_(lamp_),
      radio_(rtc_state, rtc_lease),
      console_(*this, *this),
      portal_(console_),
      page_(sensor_) {}

void Program::begin() {
  // A certificate is pasted faster than the loop comes round while a photo is taken.
  Serial.setRxBufferSize(kPasteRoom);
  Serial.begin(115200);
  begin_watchdog();
  store_.begin();
  trial_.begin(FlashSlot::on_trial());
  bool woke = esp_sleep_get_wakeup_cause() == ESP_SLEEP_WAKEUP_TIMER;

  Settings settings;
  settings.load(store_);
  pins_ = &find_board(settings.board[0] != '\0' ? settings.board : CAMD_BOARD, kChip);
  system_.begin(*pins_);
  system_.follow(settings);
  bool set_up = !woke && button_held_at_start();
  bool kept_up = !set_up && rest_or_stay(settings, woke);

  bool has_slot = card_.begin(*pins_);
  lamp_.begin(pins_->lamp);
  radio_.begin(settings.cam);
  if (!set_up) join_before_camera(settings);
  if (!sensor_.begin(*pins_)) log_.line(Level::kError, "the camera does not start");

  SlotMemory slots = make_slots();
  Ports ports = {clock_,  uplink_, sensor_, has_slot ? &card_ : nullptr, store_, log_, random_,
                 crypto_, system_, this};
  static Ports kept_ports = ports;
  board_ = new Board(kept_ports, rtc_state, slots);
  board_->begin(woke);
  system_.follow(board_->settings());
  if (kept_up) board_->disregard_battery();
  // A firmware on trial needs a photo to show that it works.
  if (trial_.on() && board_->settings().interval_ms == 0) board_->trigger(Trigger::kBoot);
  if (set_up || board_->settings().ssid[0] == '\0') portal();
}

void Program::step() {
  feed_watchdog();
  uint64_t now = clock_.now_ms();
  read_console();
  if (portal_.active()) {
    if (portal_.step(now)) system_.reboot();
    delay(1);
    return;
  }
  watch_button(now);
  radio_.step(now, board_->settings(), board_->connected());
  if (!named_ && radio_.up()) named_ = MDNS.begin(board_->settings().cam);
  board_->step();
  page_.step(now, radio_.up(), *board_, system_);
  judge(false);
  if (board_->sleep_ms() != 0) sleep();
  delay(1);
}

// Nothing has been begun yet. With the power just switched on, somebody may have
// come to put a wrong limit right.
bool Program::rest_or_stay(const Settings& settings, bool woke) {
  uint64_t ms = rest_at_start(settings, system_, clock_, rtc_state, woke);
  if (ms == 0) return false;
  log_.line(Level::kError, "the battery is weak: asleep for an hour");
  if (!woke) {
    log_.line(Level::kInfo, "press Enter within ten seconds to stay up");
    uint64_t until = clock_.now_ms() + kStayMs;
    while (clock_.now_ms() < until) {
      if (Serial.available() > 0) return true;
      delay(10);
    }
  }
  hold_pin(pins_->lamp, false);
  hold_pin(pins_->pwdn, true);
  deep_sleep(ms);
  return false;
}

// A camera and a radio that start together draw more than many supplies give.
// It waits only for the Wi-Fi, and not for long.
void Program::join_before_camera(const Settings& settings) {
  if (settings.ssid[0] == '\0') return;
  uint64_t until = clock_.now_ms() + kFirstNetworkMs;
  while (!radio_.up() && clock_.now_ms() < until) {
    radio_.step(clock_.now_ms(), settings, false);
    delay(10);
  }
}

SlotMemory Program::make_slots() {
  SlotMemory slots = {nullptr, kSlotSize, 0};
  if (sensor_.has_psram()) {
    size_t free = heap_caps_get_free_size(MALLOC_CAP_SPIRAM);
    size_t count = free > kLeftInPsram ? (free - kLeftInPsram) / kSlotSize : 0;
    if (count > Spool::kMaxSlots) count = Spool::kMaxSlots;
    slots.base = static_cast<uint8_t*>(heap_caps_malloc(count * kSlotSize, MALLOC_CAP_SPIRAM));
    slots.count = slots.base != nullptr ? uint8_t(count) : uint8_t(0);
    return slots;
  }
  log_.line(Level::kWarn, "no PSRAM: small pictures, and room for one of them");
  slots.slot_size = kSmallSlotSize;
  slots.base = static_cast<uint8_t*>(heap_caps_malloc(kSmallSlotSize, MALLOC_CAP_8BIT));
  slots.count = slots.base != nullptr ? 1 : 0;
  return slots;
}

// The button.

bool Program::button_down() const { return digitalRead(uint8_t(pins_->button)) == LOW; }

bool Program::button_held_at_start() {
  if (pins_->button < 0) return false;
  pinMode(uint8_t(pins_->button), INPUT_PULLUP);
  delay(10);
  // Where the camera takes the pin over, this is the only chance: the chip
  // itself reads the pin at reset, so the hand comes after it.
  uint64_t until = clock_.now_ms() + (pins_->button == pins_->xclk ? kShowButtonMs : 0);
  while (!button_down() && clock_.now_ms() < until) delay(10);
  uint64_t since = clock_.now_ms();
  while (button_down()) {
    if (clock_.now_ms() - since >= kButtonMs) return true;
    delay(10);
  }
  return false;
}

void Program::watch_button(uint64_t now) {
  if (pins_->button < 0 || pins_->button == pins_->xclk) return;
  if (!button_down()) {
    button_since_ = 0;
  } else if (button_since_ == 0) {
    button_since_ = now;
  } else if (now - button_since_ >= kLongButtonMs) {
    portal();
  }
}

// The console.

void Program::read_console() {
  for (int i = 0; i < 256 && Serial.available() > 0; ++i) console_.feed(char(Serial.read()));
}

void Program::line(const char* text) { Serial.println(text); }

SetResult Program::set(Text name, Text value) {
  SetResult result = board_->set(name, value, Origin::kOwner);
  if (result == SetResult::kOk && name == "board") line("comes into effect with reboot");
  return result;
}

bool Program::has_ca() const { return const_cast<NvsSettings&>(store_).ca() != nullptr; }

void Program::portal() {
  page_.stop();
  uplink_.close();
  download_.close();
  if (pins_->light >= 0) {
    pinMode(uint8_t(pins_->light), OUTPUT);
    digitalWrite(uint8_t(pins_->light), LOW);
  }
  log_.line(Level::kInfo, "set-up: join this board's own network");
  portal_.open(board_->settings(), clock_.now_ms());
}

void Program::test(Lines& out) {
  char text[128];
  const Settings& settings = board_->settings();
  if (radio_.up()) {
    snprintf(text, sizeof text, "Wi-Fi   %s, %d dBm, this is %s", settings.ssid, int(WiFi.RSSI()),
             WiFi.localIP().toString().c_str());
  } else {
    snprintf(text, sizeof text, "Wi-Fi   not joined");
  }
  out.line(text);
  snprintf(text, sizeof text, "camd    %s, %s port %u%s", settings.server,
           board_->connected() ? "connected" : "not connected", unsigned(settings.port),
           settings.tls ? has_ca() ? ", TLS" : ", TLS, but there is no CA to check it by" : "");
  out.line(text);
  Picture picture;
  if (sensor_.grab(false, &picture)) {
    snprintf(text, sizeof text, "camera  a picture of %u bytes", unsigned(picture.size));
    sensor_.release();
  } else {
    snprintf(text, sizeof text, "camera  no picture");
  }
  out.line(text);
  if (card_.ready_now()) {
    snprintf(text, sizeof text, "card    %u MB free", unsigned(card_.free_bytes() >> 20));
  } else {
    snprintf(text, sizeof text, "card    none, or none with FAT32");
  }
  out.line(text);
  snprintf(text, sizeof text, "photos  %u waiting, %u set aside, %u lost; PSRAM %s; last start: %s",
           unsigned(board_->queued()), unsigned(board_->aside()), unsigned(board_->lost()),
           sensor_.has_psram() ? "yes" : "no", system_.reset_reason());
  out.line(text);
}

// A firmware on trial.

void Program::settled(uint64_t, uint32_t, Fate fate, const char*) {
  if (fate == Fate::kAcked) trial_.photo_acked();
}

void Program::judge(bool leaving) {
  switch (trial_.verdict(clock_.now_ms(), leaving)) {
    case Trial::Verdict::kOpen: return;
    case Trial::Verdict::kKeep:
      log_.line(Level::kInfo, "the new firmware stays");
      FlashSlot::keep();
      return;
    case Trial::Verdict::kRollBack:
      log_.line(Level::kError, "the new firmware sent no photo: back to the one before");
      FlashSlot::roll_back();
      return;
  }
}

void Program::sleep() {
  judge(true);
  uint64_t ms = board_->sleep_ms();
  page_.stop();
  sensor_.power_down();
  card_.end();
  lamp_.hold_low();
  radio_.off();
  deep_sleep(ms);
}

void Program::deep_sleep(uint64_t ms) {
  Serial.flush();
  esp_sleep_enable_timer_wakeup(ms * 1000);
  esp_deep_sleep_start();
}

}  // namespace camd
