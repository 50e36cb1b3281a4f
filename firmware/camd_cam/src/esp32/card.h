// Photos on the SD card, in a directory of their own, over one data line.
//
// FAT ends a directory at 2 MiB, which is some 8000 photos with their long names,
// and looks for each name from the directory's start. So every hundred photos have
// a directory among them; it is removed when a listing finds it empty.
#pragma once

#include "../core/ports.h"
#include "boards.h"

namespace camd {

class Card : public Storage {
 public:
  explicit Card(Clock& clock) : clock_(clock) {}

  // False when the board has no slot.
  bool begin(const BoardPins& pins);
  // For deep sleep.
  void end();

  bool ready() override;
  bool ready_now() const { return mounted_; }
  bool list(Visitor& visitor) override;
  uint64_t free_bytes() override;
  bool create(const char* name) override;
  bool append(const uint8_t* from, size_t size) override;
  bool commit() override;
  void discard() override;
  bool remove(const char* name) override;
  int32_t read(const char* name, uint32_t offset, uint8_t* to, size_t room) override;

 private:
  static const uint32_t kRetryMs = 60000;

  bool mount();
  bool walk(const char* path, bool top, Visitor& visitor, unsigned* files);
  void failed();
  void misread();
  void close_reader();

  Clock& clock_;
  const BoardPins* pins_ = nullptr;
  uint64_t retry_at_ = 0;
  bool mounted_ = false;
  int writer_ = -1;
  // A photo is read in many pieces; the last one's file stays open.
  int reader_ = -1;
  char reading_[96] = "";
};

}  // namespace camd
