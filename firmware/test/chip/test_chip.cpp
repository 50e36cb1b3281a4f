// Adapters above a chip that is played.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chip/chip.h"
#include "core/photo.h"
#include "esp32/card.h"
#include "esp32/nvs_settings.h"
#include "esp32/radio.h"
#include "esp32/sensor.h"

using namespace camd;
using std::string;

namespace {

struct FakeClock : Clock {
  uint64_t now_ms() override { return chip->now_us / 1000; }
};

}  // namespace

TEST_CASE("a picture that began before it was asked for is given back") {
  ChipBench bench;
  Lamp lamp;
  Sensor sensor(lamp);
  chip->psram = false;
  REQUIRE(sensor.begin(kBoards[0]));
  CHECK(chip->config.fb_count == 1);
  CHECK(chip->config.grab_mode == CAMERA_GRAB_WHEN_EMPTY);
  CHECK(chip->config.frame_size == FRAMESIZE_SVGA);
  CHECK(chip->framesize == FRAMESIZE_VGA);
  chip->now_us += 60000000;
  uint64_t asked = chip->now_us;
  Picture picture;
  REQUIRE(sensor.grab(false, &picture));
  CHECK(chip->exposed_us >= int64_t(asked));
  CHECK(picture.size == sizeof kJpeg);
  CHECK(chip->frames_out == 1);
  CHECK_FALSE(sensor.grab(false, &picture));  // one at a time
  sensor.release();
  sensor.release();
  CHECK(chip->frames_out == 0);
  CHECK(chip->depth == 0);
}

TEST_CASE("with PSRAM there are two buffers, and the newest picture") {
  ChipBench bench;
  Lamp lamp;
  Sensor sensor(lamp);
  REQUIRE(sensor.begin(kBoards[0]));
  CHECK(chip->config.fb_count == 2);
  CHECK(chip->config.grab_mode == CAMERA_GRAB_LATEST);
  CHECK(chip->config.frame_size == FRAMESIZE_UXGA);
  CHECK(chip->config.pin_d7 == 35);
  CHECK(chip->config.pin_d0 == 5);
}

TEST_CASE("the flash burns for its picture only, and as bright as was set") {
  ChipBench bench;
  Lamp lamp;
  lamp.begin(4);
  Sensor sensor(lamp);
  REQUIRE(sensor.begin(kBoards[0]));
  CHECK(sensor.set("led_intensity", 100));
  Picture picture;
  REQUIRE(sensor.grab(true, &picture));
  CHECK(chip->most_duty == 100);
  CHECK(chip->duty[4] == 0);
  sensor.release();
  chip->dead_grabs = 1;
  CHECK_FALSE(sensor.grab(true, &picture));
  CHECK(chip->duty[4] == 0);
  CHECK(chip->depth == 0);
  lamp.hold_low();
  CHECK(chip->level[4] == LOW);
  CHECK(chip->held.count(4) == 1);
}

TEST_CASE("a camera that is busy elsewhere is waited for, and not for ever") {
  ChipBench bench;
  Lamp lamp;
  Sensor sensor(lamp);
  REQUIRE(sensor.begin(kBoards[0]));
  chip->held_elsewhere = true;
  Picture picture;
  CHECK_FALSE(sensor.grab(false, &picture));
  CHECK_FALSE(sensor.copy(100, &picture));
  CHECK_FALSE(sensor.set("quality", 10));
  CHECK_FALSE(sensor.set_framesize("vga"));
  CHECK_FALSE(sensor.restart());
  chip->held_elsewhere = false;
  REQUIRE(sensor.copy(100, &picture));
  CHECK(picture.size == kJpegSize);  // what the driver appended is cut
  CHECK(memcmp(picture.data, kJpeg, kJpegSize) == 0);
  free(const_cast<uint8_t*>(picture.data));
  CHECK(chip->frames_out == 0);
  CHECK(chip->depth == 0);
}

