// Settings in the chip's NVS, and what a board has before anybody set it.
#pragma once

#include <Preferences.h>

#include "../core/ports.h"

namespace camd {

class NvsSettings : public SettingsStore {
 public:
  // This server's name stands for whoever answers to it by mDNS.
  static const char* anyone() { return "_camd._tcp"; }

  void begin();
  bool load(const char* name, char* value, size_t room) override;
  bool save(const char* name, const char* value) override;

  // The CA that TLS servers are checked against, in PEM; null while none is
  // kept. It stays valid until the next keep_ca().
  const char* ca();
  bool keep_ca(const char* pem);

 private:
  bool load_default(const char* name, char* value, size_t room);

  Preferences preferences_;
  String ca_;
};

}  // namespace camd
