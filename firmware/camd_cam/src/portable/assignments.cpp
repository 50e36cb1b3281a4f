#include "assignments.h"

#include <string.h>

namespace camd {
namespace {

bool is_blank(char sign) { return sign == ' ' || sign == '\t' || sign == '\r' || sign == '\n'; }

bool is_name(Text text) {
  for (size_t i = 0; i < text.size; ++i) {
    char sign = text.data[i];
    bool good = (sign >= 'a' && sign <= 'z') || (sign >= '0' && sign <= '9') || sign == '_';
    if (!good) return false;
  }
  return !text.empty();
}

}  // namespace

Text trimmed(Text text) {
  while (!text.empty() && is_blank(text.data[0])) text = text.from(1);
  while (!text.empty() && is_blank(text.data[text.size - 1])) --text.size;
  return text;
}

Text first_word(Text text) {
  size_t size = 0;
  while (size < text.size && !is_blank(text.data[size])) ++size;
  return Text(text.data, size);
}

bool Assignments::next_line() {
  while (!rest_.empty()) {
    const void* end = memchr(rest_.data, '\n', rest_.size);
    size_t size = end ? size_t(static_cast<const char*>(end) - rest_.data) : rest_.size;
    whole_ = trimmed(Text(rest_.data, size));
    rest_ = rest_.from(end ? size + 1 : size);
    line_ = whole_;
    if (first_word(line_) == "set") line_ = trimmed(line_.from(3));
    if (line_.empty()) continue;
    Text word = first_word(line_);
    pairs_ = memchr(word.data, '=', word.size) != nullptr;
    return true;
  }
  return false;
}

Assignments::Item Assignments::next() {
  line_ = trimmed(line_);
  if (!line_.empty()) return pair(false);
  if (!next_line()) return Item::kEnd;
  if (pairs_) return pair(false);
  name_ = first_word(line_);
  line_ = trimmed(line_.from(name_.size));
  if (is_name(name_) && !line_.empty()) return pair(true);
  line_ = Text();
  return Item::kOther;
}

Assignments::Item Assignments::pair(bool to_the_end) {
  if (!to_the_end) {
    Text word = first_word(line_);
    const void* equals = memchr(word.data, '=', word.size);
    if (equals == nullptr) return bad();
    name_ = Text(word.data, size_t(static_cast<const char*>(equals) - word.data));
    if (!is_name(name_)) return bad();
    line_ = line_.from(name_.size + 1);
  }
  return take_value(to_the_end) ? Item::kPair : bad();
}

Assignments::Item Assignments::bad() {
  line_ = Text();
  return Item::kBad;
}

bool Assignments::take_value(bool to_the_end) {
  Writer out(value_, sizeof value_);
  bool quoted = !line_.empty() && line_.data[0] == '"';
  if (!quoted) {
    Text value = to_the_end ? line_ : first_word(line_);
    out.text(value);
    line_ = line_.from(value.size);
  } else {
    line_ = line_.from(1);
    bool closed = false;
    while (!line_.empty() && !closed) {
      closed = line_.data[0] == '"';
      if (line_.data[0] == '\\' && line_.size > 1) line_ = line_.from(1);
      if (!closed) out.text(Text(line_.data, 1));
      line_ = line_.from(1);
    }
    if (!closed || (!line_.empty() && !is_blank(line_.data[0]))) return false;
  }
  out.c_str();
  return !out.full();
}

}  // namespace camd
