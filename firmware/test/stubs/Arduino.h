#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <string>

#include "esp_arduino_version.h"
#include "esp_err.h"
#include "esp_system.h"

#define RTC_DATA_ATTR
#define SET_LOOP_TASK_STACK_SIZE(size)                  \
  size_t getArduinoLoopTaskStackSize() { return size; } \
  static_assert(true, "")

#define LOW 0
#define HIGH 1
#define OUTPUT 3
#define INPUT_PULLUP 5

class String {
 public:
  String(const char* text = "") : text_(text) {}
  const char* c_str() const { return text_.c_str(); }
  unsigned int length() const { return unsigned(text_.size()); }
  char operator[](unsigned int index) const { return text_[index]; }
  String& operator+=(char sign) {
    text_ += sign;
    return *this;
  }
  String& operator+=(const char* text) {
    text_ += text;
    return *this;
  }
  long toInt() const { return atol(text_.c_str()); }

 private:
  std::string text_;
};

class IPAddress {
 public:
  IPAddress() {}
  IPAddress(uint32_t address) : address_(address) {}
  operator uint32_t() const { return address_; }
  bool fromString(const char* text);
  String toString() const;

 private:
  uint32_t address_ = 0;
};

class HardwareSerial {
 public:
  size_t setRxBufferSize(size_t size);
  void begin(unsigned long baud);
  int available();
  int read();
  void flush();
  size_t println(const char* text = "");
  size_t printf(const char* format, ...) __attribute__((format(printf, 2, 3)));
};
extern HardwareSerial Serial;

class EspClass {
 public:
  uint32_t getFreeHeap();
  [[noreturn]] void restart();
};
extern EspClass ESP;

unsigned long millis();
void delay(uint32_t ms);
void yield();
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t level);
int digitalRead(uint8_t pin);
uint32_t analogReadMilliVolts(uint8_t pin);
float temperatureRead();
bool psramFound();

#if ESP_ARDUINO_VERSION_MAJOR >= 3
bool ledcAttachChannel(uint8_t pin, uint32_t frequency, uint8_t bits, uint8_t channel);
bool ledcWrite(uint8_t pin, uint32_t duty);
bool ledcDetach(uint8_t pin);
#else
uint32_t ledcSetup(uint8_t channel, uint32_t frequency, uint8_t bits);
void ledcAttachPin(uint8_t pin, uint8_t channel);
void ledcDetachPin(uint8_t pin);
void ledcWrite(uint8_t channel, uint32_t duty);
#endif
