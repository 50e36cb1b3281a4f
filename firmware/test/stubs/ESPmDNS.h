#pragma once
#include "Arduino.h"
class MDNSResponder {
 public:
  bool begin(const char* name);
  int queryService(const char* service, const char* protocol);
  IPAddress queryHost(const char* host, uint32_t timeout_ms);
  IPAddress queryHost(String host, uint32_t timeout_ms);
  String hostname(int index);
  uint16_t port(int index);
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  IPAddress address(int index);
#else
  IPAddress IP(int index);
#endif
};
extern MDNSResponder MDNS;
