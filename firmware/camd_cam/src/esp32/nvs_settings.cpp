#include "nvs_settings.h"

#include <esp_arduino_version.h>
#if ESP_ARDUINO_VERSION_MAJOR >= 3
#include <esp_mac.h>
#else
#include <esp_system.h>
#endif

#include "../core/text.h"

namespace camd {
namespace {

const char kNamespace[] = "camd";
const char kCa[] = "ca_pem";  // no setting has this name

bool copy(Text from, char* to, size_t room) {
  Writer out(to, room);
  out.text(from).c_str();
  return !out.full();
}

}  // namespace

void NvsSettings::begin() {
  preferences_.begin(kNamespace, false);
  if (preferences_.isKey(kCa)) ca_ = preferences_.getString(kCa, String());
}

bool NvsSettings::load(const char* name, char* value, size_t room) {
  // Asking for a key that is not there would write an error to the log.
  if (!preferences_.isKey(name)) return load_default(name, value, room);
  String kept = preferences_.getString(name, String());
  return copy(Text(kept.c_str(), kept.length()), value, room);
}

bool NvsSettings::load_default(const char* name, char* value, size_t room) {
  if (Text(name) == "server") return copy(anyone(), value, room);
  if (Text(name) != "cam") return false;
  uint8_t mac[6] = {};
  esp_read_mac(mac, ESP_MAC_WIFI_STA);
  Writer out(value, room);
  out.text("cam-").hex(mac + 3, 3).c_str();
  return !out.full();
}

bool NvsSettings::save(const char* name, const char* value) {
  // putString() gives the length, which is 0 for an empty text as for an error.
  size_t kept = preferences_.putString(name, value);
  return kept > 0 || value[0] == '\0';
}

const char* NvsSettings::ca() { return ca_.length() > 0 ? ca_.c_str() : nullptr; }

bool NvsSettings::keep_ca(const char* pem) {
  if (pem == nullptr) {
    ca_ = String();
    return !preferences_.isKey(kCa) || preferences_.remove(kCa);
  }
  if (preferences_.putString(kCa, pem) == 0) return false;
  ca_ = pem;
  return true;
}

}  // namespace camd
