// The firmware as a whole: the core, its ports on the chip, and what is beside
// them. setup() and loop() call this and nothing else.
#pragma once

#include "../core/board.h"
#include "../portable/console.h"
#include "../portable/trial.h"
#include "boards.h"
#include "card.h"
#include "chip_ports.h"
#include "chip_system.h"
#include "flash_slot.h"
#include "lamp.h"
#include "live_page.h"
#include "md_crypto.h"
#include "net_transport.h"
#include "nvs_settings.h"
#include "portal.h"
#include "radio.h"
#include "sensor.h"

namespace camd {

class Program : private Console::Owner, private Lines, private Journal {
 public:
  Program();
  void begin();
  void step();

 private:
  static const uint32_t kButtonMs = 1500;      // held at the start
  static const uint32_t kLongButtonMs = 3000;  // held later
  static const uint32_t kFirstNetworkMs = 6000;
  static const uint32_t kShowButtonMs = 2000;
  static const uint32_t kStayMs = 10000;

  // Console::Owner
  const Settings& settings() const override { return board_->settings(); }
  SetResult set(Text name, Text value) override;
  bool keep_ca(const char* pem) override { return store_.keep_ca(pem); }
  bool has_ca() const override;
  void test(Lines& out) override;
  void photo() override { board_->trigger(Trigger::kSnap); }
  void portal() override;
  void reboot() override { system_.reboot(); }

  // Lines
  void line(const char* text) override;

  // Journal
  void state_changed(const RtcState&) override {}
  void taken(uint64_t, uint32_t, uint32_t, uint32_t) override {}
  void settled(uint64_t boot, uint32_t seq, Fate fate, const char* reason) override;

  bool button_down() const;
  bool button_held_at_start();
  void watch_button(uint64_t now);
  bool rest_or_stay(const Settings& settings, bool woke);
  void join_before_camera(const Settings& settings);
  SlotMemory make_slots();
  void read_console();
  void judge(bool leaving);
  void sleep();
  void deep_sleep(uint64_t ms);

  ChipClock clock_;
  ChipRandom random_;
  SerialLog log_;
  MdCrypto crypto_;
  MdSha256 sha_;
  NvsSettings store_;
  NetTransport uplink_;
  NetTransport download_;
  FlashSlot slot_;
  FirmwareFetch fetch_;
  ChipSystem system_;
  Card card_;
  Lamp lamp_;
  Sensor sensor_;
  Radio radio_;
  Console console_;
  Portal portal_;
  LivePage page_;
  Trial trial_;
  const BoardPins* pins_ = nullptr;
  Board* board_ = nullptr;
  bool named_ = false;  // mDNS runs
  uint64_t button_since_ = 0;
};

Program& program();

}  // namespace camd
