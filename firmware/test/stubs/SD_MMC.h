#pragma once
#include "Arduino.h"
typedef enum { CARD_NONE, CARD_MMC, CARD_SD, CARD_SDHC } sdcard_type_t;
class SDMMCFS {
 public:
  bool setPins(int clk, int cmd, int d0);
  bool begin(const char* mount, bool one_bit);
  void end();
  sdcard_type_t cardType();
  uint64_t totalBytes();
  uint64_t usedBytes();
};
extern SDMMCFS SD_MMC;
