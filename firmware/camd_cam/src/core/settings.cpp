#include "settings.h"

#include <string.h>

namespace camd {
namespace {

enum class Kind : uint8_t {
  kText,
  kCameraId,
  kKey,
  kFlag,
  kOrder,
  kByte,
  kShort,
  kSeconds,
  kMeasure,
  kFramesize,
  kCamera
};

struct Entry {
  const char* name;
  Kind kind;
  Origin needs;
  bool secret;
  int32_t min;
  int32_t max;     // for texts the longest, in bytes
  uint16_t place;  // in Settings; for the camera an index
};

#define CAMD_PLACE(member) uint16_t(offsetof(Settings, member))

const Entry kTable[] = {
    {"ssid", Kind::kText, Origin::kPrivate, false, 0, 32, CAMD_PLACE(ssid)},
    {"psk", Kind::kText, Origin::kPrivate, true, 0, 63, CAMD_PLACE(psk)},
    {"server", Kind::kText, Origin::kProven, false, 1, 63, CAMD_PLACE(server)},
    {"port", Kind::kShort, Origin::kProven, false, 1, 65535, CAMD_PLACE(port)},
    {"tls", Kind::kFlag, Origin::kProven, false, 0, 1, CAMD_PLACE(tls)},
    {"cam", Kind::kCameraId, Origin::kProven, false, 1, 64, CAMD_PLACE(cam)},
    {"key", Kind::kKey, Origin::kPrivate, true, 0, 0, CAMD_PLACE(key)},
    {"password", Kind::kText, Origin::kPrivate, true, 0, 32, CAMD_PLACE(password)},
    {"board", Kind::kText, Origin::kOwner, false, 0, 15, CAMD_PLACE(board)},
    {"battery", Kind::kByte, Origin::kOwner, false, 0, 48, CAMD_PLACE(battery_pin)},
    {"divider", Kind::kMeasure, Origin::kOwner, false, 1000, 100000, CAMD_PLACE(divider)},
    {"cutoff", Kind::kMeasure, Origin::kOwner, false, 0, 60000, CAMD_PLACE(cutoff_mv)},
    {"page", Kind::kFlag, Origin::kProven, false, 0, 1, CAMD_PLACE(page)},
    {"interval", Kind::kSeconds, Origin::kAnyone, false, 20, 604800000, CAMD_PLACE(interval_ms)},
    {"sleep", Kind::kFlag, Origin::kAnyone, false, 0, 1, CAMD_PLACE(sleep)},
    {"awake", Kind::kShort, Origin::kAnyone, false, 5, 3600, CAMD_PLACE(awake_s)},
    {"stat", Kind::kShort, Origin::kAnyone, false, 5, 65535, CAMD_PLACE(stat_s)},
    {"warmup", Kind::kByte, Origin::kAnyone, false, 0, 20, CAMD_PLACE(warmup)},
    {"flash", Kind::kFlag, Origin::kAnyone, false, 0, 1, CAMD_PLACE(flash)},
    {"order", Kind::kOrder, Origin::kAnyone, false, 0, 0, CAMD_PLACE(order)},
    {"framesize", Kind::kFramesize, Origin::kAnyone, false, 0, 0, CAMD_PLACE(framesize)},
    {"quality", Kind::kCamera, Origin::kAnyone, false, 0, 63, 0},
    {"contrast", Kind::kCamera, Origin::kAnyone, false, -2, 2, 1},
    {"brightness", Kind::kCamera, Origin::kAnyone, false, -2, 2, 2},
    {"saturation", Kind::kCamera, Origin::kAnyone, false, -2, 2, 3},
    {"ae_level", Kind::kCamera, Origin::kAnyone, false, -2, 2, 4},
    {"special_effect", Kind::kCamera, Origin::kAnyone, false, 0, 6, 5},
    {"wb_mode", Kind::kCamera, Origin::kAnyone, false, 0, 4, 6},
    {"gainceiling", Kind::kCamera, Origin::kAnyone, false, 0, 6, 7},
    {"agc_gain", Kind::kCamera, Origin::kAnyone, false, 0, 30, 8},
    {"aec_value", Kind::kCamera, Origin::kAnyone, false, 0, 1200, 9},
    {"led_intensity", Kind::kCamera, Origin::kAnyone, false, 0, 255, 10},
    {"awb", Kind::kCamera, Origin::kAnyone, false, 0, 1, 11},
    {"awb_gain", Kind::kCamera, Origin::kAnyone, false, 0, 1, 12},
    {"agc", Kind::kCamera, Origin::kAnyone, false, 0, 1, 13},
    {"aec", Kind::kCamera, Origin::kAnyone, false, 0, 1, 14},
    {"aec2", Kind::kCamera, Origin::kAnyone, false, 0, 1, 15},
    {"hmirror", Kind::kCamera, Origin::kAnyone, false, 0, 1, 16},
    {"vflip", Kind::kCamera, Origin::kAnyone, false, 0, 1, 17},
    {"dcw", Kind::kCamera, Origin::kAnyone, false, 0, 1, 18},
    {"bpc", Kind::kCamera, Origin::kAnyone, false, 0, 1, 19},
    {"wpc", Kind::kCamera, Origin::kAnyone, false, 0, 1, 20},
    {"raw_gma", Kind::kCamera, Origin::kAnyone, false, 0, 1, 21},
    {"lenc", Kind::kCamera, Origin::kAnyone, false, 0, 1, 22},
    {"colorbar", Kind::kCamera, Origin::kAnyone, false, 0, 1, 23},
};
const size_t kEntries = sizeof kTable / sizeof kTable[0];

const char* const kFramesizes[] = {"96x96", "qqvga", "qcif", "hqvga", "240x240", "qvga", "cif",
                                   "hvga",  "vga",   "svga", "xga",   "hd",      "sxga", "uxga"};
const char* const kOrders[] = {"oldest", "newest"};

const Entry* find(Text name) {
  for (const Entry& entry : kTable) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

template <typename T>
T& at(Settings& settings, const Entry& entry) {
  return *reinterpret_cast<T*>(reinterpret_cast<char*>(&settings) + entry.place);
}

template <typename T>
const T& at(const Settings& settings, const Entry& entry) {
  return at<T>(const_cast<Settings&>(settings), entry);
}

bool parse_whole(Text value, const Entry& entry, int32_t* number) {
  int64_t thousandths;
  if (!parse_measure(value, &thousandths) || thousandths % 1000 != 0) return false;
  int64_t whole = thousandths / 1000;
  *number = int32_t(whole);
  return whole >= entry.min && whole <= entry.max;
}

bool is_text(Text value, const Entry& entry) {
  if (value.size < size_t(entry.min) || value.size > size_t(entry.max)) return false;
  for (size_t i = 0; i < value.size; ++i) {
    uint8_t byte = uint8_t(value.data[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  return true;
}

void copy(Text value, char* to) {
  memcpy(to, value.data, value.size);
  to[value.size] = '\0';
}

// Parses `value` and, where `settings` is not null, puts it there.
bool assign(const Entry& entry, Text value, Settings* settings) {
  int32_t number = 0;
  switch (entry.kind) {
    case Kind::kText:
    case Kind::kCameraId:
      if (!is_text(value, entry)) return false;
      if (entry.kind == Kind::kCameraId && !is_camera_id(value)) return false;
      if (settings) copy(value, &at<char>(*settings, entry));
      return true;

    case Kind::kKey: {
      uint8_t key[32] = {};
      bool none = value == "none";
      if (!none && !parse_hex(value, key, sizeof key)) return false;
      if (settings) {
        memcpy(settings->key, key, sizeof key);
        settings->has_key = !none;
      }
      return true;
    }

    case Kind::kOrder:
      for (uint8_t i = 0; i < 2; ++i) {
        if (value != kOrders[i]) continue;
        if (settings) settings->order = Order(i);
        return true;
      }
      return false;

    case Kind::kFramesize:
      for (const char* name : kFramesizes) {
        if (value != name) continue;
        if (settings && value.size < sizeof settings->framesize) copy(value, settings->framesize);
        return value.size < sizeof settings->framesize;
      }
      return false;

    case Kind::kSeconds: {
      int64_t ms;
      if (!parse_measure(value, &ms)) return false;
      if (ms != 0 && (ms < entry.min || ms > entry.max)) return false;
      if (settings) at<uint32_t>(*settings, entry) = uint32_t(ms);
      return true;
    }

    case Kind::kMeasure: {
      int64_t thousandths;
      if (!parse_measure(value, &thousandths)) return false;
      if (thousandths < entry.min || thousandths > entry.max) return false;
      if (settings) at<uint32_t>(*settings, entry) = uint32_t(thousandths);
      return true;
    }

    case Kind::kFlag:
      if (!parse_whole(value, entry, &number)) return false;
      if (settings) at<bool>(*settings, entry) = number != 0;
      return true;
    case Kind::kByte:
      if (!parse_whole(value, entry, &number)) return false;
      if (settings) at<uint8_t>(*settings, entry) = uint8_t(number);
      return true;
    case Kind::kShort:
      if (!parse_whole(value, entry, &number)) return false;
      if (settings) at<uint16_t>(*settings, entry) = uint16_t(number);
      return true;
    case Kind::kCamera:
      if (!parse_whole(value, entry, &number)) return false;
      if (settings) settings->camera[entry.place] = int16_t(number);
      return true;
  }
  return false;
}

}  // namespace

const char* set_result_name(SetResult result) {
  static const char* const kNames[] = {"ok", "unknown", "range", "denied", "camera", "unsaved"};
  return kNames[size_t(result)];
}

Settings::Settings() {
  for (int16_t& value : camera) value = kDriversChoice;
}

void Settings::load(SettingsStore& store) {
  char value[kValueRoom];
  for (const Entry& entry : kTable) {
    if (store.load(entry.name, value, sizeof value)) assign(entry, value, this);
  }
}

SetResult Settings::check(Text name, Text value, Origin origin) const {
  const Entry* entry = find(name);
  if (entry == nullptr) return SetResult::kUnknown;
  if (origin < entry->needs) return SetResult::kDenied;
  return assign(*entry, value, nullptr) ? SetResult::kOk : SetResult::kRange;
}

SetResult Settings::set(Text name, Text value, Origin origin) {
  SetResult result = check(name, value, origin);
  if (result == SetResult::kOk) assign(*find(name), value, this);
  return result;
}

bool Settings::get(Text name, char* value, size_t room) const {
  const Entry* entry = find(name);
  if (entry == nullptr) return false;
  Writer out(value, room);
  switch (entry->kind) {
    case Kind::kText:
    case Kind::kCameraId:
    case Kind::kFramesize: out.text(&at<char>(*this, *entry)); break;
    case Kind::kKey:
      if (has_key) {
        out.hex(key, sizeof key);
      } else {
        out.text("none");
      }
      break;
    case Kind::kOrder: out.text(kOrders[size_t(order)]); break;
    case Kind::kSeconds:
    case Kind::kMeasure: out.measure(at<uint32_t>(*this, *entry)); break;
    case Kind::kFlag: out.count(at<bool>(*this, *entry)); break;
    case Kind::kByte: out.count(at<uint8_t>(*this, *entry)); break;
    case Kind::kShort: out.count(at<uint16_t>(*this, *entry)); break;
    case Kind::kCamera:
      if (camera[entry->place] != kDriversChoice) out.measure(camera[entry->place] * 1000);
      break;
  }
  out.c_str();
  return !out.full();
}

size_t Settings::count() { return kEntries; }

const char* Settings::name(size_t index) { return kTable[index].name; }

bool Settings::is_secret(size_t index) { return kTable[index].secret; }

bool Settings::is_connection(Text name) {
  static const char* const kNames[] = {"ssid", "psk", "server", "port", "tls", "cam", "key"};
  for (const char* known : kNames) {
    if (name == known) return true;
  }
  return false;
}

int Settings::camera_index(Text name) {
  const Entry* entry = find(name);
  return entry != nullptr && entry->kind == Kind::kCamera ? entry->place : -1;
}

const char* Settings::camera_name(size_t index) {
  for (const Entry& entry : kTable) {
    if (entry.kind == Kind::kCamera && entry.place == index) return entry.name;
  }
  return "";
}

}  // namespace camd
