#include "fakes.h"

#include <string.h>

#include <algorithm>

namespace fakes {

Bytes jpeg(unsigned number, size_t size) {
  Bytes text = "photo " + std::to_string(number);
  Bytes out("\xff\xd8", 2);
  out += Bytes("\xff\xfe", 2) + char((text.size() + 2) >> 8) + char(text.size() + 2) + text;
  out += Bytes("\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00", 13);
  out += Bytes("\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00", 10);
  while (out.size() + 2 < size) {
    char byte = char(out.size() * 37 + number);
    out += byte == '\xff' ? '\x7f' : byte;
  }
  return out + Bytes("\xff\xd9", 2);
}

bool Camera::grab(bool flash, camd::Picture* picture) {
  ++grabs;
  flashes += flash;
  if (broken) return false;
  ++held;
  picture_ = jpeg(grabs, size) + junk;
  picture->data = reinterpret_cast<const uint8_t*>(picture_.data());
  picture->size = picture_.size();
  return true;
}

bool Storage::spend(uint64_t cost) {
  if (dead_ || !present) return false;
  if (budget < cost) {
    dead_ = true;
    return false;
  }
  if (budget != UINT64_MAX) budget -= cost;
  return true;
}

bool Storage::list(Visitor& visitor) {
  ++lists;
  if (dead_ || !present) return false;
  for (const auto& file : files) visitor.file(file.first.c_str());
  return true;
}

void Storage::restore() {
  if (dead_ && forgets && !open_.empty()) files[open_].clear();
  open_.clear();
  dead_ = false;
  budget = UINT64_MAX;
}

uint64_t Storage::used() const {
  uint64_t sum = 0;
  for (const auto& file : files) sum += file.second.size();
  return sum;
}

size_t Storage::photos() const {
  size_t sum = 0;
  for (const auto& file : files) {
    sum += file.first.size() > 4 && file.first.compare(file.first.size() - 4, 4, ".jpg") == 0;
  }
  return sum;
}

bool Storage::create(const char* name) {
  if (full || read_only || !spend(1)) return false;
  files[open_ = name].clear();
  return true;
}

bool Storage::append(const uint8_t* from, size_t size) {
  size_t written = size_t(std::min<uint64_t>(size, budget));
  if (!dead_) files[open_].append(reinterpret_cast<const char*>(from), written);
  return spend(size);
}

bool Storage::commit() {
  if (!spend(1)) return false;
  open_.clear();
  return true;
}

bool Storage::remove(const char* name) {
  return !read_only && spend(1) && files.erase(name) == 1;
}

int32_t Storage::read(const char* name, uint32_t offset, uint8_t* to, size_t room) {
  if (dead_ || !present || files.count(name) == 0) return -1;
  const Bytes& file = files[name];
  if (offset > file.size()) return -1;
  size_t size = std::min(room, file.size() - offset);
  memcpy(to, file.data() + offset, size);
  if (contact && !contact(to, size)) return -1;
  return int32_t(size);
}

bool SettingsStore::load(const char* name, char* value, size_t room) {
  auto found = values.find(name);
  if (found == values.end() || found->second.size() >= room) return false;
  memcpy(value, found->second.c_str(), found->second.size() + 1);
  return true;
}

bool Transport::open(const char*, uint16_t, bool) {
  close();
  ++opens;
  if (refuses || !network) return false;
  up = true;
  reset = peer_closed = false;
  inbound.clear();
  if (!hangs && peer) peer->opened();
  return true;
}

camd::Transport::Link Transport::link() {
  if (!up) return Link::kDown;
  return hangs ? Link::kConnecting : Link::kUp;
}

int32_t Transport::read(uint8_t* to, size_t room) {
  if (!up || reset || !network) return -1;
  if (inbound.empty()) return peer_closed ? -1 : 0;
  size_t size = std::min(std::min(room, inbound.size()), piece);
  memcpy(to, inbound.data(), size);
  inbound.erase(0, size);
  return int32_t(size);
}

int32_t Transport::write(const uint8_t* from, size_t size) {
  if (!up || reset || !network) return -1;
  if (stalled) return 0;
  size = std::min(size, piece);
  if (peer_closed) return int32_t(size);
  size = size_t(std::min<uint64_t>(size, std::min(break_after, stall_after)));
  if (stall_after != UINT64_MAX) stall_after -= size;
  if (break_after != UINT64_MAX) break_after -= size;
  if (peer && size > 0) peer->received(Bytes(reinterpret_cast<const char*>(from), size));
  if (break_after == 0) {
    reset = true;
    break_after = UINT64_MAX;
  }
  return int32_t(size);
}

void Transport::close() {
  if (up && peer) peer->closed();
  up = false;
}

}  // namespace fakes
