#include <doctest/doctest.h>

#include "battery.h"
#include "world.h"

using std::string;

namespace {

// A board that is welcomed and has sent its first photo.
struct Running : World {
  Running(bool keyed = false, const string& interval = "1000") {
    if (keyed) use_key();
    settings.values["interval"] = interval;
    start();
    run(1000);
    REQUIRE(camd.photos.size() == (interval == "0" ? 0 : 1));
  }
};

}  // namespace

TEST_CASE("SET changes all or nothing, and is kept") {
  Running world;
  world.camd.say("SET 1 quality=12 framesize=svga interval=2.5 vflip=1");
  world.run(100);
  CHECK(world.camd.was_told("DONE 1"));
  CHECK(world.camera.settings["quality"] == "12");
  CHECK(world.camera.settings["framesize"] == "svga");
  CHECK(world.settings.values["interval"] == "2.5");
  size_t photos = world.camd.photos.size();
  world.run(10000);
  CHECK(world.camd.photos.size() == photos + 4);

  world.camd.say("SET 2 quality=13 brightness=9");
  world.camd.say("SET 3 quality=13 nosuch=1");
  world.camd.say("SET 4 quality=13 server=evil.example");
  world.camd.say("SET 5 quality=%zz");
  world.camd.say("SET 6 framesize=9");
  world.camd.say("SET x quality=13");
  world.run(100);
  CHECK(world.camd.was_told("FAIL 2 range:brightness"));
  CHECK(world.camd.was_told("FAIL 3 unknown:nosuch"));
  CHECK(world.camd.was_told("FAIL 4 denied:server"));
  CHECK(world.camd.was_told("FAIL 5 range:quality"));
  CHECK(world.camd.was_told("FAIL 6 range:framesize"));
  CHECK(world.settings.values["quality"] == "12");
  world.camera.refuses = true;
  world.camd.say("SET 7 quality=14");
  world.run(100);
  CHECK(world.camd.was_told("FAIL 7 camera:quality"));
}

TEST_CASE("a setting that could not be kept is no success") {
  Running world;
  world.settings.full = true;
  world.camd.say("SET 1 interval=5");
  world.run(100);
  CHECK(world.camd.was_told("FAIL 1 unsaved:interval"));
  CHECK(world.board->settings().interval_ms == 5000);
  world.settings.full = false;
  world.camd.say("SET 2 interval=5");
  world.run(100);
  CHECK(world.camd.was_told("DONE 2"));
  CHECK(world.settings.values["interval"] == "5");
}

TEST_CASE("a camd that proved itself may move the board") {
  Running world(true);
  world.camd.say("SET 1 server=other.example");
  world.run(2000);
  CHECK(world.camd.was_told("DONE 1"));
  CHECK(world.transport.opens == 2);
  CHECK(string(world.board->settings().server) == "other.example");
  world.camd.say("SET 2 key=none");
  world.run(100);
  CHECK(world.camd.was_told("FAIL 2 denied:key"));
}

TEST_CASE("SNAP takes a photo now") {
  Running world;
  world.camd.say("SNAP 5 flash=1");
  world.run(500);
  CHECK(world.camd.photos.size() == 2);
  CHECK(world.camd.photos.rbegin()->second.trigger == "snap");
  CHECK(world.camd.was_told("DONE 5 seq=2"));
  CHECK(world.camera.flashes == 1);
  world.camera.broken = true;
  world.camd.say("SNAP 6");
  world.camd.say("SNAP 7");
  world.run(40000);
  CHECK(world.camd.was_told("FAIL 7 busy"));
  CHECK(world.camd.was_told("FAIL 6 camera"));
  CHECK(world.camera.restarts >= 1);
}

TEST_CASE("a motion photo") {
  Running world(false, "0");
  world.board->trigger(camd::Trigger::kMotion);
  world.run(500);
  REQUIRE(world.camd.photos.size() == 1);
  CHECK(world.camd.photos.begin()->second.trigger == "motion");
}

TEST_CASE("STREAM sends views beside photos until it is off") {
  Running world(true, "1");
  world.camd.say("STREAM 1 fps=10");
  world.run(5000);
  CHECK(world.camd.was_told("DONE 1"));
  CHECK(world.camd.views.size() >= 45);
  CHECK(world.camd.photos.size() >= 5);
  world.camd.say("STREAM 2 off");
  world.run(300);
  size_t views = world.camd.views.size();
  world.run(3000);
  CHECK(world.camd.views.size() == views);
  world.camd.say("STREAM 3 fps=0");
  world.camd.say("STREAM 4 fps=10");
  world.run(500);
  CHECK(world.camd.was_told("FAIL 3 range:fps"));
  world.transport.reset = true;
  world.run(5000);
  CHECK(world.camera.held == 0);
  CHECK(world.camd.errors.empty());
  views = world.camd.views.size();
  world.run(1000);
  CHECK(world.camd.views.size() == views);
}

