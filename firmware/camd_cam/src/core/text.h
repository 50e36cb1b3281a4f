// Words and numbers of the protocol's lines, without a heap.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace camd {

// A piece of somebody else's characters; no zero byte ends it.
struct Text {
  const char* data;
  size_t size;

  Text() : data(""), size(0) {}
  Text(const char* from, size_t count) : data(from), size(count) {}
  Text(const char* string);  // NOLINT: literals are texts

  bool empty() const { return size == 0; }
  bool starts_with(Text prefix) const;
  Text from(size_t offset) const { return Text(data + offset, size - offset); }
};

bool operator==(Text a, Text b);
inline bool operator!=(Text a, Text b) { return !(a == b); }

// 0|[1-9][0-9]{0,14}, at most `max`.
bool parse_count(Text text, uint64_t max, uint64_t* value);
// -?[0-9]{1,7}(\.[0-9]{1,3})?, in thousandths.
bool parse_measure(Text text, int64_t* thousandths);
// Exactly `size` bytes in lower case hex.
bool parse_hex(Text text, uint8_t* to, size_t size);
bool parse_hex64(Text text, uint64_t* value);
bool parse_hex32(Text text, uint32_t* value);
// Undoes percent-encoding into a string of its own. False for a bad escape, a
// control character, what is no UTF-8, and what does not fit.
bool percent_decode(Text text, char* to, size_t room);
// The rules for a camera's id.
bool is_camera_id(Text text);

// Builds text in a buffer of the caller's. What does not fit is left out and
// remembered: full() says so, and the text is then of no use.
class Writer {
 public:
  Writer(char* buffer, size_t room);

  Writer& text(Text text);
  Writer& count(uint64_t value);
  Writer& measure(int64_t thousandths);
  Writer& hex(const uint8_t* bytes, size_t size);
  Writer& hex64(uint64_t value);
  Writer& hex32(uint32_t value);
  Writer& percent(Text text, size_t most);
  Writer& padded(uint32_t value);  // ten digits

  size_t size() const { return size_; }
  bool full() const { return full_; }
  Text view() const { return Text(buffer_, size_); }
  const char* c_str();

 private:
  void put(char sign);

  char* buffer_;
  size_t room_;
  size_t size_ = 0;
  bool full_ = false;
};

}  // namespace camd
