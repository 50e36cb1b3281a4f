#include "text.h"

#include <string.h>

namespace camd {
namespace {

const char kHexDigits[] = "0123456789abcdef";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

int any_case_hex_value(char c) { return hex_value(c >= 'A' && c <= 'F' ? char(c + 32) : c); }

bool is_utf8(const uint8_t* s, size_t size) {
  size_t i = 0;
  while (i < size) {
    uint8_t lead = s[i++];
    if (lead < 0x80) continue;
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || size - i < size_t(more)) return false;
    uint8_t low = 0x80, high = 0xbf;  // bounds of the byte after the lead
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    for (; more > 0; --more, ++i) {
      if (s[i] < low || s[i] > high) return false;
      low = 0x80;
      high = 0xbf;
    }
  }
  return true;
}

}  // namespace

Text::Text(const char* string) : data(string), size(strlen(string)) {}

bool Text::starts_with(Text prefix) const {
  return size >= prefix.size && memcmp(data, prefix.data, prefix.size) == 0;
}

bool operator==(Text a, Text b) { return a.size == b.size && memcmp(a.data, b.data, a.size) == 0; }

bool parse_count(Text text, uint64_t max, uint64_t* value) {
  if (text.empty() || text.size > 15) return false;
  if (text.data[0] == '0' && text.size > 1) return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < text.size; ++i) {
    if (!is_digit(text.data[i])) return false;
    sum = sum * 10 + uint64_t(text.data[i] - '0');
  }
  if (sum > max) return false;
  *value = sum;
  return true;
}

bool parse_measure(Text text, int64_t* thousandths) {
  bool negative = !text.empty() && text.data[0] == '-';
  size_t i = negative ? 1 : 0;
  int64_t sum = 0;
  size_t whole = 0;
  for (; i < text.size && is_digit(text.data[i]); ++i, ++whole) {
    if (whole == 7) return false;
    sum = sum * 10 + (text.data[i] - '0');
  }
  if (whole == 0) return false;
  size_t places = 0;
  if (i < text.size) {
    if (text.data[i++] != '.') return false;
    for (; i < text.size; ++i, ++places) {
      if (places == 3 || !is_digit(text.data[i])) return false;
      sum = sum * 10 + (text.data[i] - '0');
    }
    if (places == 0) return false;
  }
  for (; places < 3; ++places) sum *= 10;
  *thousandths = negative ? -sum : sum;
  return true;
}

bool parse_hex(Text text, uint8_t* to, size_t size) {
  if (text.size != 2 * size) return false;
  for (size_t i = 0; i < size; ++i) {
    int high = hex_value(text.data[2 * i]);
    int low = hex_value(text.data[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    to[i] = uint8_t(high << 4 | low);
  }
  return true;
}

bool parse_hex64(Text text, uint64_t* value) {
  uint8_t bytes[8];
  if (!parse_hex(text, bytes, sizeof bytes)) return false;
  *value = 0;
  for (uint8_t byte : bytes) *value = *value << 8 | byte;
  return true;
}

bool parse_hex32(Text text, uint32_t* value) {
  uint8_t bytes[4];
  if (!parse_hex(text, bytes, sizeof bytes)) return false;
  *value = 0;
  for (uint8_t byte : bytes) *value = *value << 8 | byte;
  return true;
}

bool percent_decode(Text text, char* to, size_t room) {
  size_t size = 0;
  for (size_t i = 0; i < text.size; ++i) {
    int byte = uint8_t(text.data[i]);
    if (byte == '%') {
      if (text.size - i < 3) return false;
      int high = any_case_hex_value(text.data[i + 1]);
      int low = any_case_hex_value(text.data[i + 2]);
      if (high < 0 || low < 0) return false;
      byte = high << 4 | low;
      i += 2;
    }
    if (byte < 0x20 || byte == 0x7f) return false;
    if (size + 1 >= room) return false;
    to[size++] = char(byte);
  }
  to[size] = '\0';
  return is_utf8(reinterpret_cast<const uint8_t*>(to), size);
}

bool is_camera_id(Text id) {
  if (id.empty() || id.size > 64 || id.starts_with("v1-")) return false;
  if (id.size >= 4 && id.from(id.size - 4) == ".jpg") return false;
  for (size_t i = 0; i < id.size; ++i) {
    char c = id.data[i];
    if ((c >= 'a' && c <= 'z') || is_digit(c)) continue;
    if (c != '-' && c != '_' && c != '.') return false;
    if (i == 0 || i + 1 == id.size) return false;
    if (c == '.' && id.data[i - 1] == '.') return false;
  }
  return true;
}

Writer::Writer(char* buffer, size_t room) : buffer_(buffer), room_(room) {}

void Writer::put(char sign) {
  if (size_ + 1 < room_) {
    buffer_[size_++] = sign;
  } else {
    full_ = true;
  }
}

Writer& Writer::text(Text text) {
  for (size_t i = 0; i < text.size; ++i) put(text.data[i]);
  return *this;
}

Writer& Writer::count(uint64_t value) {
  char digits[20];
  size_t n = 0;
  do {
    digits[n++] = char('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (n > 0) put(digits[--n]);
  return *this;
}

Writer& Writer::measure(int64_t thousandths) {
  if (thousandths < 0) put('-');
  uint64_t size = thousandths < 0 ? uint64_t(-thousandths) : uint64_t(thousandths);
  count(size / 1000);
  unsigned rest = unsigned(size % 1000);
  if (rest != 0) put('.');
  for (unsigned unit = 100; rest != 0; unit /= 10) {
    put(char('0' + rest / unit));
    rest %= unit;
  }
  return *this;
}

Writer& Writer::hex(const uint8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    put(kHexDigits[bytes[i] >> 4]);
    put(kHexDigits[bytes[i] & 15]);
  }
  return *this;
}

Writer& Writer::hex64(uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) put(kHexDigits[value >> shift & 15]);
  return *this;
}

Writer& Writer::hex32(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) put(kHexDigits[value >> shift & 15]);
  return *this;
}

Writer& Writer::percent(Text text, size_t most) {
  size_t i = 0;
  while (i < text.size) {
    // A character goes whole or not at all.
    size_t next = i + 1;
    while (next < text.size && (uint8_t(text.data[next]) & 0xc0) == 0x80) ++next;
    if (next > most) break;
    for (; i < next; ++i) {
      uint8_t byte = uint8_t(text.data[i]);
      if (byte > 0x20 && byte < 0x7f && byte != '%' && byte != '=') {
        put(char(byte));
      } else {
        put('%');
        hex(&byte, 1);
      }
    }
  }
  return *this;
}

Writer& Writer::padded(uint32_t value) {
  for (uint32_t unit = 1000000000; unit != 0; unit /= 10) put(char('0' + value / unit % 10));
  return *this;
}

const char* Writer::c_str() {
  buffer_[size_] = '\0';
  return buffer_;
}

}  // namespace camd
