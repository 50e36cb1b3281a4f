// The small uploader against servers that misbehave, on a clock that runs only
// while the sketch waits. Each board runs until a time is over; a wait without
// an end shows as a clock that runs away, and a crash as a crash.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <Arduino.h>
#include <Preferences.h>
#include <WiFi.h>
#include <doctest/doctest.h>
#include <esp_camera.h>
#include <lwip/sockets.h>
#include <stdarg.h>

#include <deque>
#include <map>
#include <string>

namespace {

struct TimeIsOver {};
struct Restarted {};

// How a server answers the photo of that number.
struct Server {
  virtual ~Server() {}
  virtual bool accepts() { return true; }
  virtual void photo(unsigned number) = 0;
};

struct World {
  uint64_t now_ms = 0;
  uint64_t end_ms = 600000;
  bool wifi = true;
  bool wifi_joined = false;
  uint64_t wifi_back_at = 0;
  unsigned joins = 0;
  bool link = false;
  unsigned connects = 0;
  unsigned stops = 0;
  std::string sent;      // of the photo that is coming
  std::string received;  // by the board, not read yet
  std::deque<std::pair<uint64_t, std::string>> later;
  uint64_t closes_at = UINT64_MAX;
  unsigned photos = 0;
  unsigned torn = 0;
  unsigned most_write = UINT32_MAX;  // bytes until a write comes up short
  unsigned grabs = 0, no_pictures = 0, out = 0;
  unsigned restarts = 0;
  std::string typed;
  std::string shown;
  std::map<std::string, std::string> kept;
  Server* server = nullptr;
  uint8_t picture[5000];
  camera_fb_t frame;

  void pass(uint64_t ms) {
    now_ms += ms;
    if (now_ms >= end_ms) throw TimeIsOver();
    while (!later.empty() && later.front().first <= now_ms) {
      received += later.front().second;
      later.pop_front();
    }
    if (now_ms >= closes_at) link = false;
    if (now_ms >= wifi_back_at) wifi = true;
  }
};
World* world;

}  // namespace

// What the sketch calls.

HardwareSerial Serial;
EspClass ESP;
WiFiClass WiFi;

unsigned long millis() {
  world->pass(0);
  return static_cast<unsigned long>(world->now_ms);
}
void delay(uint32_t ms) { world->pass(ms); }
bool psramFound() { return true; }
void HardwareSerial::begin(unsigned long) {}
int HardwareSerial::available() { return int(world->typed.size()); }
int HardwareSerial::read() {
  int sign = world->typed[0];
  world->typed.erase(0, 1);
  return sign;
}
size_t HardwareSerial::println(const char* text) {
  world->shown += std::string(text) + "\n";
  return 0;
}
size_t HardwareSerial::printf(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  world->shown += text;
  return 0;
}
void EspClass::restart() {
  ++world->restarts;
  throw Restarted();
}

wl_status_t WiFiClass::status() { return world->wifi_joined ? WL_CONNECTED : WL_IDLE_STATUS; }
bool WiFiClass::mode(wifi_mode_t) { return true; }
bool WiFiClass::setSleep(bool) { return true; }
bool WiFiClass::disconnect(bool) {
  world->wifi_joined = false;
  return true;
}
wl_status_t WiFiClass::begin(const char*, const char*, int32_t, const uint8_t*, bool) {
  ++world->joins;
  world->wifi_joined = world->wifi;
  return WL_IDLE_STATUS;
}
IPAddress WiFiClass::localIP() { return IPAddress(); }

String IPAddress::toString() const { return String("192.0.2.1"); }

