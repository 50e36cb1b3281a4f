#include "card.h"

#include <Arduino.h>
#include <SD_MMC.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "held_pin.h"
#include "watchdog.h"

namespace camd {
namespace {

#ifndef CAMD_CARD_MOUNT
#define CAMD_CARD_MOUNT "/sdcard"
#endif

const char kMount[] = CAMD_CARD_MOUNT;
const char kDirectory[] = CAMD_CARD_MOUNT "/camd";

// A photo's name begins with ten digits, its number. A hundred photos share a
// directory, which is called as the first eight of them.
const size_t kNumber = 10;
const size_t kShared = 8;

bool is_numbered(const char* name) {
  for (size_t i = 0; i < kNumber; ++i) {
    if (name[i] < '0' || name[i] > '9') return false;
  }
  return true;
}

struct Path {
  char text[128];

  Path(Text directory, const char* name) {
    Writer out(text, sizeof text);
    out.text(kDirectory).text("/").text(directory);
    if (!directory.empty() && name[0] != '\0') out.text("/");
    out.text(name).c_str();
  }
  explicit Path(const char* name) : Path(directory_of(name), name) {}

  static Text directory_of(const char* name) {
    return is_numbered(name) ? Text(name, kShared) : Text();
  }
};

}  // namespace

bool Card::begin(const BoardPins& pins) {
  release_pin(pins.lamp);
  if (pins.card_clk < 0) return false;
  pins_ = &pins;
  mount();
  // The lamp hangs on a data line of the card; with one line it is free again,
  // and would glow if it were left to float. Only here: later the pin is the
  // lamp's, and would be taken from it.
  if (pins.lamp >= 0) {
    pinMode(uint8_t(pins.lamp), OUTPUT);
    digitalWrite(uint8_t(pins.lamp), LOW);
  }
  return true;
}

bool Card::mount() {
  retry_at_ = clock_.now_ms() + kRetryMs;
#if defined(CONFIG_IDF_TARGET_ESP32S3)
  SD_MMC.setPins(pins_->card_clk, pins_->card_cmd, pins_->card_d0);
#endif
  mounted_ = SD_MMC.begin(kMount, true) && SD_MMC.cardType() != CARD_NONE;
  if (mounted_ && mkdir(kDirectory, 0777) != 0 && errno != EEXIST) failed();
  return mounted_;
}

void Card::failed() {
  discard();
  close_reader();
  if (mounted_) SD_MMC.end();
  mounted_ = false;
  retry_at_ = clock_.now_ms() + kRetryMs;
}

void Card::end() {
  if (mounted_) failed();
}

bool Card::ready() {
  if (!mounted_ && clock_.now_ms() >= retry_at_) mount();
  return mounted_;
}

bool Card::list(Visitor& visitor) {
  unsigned files = 0;
  bool good = mounted_ && walk(kDirectory, true, visitor, &files);
  if (!good) failed();
  return good;
}

// Nothing is asked of each file: FAT looks for a name from the directory's
// start, and with many of them that takes its time.
bool Card::walk(const char* path, bool top, Visitor& visitor, unsigned* files) {
  DIR* directory = opendir(path);
  if (directory == nullptr) return false;
  bool good = true;
  while (good) {
    errno = 0;
    dirent* entry = readdir(directory);
    if (entry == nullptr) {
      good = errno == 0;
      break;
    }
    feed_watchdog();
    if (entry->d_type != DT_DIR) {
      visitor.file(entry->d_name);
      ++*files;
    } else if (top && entry->d_name[0] != '.') {
      Path inner(entry->d_name, "");
      unsigned inside = 0;
      good = walk(inner.text, false, visitor, &inside);
      if (good && inside == 0) rmdir(inner.text);
    }
  }
  closedir(directory);
  return good;
}

uint64_t Card::free_bytes() {
  if (!mounted_) return 0;
  uint64_t total = SD_MMC.totalBytes();
  if (total == 0) {  // it could not be read: that is no full card
    failed();
    return 0;
  }
  uint64_t used = SD_MMC.usedBytes();
  return total > used ? total - used : 0;
}

bool Card::create(const char* name) {
  discard();
  if (!mounted_) return false;
  Path path(name);
  const int kNew = O_WRONLY | O_CREAT | O_TRUNC;
  writer_ = open(path.text, kNew, 0666);
  if (writer_ < 0 && errno == ENOENT && mkdir(Path(Path::directory_of(name), "").text, 0777) == 0) {
    writer_ = open(path.text, kNew, 0666);
  }
  if (writer_ < 0) failed();
  return writer_ >= 0;
}

bool Card::append(const uint8_t* from, size_t size) {
  while (size > 0) {
    errno = 0;
    ssize_t written = writer_ < 0 ? -1 : ::write(writer_, from, size);
    if (written <= 0) {
      // A full card is no broken one.
      if (errno != ENOSPC) failed();
      return false;
    }
    from += written;
    size -= size_t(written);
  }
  return true;
}

bool Card::commit() {
  bool good = writer_ >= 0 && fsync(writer_) == 0;
  if (writer_ >= 0) good = ::close(writer_) == 0 && good;
  writer_ = -1;
  if (!good) failed();
  return good;
}

void Card::discard() {
  if (writer_ >= 0) ::close(writer_);
  writer_ = -1;
}

bool Card::remove(const char* name) {
  close_reader();
  if (unlink(Path(name).text) == 0) return true;
  return errno == ENOENT && unlink(Path(Text(), name).text) == 0;
}

int32_t Card::read(const char* name, uint32_t offset, uint8_t* to, size_t room) {
  if (!mounted_) return -1;
  if (reader_ < 0 || strcmp(name, reading_) != 0) {
    close_reader();
    reader_ = open(Path(name).text, O_RDONLY);
    // Former versions kept all photos in one directory.
    if (reader_ < 0 && errno == ENOENT) reader_ = open(Path(Text(), name).text, O_RDONLY);
    if (reader_ < 0) {
      if (errno != ENOENT) misread();
      return -1;
    }
    Writer(reading_, sizeof reading_).text(name).c_str();
  }
  bool there = lseek(reader_, off_t(offset), SEEK_SET) >= 0;
  ssize_t size = there ? ::read(reader_, to, room) : -1;
  if (size < 0) misread();
  return int32_t(size);
}

// One bad spot, or a card that was pulled out: mounting it anew at once shows.
void Card::misread() {
  failed();
  retry_at_ = clock_.now_ms();
}

void Card::close_reader() {
  if (reader_ >= 0) ::close(reader_);
  reader_ = -1;
  reading_[0] = '\0';
}

}  // namespace camd
