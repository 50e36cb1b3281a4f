#pragma once
#include "Arduino.h"
class WiFiClient {
 public:
  virtual ~WiFiClient();
  virtual int connect(IPAddress address, uint16_t port, int32_t timeout_ms);
  virtual int connect(const char* host, uint16_t port, int32_t timeout_ms);
  virtual size_t write(const uint8_t* from, size_t size);
  virtual int available();
  virtual int read();
  virtual int read(uint8_t* to, size_t room);
  virtual void stop();
  virtual uint8_t connected();
  int fd() const;
  int setNoDelay(bool on);
};