WiFiClient::~WiFiClient() {}
int WiFiClient::connect(IPAddress, uint16_t, int32_t) { return 0; }
int WiFiClient::connect(const char*, uint16_t, int32_t timeout_ms) {
  ++world->connects;
  if (!world->wifi_joined || !world->server->accepts()) {
    world->pass(uint64_t(timeout_ms));
    return 0;
  }
  world->link = true;
  world->closes_at = UINT64_MAX;
  world->sent.clear();
  world->received.clear();
  world->later.clear();
  return 1;
}
size_t WiFiClient::write(const uint8_t* from, size_t size) {
  world->pass(1);
  if (!world->link) return 0;
  if (size > world->most_write) {
    world->pass(10000);
    world->most_write = UINT32_MAX;
    return size / 2;
  }
  if (world->most_write != UINT32_MAX) world->most_write -= unsigned(size);
  world->sent.append(reinterpret_cast<const char*>(from), size);
  const std::string end = "FrameOver";
  bool over = world->sent.size() >= end.size() &&
              world->sent.compare(world->sent.size() - end.size(), end.size(), end) == 0;
  if (!over) return size;
  std::string whole = "FrameBegin" +
                      std::string(reinterpret_cast<char*>(world->picture), sizeof world->picture) +
                      end;
  if (world->sent != whole) ++world->torn;
  world->sent.clear();
  world->server->photo(++world->photos);
  return size;
}
int WiFiClient::available() { return int(world->received.size()); }
int WiFiClient::read() {
  int sign = uint8_t(world->received[0]);
  world->received.erase(0, 1);
  return sign;
}
int WiFiClient::read(uint8_t*, size_t) { return -1; }
void WiFiClient::stop() {
  ++world->stops;
  world->link = false;
}
uint8_t WiFiClient::connected() { return world->link || !world->received.empty(); }
int WiFiClient::fd() const { return 3; }
int lwip_setsockopt(int, int, int, const void*, socklen_t) { return 0; }

esp_err_t esp_camera_init(const camera_config_t*) { return ESP_OK; }
camera_fb_t* esp_camera_fb_get() {
  ++world->grabs;
  if (world->no_pictures > 0) {
    --world->no_pictures;
    world->pass(4000);
    return nullptr;
  }
  world->pass(40);
  ++world->out;
  world->frame.buf = world->picture;
  world->frame.len = sizeof world->picture;
  return &world->frame;
}
void esp_camera_fb_return(camera_fb_t*) { --world->out; }

bool Preferences::begin(const char*, bool) { return true; }
bool Preferences::isKey(const char* key) { return world->kept.count(key) != 0; }
String Preferences::getString(const char* key, String) { return String(world->kept[key].c_str()); }
size_t Preferences::putString(const char* key, const char* value) {
  world->kept[key] = value;
  return world->kept[key].size();
}
uint16_t Preferences::getUShort(const char* key, uint16_t) {
  return uint16_t(atoi(world->kept[key].c_str()));
}
size_t Preferences::putUShort(const char* key, uint16_t value) {
  world->kept[key] = std::to_string(value);
  return 2;
}

#include "../../legacy/camd_legacy/camd_legacy.ino"

namespace {

struct Scripted : Server {
  void photo(unsigned number) override {
    if (answer) answer(number);
  }
  bool accepts() override { return world->now_ms >= opens_at && world->now_ms < gone_at; }
  void (*answer)(unsigned) = nullptr;
  uint64_t opens_at = 0;
  uint64_t gone_at = UINT64_MAX;
};

void say(const char* text, uint64_t after_ms = 20) {
  world->later.push_back({world->now_ms + after_ms, text});
}
void ack(unsigned) { say("ACK\n"); }

struct Bench {
  Bench() {
    world = &here;
    here.server = &server;
    here.kept = {{"ssid", "net"}, {"psk", "x"}, {"server", "192.0.2.7"}, {"port", "8940"}};
    for (size_t i = 0; i < sizeof here.picture; ++i) here.picture[i] = uint8_t(i);
    server.answer = ack;
    clear();
  }
  // As the chip's memory is at its start.
  void clear() {
    pauseMs = kShortestPauseMs;
    failedGrabs = 0;
    here.link = here.wifi_joined = false;
  }
  // A board's life: after a restart it begins again.
  void run(uint64_t ms) {
    here.end_ms = here.now_ms + ms;
    try {
      for (;;) {
        try {
          setup();
          for (;;) loop();
        } catch (const Restarted&) {
          clear();
        }
      }
    } catch (const TimeIsOver&) {
    }
  }
  World here;
  Scripted server;
};

}  // namespace

TEST_CASE("photos go out one after the other, whole") {
  Bench bench;
  bench.run(60000);
  CHECK(bench.here.photos > 700);
  CHECK(bench.here.torn == 0);
  CHECK(bench.here.connects == 1);
  CHECK(bench.here.out <= 1);
}

TEST_CASE("an answer that was held back is waited for") {
  Bench bench;
  bench.server.answer = [](unsigned) { say("ACK\r\n", 30000); };
  bench.run(600000);
  CHECK(bench.here.photos >= 18);
  CHECK(bench.here.connects == 1);
}

TEST_CASE("a server that never answers is left after the deadline, and tried anew") {
  Bench bench;
  bench.server.answer = nullptr;
  bench.run(4 * uint64_t(kAnswerMs));
  CHECK(bench.here.connects >= 3);
  CHECK(bench.here.photos == bench.here.connects);
}

