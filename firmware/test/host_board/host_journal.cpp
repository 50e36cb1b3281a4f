#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "host_board/host_ports.h"
#include "photo.h"
#include "schedule.h"

namespace {

struct StateFile {
  camd::RtcState state;
  uint64_t origin_ms;
};

[[noreturn]] void give_up(const std::string& path) {
  perror(path.c_str());
  exit(1);
}

std::string id_text(uint64_t boot, uint32_t seq) {
  char buffer[40];
  snprintf(buffer, sizeof buffer, "%016" PRIx64 " %" PRIu32, boot, seq);
  return buffer;
}

}  // namespace

HostJournal::HostJournal(const std::string& state_path, const std::string& journal_path)
    : state_path_(state_path), journal_path_(journal_path), origin_ms_(HostClock::wall_ms()) {
  read_back();
}

void HostJournal::read_back() {
  std::ifstream file(journal_path_);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string what, boot;
    uint32_t seq = 0;
    if (!(words >> what >> boot >> seq)) continue;
    Id id(strtoull(boot.c_str(), nullptr, 16), seq);
    if (what == "taken") taken_.insert(id);
    if (what == "acked") acked_.insert(id);
    if (what == "dropped") dropped_.insert(id);
  }
}

bool HostJournal::load_state(camd::RtcState* state) {
  StateFile file;
  std::ifstream in(state_path_, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(&file), sizeof file)) return false;
  *state = file.state;
  origin_ms_ = file.origin_ms;
  // Board time went on while no program ran.
  state->board_ms = HostClock::wall_ms() - origin_ms_;
  if (file.state.check == camd::state_check(file.state)) state->check = camd::state_check(*state);
  return true;
}

void HostJournal::state_changed(const camd::RtcState& state) {
  if (state_path_.empty()) return;
  StateFile file;
  memset(static_cast<void*>(&file), 0, sizeof file);
  file.state = state;
  file.origin_ms = origin_ms_;
  std::string part = state_path_ + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(&file), sizeof file);
  out.close();
  if (!out || rename(part.c_str(), state_path_.c_str()) != 0) give_up(state_path_);
}

void HostJournal::append(const std::string& line) {
  if (journal_path_.empty()) return;
  int file = open(journal_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  std::string text = line + "\n";
  bool good = file >= 0 && write(file, text.data(), text.size()) == ssize_t(text.size());
  if (!good) give_up(journal_path_);
  close(file);
}

void HostJournal::taken(uint64_t boot, uint32_t seq, uint32_t crc, uint32_t size) {
  taken_.insert(Id(boot, seq));
  char facts[32];
  snprintf(facts, sizeof facts, " %08" PRIx32 " %" PRIu32, crc, size);
  append("taken " + id_text(boot, seq) + facts);
}

void HostJournal::settled(uint64_t boot, uint32_t seq, camd::Fate fate, const char* reason) {
  if (fate == camd::Fate::kAcked) {
    acked_.insert(Id(boot, seq));
    append("acked " + id_text(boot, seq));
    return;
  }
  static const char* const kPrefixes[] = {"", "", "evicted:", "damaged:"};
  dropped_.insert(Id(boot, seq));
  append("dropped " + id_text(boot, seq) + " " + kPrefixes[size_t(fate)] + reason);
}

void HostJournal::reconcile(camd::Storage& storage) {
  struct Found : camd::Storage::Visitor {
    std::vector<camd::Photo> photos;
    void file(const char* name) override {
      camd::Photo photo;
      if (camd::parse_photo_name(name, &photo)) photos.push_back(photo);
    }
  } found;
  storage.list(found);
  for (const camd::Photo& photo : found.photos) {
    uint8_t last;
    bool whole = storage.read(camd::photo_name(photo).text, photo.size - 1, &last, 1) == 1;
    if (!whole) continue;
    if (taken_.count(Id(photo.boot, photo.seq)) == 0) {
      taken(photo.boot, photo.seq, photo.crc, photo.size);
    }
  }
}
