// A certificate in PEM, gathered line by line from a paste.
#pragma once

#include "../core/text.h"

namespace camd {

class Pem {
 public:
  enum class State : uint8_t { kIdle, kInside, kWhole, kBad };
  static const size_t kRoom = 2048;

  static bool begins(Text line);
  void reset();
  // Lines before the first BEGIN are passed over; after the END all are.
  State take(Text line);
  State take_all(Text lines);
  State state() const { return state_; }
  // With its line ends; whole only in kWhole.
  const char* text();

 private:
  char text_[kRoom];
  Writer out_{text_, sizeof text_};
  State state_ = State::kIdle;
};

}  // namespace camd
