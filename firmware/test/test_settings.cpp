#include <doctest/doctest.h>

#include "fakes.h"
#include "settings.h"

using namespace camd;
using std::string;

namespace {

string value_of(const Settings& settings, const char* name) {
  char value[Settings::kValueRoom];
  return settings.get(name, value, sizeof value) ? value : "(none)";
}

}  // namespace

TEST_CASE("every setting comes back as it was set") {
  struct {
    const char* name;
    const char* value;
  } cases[] = {{"ssid", "My Wi-Fi"},     {"psk", "secret = 1"}, {"server", "camd.example"},
               {"port", "8941"},         {"tls", "1"},          {"cam", "porch"},
               {"password", ""},         {"page", "1"},         {"interval", "2.5"},
               {"interval", "0"},        {"sleep", "1"},        {"awake", "30"},
               {"stat", "60"},           {"warmup", "4"},       {"flash", "1"},
               {"order", "newest"},      {"framesize", "uxga"}, {"framesize", "240x240"},
               {"quality", "10"},        {"ae_level", "-2"},    {"aec_value", "1200"},
               {"led_intensity", "255"}, {"colorbar", "1"},     {"key", "none"},
               {"board", "esp-eye"},     {"battery", "33"},     {"divider", "2.5"}};
  Settings settings;
  for (const auto& item : cases) {
    INFO(item.name);
    CHECK(settings.set(item.name, item.value, Origin::kOwner) == SetResult::kOk);
    CHECK(value_of(settings, item.name) == item.value);
  }
  CHECK(settings.interval_ms == 0);
  CHECK(settings.order == Order::kNewestFirst);
  CHECK(settings.camera[Settings::camera_index("ae_level")] == -2);
}

TEST_CASE("values out of range change nothing") {
  struct {
    const char* name;
    const char* value;
  } cases[] = {
      {"quality", "64"},     {"quality", "-1"},    {"quality", "1.5"},
      {"quality", "x"},      {"brightness", "3"},  {"framesize", "8"},
      {"framesize", "VGA"},  {"framesize", ""},    {"special_effect", "7"},
      {"aec_value", "1201"}, {"vflip", "2"},       {"tls", "yes"},
      {"port", "0"},         {"port", "65536"},    {"cam", "Porch"},
      {"server", ""},        {"interval", "0.01"}, {"interval", "604801"},
      {"interval", "-1"},    {"key", "abc"},       {"divider", "0"},
      {"battery", "49"},     {"order", "random"},  {"ssid", "123456789012345678901234567890123"},
      {"password", "a\tb"}};
  Settings settings;
  for (const auto& item : cases) {
    string before = value_of(settings, item.name);
    INFO(item.name << "=" << item.value);
    CHECK(settings.set(item.name, item.value, Origin::kOwner) == SetResult::kRange);
    CHECK(value_of(settings, item.name) == before);
  }
  CHECK(settings.set("nosuch", "1", Origin::kOwner) == SetResult::kUnknown);
}

TEST_CASE("who may set what") {
  Settings settings;
  CHECK(settings.check("quality", "10", Origin::kAnyone) == SetResult::kOk);
  CHECK(settings.check("server", "elsewhere", Origin::kAnyone) == SetResult::kDenied);
  CHECK(settings.check("server", "elsewhere", Origin::kProven) == SetResult::kOk);
  CHECK(settings.check("key", "none", Origin::kProven) == SetResult::kDenied);
  CHECK(settings.check("key", "none", Origin::kPrivate) == SetResult::kOk);
  CHECK(settings.check("psk", "x", Origin::kProven) == SetResult::kDenied);
  CHECK(settings.check("board", "esp-eye", Origin::kPrivate) == SetResult::kDenied);
  CHECK(settings.check("board", "esp-eye", Origin::kOwner) == SetResult::kOk);
}

TEST_CASE("the table is in order: names once, all readable, the camera's complete") {
  Settings settings;
  char value[Settings::kValueRoom];
  for (size_t i = 0; i < Settings::count(); ++i) {
    CHECK(string(Settings::name(i)).size() < size_t(Settings::kNameRoom));
    CHECK(settings.get(Settings::name(i), value, sizeof value));
    for (size_t j = 0; j < i; ++j) CHECK(string(Settings::name(i)) != Settings::name(j));
  }
  for (size_t i = 0; i < Settings::kCameraSettings; ++i) {
    CHECK(Settings::camera_index(Settings::camera_name(i)) == int(i));
  }
}

TEST_CASE("stored values are loaded, spoilt ones are passed over") {
  fakes::SettingsStore store;
  store.values = {{"interval", "60"}, {"quality", "999"}, {"cam", "den"}, {"key", string(64, 'a')}};
  Settings settings;
  settings.load(store);
  CHECK(settings.interval_ms == 60000);
  CHECK(value_of(settings, "quality") == "");
  CHECK(value_of(settings, "cam") == "den");
  CHECK(settings.has_key);
  CHECK(settings.key[31] == 0xaa);
}