TEST_CASE("a view on its way when the connection goes is given back") {
  Running world;
  world.camera.size = 3000;
  world.camd.say("STREAM 1 fps=10");
  world.transport.stall_after = 100;
  world.run(2000);
  CHECK(world.camera.held == 1);
  world.transport.hang_up();
  world.run(100);
  CHECK(world.camera.held == 0);
}

TEST_CASE("REBOOT is answered, and waits for photos in memory") {
  Running world;
  world.storage.present = false;
  world.camd.never_acks = true;
  world.board->trigger(camd::Trigger::kMotion);
  world.run(500);
  world.camd.say("REBOOT 9");
  world.run(1000);
  CHECK(world.camd.was_told("DONE 9"));
  CHECK(world.system.reboots == 0);
  world.camd.say("ACK 2");
  world.run(100);
  CHECK(world.system.reboots == 1);
}

TEST_CASE("UPDATE runs beside photos, and only for a camd that proved itself") {
  string command = " url=https://camd.example/a%20b.bin sha256=" + string(64, 'a');
  {
    Running world;
    world.camd.say("UPDATE 1" + command);
    world.run(100);
    CHECK(world.camd.was_told("FAIL 1 denied"));
  }
  Running world(true, "1");
  world.camd.say("UPDATE 1 url=x sha256=1");
  world.camd.say("UPDATE 2" + command);
  world.camd.say("UPDATE 3" + command);
  size_t photos = world.camd.photos.size();
  world.run(3000);
  CHECK(world.camd.was_told("FAIL 1 range"));
  CHECK(world.camd.was_told("FAIL 3 busy"));
  CHECK(world.system.url == "https://camd.example/a b.bin");
  CHECK(world.camd.photos.size() >= photos + 2);
  SUBCASE("it fails") {
    world.system.update = camd::System::Update::kFailed;
    world.run(100);
    CHECK(world.camd.was_told("FAIL 2 update"));
    CHECK(world.system.reboots == 0);
  }
  SUBCASE("it is done") {
    world.system.update = camd::System::Update::kDone;
    world.run(100);
    CHECK(world.camd.was_told("DONE 2"));
    CHECK(world.system.reboots == 1);
  }
}

TEST_CASE("STAT says what is measured and leaves out what is not") {
  World world;
  world.settings.values["stat"] = "60";
  world.system.given.rssi_dbm = -70;
  world.start();
  world.run(130000, 50);
  unsigned stats = 0;
  for (const string& line : world.camd.lines) stats += line.compare(0, 5, "STAT ") == 0;
  CHECK(stats == 3);
  CHECK(world.camd.was_told("STAT rssi=-70 uptime=0 queued="));
}

TEST_CASE("first frames are thrown away, broken ones are not sent") {
  World world;
  world.settings.values["warmup"] = "3";
  world.start();
  world.run(1000);
  CHECK(world.camera.grabs == 4);
  CHECK(world.camd.photos.begin()->second.jpeg == fakes::jpeg(4, 300));
  CHECK(world.camd.photos.begin()->second.trigger == "boot");
}

TEST_CASE("photos taken before the time is known get it afterwards") {
  World world;
  world.transport.network = false;
  world.start();
  world.run(15000);
  world.transport.network = true;
  world.run(3000);
  REQUIRE(world.camd.photos.size() == 2);
  // camd's time is one tick of the clock old when it arrives.
  CHECK(world.camd.photos.begin()->second.ts == "1699999999990");
  CHECK(world.camd.photos.rbegin()->second.ts == "1700000009990");
}

TEST_CASE("after a reboot without time, old photos have none") {
  World world;
  world.transport.network = false;
  world.start();
  world.run(5000);
  world.start();
  world.transport.network = true;
  world.run(5000);
  CHECK(world.camd.errors.empty());
  REQUIRE(world.camd.photos.size() == 2);
  unsigned dated = 0;
  for (const auto& photo : world.camd.photos) dated += !photo.second.ts.empty();
  CHECK(dated == 1);
}

