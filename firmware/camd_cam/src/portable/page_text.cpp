#include "page_text.h"

#include <string.h>

#include "assignments.h"

namespace camd {
namespace {

int base64_digit(char sign) {
  if (sign >= 'A' && sign <= 'Z') return sign - 'A';
  if (sign >= 'a' && sign <= 'z') return sign - 'a' + 26;
  if (sign >= '0' && sign <= '9') return sign - '0' + 52;
  return sign == '+' ? 62 : sign == '/' ? 63 : -1;
}

// -1 when it is none or does not fit.
int decode_base64(Text text, char* to, size_t room) {
  while (!text.empty() && text.data[text.size - 1] == '=') --text.size;
  uint32_t bits = 0;
  int count = 0;
  size_t size = 0;
  for (size_t i = 0; i < text.size; ++i) {
    int digit = base64_digit(text.data[i]);
    if (digit < 0) return -1;
    bits = bits << 6 | uint32_t(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (size == room) return -1;
    to[size++] = char(bits >> count);
  }
  return int(size);
}

// Takes the same time whatever differs, but for the length of what was given.
bool same_password(Text given, Text password) {
  uint8_t difference = given.size != password.size;
  for (size_t i = 0; i < given.size; ++i) {
    char expected = i < password.size ? password.data[i] : '\0';
    difference = uint8_t(difference | (given.data[i] ^ expected));
  }
  return difference == 0;
}

int hex_digit(char sign) {
  if (sign >= '0' && sign <= '9') return sign - '0';
  if (sign >= 'a' && sign <= 'f') return sign - 'a' + 10;
  return sign >= 'A' && sign <= 'F' ? sign - 'A' + 10 : -1;
}

bool decode_form(Text text, char* to, size_t room) {
  size_t size = 0;
  for (size_t i = 0; i < text.size; ++i) {
    char sign = text.data[i] == '+' ? ' ' : text.data[i];
    if (sign == '%') {
      if (text.size - i < 3) return false;
      int high = hex_digit(text.data[i + 1]);
      int low = hex_digit(text.data[i + 2]);
      if (high < 0 || low < 0) return false;
      sign = char(high * 16 + low);
      i += 2;
    }
    if (sign == '\0' || size + 1 >= room) return false;
    to[size++] = sign;
  }
  to[size] = '\0';
  return true;
}

void quoted(Writer& out, Text text) {
  out.text("\"");
  for (size_t i = 0; i < text.size; ++i) {
    uint8_t byte = uint8_t(text.data[i]);
    if (byte < 0x20 || byte == 0x7f) continue;
    if (byte == '"' || byte == '\\') out.text("\\");
    out.text(Text(text.data + i, 1));
  }
  out.text("\"");
}

void key(Writer& out, const char* name) {
  if (out.size() > 1) out.text(",");
  out.text("\"").text(name).text("\":");
}

void reading(Writer& out, const char* name, int32_t value, bool thousandths) {
  if (value == Readings::kNone) return;
  key(out, name);
  out.measure(thousandths ? value : int64_t(value) * 1000);
}

bool is_shown(size_t index) {
  static const char* const kHidden[] = {"ssid", "server", "port", "tls", "page"};
  for (const char* name : kHidden) {
    if (Text(name) == Settings::name(index)) return false;
  }
  return !Settings::is_secret(index);
}

// A camera may be called 007, which is no number in JSON.
bool is_name(size_t index) {
  return Text("cam") == Settings::name(index) || Text("board") == Settings::name(index);
}

}  // namespace

bool authorized(Text header, Text password) {
  if (password.empty()) return true;
  if (!header.starts_with("Basic ")) return false;
  char pair[160];
  int size = decode_base64(trimmed(header.from(6)), pair, sizeof pair);
  if (size < 0) return false;
  const void* colon = memchr(pair, ':', size_t(size));
  if (colon == nullptr) return false;
  const char* begin = static_cast<const char*>(colon) + 1;
  return same_password(Text(begin, size_t(pair + size - begin)), password);
}

bool query_value(Text query, Text name, char* to, size_t room) {
  while (!query.empty()) {
    const void* end = memchr(query.data, '&', query.size);
    size_t size = end ? size_t(static_cast<const char*>(end) - query.data) : query.size;
    Text pair(query.data, size);
    query = query.from(end ? size + 1 : size);
    bool named = pair.size > name.size && pair.starts_with(name) && pair.data[name.size] == '=';
    if (named) return decode_form(pair.from(name.size + 1), to, room);
  }
  return false;
}

void write_status(Writer& out, const Settings& settings, const Standing& standing) {
  out.text("{");
  key(out, "model");
  quoted(out, standing.model);
  key(out, "fw");
  quoted(out, standing.firmware);
  key(out, "reset");
  quoted(out, standing.reset);
  key(out, "uptime");
  out.count(standing.uptime_s);
  key(out, "connected");
  out.count(standing.connected);
  key(out, "queued");
  out.count(standing.queued);
  key(out, "lost");
  out.count(standing.lost);
  reading(out, "rssi", standing.readings.rssi_dbm, false);
  reading(out, "vbat", standing.readings.battery_mv, true);
  reading(out, "temp", standing.readings.temperature_mc, true);
  reading(out, "heap", standing.readings.heap_bytes, false);
  for (size_t i = 0; i < Settings::count(); ++i) {
    char value[Settings::kValueRoom];
    if (!is_shown(i) || !settings.get(Settings::name(i), value, sizeof value)) continue;
    if (value[0] == '\0') continue;
    key(out, Settings::name(i));
    int64_t number;
    if (!is_name(i) && parse_measure(value, &number)) {
      out.text(value);
    } else {
      quoted(out, value);
    }
  }
  out.text("}");
}

}  // namespace camd
