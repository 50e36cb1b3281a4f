#include <doctest/doctest.h>

#include <set>
#include <string>

#include "esp32/boards.h"
#include "esp32/framesizes.h"
#include "esp32/reset_reasons.h"
#include "portable/page_text.h"
#include "portable/trial.h"
#include "portable/wifi_plan.h"

using namespace camd;
using std::string;

TEST_CASE("every board in the table is complete") {
  std::set<string> ids;
  for (const BoardPins& board : kBoards) {
    INFO(board.id);
    CHECK(ids.insert(board.id).second);
    Settings settings;
    CHECK(settings.set("board", board.id, Origin::kOwner) == SetResult::kOk);
    CHECK(string(board.model) != "");
    CHECK(&find_board(board.id, board.chip) == &board);

    int8_t most = board.chip == Chip::kEsp32 ? 39 : 48;
    std::set<int> camera;
    for (int8_t pin :
         {board.xclk, board.siod, board.sioc, board.d7, board.d6, board.d5, board.d4, board.d3,
          board.d2, board.d1, board.d0, board.vsync, board.href, board.pclk}) {
      CHECK(pin >= 0);
      CHECK(pin <= most);
      CHECK(camera.insert(pin).second);
    }
    for (int8_t pin : {board.pwdn, board.reset, board.lamp, board.light, board.card_clk,
                       board.card_cmd, board.card_d0}) {
      CHECK(pin <= most);
      CHECK((pin < 0 || camera.insert(pin).second));
    }
    // On the first ESP32, 34 and above are inputs only.
    for (int8_t pin : {board.pwdn, board.reset, board.lamp, board.light, board.xclk}) {
      CHECK((board.chip != Chip::kEsp32 || pin < 34));
    }
    bool no_card = board.card_clk < 0 && board.card_cmd < 0 && board.card_d0 < 0;
    CHECK((no_card || (board.card_clk >= 0 && board.card_cmd >= 0 && board.card_d0 >= 0)));
    CHECK(board.button >= 0);
  }
  CHECK(string(kBoards[0].id) == "ai-thinker");
  CHECK(string(find_board("", Chip::kEsp32).id) == "ai-thinker");
  CHECK(string(find_board("nosuch", Chip::kEsp32S3).id) == "xiao-esp32s3");
  // A name from the other chip would drive pins that mean something else here.
  CHECK(string(find_board("esp-eye", Chip::kEsp32S3).id) == "xiao-esp32s3");
}

TEST_CASE("the settings and the driver know the same picture sizes") {
  const char* const kNames[] = {"96x96", "qqvga", "qcif", "hqvga", "240x240", "qvga", "cif",
                                "hvga",  "vga",   "svga", "xga",   "hd",      "sxga", "uxga"};
  size_t count = 0;
  for (const char* name : kNames) {
    INFO(name);
    Settings settings;
    CHECK(settings.set("framesize", name, Origin::kOwner) == SetResult::kOk);
    REQUIRE(find_framesize(name) != nullptr);
    ++count;
  }
  CHECK(count == sizeof kFramesizes / sizeof kFramesizes[0]);
  std::set<int> symbols;
  for (const Framesize& framesize : kFramesizes) {
    CHECK(symbols.insert(framesize.size).second);
    CHECK(Settings().check("framesize", framesize.name, Origin::kOwner) == SetResult::kOk);
  }
  CHECK(find_framesize("vga")->size == FRAMESIZE_VGA);
  CHECK(find_framesize("uxga")->width == 1600);
  CHECK(find_framesize("8") == nullptr);
  CHECK(fits(*find_framesize("svga"), *find_framesize("svga")));
  CHECK(fits(*find_framesize("vga"), *find_framesize("svga")));
  CHECK_FALSE(fits(*find_framesize("xga"), *find_framesize("svga")));
}

TEST_CASE("reset reasons are one word each") {
  CHECK(string(reset_reason_name(ESP_RST_POWERON)) == "poweron");
  CHECK(string(reset_reason_name(ESP_RST_BROWNOUT)) == "brownout");
  CHECK(string(reset_reason_name(ESP_RST_TASK_WDT)) == "taskwdt");
  CHECK(string(reset_reason_name(ESP_RST_DEEPSLEEP)) == "deepsleep");
  CHECK(string(reset_reason_name(esp_reset_reason_t(200))) == "unknown");
}