TEST_CASE("deep sleep: BYE when all is answered, numbering goes on") {
  World world;
  world.use_key();
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "60";
  world.start();
  for (int night = 0; night < 5; ++night) {
    world.run(30000);
    REQUIRE(world.board->sleep_ms() > 50000);
    REQUIRE(world.board->sleep_ms() <= 60000);
    CHECK(world.clock.now < 2000);
    CHECK(world.camd.lines.back().compare(0, 9, "BYE next=") == 0);
    world.start(true);
  }
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.photos.size() == 5);
  CHECK(world.rtc.seq == 5);
  CHECK(world.camd.photos.begin()->first.first == world.camd.photos.rbegin()->first.first);
}

TEST_CASE("deep sleep without camd: after `awake` seconds, and without BYE") {
  World world;
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "600";
  world.settings.values["awake"] = "20";
  world.camd.never_acks = true;
  world.start();
  SUBCASE("with the photo on the card") {
    world.run(60000);
    CHECK(world.board->sleep_ms() > 570000);
    CHECK(world.clock.now < 21000);
    CHECK_FALSE(world.camd.was_told("BYE"));
    world.camd.never_acks = false;
    world.start(true);
    world.run(60000);
    CHECK(world.board->sleep_ms() > 590000);
    CHECK(world.camd.photos.size() == 2);
    CHECK(world.camd.lines.back().compare(0, 9, "BYE next=") == 0);
  }
  SUBCASE("a photo in memory keeps the board up") {
    world.storage.present = false;
    world.run(1000);
    world.start();
    world.run(60000);
    CHECK(world.board->sleep_ms() == 0);
    world.camd.never_acks = false;
    world.transport.reset = true;
    world.run(10000);
    CHECK(world.board->sleep_ms() > 500000);
  }
}

TEST_CASE("deep sleep comes though photos are taken more often than `awake` is long") {
  World world;
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "30";
  world.settings.values["awake"] = "60";
  world.transport.network = false;
  world.start();
  world.run(300000);
  CHECK(world.board->sleep_ms() > 0);
  CHECK(world.clock.now < 70000);
}

TEST_CASE("a board that gets rid of its photos stays up for them") {
  World world;
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "600";
  world.settings.values["awake"] = "10";
  world.transport.network = false;
  world.start();
  for (int i = 0; i < 30; ++i) {
    world.board->trigger(camd::Trigger::kMotion);
    world.run(100);
  }
  REQUIRE(world.storage.photos() > 20);
  world.transport.network = true;
  world.camd.delay_ms = 2000;
  world.run(300000);
  CHECK(world.board->sleep_ms() > 0);
  CHECK(world.storage.photos() == 0);
  CHECK(world.camd.lines.back().compare(0, 9, "BYE next=") == 0);
}

TEST_CASE("a camera that gives nothing does not keep the board up") {
  World world;
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "600";
  world.camera.broken = true;
  world.start();
  world.run(300000);
  CHECK(world.board->sleep_ms() > 500000);
  CHECK(world.camera.restarts == 1);
  CHECK(world.camd.was_told("BYE next="));
  world.camera.broken = false;
  world.start(true);
  world.run(60000);
  CHECK(world.camd.photos.size() == 1);
}

TEST_CASE("a photo taken while saying goodbye is not slept away") {
  World world;
  world.storage.present = false;
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "600";
  world.start();
  REQUIRE(world.run_until([&] { return world.camd.photos.size() == 1; }, 2000));
  world.transport.stall_after = 0;
  world.run(1000);
  CHECK(world.board->sleep_ms() == 0);  // BYE does not get out
  world.board->trigger(camd::Trigger::kMotion);
  world.run(4000);
  world.transport.stall_after = UINT64_MAX;
  world.run(10000);
  CHECK(world.board->sleep_ms() > 500000);
  CHECK(world.camd.photos.size() == 2);
}

namespace {

// A board on a battery, with the limit at 3.3 V.
struct OnBattery : World {
  OnBattery() {
    settings.values["sleep"] = "1";
    settings.values["interval"] = "600";
    settings.values["cutoff"] = "3.3";
    system.given.battery_mv = 3700;
  }
};

}  // namespace

TEST_CASE("a weak battery: no photo, a word to camd, and a long sleep") {
  OnBattery world;
  world.start();
  world.run(60000);
  REQUIRE(world.board->sleep_ms() > 500000);
  REQUIRE(world.camd.photos.size() == 1);
  world.system.given.battery_mv = 3290;
  world.start(true);
  world.run(60000);
  CHECK(world.board->sleep_ms() == 3600000);
  CHECK(world.clock.now < 10000);
  CHECK(world.camera.grabs == 1);
  CHECK(world.camd.was_told("STAT vbat=3.29 "));
  CHECK(world.camd.lines.back() == "BYE next=3600");
  // It is to be a little fuller before it goes on.
  world.system.given.battery_mv = 3390;
  world.start(true);
  world.run(60000);
  CHECK(world.board->sleep_ms() == 3600000);
  CHECK(world.camera.grabs == 1);
  uint64_t boot = world.rtc.boot;
  world.system.given.battery_mv = 3410;
  world.start(true);
  world.run(60000);
  CHECK(world.camd.photos.size() == 2);
  CHECK(world.rtc.boot == boot);
  REQUIRE(world.board->sleep_ms() > 500000);
  // From then on the limit is the one that was set.
  world.system.given.battery_mv = 3310;
  world.start(true);
  world.run(60000);
  CHECK(world.camd.photos.size() == 3);
  CHECK(world.camd.errors.empty());
}

