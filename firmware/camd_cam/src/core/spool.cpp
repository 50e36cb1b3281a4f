#include "spool.h"

#include <string.h>

#include "crc32.h"

namespace camd {
namespace {

const uint64_t kScanRetryMs = 10000;
const int kMostEvictions = 8;  // for one new photo
const size_t kWritePiece = 16384;

bool is_on_card(const Photo& photo) { return photo.slot == Photo::kOnCard; }

// Tells a photo from all others of this card, and of the next one in the slot.
uint32_t mark_of(const Photo& photo) { return photo.crc ^ photo.seq; }

bool is_waiting_on_card(const Photo& photo) {
  return photo.state == Photo::State::kWaiting && is_on_card(photo);
}

}  // namespace

// Counts what is on the card, and fills the index.
class Spool::Census : public Storage::Visitor {
 public:
  explicit Census(Spool& spool) : spool_(spool) {}

  void file(const char* name) override {
    Photo photo;
    if (!parse_photo_name(name, &photo)) return;
    bytes_ += photo.size;
    if (photo.serial > spool_.serial_) spool_.serial_ = photo.serial;
    if (photo.boot == spool_.rtc_.boot && photo.seq > spool_.highest_seq()) {
      spool_.highest_seq_ = photo.seq;
      spool_.highest_boot_ = photo.boot;
    }
    Photo* entry = spool_.find(photo);
    if (entry == nullptr && spool_.is_aside(photo)) {
      ++aside_;
      return;
    }
    if (entry == nullptr && spool_.is_stuck(photo)) return;
    ++photos_;
    if (entry != nullptr) {
      seen_[entry - spool_.index_] = true;
      return;
    }
    entry = spool_.free_entry();
    if (entry == nullptr) {
      more_ = true;
      entry = last_added(photo);
      if (entry == nullptr) return;
    }
    *entry = photo;
    entry->state = Photo::State::kWaiting;
    added_[entry - spool_.index_] = seen_[entry - spool_.index_] = true;
  }

  uint32_t photos() const { return photos_; }
  uint32_t aside() const { return aside_; }
  bool seen(size_t entry) const { return seen_[entry]; }
  uint64_t bytes() const { return bytes_; }
  bool more() const { return more_; }

 private:
  // Of the entries that this scan added, the one that gives way to `photo`.
  Photo* last_added(const Photo& photo) {
    Photo* last = nullptr;
    for (size_t i = 0; i < kIndex; ++i) {
      Photo* entry = &spool_.index_[i];
      if (added_[i] && (last == nullptr || spool_.before(*last, *entry))) last = entry;
    }
    return last != nullptr && spool_.before(photo, *last) ? last : nullptr;
  }

  Spool& spool_;
  uint64_t bytes_ = 0;
  uint32_t photos_ = 0;
  uint32_t aside_ = 0;
  bool more_ = false;
  bool added_[kIndex] = {};
  bool seen_[kIndex] = {};
};

// Finds the photo on the card that is to go first and is not in flight: of those
// set aside the one that was taken first, else of all.
class Spool::Oldest : public Storage::Visitor {
 public:
  explicit Oldest(Spool& spool) : spool_(spool) {}

  void file(const char* name) override {
    Photo photo;
    if (!parse_photo_name(name, &photo)) return;
    bool aside = spool_.is_aside(photo);
    if (found_ && (aside < aside_ || (aside == aside_ && photo.serial >= oldest_.serial))) return;
    const Photo* entry = spool_.find(photo);
    if (entry != nullptr && entry->state == Photo::State::kInFlight) return;
    oldest_ = photo;
    aside_ = aside;
    found_ = true;
  }

  bool found() const { return found_; }
  Photo& photo() { return oldest_; }

