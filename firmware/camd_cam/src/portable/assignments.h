// Settings as people type and paste them:
//
//   set server=192.0.2.7 port=8940 ssid="My Wi-Fi"
//   server=192.0.2.7
//     server  192.0.2.7
//
// Any number of lines. Knows nothing of which settings there are.
#pragma once

#include "../core/text.h"

namespace camd {

class Assignments {
 public:
  enum class Item : uint8_t {
    kPair,   // name() and value()
    kOther,  // a line that gives no setting a value
    kBad,    // an open quote, a word without "=", or a value that is too long
    kEnd
  };
  static const size_t kValueRoom = 96;

  // `text` outlives this.
  explicit Assignments(Text text) : rest_(text) {}

  Item next();
  Text name() const { return name_; }
  const char* value() const { return value_; }
  // The line that the last item is from.
  Text line() const { return whole_; }

 private:
  bool next_line();
  Item pair(bool to_the_end);
  Item bad();
  bool take_value(bool to_the_end);

  Text rest_;
  Text whole_;
  Text line_;  // what is left of it
  Text name_;
  bool pairs_ = false;  // the line is name=value name=value
  char value_[kValueRoom] = "";
};

// Without the blanks and line ends around it.
Text trimmed(Text text);
// The front of `text` up to a blank.
Text first_word(Text text);

}  // namespace camd