TEST_CASE("a server that closes is tried anew at once") {
  Bench bench;
  bench.server.answer = [](unsigned number) {
    if (number % 10 == 0) {
      world->closes_at = world->now_ms + 50;
    } else {
      say("ACK\n");
    }
  };
  bench.run(60000);
  CHECK(bench.here.photos > 100);
  CHECK(bench.here.connects > 10);
}

TEST_CASE("a server that closes after an answer, with the line still unread") {
  Bench bench;
  bench.server.answer = [](unsigned) {
    say("ACK\n", 5);
    world->closes_at = world->now_ms + 6;
  };
  bench.run(60000);
  CHECK(bench.here.connects > 20);
}

TEST_CASE("answers without an end, and endless ones, hang nothing and overflow nothing") {
  Bench bench;
  bench.server.answer = [](unsigned number) {
    if (number == 1) say("ACK");
    if (number == 2) say((std::string(100000, 'x') + "\n").c_str());
    if (number > 2) say("ACK\n");
  };
  bench.run(uint64_t(kAnswerMs) + 60000);
  CHECK(bench.here.photos > 100);
  CHECK(bench.here.torn == 0);
}

TEST_CASE("a server that is away for a while is found again") {
  Bench bench;
  bench.server.opens_at = 300000;
  bench.run(600000);
  CHECK(bench.here.photos > 1000);
  CHECK(bench.here.connects < 30);  // the pauses grow
}

TEST_CASE("a router that restarts") {
  Bench bench;
  bench.server.answer = [](unsigned number) {
    if (number != 50) return say("ACK\n");
    world->wifi = world->wifi_joined = world->link = false;
    world->wifi_back_at = world->now_ms + 120000;
  };
  bench.run(400000);
  CHECK(bench.here.photos > 1000);
  CHECK(bench.here.joins > 3);
  CHECK(bench.here.restarts == 0);
}

TEST_CASE("a write that comes up short ends the connection, not the photo's wholeness") {
  Bench bench;
  bench.here.most_write = 7000;
  bench.run(60000);
  CHECK(bench.here.torn == 0);
  CHECK(bench.here.connects == 2);
  CHECK(bench.here.photos > 100);
}

TEST_CASE("a picture that does not come is no crash") {
  Bench once;
  once.here.no_pictures = 3;
  once.run(60000);
  CHECK(once.here.restarts == 0);
  CHECK(once.here.photos > 100);

  Bench often;
  often.here.no_pictures = 12;
  often.run(200000);
  CHECK(often.here.restarts == 2);
  CHECK(often.here.photos > 100);
}

TEST_CASE("network and server are asked for once, and kept") {
  Bench bench;
  bench.here.kept.clear();
  // As different serial monitors end a line.
  SUBCASE("") { bench.here.typed = "net\r\npass word\r\n192.0.2.7\r\n\r\n"; }
  SUBCASE("") { bench.here.typed = "net\npass word\n192.0.2.7\n\n"; }
  SUBCASE("") { bench.here.typed = "net\rpass word\r192.0.2.7\r\r"; }
  bench.run(30000);
  CHECK(bench.here.kept["ssid"] == "net");
  CHECK(bench.here.kept["psk"] == "pass word");
  CHECK(bench.here.kept["server"] == "192.0.2.7");
  CHECK(bench.here.kept["port"] == "8940");
  CHECK(bench.here.photos > 100);
  CHECK(bench.here.shown.find("pass word") == std::string::npos);
}

TEST_CASE("the question comes again for whoever opens the monitor late") {
  Bench bench;
  bench.here.kept.clear();
  bench.run(30000);
  size_t first = bench.here.shown.find("Wi-Fi name: ");
  REQUIRE(first != std::string::npos);
  CHECK(bench.here.shown.find("Wi-Fi name: ", first + 1) != std::string::npos);
}

TEST_CASE("Enter changes the set-up, and noise on the line does not") {
  Bench bench;
  SUBCASE("") {
    bench.here.typed = "\r\nother\r\n\r\n192.0.2.8\r\n9000\r\n";
    bench.run(30000);
    CHECK(bench.here.kept["ssid"] == "other");
    CHECK(bench.here.kept["psk"] == "");
    CHECK(bench.here.kept["server"] == "192.0.2.8");
    CHECK(bench.here.kept["port"] == "9000");
  }
  SUBCASE("") {
    bench.here.typed = "\x80\xfe\xfe?";
    bench.run(30000);
    CHECK(bench.here.photos > 10);
  }
}