TEST_CASE("settings reach the sensor by name") {
  ChipBench bench;
  Lamp lamp;
  Sensor sensor(lamp);
  CHECK_FALSE(sensor.set("quality", 10));  // not started yet
  REQUIRE(sensor.begin(find_board("m5stack-wide", Chip::kEsp32)));
  CHECK(chip->sensor["vflip"] == 1);
  CHECK(chip->sensor["hmirror"] == 1);
  CHECK(sensor.set("quality", 10));
  CHECK(chip->sensor["quality"] == 10);
  CHECK(sensor.set("gainceiling", 3));
  CHECK(chip->sensor["gainceiling"] == 3);
  CHECK(sensor.set("awb", 0));
  CHECK(sensor.set("agc", 1));
  CHECK_FALSE(sensor.set("quality", 42));
  CHECK_FALSE(sensor.set("contrast", 1));  // this sensor has none
  CHECK_FALSE(sensor.set("nosuch", 1));
  CHECK_FALSE(sensor.set("led_intensity", 9));  // no lamp was begun
  CHECK(sensor.set_framesize("xga"));
  CHECK(chip->framesize == FRAMESIZE_XGA);
  CHECK_FALSE(sensor.set_framesize("10"));
  CHECK(chip->depth == 0);
}

TEST_CASE("a picture larger than the buffers is refused") {
  ChipBench bench;
  chip->psram = false;
  Lamp lamp;
  Sensor sensor(lamp);
  REQUIRE(sensor.begin(kBoards[0]));
  CHECK(sensor.set_framesize("svga"));
  CHECK_FALSE(sensor.set_framesize("uxga"));
  CHECK(chip->framesize == FRAMESIZE_SVGA);
}

TEST_CASE("without PSRAM the camera starts with what memory there is") {
  ChipBench bench;
  chip->psram = false;
  chip->whole_piece = 70000;
  Lamp lamp;
  Sensor sensor(lamp);
  REQUIRE(sensor.begin(kBoards[0]));
  CHECK(chip->config.frame_size == FRAMESIZE_VGA);
  CHECK(chip->framesize == FRAMESIZE_VGA);
  CHECK_FALSE(sensor.set_framesize("svga"));
  chip->whole_piece = 20000;
  REQUIRE(sensor.restart());
  CHECK(chip->framesize == FRAMESIZE_QVGA);
  CHECK_FALSE(sensor.set_framesize("vga"));
  CHECK(sensor.set_framesize("qqvga"));
}

TEST_CASE("the camera's power goes off and on again") {
  ChipBench bench;
  Lamp lamp;
  Sensor sensor(lamp);
  chip->camera_starts = false;
  CHECK_FALSE(sensor.begin(kBoards[0]));
  Picture picture;
  CHECK_FALSE(sensor.grab(false, &picture));
  CHECK_FALSE(sensor.restart());
  chip->camera_starts = true;
  CHECK(sensor.restart());
  CHECK(chip->level[32] == LOW);
  REQUIRE(sensor.grab(false, &picture));
  CHECK(sensor.restart());  // gives the picture back first
  CHECK(chip->starts == 4);
  sensor.power_down();
  CHECK(chip->level[32] == HIGH);
  CHECK(chip->held.count(32) == 1);
  CHECK_FALSE(sensor.running());
  CHECK(chip->depth == 0);
}

TEST_CASE("after a sleep the network of last time is joined, with its address") {
  ChipBench bench;
  RtcState rtc = RtcState();
  Lease lease = Lease();
  Settings settings;
  settings.set("ssid", "net", Origin::kOwner);
  {
    Radio radio(rtc, lease);
    radio.begin("cam");
    for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
    CHECK(chip->full == 1);
    CHECK(chip->quick == 0);
    CHECK(chip->address == 0);
    chip->wifi = WL_CONNECTED;
    radio.step(200, settings, false);
    CHECK(lease.channel == 11);
    CHECK(lease.bssid[5] == 6);
  }
  chip->wifi = WL_IDLE_STATUS;
  SUBCASE("soon") {
    rtc.board_ms = 3600000;
    Radio radio(rtc, lease);
    for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
    CHECK(chip->quick == 1);
    CHECK(chip->full == 1);
    for (uint64_t now = 100; now < 5000; now += 10) radio.step(now, settings, false);
    CHECK(chip->full == 2);
    CHECK(chip->address == 0);
  }
  SUBCASE("and kept for no longer than the router gave it") {
    rtc.board_ms = 3600000;
    Radio radio(rtc, lease);
    for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
    CHECK(chip->quick == 1);
    chip->wifi = WL_CONNECTED;
    uint64_t last = Radio::kLeaseMs - 3600000;
    for (uint64_t now = 100; now < last; now += 10000) radio.step(now, settings, true);
    CHECK(chip->full == 1);
    CHECK(chip->address != 0);
    radio.step(last + 1000, settings, true);
    CHECK(chip->full == 2);
    CHECK(chip->quick == 1);
    CHECK(chip->address == 0);
  }
  SUBCASE("too late for the address") {
    rtc.board_ms = Radio::kLeaseMs + 1000;
    Radio radio(rtc, lease);
    for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
    CHECK(chip->quick == 0);
  }
  SUBCASE("another network") {
    settings.set("ssid", "other", Origin::kOwner);
    Radio radio(rtc, lease);
    for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
    CHECK(chip->quick == 0);
  }
  SUBCASE("spoilt memory") {
    lease.gateway ^= 1;
    Radio radio(rtc, lease);
    for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
    CHECK(chip->quick == 0);
  }
}

