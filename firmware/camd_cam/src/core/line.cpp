#include "line.h"

#include <string.h>

namespace camd {

bool split_pair(Text word, Text* key, Text* value) {
  const void* equals = memchr(word.data, '=', word.size);
  if (equals == nullptr) return false;
  size_t at = size_t(static_cast<const char*>(equals) - word.data);
  *key = Text(word.data, at);
  *value = word.from(at + 1);
  return true;
}

bool Line::Words::next(Text* word) {
  if (!more_) return false;
  const void* space = memchr(rest_.data, ' ', rest_.size);
  if (space == nullptr) {
    *word = rest_;
    more_ = false;
    return true;
  }
  size_t at = size_t(static_cast<const char*>(space) - rest_.data);
  *word = Text(rest_.data, at);
  rest_ = rest_.from(at + 1);
  return true;
}

bool Line::well_formed() const {
  Words words(text_);
  Text word;
  for (bool first = true; words.next(&word); first = false) {
    if (word.empty()) return false;
    Text key, value;
    if (!split_pair(word, &key, &value)) continue;
    if (first || key.empty() || value.empty()) return false;
    if (this->value(key).data != value.data) return false;  // not the first of its key
  }
  return true;
}

Text Line::at(size_t index) const {
  Words words(text_);
  Text word;
  while (words.next(&word)) {
    if (index-- == 0) return word;
  }
  return Text();
}

Text Line::value(Text key) const {
  Words words(text_);
  Text word, name, value;
  while (words.next(&word)) {
    if (split_pair(word, &name, &value) && name == key) return value;
  }
  return Text();
}

}  // namespace camd