 private:
  Spool& spool_;
  Photo oldest_;
  bool aside_ = false;
  bool found_ = false;
};

Spool::Spool(const Ports& ports, const SlotMemory& slots, RtcState& rtc)
    : ports_(ports), rtc_(rtc), slots_(slots) {
  if (slots_.count > kMaxSlots) slots_.count = kMaxSlots;
}

void Spool::order(Order order) {
  if (order == order_) return;
  order_ = order;
  stuck_ = 0;
  unindex_card();
}

void Spool::unindex_card() {
  for (Photo& photo : index_) {
    // One that could not be read, or arrived damaged, keeps its count, or it would be
    // tried for ever.
    bool counts = photo.misreads > 0 || photo.crc_refusals > 0;
    if (!is_waiting_on_card(photo) || counts) continue;
    photo.state = Photo::State::kFree;
    more_ = true;
  }
}

void Spool::check_card() {
  if (ports_.storage == nullptr || !ports_.storage->ready()) {
    scanned_ = false;
    next_scan_ms_ = 0;
    return;
  }
  uint64_t now = ports_.clock.now_ms();
  if (scanned_ || now < next_scan_ms_) return;
  next_scan_ms_ = now + kScanRetryMs;
  unindex_card();
  scanned_ = scan();
  if (scanned_) next_scan_ms_ = 0;
}

bool Spool::scan() {
  Census census(*this);
  if (!ports_.storage->list(census)) {
    ports_.log.line(Level::kWarn, "the card cannot be listed");
    return false;
  }
  for (size_t i = 0; i < kIndex; ++i) {
    bool gone = is_waiting_on_card(index_[i]) && !census.seen(i);
    if (gone) index_[i] = Photo();
  }
  on_card_ = census.photos();
  aside_ = census.aside();
  // No new photo is to be taken for one that was set aside.
  if (serial_ < rtc_.aside_to) serial_ = rtc_.aside_to;
  bytes_ = census.bytes();
  more_ = census.more();
  return true;
}

bool Spool::has_room(size_t size) const {
  if (scanned_) return true;
  if (size > slots_.slot_size) return false;
  if (free_slot() >= 0) return true;
  for (const Photo& photo : index_) {
    if (photo.state == Photo::State::kWaiting && !is_on_card(photo)) return true;
  }
  return false;
}

bool Spool::add(Photo photo, const uint8_t* data, size_t size) {
  photo.size = uint32_t(size);
  photo.crc = crc32(0, data, size);
  photo.serial = ++serial_;
  photo.state = Photo::State::kWaiting;
  if (!keep_on_card(photo, data) && !keep_in_memory(photo, data)) {
    ports_.log.line(Level::kWarn, "no room for a photo");
    ++lost_;
    return false;
  }
  if (ports_.journal) ports_.journal->taken(photo.boot, photo.seq, photo.crc, photo.size);
  return true;
}

bool Spool::keep_on_card(const Photo& photo, const uint8_t* data) {
  if (!scanned_ || !ports_.storage->ready()) return false;
  if (!make_room_on_card(photo.size) || !write_file(photo, data)) return false;
  ++on_card_;
  bytes_ += photo.size;
  insert(photo);
  return true;
}

bool Spool::make_room_on_card(uint32_t size) {
  if (size > limit_) return false;
  for (int evictions = 0;; ++evictions) {
    bool fits = bytes_ + size <= limit_ && ports_.storage->free_bytes() >= kMinFree + size;
    if (fits) return true;
    if (evictions == kMostEvictions || !evict_from_card()) return false;
  }
}

bool Spool::evict_from_card() {
  Oldest oldest(*this);
  if (!ports_.storage->list(oldest) || !oldest.found()) return false;
  Photo* entry = find(oldest.photo());
  return settle(entry != nullptr ? entry : &oldest.photo(), Fate::kEvicted, "ring");
}

bool Spool::write_file(const Photo& photo, const uint8_t* data) {
  Storage& storage = *ports_.storage;
  PhotoName name = photo_name(photo);
  bool good = storage.create(name.text);
  if (good) {
    for (size_t at = 0; good && at < photo.size; at += kWritePiece) {
      size_t left = photo.size - at;
      good = storage.append(data + at, left < kWritePiece ? left : kWritePiece);
    }
    good = good && storage.commit();
    if (!good) {
      storage.discard();
      storage.remove(name.text);
    }
  }
  if (good) {
    stuck_ = 0;
  } else {
    ports_.log.line(Level::kWarn, "a photo could not be written to the card");
  }
  return good;
}

void Spool::insert(const Photo& photo) {
  // With older photos outside of the index, this one's turn comes after theirs.
  bool has_turn = order_ == Order::kNewestFirst || !more_;
  Photo* entry = has_turn ? free_entry() : nullptr;
  if (entry == nullptr) {
    if (order_ == Order::kNewestFirst) entry = yielding_entry();
    more_ = true;
  }
  if (entry != nullptr) *entry = photo;
}

bool Spool::keep_in_memory(Photo photo, const uint8_t* data) {
  if (photo.size > slots_.slot_size) return false;
  photo.slot = free_slot();
  if (photo.slot < 0) {
    Photo* oldest = oldest_in_memory();
    if (oldest == nullptr) return false;
    photo.slot = oldest->slot;
    settle(oldest, Fate::kEvicted, "memory");
  }
  Photo* entry = free_entry();
  if (entry == nullptr) {
    entry = yielding_entry();
    more_ = true;
  }
  if (entry == nullptr) return false;
  memcpy(slots_.base + size_t(photo.slot) * slots_.slot_size, data, photo.size);
  *entry = photo;
  return true;
}

Photo* Spool::next(uint64_t now) {
  Photo* best = best_waiting(now);
  if (best == nullptr && more_ && scanned_ && free_entry() != nullptr && now >= next_scan_ms_) {
    if (!scan()) next_scan_ms_ = now + kScanRetryMs;
    best = best_waiting(now);
  }
  return best;
}

Photo* Spool::best_waiting(uint64_t now) {
  // One slot is never in flight, so that there is room for the next photo.
  uint32_t flying_slots = 0;
  for (const Photo& photo : index_) {
    flying_slots += photo.state == Photo::State::kInFlight && !is_on_card(photo);
  }
  bool slots_may_fly = flying_slots == 0 || flying_slots + 1 < slots_.count;

  Photo* best = nullptr;
  for (Photo& photo : index_) {
    if (photo.state != Photo::State::kWaiting || photo.retry_at > now) continue;
    if (is_on_card(photo) ? !scanned_ : !slots_may_fly) continue;
    if (best == nullptr || before(photo, *best)) best = &photo;
  }
  return best;
}

Photo* Spool::in_flight(uint64_t boot, uint32_t seq) {
  for (Photo& photo : index_) {
    if (photo.state == Photo::State::kInFlight && photo.boot == boot && photo.seq == seq) {
      return &photo;
    }
  }
  return nullptr;
}

int32_t Spool::read(const Photo& photo, uint32_t offset, uint8_t* to, size_t room) {
  size_t left = photo.size - offset;
  size_t size = left < room ? left : room;
  const uint8_t* bytes = memory(photo);
  if (bytes == nullptr) {
    return ports_.storage->read(photo_name(photo).text, offset, to, size);
  }
  memcpy(to, bytes + offset, size);
  return int32_t(size);
}

const uint8_t* Spool::memory(const Photo& photo) const {
  return is_on_card(photo) ? nullptr : slots_.base + size_t(photo.slot) * slots_.slot_size;
}

bool Spool::settle(Photo* photo, Fate fate, const char* reason) {
  bool gone = true;
  if (fate == Fate::kEvicted || fate == Fate::kDamaged) ++lost_;
  if (ports_.journal) ports_.journal->settled(photo->boot, photo->seq, fate, reason);
  if (is_on_card(*photo)) {
    gone = ports_.storage->remove(photo_name(*photo).text);
    if (!gone) {
      ports_.log.line(Level::kWarn, "a photo could not be removed from the card");
      if (fate != Fate::kEvicted && !is_stuck(*photo)) stuck_ = photo->serial;
    }
    uint32_t& count = is_aside(*photo) ? aside_ : on_card_;
    if (count > 0) --count;
    bytes_ -= bytes_ < photo->size ? bytes_ : photo->size;
  }
  *photo = Photo();
  return gone;
}

void Spool::set_aside(Photo* photo, Fate fate, const char* reason) {
  if (!is_on_card(*photo)) {
    settle(photo, fate, reason);
    return;
  }
  if (rtc_.asides < RtcState::kAsides) {
    rtc_.aside[rtc_.asides++] = mark_of(*photo);
  } else {
    // A card with so many damaged photos: all between them wait, too.
    bool first = rtc_.aside_to == 0;
    if (first || photo->serial < rtc_.aside_from) rtc_.aside_from = photo->serial;
    if (first || photo->serial > rtc_.aside_to) rtc_.aside_to = photo->serial;
  }
  if (on_card_ > 0) --on_card_;
  ++aside_;
  *photo = Photo();
}

bool Spool::is_aside(const Photo& photo) const {
  for (uint8_t i = 0; i < rtc_.asides; ++i) {
    if (rtc_.aside[i] == mark_of(photo)) return true;
  }
  return rtc_.aside_to != 0 && photo.serial >= rtc_.aside_from && photo.serial <= rtc_.aside_to;
}

bool Spool::is_stuck(const Photo& photo) const {
  if (stuck_ == 0) return false;
  return order_ == Order::kOldestFirst ? photo.serial <= stuck_ : photo.serial >= stuck_;
}

void Spool::postpone(Photo* photo, uint64_t retry_at) {
  photo->state = Photo::State::kWaiting;
  photo->retry_at = retry_at;
}

void Spool::recall() {
  for (Photo& photo : index_) {
    if (photo.state == Photo::State::kInFlight) photo.state = Photo::State::kWaiting;
  }
}

size_t Spool::flying() const {
  size_t count = 0;
  for (const Photo& photo : index_) count += photo.state == Photo::State::kInFlight;
  return count;
}

uint32_t Spool::in_memory() const {
  uint32_t count = 0;
  for (const Photo& photo : index_) {
    count += photo.state != Photo::State::kFree && !is_on_card(photo);
  }
  return count;
}

Photo* Spool::free_entry() {
  for (Photo& photo : index_) {
    if (photo.state == Photo::State::kFree) return &photo;
  }
  return nullptr;
}

// The waiting photo on the card whose turn comes last: a scan finds it again.
Photo* Spool::yielding_entry() {
  Photo* last = nullptr;
  for (Photo& photo : index_) {
    if (is_waiting_on_card(photo) && (last == nullptr || before(*last, photo))) last = &photo;
  }
  return last;
}

Photo* Spool::oldest_in_memory() {
  Photo* oldest = nullptr;
  for (Photo& photo : index_) {
    if (photo.state != Photo::State::kWaiting || is_on_card(photo)) continue;
    if (oldest == nullptr || photo.serial < oldest->serial) oldest = &photo;
  }
  return oldest;
}

int8_t Spool::free_slot() const {
  for (int8_t slot = 0; slot < int8_t(slots_.count); ++slot) {
    bool used = false;
    for (const Photo& photo : index_) {
      used = used || (photo.state != Photo::State::kFree && photo.slot == slot);
    }
    if (!used) return slot;
  }
  return -1;
}

Photo* Spool::find(const Photo& wanted) {
  for (Photo& photo : index_) {
    if (photo.state != Photo::State::kFree && photo.boot == wanted.boot && photo.seq == wanted.seq)
      return &photo;
  }
  return nullptr;
}

bool Spool::before(const Photo& a, const Photo& b) const {
  return order_ == Order::kOldestFirst ? a.serial < b.serial : a.serial > b.serial;
}

}  // namespace camd