TEST_CASE("a new firmware stays after its first acknowledged photo, and only then") {
  typedef Trial::Verdict Verdict;
  Trial trial;
  trial.begin(true);
  CHECK(trial.verdict(1000, false) == Verdict::kOpen);
  trial.photo_acked();
  CHECK(trial.verdict(2000, false) == Verdict::kKeep);
  CHECK(trial.verdict(Trial::kMs + 1, true) == Verdict::kOpen);

  Trial silent;
  silent.begin(true);
  CHECK(silent.verdict(Trial::kMs - 1, false) == Verdict::kOpen);
  CHECK(silent.verdict(Trial::kMs, false) == Verdict::kRollBack);
  CHECK(silent.verdict(Trial::kMs + 1, false) == Verdict::kOpen);

  Trial sleepy;
  sleepy.begin(true);
  CHECK(sleepy.verdict(1, true) == Verdict::kRollBack);

  Trial old;
  old.begin(false);
  old.photo_acked();
  CHECK(old.verdict(Trial::kMs, true) == Verdict::kOpen);
}

TEST_CASE("Wi-Fi is joined quickly where it was, and searched for where it is not") {
  typedef WifiPlan::Act Act;
  WifiPlan plan;
  CHECK(plan.next(0, false, true, false) == Act::kJoinQuick);
  CHECK(plan.joined_quick());
  CHECK(plan.next(WifiPlan::kQuickMs - 1, false, true, false) == Act::kNothing);
  CHECK(plan.next(WifiPlan::kQuickMs, false, true, false) == Act::kJoinFull);
  CHECK_FALSE(plan.joined_quick());
  CHECK(plan.next(10000, true, true, false) == Act::kNothing);
  CHECK(plan.next(11000, true, true, true) == Act::kNothing);

  SUBCASE("the router restarts") {
    CHECK(plan.next(20000, false, true, false) == Act::kJoinFull);
    uint64_t now = 20000;
    unsigned joins = 0, drops = 0;
    for (; now < 20000 + 3600000; now += 100) {
      Act act = plan.next(now, false, true, false);
      joins += act == Act::kJoinFull;
      drops += act == Act::kDrop;
    }
    CHECK(drops > 40);  // an hour of 20 s attempts and pauses of a minute
    CHECK(joins >= drops - 1);
    Act act = Act::kNothing;
    for (uint64_t end = now + 61000; now < end && act == Act::kNothing; now += 100) {
      act = plan.next(now, false, true, false);
    }
    CHECK(act != Act::kNothing);
  }
  SUBCASE("an association that carries nothing is begun anew") {
    CHECK(plan.next(11000 + WifiPlan::kUselessMs - 1, true, true, false) == Act::kNothing);
    CHECK(plan.next(11000 + WifiPlan::kUselessMs, true, true, false) == Act::kJoinFull);
  }
  SUBCASE("last time's address that reaches nobody is given up soon, another is not") {
    WifiPlan woken;
    CHECK(woken.next(0, false, true, false) == Act::kJoinQuick);
    CHECK(woken.next(1000, true, true, false) == Act::kNothing);
    CHECK(woken.next(1000 + WifiPlan::kQuickUselessMs - 1, true, true, false) == Act::kNothing);
    CHECK(woken.next(1000 + WifiPlan::kQuickUselessMs, true, true, false) == Act::kJoinFull);
    CHECK(woken.next(30000, true, true, false) == Act::kNothing);
    CHECK(woken.next(30000 + WifiPlan::kQuickUselessMs, true, true, false) == Act::kNothing);
  }
  SUBCASE("another network") {
    plan.reset();
    CHECK(plan.next(12000, false, false, false) == Act::kJoinFull);
  }
}

