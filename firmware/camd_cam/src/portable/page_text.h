// The texts of the live page: who may see it, what was asked, how things stand.
#pragma once

#include "../core/settings.h"
#include "../core/text.h"

namespace camd {

// True if the header Authorization holds `password`, whatever the user's name.
// An empty password lets everybody in.
bool authorized(Text header, Text password);

// The value of `name` in a query such as var=quality&val=10. False when it is
// not there or does not fit.
bool query_value(Text query, Text name, char* to, size_t room);

struct Standing {
  const char* firmware;
  const char* model;
  const char* reset;
  uint64_t uptime_s;
  Readings readings;
  uint32_t queued;
  uint32_t lost;
  bool connected;
};

// One flat JSON object: how things stand, and all settings that are no secret
// and no address. Settings that were left to the driver are not in it.
void write_status(Writer& out, const Settings& settings, const Standing& standing);

}  // namespace camd
