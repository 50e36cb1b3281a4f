#include "pem.h"

#include <string.h>

#include "assignments.h"

namespace camd {
namespace {

const char kBegin[] = "-----BEGIN CERTIFICATE-----";
const char kEnd[] = "-----END CERTIFICATE-----";

bool is_base64(Text line) {
  for (size_t i = 0; i < line.size; ++i) {
    char sign = line.data[i];
    bool good = (sign >= 'A' && sign <= 'Z') || (sign >= 'a' && sign <= 'z') ||
                (sign >= '0' && sign <= '9') || sign == '+' || sign == '/' || sign == '=';
    if (!good) return false;
  }
  return true;
}

}  // namespace

bool Pem::begins(Text line) { return trimmed(line) == kBegin; }

void Pem::reset() {
  out_ = Writer(text_, sizeof text_);
  state_ = State::kIdle;
}

Pem::State Pem::take(Text line) {
  line = trimmed(line);
  if (state_ == State::kIdle && line == kBegin) {
    state_ = State::kInside;
  } else if (state_ != State::kInside || line.empty()) {
    return state_;
  } else if (line == kEnd) {
    state_ = State::kWhole;
  } else if (!is_base64(line)) {
    return state_ = State::kBad;
  }
  out_.text(line).text("\n");
  if (out_.full()) state_ = State::kBad;
  return state_;
}

Pem::State Pem::take_all(Text lines) {
  while (!lines.empty()) {
    const void* end = memchr(lines.data, '\n', lines.size);
    size_t size = end ? size_t(static_cast<const char*>(end) - lines.data) : lines.size;
    take(Text(lines.data, size));
    lines = lines.from(end ? size + 1 : size);
  }
  return state_;
}

const char* Pem::text() { return out_.c_str(); }

}  // namespace camd
