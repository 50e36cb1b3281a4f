#pragma once
#include "Arduino.h"
#define U_FLASH 0
class UpdateClass {
 public:
  bool begin(size_t size, int command);
  size_t write(uint8_t* data, size_t size);
  bool end(bool even_if_remaining = false);
  void abort();
};
extern UpdateClass Update;
