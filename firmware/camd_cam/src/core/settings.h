// The board's settings: one table for SET, the serial console and the portal.
#pragma once

#include "ports.h"
#include "text.h"

namespace camd {

// Where a wish to change a setting comes from, the least trusted first.
enum class Origin : uint8_t {
  kAnyone,   // a session in which camd proved nothing
  kProven,   // camd proved that it knows the key
  kPrivate,  // and TLS hides what it says
  kOwner     // the serial console, or the portal after its password
};

enum class SetResult : uint8_t {
  kOk,
  kUnknown,  // there is no such setting
  kRange,    // not a value that it takes
  kDenied,   // not from there
  kRefused,  // kept, but the sensor does not take it
  kUnsaved   // in effect, but lost with the power
};

enum class Order : uint8_t { kOldestFirst, kNewestFirst };

const char* set_result_name(SetResult result);

class Settings {
 public:
  static const size_t kCameraSettings = 24;
  static const size_t kNameRoom = 16;
  static const size_t kValueRoom = 72;  // fits every value as text
  static const int16_t kDriversChoice = INT16_MIN;

  // Text, each with room for its end.
  char ssid[33] = "";
  char psk[64] = "";
  char server[64] = "";
  char cam[65] = "";
  char password[33] = "";  // of the live page and the portal
  char board[16] = "";     // the board's name, empty: as it was built
  char framesize[8] = "";  // empty: the driver's choice
  uint8_t key[32] = {};
  bool has_key = false;
  bool tls = false;
  bool sleep = false;  // deep sleep between photos
  bool flash = false;  // with every photo
  bool page = false;   // the live page on the local network
  Order order = Order::kOldestFirst;
  uint8_t battery_pin = 0;  // where the battery is measured; 0: nowhere
  uint8_t warmup = 2;       // frames thrown away after the sensor's power-on
  uint16_t port = 8940;
  uint16_t awake_s = 60;         // the longest stay out of deep sleep without success
  uint16_t stat_s = 300;         // between STAT lines
  uint32_t divider = 2000;       // battery volts for each volt at the pin, in thousandths
  uint32_t cutoff_mv = 0;        // a battery below it is too weak; 0: it is not looked at
  uint32_t interval_ms = 10000;  // between photos; 0: on command only
  int16_t camera[kCameraSettings];

  Settings();

  // Reads what the store has over the defaults.
  void load(SettingsStore& store);

  // Says what set() would answer, and changes nothing.
  SetResult check(Text name, Text value, Origin origin) const;
  // Changes the setting here; saving it and telling the camera is for others.
  SetResult set(Text name, Text value, Origin origin);
  // The value as text that set() takes. False for an unknown name.
  bool get(Text name, char* value, size_t room) const;

  // The table, for lists and forms.
  static size_t count();
  static const char* name(size_t index);
  static bool is_secret(size_t index);
  // True for settings that take a new connection to come into effect.
  static bool is_connection(Text name);

  // The camera's part: -1 for a setting that is not the sensor's.
  static int camera_index(Text name);
  static const char* camera_name(size_t index);
};

}  // namespace camd
