#include <doctest/doctest.h>

#include "world.h"

namespace {

const uint64_t kHour = 3600000;

// A board's day under a network that fails in every way it can.
class BadDay {
 public:
  explicit BadDay(uint32_t seed) : world(seed), dice_(seed) {}

  void run(uint64_t ms) {
    uint64_t left = ms;
    while (left > 0) {
      uint64_t before = world.clock.now;
      mischief();
      world.run(1000, 100);
      uint64_t passed = world.clock.now - before;
      if (uint64_t sleep = world.board->sleep_ms()) {
        passed += sleep;
        world.start(true);
      }
      left -= std::min(left, passed);
    }
  }

  // Good weather, until all is told.
  void calm() {
    world.transport.network = true;
    world.transport.stalled = world.transport.refuses = world.transport.hangs = false;
    world.transport.break_after = UINT64_MAX;
    world.transport.piece = SIZE_MAX;
    world.camd.never_acks = world.camd.mute = false;
    world.camd.verdict = nullptr;
    world.storage.restore();
    world.board->set("interval", "0", camd::Origin::kOwner);
    world.run_until([&] { return world.board->queued() == 0; }, kHour, 100);
  }

  World world;

 private:
  bool chance(unsigned percent) { return dice_() % 100 < percent; }

  void mischief() {
    fakes::Transport& transport = world.transport;
    if (!chance(20)) return;
    switch (dice_() % 10) {
      case 0: transport.network = !transport.network || chance(70); break;
      case 1: transport.reset = true; break;
      case 2: transport.hang_up(); break;
      case 3: transport.stalled = !transport.stalled; break;
      case 4: transport.break_after = dice_() % 2000; break;
      case 5: transport.piece = chance(50) ? 1 + dice_() % 200 : SIZE_MAX; break;
      case 6: world.camd.never_acks = !world.camd.never_acks; break;
      case 7:
        transport.refuses = !transport.refuses;
        transport.hangs = transport.refuses && chance(50);
        break;
      case 8: world.camd.delay_ms = dice_() % 3000; break;
      case 9:
        world.camd.verdict = nullptr;
        if (chance(50)) {
          world.camd.verdict = [this](const std::string&, unsigned) -> std::string {
            return chance(50) ? "" : chance(50) ? "busy" : "full retry=3000";
          };
        }
        break;
    }
  }

  std::mt19937 dice_;
};

void check_stored(const World& world) {
  for (const auto& taken : world.journal.photos) {
    char boot[17];
    camd::Writer(boot, sizeof boot).hex64(taken.first.first).c_str();
    auto stored = world.camd.photos.find({boot, taken.first.second});
    REQUIRE(stored != world.camd.photos.end());
    CHECK_UNARY(stored->second.crc == taken.second);
  }
}

void check_books(World& world, size_t at_least) {
  CHECK(world.camd.errors.empty());
  for (const auto& error : world.camd.errors) MESSAGE(error);
  CHECK_FALSE(world.journal.repeated);
  CHECK(world.journal.photos.size() >= at_least);
  CHECK(world.journal.count(camd::Fate::kAcked) == world.journal.photos.size());
  CHECK(world.camd.photos.size() == world.journal.photos.size());
  check_stored(world);
}

}  // namespace

TEST_CASE("a day of bad Wi-Fi: no photo is lost and none doubled") {
  BadDay day(1);
  SUBCASE("plain") {}
  SUBCASE("sealed") { day.world.use_key(); }
  SUBCASE("newest first") { day.world.settings.values["order"] = "newest"; }
  day.world.settings.values["interval"] = "60";
  day.world.start();
  day.run(24 * kHour);
  day.calm();
  check_books(day.world, 1430);
  CHECK(day.world.transport.opens > 100);
}

TEST_CASE("a day on a battery, asleep between photos") {
  BadDay day(2);
  day.world.use_key();
  day.world.settings.values["sleep"] = "1";
  day.world.settings.values["interval"] = "300";
  day.world.settings.values["awake"] = "20";
  day.world.start();
  day.run(24 * kHour);
  day.calm();
  check_books(day.world, 280);
  CHECK(day.world.camd.was_told("BYE next="));
}

TEST_CASE("power cuts all day long: what was taken arrives") {
  BadDay day(3);
  std::mt19937 dice(4);
  day.world.settings.values["interval"] = "20";
  day.world.slot_count = 0;  // what is in memory dies with the power
  day.world.start();
  for (int cut = 0; cut < 100; ++cut) {
    day.world.storage.budget = 2000 + dice() % 20000;
    day.run(60000 + dice() % kHour / 6);
    day.world.storage.restore();
    day.world.start(dice() % 2 == 0);
  }
  day.calm();
  CHECK(day.world.camd.errors.empty());
  CHECK_FALSE(day.world.journal.repeated);
  CHECK(day.world.journal.photos.size() > 300);
  CHECK(day.world.camd.photos.size() == day.world.journal.photos.size());
  CHECK(day.world.storage.files.empty());
}

TEST_CASE("a loose contact all day long: what was taken arrives, some of it after a start") {
  for (uint32_t seed = 10; seed < 14; ++seed) {
    BadDay day(seed);
    std::mt19937 dice(seed + 1);
    World& world = day.world;
    if (seed % 2 == 1) world.settings.values["order"] = "newest";
    world.settings.values["interval"] = "20";
    world.slot_count = 0;  // what is in memory dies with the power
    auto loose = [&](uint8_t* bytes, size_t size) {
      if (size > 0 && dice() % 3 != 0) bytes[dice() % size] ^= 0x20;
      return dice() % 20 != 0;
    };
    world.start();
    for (int hour = 0; hour < 60; ++hour) {
      world.storage.contact = nullptr;
      if (dice() % 2 == 0) world.storage.contact = loose;
      world.storage.present = dice() % 8 != 0;
      world.storage.budget = dice() % 3 == 0 ? 2000 + dice() % 20000 : UINT64_MAX;
      day.run(60000 + dice() % (kHour / 6));
      if (world.storage.budget == UINT64_MAX && dice() % 2 == 0) continue;
      world.storage.restore();
      world.start(dice() % 2 == 0);
    }
    world.storage.contact = nullptr;
    world.storage.present = true;
    world.storage.restore();
    world.start();
    day.calm();
    // The contact's doing, where it touches the last byte.
    for (const auto& error : world.camd.errors) CHECK(error == "a payload without EOI");
    CHECK_UNARY_FALSE(world.journal.repeated);
    CHECK_UNARY(world.journal.photos.size() > 300);
    CHECK_UNARY(world.journal.count(camd::Fate::kRefused) == 0);
    check_stored(world);
    CHECK_UNARY(world.storage.files.empty());
  }
}
