#pragma once
#include <memory>

#include "WiFi.h"
struct sslclient_context {
  int socket;
};
class WiFiClientSecure : public WiFiClient {
 public:
  using WiFiClient::connect;
  int connect(IPAddress address, uint16_t port, const char* host, const char* ca,
              const char* certificate, const char* key);
  void setHandshakeTimeout(unsigned long seconds);

 protected:
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  std::shared_ptr<sslclient_context> sslclient;
#else
  sslclient_context* sslclient;
#endif
};
