#pragma once
#include "Arduino.h"
#include "WiFiClient.h"
typedef enum { WL_IDLE_STATUS, WL_CONNECTED = 3 } wl_status_t;
typedef enum { WIFI_OFF, WIFI_STA } wifi_mode_t;
typedef enum { WIFI_FAST_SCAN, WIFI_ALL_CHANNEL_SCAN } wifi_scan_method_t;
typedef enum { WIFI_CONNECT_AP_BY_SIGNAL } wifi_sort_method_t;
class WiFiClass {
 public:
  void persistent(bool on);
  bool mode(wifi_mode_t mode);
  bool setHostname(const char* name);
  bool setAutoReconnect(bool on);
  bool setSleep(bool on);
  void setScanMethod(wifi_scan_method_t method);
  void setSortMethod(wifi_sort_method_t method);
  bool config(IPAddress address, IPAddress gateway, IPAddress mask, IPAddress dns = uint32_t(0));
  wl_status_t begin(const char* ssid, const char* psk, int32_t channel = 0,
                    const uint8_t* bssid = nullptr, bool connect = true);
  bool disconnect(bool off = false);
  wl_status_t status();
  int hostByName(const char* name, IPAddress& address);
  uint8_t* BSSID();
  int32_t channel();
  int8_t RSSI();
  IPAddress localIP();
  IPAddress gatewayIP();
  IPAddress subnetMask();
  IPAddress dnsIP(uint8_t number = 0);
};
extern WiFiClass WiFi;
