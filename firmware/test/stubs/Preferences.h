#pragma once
#include "Arduino.h"
class Preferences {
 public:
  bool begin(const char* name, bool read_only);
  bool isKey(const char* key);
  bool remove(const char* key);
  String getString(const char* key, String otherwise);
  size_t putString(const char* key, const char* value);
  uint16_t getUShort(const char* key, uint16_t otherwise);
  size_t putUShort(const char* key, uint16_t value);
};
