#include "host_board/host_ports.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "jpeg.h"

namespace {

uint64_t clock_ms(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return uint64_t(now.tv_sec) * 1000 + uint64_t(now.tv_nsec) / 1000000;
}

std::string read_file(const std::string& path) {
  std::string bytes;
  FILE* file = fopen(path.c_str(), "rb");
  if (file == nullptr) return bytes;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.append(buffer, n);
  fclose(file);
  return bytes;
}

}  // namespace

void HostClock::restart() { start_ms_ = clock_ms(CLOCK_MONOTONIC); }

uint64_t HostClock::now_ms() { return clock_ms(CLOCK_MONOTONIC) - start_ms_; }

uint64_t HostClock::wall_ms() { return clock_ms(CLOCK_REALTIME); }

void HostRandom::fill(uint8_t* to, size_t size) {
  if (getrandom(to, size, 0) != ssize_t(size)) abort();
}

void HostLog::line(camd::Level level, const char* text) {
  static const char* const kNames[] = {"debug", "info", "warn", "error"};
  if (verbose_) fprintf(stderr, "host_board: %s: %s\n", kNames[size_t(level)], text);
}

bool HostCamera::load(const std::string& directory) {
  std::vector<std::string> names;
  if (DIR* open = opendir(directory.c_str())) {
    while (dirent* entry = readdir(open)) names.push_back(entry->d_name);
    closedir(open);
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    std::string bytes = read_file(directory + "/" + name);
    if (camd::jpeg_size(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()) != 0) {
      jpegs_.push_back(bytes);
    }
  }
  mark_ = std::to_string(clock_ms(CLOCK_REALTIME)) + "." + std::to_string(getpid());
  return !jpegs_.empty();
}

bool HostCamera::grab(bool, camd::Picture* picture) {
  const std::string& jpeg = jpegs_[grabs_ % jpegs_.size()];
  std::string text = "host_board " + mark_ + " " + std::to_string(++grabs_);
  std::string comment = {'\xff', '\xfe', '\0', char(text.size() + 2)};
  picture_ = jpeg.substr(0, 2) + comment + text + jpeg.substr(2);
  picture->data = reinterpret_cast<const uint8_t*>(picture_.data());
  picture->size = picture_.size();
  return true;
}

bool HostStorage::list(Visitor& visitor) {
  DIR* open = opendir(directory_.c_str());
  if (open == nullptr) return false;
  while (dirent* entry = readdir(open)) {
    struct stat facts;
    bool is_file = stat(path(entry->d_name).c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
    if (is_file) visitor.file(entry->d_name);
  }
  closedir(open);
  return true;
}

bool HostStorage::create(const char* name) {
  discard();
  file_ = open(path(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return file_ >= 0;
}

bool HostStorage::append(const uint8_t* from, size_t size) {
  while (size > 0) {
    ssize_t written = ::write(file_, from, size);
    if (written <= 0) return false;
    from += written;
    size -= size_t(written);
  }
  return true;
}

bool HostStorage::commit() {
  bool good = fsync(file_) == 0;
  discard();
  return good;
}

void HostStorage::discard() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

bool HostStorage::remove(const char* name) { return unlink(path(name).c_str()) == 0; }

int32_t HostStorage::read(const char* name, uint32_t offset, uint8_t* to, size_t room) {
  int file = open(path(name).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t size = pread(file, to, room, offset);
  close(file);
  return int32_t(size);
}

bool HostSettings::load(const char* name, char* value, size_t room) {
  auto found = values.find(name);
  if (found == values.end() || found->second.size() >= room) return false;
  memcpy(value, found->second.c_str(), found->second.size() + 1);
  return true;
}
