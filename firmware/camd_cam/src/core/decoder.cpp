#include "decoder.h"

#include "line.h"

namespace camd {

void Decoder::reset() {
  max_payload_ = payload_size_ = payload_left_ = 0;
  size_ = 0;
  state_ = State::kInLine;
  why_ = "";
}

Decoder::Event Decoder::broken(const char* why) {
  state_ = State::kBroken;
  why_ = why;
  return Event::kBroken;
}

Decoder::Event Decoder::line_ended() {
  if (size_ > 0 && buffer_[size_ - 1] == '\r') --size_;
  for (size_t i = 0; i < size_; ++i) {
    if (buffer_[i] < 0x20 || buffer_[i] > 0x7e) return broken("not ASCII");
  }
  payload_size_ = 0;
  if (max_payload_ > 0) {
    // A length that cannot be read announces nothing; the line itself is then
    // malformed, which its reader finds.
    parse_count(Line(line()).value("len"), UINT64_MAX, &payload_size_);
    if (payload_size_ > max_payload_) return broken("payload too long");
  }
  payload_left_ = payload_size_;
  state_ = State::kInPayload;
  return Event::kLine;
}

Decoder::Event Decoder::next(Text* input) {
  switch (state_) {
    case State::kBroken: return Event::kBroken;

    case State::kInPayload: {
      if (payload_left_ == 0) {
        state_ = State::kDone;
        return Event::kEnd;
      }
      if (input->empty()) return Event::kNeedData;
      size_t taken = input->size < payload_left_ ? input->size : size_t(payload_left_);
      payload_ = Text(input->data, taken);
      payload_left_ -= taken;
      *input = input->from(taken);
      return Event::kPayload;
    }

    case State::kDone:
      size_ = 0;
      state_ = State::kInLine;
      break;

    case State::kInLine: break;
  }
  while (!input->empty()) {
    char c = input->data[0];
    *input = input->from(1);
    if (c == '\n') return line_ended();
    if (size_ + 1u == kMaxLine) return broken("line too long");
    buffer_[size_++] = c;
  }
  return Event::kNeedData;
}

}  // namespace camd
