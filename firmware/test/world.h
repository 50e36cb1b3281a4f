// A board, a camd and everything between them, under a clock moved by hand.
#pragma once

#include <string.h>

#include <memory>

#include "board.h"
#include "fakes.h"
#include "model_camd.h"

struct World {
  static const size_t kSlotSize = 4096;
  static const uint8_t kSlots = 4;

  explicit World(uint32_t seed = 1)
      : random(seed), camd(transport, clock), slots(kSlotSize * kSlots), ports{clock,    transport,
                                                                               camera,   &storage,
                                                                               settings, log,
                                                                               random,   crypto,
                                                                               system,   &journal} {
    transport.peer = &camd;
    settings.values["server"] = "camd.example";
    settings.values["cam"] = "porch";
    settings.values["warmup"] = "0";
    settings.values["interval"] = "10";
    memset(static_cast<void*>(&rtc), 0xa5, sizeof rtc);
  }

  void use_key() {
    camd.key = std::string("0123456789abcdefghijklmnopqrstuv");
    settings.values["key"] = to_hex(camd.key);
  }

  // A start of the program: power-on, or out of deep sleep.
  void start(bool woke = false) {
    transport.close();
    clock.now = 0;
    board.reset(new camd::Board(ports, rtc, camd::SlotMemory{slots.data(), kSlotSize, slot_count}));
    board->begin(woke);
  }

  void run(uint64_t ms, uint64_t tick = 10) {
    for (uint64_t end = clock.now + ms; clock.now < end; clock.now += tick) {
      board->step();
      camd.pump();
      if (board->sleep_ms() != 0) return;
    }
  }

  // True once `done` is, within `ms`.
  template <typename Done>
  bool run_until(Done done, uint64_t ms, uint64_t tick = 10) {
    for (uint64_t end = clock.now + ms; clock.now < end; clock.now += tick) {
      if (done()) return true;
      board->step();
      camd.pump();
    }
    return done();
  }

  fakes::Clock clock;
  fakes::Transport transport;
  fakes::Camera camera;
  fakes::Storage storage;
  fakes::SettingsStore settings;
  fakes::Log log;
  fakes::Random random;
  OpensslCrypto crypto;
  fakes::System system;
  fakes::Journal journal;
  ModelCamd camd;
  uint8_t slot_count = kSlots;
  std::vector<uint8_t> slots;
  camd::Ports ports;
  camd::RtcState rtc;
  std::unique_ptr<camd::Board> board;
};