TEST_CASE("an access point that lets go of the board without a word is noticed") {
  ChipBench bench;
  RtcState rtc = RtcState();
  Lease lease = Lease();
  Settings settings;
  settings.set("ssid", "net", Origin::kOwner);
  Radio radio(rtc, lease);
  radio.begin("cam");
  for (uint64_t now = 0; now < 100; now += 10) radio.step(now, settings, false);
  chip->wifi = WL_CONNECTED;
  radio.step(100, settings, false);
  REQUIRE(radio.up());
  chip->let_go = true;
  CHECK_FALSE(radio.up());
  radio.step(200, settings, false);
  CHECK(chip->full == 2);
}

TEST_CASE("another network's name takes effect at once") {
  ChipBench bench;
  RtcState rtc = RtcState();
  Lease lease = Lease();
  Settings settings;
  Radio radio(rtc, lease);
  radio.step(0, settings, false);
  CHECK(chip->full == 0);  // none is set
  settings.set("ssid", "net", Origin::kOwner);
  for (uint64_t now = 10; now < 50; now += 10) radio.step(now, settings, false);
  chip->wifi = WL_CONNECTED;
  radio.step(50, settings, true);
  settings.set("psk", "another", Origin::kOwner);
  for (uint64_t now = 60; now < 100; now += 10) radio.step(now, settings, true);
  CHECK(chip->full == 2);
}

TEST_CASE("the card keeps what was committed") {
  ChipBench bench;
  FakeClock clock;
  Card card(clock);
  REQUIRE(card.begin(kBoards[0]));
  CHECK(chip->level[4] == LOW);  // the flash's pin
  REQUIRE(card.ready());
  card.remove("a.jpg");
  const uint8_t bytes[] = {1, 2, 3, 4, 5};
  REQUIRE(card.create("a.jpg"));
  CHECK(card.append(bytes, 3));
  CHECK(card.append(bytes + 3, 2));
  CHECK(card.commit());
  uint8_t back[8];
  CHECK(card.read("a.jpg", 0, back, sizeof back) == 5);
  CHECK(card.read("a.jpg", 5, back, sizeof back) == 0);
  CHECK(card.read("nosuch.jpg", 0, back, sizeof back) < 0);
  CHECK(card.ready_now());  // that was no fault of the card's
  struct Names : Storage::Visitor {
    void file(const char* name) override { all.insert(name); }
    std::set<string> all;
  } names;
  CHECK(card.list(names));
  CHECK(names.all == std::set<string>{"a.jpg"});
  CHECK(chip->feeds > 0);
  CHECK(card.free_bytes() == 600);
  CHECK(card.remove("a.jpg"));
  CHECK_FALSE(card.remove("a.jpg"));
  // A size that cannot be read is no full card, whose photos would make room.
  chip->card_size = 0;
  CHECK(card.free_bytes() == 0);
  CHECK_FALSE(card.list(names));
  CHECK_FALSE(card.ready());
}