TEST_CASE("the page asks for its password") {
  CHECK(authorized("", ""));
  CHECK_FALSE(authorized("", "secret"));
  CHECK(authorized("Basic dXNlcjpzZWNyZXQ=", "secret"));  // user:secret
  CHECK(authorized("Basic OnNlY3JldA==", "secret"));      // :secret
  CHECK_FALSE(authorized("Basic dXNlcjpzZWNyZXQ=", "secre"));
  CHECK_FALSE(authorized("Basic dXNlcjpzZWNyZQ==", "secret"));
  CHECK_FALSE(authorized("Basic c2VjcmV0", "secret"));  // no colon
  CHECK_FALSE(authorized("Basic !!!!", "secret"));
  CHECK_FALSE(authorized("Bearer dXNlcjpzZWNyZXQ=", "secret"));
  string endless = "Basic " + string(400, 'A');
  CHECK_FALSE(authorized(Text(endless.data(), endless.size()), "secret"));
}

TEST_CASE("values are found in a query") {
  char value[8];
  CHECK(query_value("var=quality&val=10", "val", value, sizeof value));
  CHECK(string(value) == "10");
  CHECK(query_value("var=a%2Bb+c", "var", value, sizeof value));
  CHECK(string(value) == "a+b c");
  CHECK_FALSE(query_value("var=quality", "val", value, sizeof value));
  CHECK_FALSE(query_value("xvar=1&var", "var", value, sizeof value));
  CHECK_FALSE(query_value("var=%4", "var", value, sizeof value));
  CHECK_FALSE(query_value("var=%zz", "var", value, sizeof value));
  CHECK_FALSE(query_value("var=%00", "var", value, sizeof value));
  CHECK_FALSE(query_value("var=12345678", "var", value, sizeof value));
}

TEST_CASE("the page's status is JSON, and tells no secret") {
  Settings settings;
  settings.set("psk", "hush hush", Origin::kOwner);
  settings.set("key", "none", Origin::kOwner);
  settings.set("cam", "007", Origin::kOwner);
  settings.set("quality", "10", Origin::kOwner);
  settings.set("framesize", "240x240", Origin::kOwner);
  Standing standing = Standing();
  standing.firmware = "1 \"x\"";
  standing.model = "board";
  standing.reset = "poweron";
  standing.readings.rssi_dbm = -60;
  standing.readings.battery_mv = 3712;
  char text[1536];
  Writer out(text, sizeof text);
  write_status(out, settings, standing);
  REQUIRE_FALSE(out.full());
  string json = out.c_str();
  CHECK(json.find("hush") == string::npos);
  CHECK(json.find("\"cam\":\"007\"") != string::npos);
  CHECK(json.find("\"quality\":10") != string::npos);
  CHECK(json.find("\"contrast\"") == string::npos);
  CHECK(json.find("\"framesize\":\"240x240\"") != string::npos);
  CHECK(json.find("\"vbat\":3.712") != string::npos);
  CHECK(json.find("\"fw\":\"1 \\\"x\\\"\"") != string::npos);
  CHECK(json.find("\"rssi\":-60") != string::npos);
  CHECK(json.front() == '{');
  CHECK(json.back() == '}');
}

TEST_CASE("the page's status has room for every setting at its longest") {
  Settings settings;
  for (size_t i = 0; i < Settings::count(); ++i) {
    for (const char* value : {"1200", "255", "63", "30", "-2", "1", "240x240", "newest"}) {
      if (settings.set(Settings::name(i), value, Origin::kOwner) == SetResult::kOk) break;
    }
  }
  settings.set("cam", string(64, 'c').c_str(), Origin::kOwner);
  settings.set("board", "m5stack-psram", Origin::kOwner);
  Standing standing = Standing();
  standing.firmware = "camd_cam 12.34.56";
  standing.model = "M5Stack ESP32 camera, PSRAM";
  standing.reset = "deepsleep";
  standing.uptime_s = UINT32_MAX;
  standing.queued = standing.lost = UINT32_MAX;
  standing.readings.rssi_dbm = standing.readings.battery_mv = -123456;
  standing.readings.temperature_mc = standing.readings.heap_bytes = -12345678;
  char text[1536];
  Writer out(text, sizeof text);
  write_status(out, settings, standing);
  CHECK_FALSE(out.full());
}