TEST_CASE("a battery that grows weak while the board is up, and camd is away") {
  OnBattery world;
  world.settings.values["sleep"] = "0";
  world.settings.values["interval"] = "10";
  world.transport.network = false;
  world.start();
  world.run(55000);
  REQUIRE(world.storage.photos() == 6);
  SUBCASE("for a moment only: the radio's burst") {
    world.system.given.battery_mv = 3200;
    world.run(3000);
    world.system.given.battery_mv = 3700;
    world.run(57000);
    CHECK(world.board->sleep_ms() == 0);
    CHECK(world.storage.photos() == 12);
  }
  SUBCASE("for good") {
    world.system.given.battery_mv = 3200;
    world.run(1000);
    world.board->trigger(camd::Trigger::kMotion);
    world.run(10000);
    CHECK(world.board->sleep_ms() == 3600000);
    CHECK(world.storage.photos() == 6);  // all of them wait on the card
    CHECK(world.camera.held == 0);
  }
  SUBCASE("with photos in memory, which the brownout would take as well") {
    world.storage.present = false;
    world.run(20000);
    world.system.given.battery_mv = 3200;
    world.run(10000);
    CHECK(world.board->sleep_ms() == 3600000);
    CHECK(world.rtc.lost == 2);
  }
  SUBCASE("and somebody at its console") {
    world.board->disregard_battery();
    world.system.given.battery_mv = 3200;
    world.run(60000);
    CHECK(world.board->sleep_ms() == 0);
    CHECK(world.storage.photos() == 12);
  }
  SUBCASE("a pin with nothing on it is no battery") {
    world.system.given.battery_mv = 140;
    world.run(60000);
    CHECK(world.board->sleep_ms() == 0);
  }
  SUBCASE("no pin to measure at") {
    world.system.given.battery_mv = camd::Readings::kNone;
    world.run(60000);
    CHECK(world.board->sleep_ms() == 0);
  }
}

TEST_CASE("without a limit the battery is not looked at") {
  OnBattery world;
  world.settings.values["cutoff"] = "0";
  world.transport.network = false;
  world.system.given.battery_mv = 2000;
  world.start();
  world.run(30000);
  CHECK(world.system.measures == 0);
  CHECK(world.storage.photos() == 1);
}

TEST_CASE("a weak battery is seen before anything is begun, and the numbering goes on") {
  OnBattery world;
  camd::Settings settings;
  settings.load(world.settings);
  auto rest = [&](int32_t mv, bool woke) {
    world.system.given.battery_mv = mv;
    return camd::rest_at_start(settings, world.system, world.clock, world.rtc, woke);
  };
  // After power-on there is no state to keep.
  CHECK(rest(3290, false) == 3600000);
  CHECK(rest(3290, true) == 3600000);
  CHECK_FALSE(camd::state_is_whole(world.rtc));
  CHECK(rest(3310, true) == 0);
  world.start();
  world.run(60000);
  REQUIRE(world.board->sleep_ms() > 500000);
  camd::RtcState before = world.rtc;
  world.clock.now = 40;
  CHECK(rest(3290, true) == 3600000);
  CHECK(world.rtc.board_ms == before.board_ms + 3600040);
  CHECK(rest(3390, true) == 3600000);
  CHECK(rest(3410, true) == 0);
  world.start(true);
  world.run(60000);
  CHECK(world.rtc.boot == before.boot);
  CHECK(world.rtc.seq == 2);
  CHECK(world.rtc.rested == 0);
  CHECK(world.camd.photos.size() == 2);
}

TEST_CASE("no camera, no harm") {
  World world;
  world.camera.broken = true;
  world.start();
  world.run(300000, 50);
  CHECK(world.camd.welcomed());
  CHECK(world.camera.restarts >= 1);
  CHECK(world.camera.grabs < 20);
  world.camera.broken = false;
  world.run(120000, 50);
  CHECK(world.camd.photos.size() >= 5);
}