TEST_CASE("every hundred photos have a directory, and an empty one goes") {
  struct Names : Storage::Visitor {
    void file(const char* name) override { all.insert(name); }
    std::set<string> all;
  };
  ChipBench bench;
  FakeClock clock;
  Card card(clock);
  REQUIRE(card.begin(kBoards[0]));
  const uint8_t bytes[] = {1, 2, 3};
  std::set<string> kept;
  for (uint32_t number : {99, 100, 101, 200}) {
    Photo photo;
    photo.serial = number;
    photo.seq = 1;
    photo.size = 3;
    string name = photo_name(photo).text;
    REQUIRE(card.create(name.c_str()));
    CHECK(card.append(bytes, sizeof bytes));
    CHECK(card.commit());
    kept.insert(name);
  }
  auto is_there = [](const char* path) {
    return access((string(CAMD_CARD_MOUNT "/camd") + path).c_str(), F_OK) == 0;
  };
  CHECK(is_there(("/00000000/" + *kept.begin()).c_str()));
  CHECK(is_there(("/00000002/" + *kept.rbegin()).c_str()));
  Names names;
  CHECK(card.list(names));
  CHECK(names.all == kept);
  // One that a former version kept beside the directories.
  string former = *kept.begin();
  REQUIRE(rename((CAMD_CARD_MOUNT "/camd/00000000/" + former).c_str(),
                 (CAMD_CARD_MOUNT "/camd/" + former).c_str()) == 0);
  uint8_t back[8];
  for (const string& name : kept) {
    CHECK(card.read(name.c_str(), 0, back, sizeof back) == 3);
  }
  Names again;
  CHECK(card.list(again));
  CHECK(again.all == kept);
  CHECK_FALSE(is_there("/00000000"));
  CHECK(is_there("/00000001"));
  for (const string& name : kept) CHECK(card.remove(name.c_str()));
  Names none;
  CHECK(card.list(none));
  CHECK(none.all.empty());
  CHECK_FALSE(is_there("/00000001"));
  CHECK(card.ready());
}

TEST_CASE("after a piece that cannot be read the card is mounted anew at once") {
  ChipBench bench;
  FakeClock clock;
  Card card(clock);
  REQUIRE(card.begin(kBoards[0]));
  // A directory opens, and gives no bytes.
  REQUIRE(mkdir(CAMD_CARD_MOUNT "/camd/spot.jpg", 0777) == 0);
  uint8_t back[8];
  CHECK(card.read("spot.jpg", 0, back, sizeof back) < 0);
  CHECK_FALSE(card.ready_now());
  CHECK(card.ready());
  CHECK(chip->mounts == 2);
  chip->card = false;
  CHECK(card.read("spot.jpg", 0, back, sizeof back) < 0);
  CHECK_FALSE(card.ready());
  CHECK_FALSE(card.ready());
  CHECK(chip->mounts == 3);  // and then once a minute
  REQUIRE(rmdir(CAMD_CARD_MOUNT "/camd/spot.jpg") == 0);
}

TEST_CASE("a slot without a card is looked at again later") {
  ChipBench bench;
  FakeClock clock;
  Card card(clock);
  chip->card = false;
  REQUIRE(card.begin(kBoards[0]));
  CHECK_FALSE(card.ready());
  CHECK(chip->mounts == 1);
  CHECK_FALSE(card.create("a.jpg"));
  CHECK(card.free_bytes() == 0);
  Lamp lamp;
  lamp.begin(4);
  chip->card = true;
  chip->now_us += 61000000;
  CHECK(card.ready());
  CHECK(chip->mounts == 2);
  CHECK(chip->dimmed.count(4) == 1);  // the lamp still has its pin
  CHECK_FALSE(Card(clock).begin(find_board("esp-eye", Chip::kEsp32)));
}

TEST_CASE("settings are kept by name, and a new board has a name of its own") {
  ChipBench bench;
  NvsSettings store;
  store.begin();
  Settings settings;
  settings.load(store);
  CHECK(string(settings.cam) == "cam-a3a4a5");
  CHECK(string(settings.server) == NvsSettings::anyone());
  for (size_t i = 0; i < Settings::count(); ++i) {
    char value[Settings::kValueRoom];
    store.load(Settings::name(i), value, sizeof value);
  }
  CHECK(store.save("cam", "porch"));
  CHECK(store.save("password", ""));
  Settings again;
  again.load(store);
  CHECK(string(again.cam) == "porch");
  char small[4];
  CHECK_FALSE(store.load("cam", small, sizeof small));

  CHECK(store.ca() == nullptr);
  CHECK(store.keep_ca("PEM"));
  NvsSettings next;
  next.begin();
  CHECK(string(next.ca()) == "PEM");
  CHECK(next.keep_ca(nullptr));
  CHECK(next.ca() == nullptr);
  CHECK(next.keep_ca(nullptr));
}
