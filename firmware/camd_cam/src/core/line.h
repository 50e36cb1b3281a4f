// One line of camd's, taken apart: a verb and words, most of them key=value.
#pragma once

#include "text.h"

namespace camd {

class Line {
 public:
  // `text` has no line end and outlives the Line.
  explicit Line(Text text) : text_(text) {}

  // False for an empty line, doubled spaces, an empty value or a double key.
  bool well_formed() const;
  Text text() const { return text_; }
  Text verb() const { return at(0); }
  // The word at that place, empty where the line is shorter.
  Text at(size_t index) const;
  // The value of that key, empty where the line has none.
  Text value(Text key) const;
  bool has(Text key) const { return !value(key).empty(); }

  // Walks over the words: next() is false after the last.
  class Words {
   public:
    explicit Words(Text text) : rest_(text), more_(true) {}
    bool next(Text* word);

   private:
    Text rest_;
    bool more_;
  };

 private:
  Text text_;
};

// Splits key=value. False for a word without "=".
bool split_pair(Text word, Text* key, Text* value);

}  // namespace camd
