// Bytes from camd in, lines and payloads out, however TCP cut them.
#pragma once

#include "text.h"

namespace camd {

// Knows lines and counted payloads, and nothing of what they mean. Once broken
// it stays broken.
class Decoder {
 public:
  enum class Event : uint8_t {
    kNeedData,  // all input is used up
    kLine,      // line() is whole; payload_size() bytes follow it
    kPayload,   // payload() is the next piece of them
    kEnd,       // the line and its payload are through
    kBroken     // why() says how
  };
  static const size_t kMaxLine = 1024;  // with its end

  // From now on a line's len= announces a payload, of at most `max` bytes.
  void expect_payloads(uint64_t max) { max_payload_ = max; }
  void reset();

  // Takes what it needs from the front of `input`, and gives the next event.
  // kNeedData leaves nothing in it. line() lasts until the call after kEnd.
  Event next(Text* input);

  Text line() const { return Text(buffer_, size_); }
  Text payload() const { return payload_; }
  uint64_t payload_size() const { return payload_size_; }
  const char* why() const { return why_; }
  // True while a line has begun and not ended.
  bool in_line() const { return state_ == State::kInLine && size_ > 0; }

 private:
  enum class State : uint8_t { kInLine, kInPayload, kDone, kBroken };

  Event broken(const char* why);
  Event line_ended();

  uint64_t max_payload_ = 0;
  uint64_t payload_size_ = 0;
  uint64_t payload_left_ = 0;
  Text payload_;
  const char* why_ = "";
  uint16_t size_ = 0;
  State state_ = State::kInLine;
  char buffer_[kMaxLine];
};

}  // namespace camd
