#include <doctest/doctest.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <string>

#include "esp32/boards.h"
#include "portable/console.h"
#include "settings.h"

using namespace camd;
using std::string;

namespace {

// What the document says of a setting. `low` and `high` are the first and the
// last value that it takes; for names and texts they are examples.
struct Row {
  const char* name;
  const char* low;
  const char* high;
  const char* values;  // null: the numbers from low to high
  const char* meaning;
};

const Row kRows[] = {
    {"ssid", "", "home", "text, 32 bytes", "the Wi-Fi's name"},
    {"psk", "", "secret", "text, 63 bytes", "the Wi-Fi's password"},
    {"server", "192.0.2.7", "camd.local", "name or address",
     "where camd is; `_camd._tcp` looks for it by mDNS"},
    {"port", "1", "65535", nullptr, "camd's port; 8941 is the one for TLS"},
    {"tls", "0", "1", nullptr, "TLS, checked against the CA that was pasted"},
    {"cam", "a", "porch", "`a-z 0-9 - _ .`, 64 at most",
     "the camera's name; at first `cam-` and the end of its MAC"},
    {"key", "none", "0000000000000000000000000000000000000000000000000000000000000000",
     "64 hex digits, or `none`", "what `camd enroll` gave it"},
    {"password", "", "secret", "text, 32 bytes",
     "for the live page, and with 8 signs or more for the set-up network"},
    {"board", "", "esp-eye", "a name from the table of boards",
     "the pins; empty: what it was built for, or the chip's first. After a reboot"},
    {"battery", "0", "48", nullptr, "the pin that the battery is measured at; 0: none"},
    {"divider", "1", "100", nullptr, "battery volts for each volt at that pin"},
    {"cutoff", "0", "60", nullptr, "volts of the battery below which the board rests; 0: never"},
    {"page", "0", "1", nullptr, "the live page"},
    {"interval", "0.02", "604800", "seconds, 0.02 to 604800, or 0",
     "between photos; 0: only when camd asks"},
    {"sleep", "0", "1", nullptr, "deep sleep between photos"},
    {"awake", "5", "3600", nullptr, "seconds that it stays up without getting rid of a photo"},
    {"stat", "5", "65535", nullptr, "seconds between its reports on itself"},
    {"warmup", "0", "20", nullptr, "pictures thrown away after the camera's start"},
    {"flash", "0", "1", nullptr, "flash with every photo"},
    {"order", "oldest", "newest", "`oldest` or `newest`", "which of the kept photos goes first"},
    {"framesize", "96x96", "uxga",
     "96x96 qqvga qcif hqvga 240x240 qvga cif hvga vga svga xga hd sxga uxga",
     "the picture's size; vga until it is set; svga at most without PSRAM"},
    {"quality", "0", "63", nullptr, "of the JPEG; a lower number is a better and larger picture"},
    {"contrast", "-2", "2", nullptr, ""},
    {"brightness", "-2", "2", nullptr, ""},
    {"saturation", "-2", "2", nullptr, ""},
    {"ae_level", "-2", "2", nullptr, "brightness that the exposure aims at"},
    {"special_effect", "0", "6", nullptr,
     "0 none, 1 negative, 2 grey, 3 red, 4 green, 5 blue, 6 sepia"},
    {"wb_mode", "0", "4", nullptr, "0 automatic, 1 sun, 2 cloud, 3 office, 4 home"},
    {"gainceiling", "0", "6", nullptr, "most gain: 2 doubled so many times"},
    {"agc_gain", "0", "30", nullptr, "gain while `agc` is 0"},
    {"aec_value", "0", "1200", nullptr, "exposure while `aec` is 0"},
    {"led_intensity", "0", "255", nullptr, "brightness of the flash"},
    {"awb", "0", "1", nullptr, "automatic white balance"},
    {"awb_gain", "0", "1", nullptr, "its gain"},
    {"agc", "0", "1", nullptr, "automatic gain"},
    {"aec", "0", "1", nullptr, "automatic exposure"},
    {"aec2", "0", "1", nullptr, "automatic exposure for the night"},
    {"hmirror", "0", "1", nullptr, "left and right change places"},
    {"vflip", "0", "1", nullptr, "top and bottom change places"},
    {"dcw", "0", "1", nullptr, "downsizing in the sensor"},
    {"bpc", "0", "1", nullptr, "black pixels put right"},
    {"wpc", "0", "1", nullptr, "white pixels put right"},
    {"raw_gma", "0", "1", nullptr, "gamma"},
    {"lenc", "0", "1", nullptr, "the lens's shading put right"},
    {"colorbar", "0", "1", nullptr, "bars instead of a picture, to test with"},
};

string first_value(const char* name) {
  // The chip's store has these; the core has none.
  if (string(name) == "server") return "`_camd._tcp`";
  if (string(name) == "cam") return "`cam-` …";
  char value[Settings::kValueRoom];
  REQUIRE(Settings().get(name, value, sizeof value));
  if (Settings::camera_index(name) >= 0 || string(name) == "framesize") return "sensor's";
  return value[0] == '\0' ? "" : value;
}

const char* who(const Row& row) {
  Settings settings;
  if (settings.check(row.name, row.high, Origin::kAnyone) == SetResult::kOk) return "any camd";
  if (settings.check(row.name, row.high, Origin::kProven) == SetResult::kOk) return "camd, keyed";
  if (settings.check(row.name, row.high, Origin::kPrivate) == SetResult::kOk) {
    return "camd, keyed, over TLS";
  }
  return "nobody";
}

string settings_table() {
  string text = "| setting | values | at first | from afar by | |\n|---|---|---|---|---|\n";
  for (const Row& row : kRows) {
    string values = row.values ? row.values : string(row.low) + " to " + row.high;
    text += string("| `") + row.name + "` | " + values + " | " + first_value(row.name) + " | " +
            who(row) + " | " + row.meaning + " |\n";
  }
  return text;
}

string boards_table() {
  string text = "| `board` | | chip | card | flash | set-up button |\n|---|---|---|---|---|---|\n";
  for (const BoardPins& board : kBoards) {
    string button = "GPIO" + std::to_string(board.button);
    if (board.button == board.xclk) button += ", just after a reset";
    text += string("| `") + board.id + "` | " + board.model + " | " +
            (board.chip == Chip::kEsp32 ? "ESP32" : "ESP32-S3") + " | " +
            (board.card_clk >= 0 ? "yes" : "no") + " | " +
            (board.lamp >= 0 ? "GPIO" + std::to_string(board.lamp) : "no") + " | " + button +
            " |\n";
  }
  return text;
}

string commands_text() {
  string text = "```\n";
  for (size_t i = 0; i < Console::command_count(); ++i) {
    text += string(Console::command_help(i)) + "\n";
  }
  return text + "```\n";
}

// What stands between <!-- name --> and <!-- /name -->.
void look_at(const char* name, const string& expected) {
  std::ifstream in("README.md");
  string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  string begin = string("<!-- ") + name + " -->\n", end = string("<!-- /") + name + " -->";
  size_t from = text.find(begin), to = text.find(end);
  REQUIRE(from != string::npos);
  REQUIRE(to != string::npos);
  from += begin.size();
  if (getenv("CAMD_README") != nullptr) {
    std::ofstream("README.md") << text.substr(0, from) << expected << text.substr(to);
    return;
  }
  INFO("make readme writes it anew");
  CHECK(text.substr(from, to - from) == expected);
}

}  // namespace

TEST_CASE("the document describes every setting, with the values that it takes") {
  REQUIRE(sizeof kRows / sizeof kRows[0] == Settings::count());
  for (size_t i = 0; i < Settings::count(); ++i) {
    const Row& row = kRows[i];
    INFO(row.name);
    CHECK(string(row.name) == Settings::name(i));
    Settings settings;
    CHECK(settings.check(row.name, row.low, Origin::kOwner) == SetResult::kOk);
    CHECK(settings.check(row.name, row.high, Origin::kOwner) == SetResult::kOk);
    if (row.values != nullptr) continue;
    string below = std::to_string(atoi(row.low) - 1), above = std::to_string(atoi(row.high) + 1);
    CHECK(settings.check(row.name, below.c_str(), Origin::kOwner) == SetResult::kRange);
    CHECK(settings.check(row.name, above.c_str(), Origin::kOwner) == SetResult::kRange);
  }
}

TEST_CASE("the tables of README.md are up to date") {
  look_at("settings", settings_table());
  look_at("boards", boards_table());
  look_at("commands", commands_text());
}
