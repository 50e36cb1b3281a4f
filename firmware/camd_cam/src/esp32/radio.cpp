#include "radio.h"

#include <WiFi.h>
#include <stddef.h>
#include <string.h>

#include "../core/crc32.h"

namespace camd {
namespace {

uint32_t check_of(const Lease& lease) {
  return crc32(0, reinterpret_cast<const uint8_t*>(&lease), offsetof(Lease, check));
}

uint32_t crc_of(const char* text, uint32_t crc = 0) {
  return crc32(crc, reinterpret_cast<const uint8_t*>(text), strlen(text));
}

uint32_t network_of(const Settings& settings) { return crc_of(settings.ssid); }

}  // namespace

void Radio::begin(const char* hostname) {
  // The settings are ours: the driver's own copy would outlive a change.
  WiFi.persistent(false);
  WiFi.setHostname(hostname);
  WiFi.mode(WIFI_STA);
  // The driver's own way back tries the same channel for ever.
  WiFi.setAutoReconnect(false);
  WiFi.setSleep(false);
}

// Where the access point has let go of the board because it began anew itself, the
// status stays at connected. It has no access point then.
bool Radio::up() const { return WiFi.status() == WL_CONNECTED && WiFi.BSSID() != nullptr; }

bool Radio::knows(uint64_t now, const Settings& settings) const {
  if (lease_.given_ms > rtc_.board_ms) return false;  // of this start
  uint64_t age = rtc_.board_ms + now - lease_.given_ms;
  return lease_.channel != 0 && lease_.check == check_of(lease_) && lease_.address != 0 &&
         lease_.network == network_of(settings) && age < kLeaseMs;
}

void Radio::step(uint64_t now, const Settings& settings, bool useful) {
  if (settings.ssid[0] == '\0') return;
  uint32_t credentials = crc_of(settings.psk, network_of(settings));
  if (credentials != credentials_) {
    credentials_ = credentials;
    plan_.reset();
    if (up()) WiFi.disconnect();
    was_up_ = false;
    return;
  }
  bool is_up = up();
  bool known = knows(now, settings);
  // Nobody renews an address that was taken up again.
  if (is_up && plan_.joined_quick() && !known) plan_.reset();
  switch (plan_.next(now, is_up, known, useful)) {
    case WifiPlan::Act::kNothing: break;
    case WifiPlan::Act::kJoinQuick: join_quick(settings); break;
    case WifiPlan::Act::kJoinFull: join_full(settings); break;
    case WifiPlan::Act::kDrop: WiFi.disconnect(); break;
  }
  if (is_up && !was_up_) remember(now, settings);
  was_up_ = is_up;
}

void Radio::join_quick(const Settings& settings) {
  WiFi.config(IPAddress(lease_.address), IPAddress(lease_.gateway), IPAddress(lease_.mask),
              IPAddress(lease_.dns));
  WiFi.begin(settings.ssid, settings.psk, lease_.channel, lease_.bssid, true);
}

void Radio::join_full(const Settings& settings) {
  WiFi.disconnect();
  IPAddress by_dhcp(uint32_t(0));
  WiFi.config(by_dhcp, by_dhcp, by_dhcp);
  // Of several access points the strongest, not the first that answers.
  WiFi.setScanMethod(WIFI_ALL_CHANNEL_SCAN);
  WiFi.setSortMethod(WIFI_CONNECT_AP_BY_SIGNAL);
  WiFi.begin(settings.ssid, settings.psk);
}

void Radio::remember(uint64_t now, const Settings& settings) {
  // A lease that was taken up again keeps its age.
  if (plan_.joined_quick()) return;
  const uint8_t* bssid = WiFi.BSSID();
  lease_ = Lease();
  if (bssid != nullptr) memcpy(lease_.bssid, bssid, sizeof lease_.bssid);
  lease_.channel = bssid != nullptr ? uint8_t(WiFi.channel()) : uint8_t(0);
  lease_.address = uint32_t(WiFi.localIP());
  lease_.gateway = uint32_t(WiFi.gatewayIP());
  lease_.mask = uint32_t(WiFi.subnetMask());
  lease_.dns = uint32_t(WiFi.dnsIP());
  lease_.given_ms = rtc_.board_ms + now;
  lease_.network = network_of(settings);
  lease_.check = check_of(lease_);
}

void Radio::off() {
  WiFi.disconnect(true);
  WiFi.mode(WIFI_OFF);
}

}  // namespace camd
