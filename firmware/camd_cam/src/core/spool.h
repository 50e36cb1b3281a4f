// Photos that are taken and not settled: on a card, or a few in memory.
//
// A photo's name on the card carries all there is to know about it, its size
// and checksum too. So the spool needs no index file, and what a power cut left
// unfinished is found out before it is sent. It is written under that name at
// once: on FAT, a rename that is cut short can leave two names for one chain of
// clusters, and removing one then spoils the other. In memory the spool keeps a
// window over the card's photos, and scans the card again when it has run empty.
#pragma once

#include "photo.h"
#include "ports.h"
#include "settings.h"

namespace camd {

class Spool {
 public:
  static const size_t kIndex = 12;
  static const size_t kMaxSlots = 8;
  static const uint64_t kMinFree = 1u << 20;  // left free on the card

  // `ports` and `rtc` outlive the spool.
  Spool(const Ports& ports, const SlotMemory& slots, RtcState& rtc);

  // The most that photos may take on the card.
  void limit(uint64_t bytes) { limit_ = bytes; }
  void order(Order order);

  // Looks for a card that was put in or pulled out.
  void check_card();

  // Gives the photo a serial and keeps it. `photo` has boot, seq, when,
  // undated and trigger. False: there is no room that an older photo could
  // make, or the photo is too large.
  bool add(Photo photo, const uint8_t* data, size_t size);
  // True if add() can keep a photo of that size now.
  bool has_room(size_t size) const;

  // A photo to send now, or null. It stays valid until it is settled.
  Photo* next(uint64_t now);
  Photo* in_flight(uint64_t boot, uint32_t seq);
  // Bytes read, negative when the card failed.
  int32_t read(const Photo& photo, uint32_t offset, uint8_t* to, size_t room);
  // The photo's bytes where they lie in memory, else null.
  const uint8_t* memory(const Photo& photo) const;

  // The photo's life here is over: tells the journal, and forgets it.
  // False if the card did not give it up; it is then not sent again while the
  // card takes no changes.
  bool settle(Photo* photo, Fate fate, const char* reason);
  // Given up until the next power-on. A photo on the card stays there, since the
  // fault may be a loose contact's; when the card is full it is the first to go.
  // In memory there is nowhere to stay, and it is settled.
  void set_aside(Photo* photo, Fate fate, const char* reason);
  // Puts it back in the queue, not to be sent before `retry_at`.
  void postpone(Photo* photo, uint64_t retry_at);
  // All photos in flight are waiting again.
  void recall();

  size_t flying() const;
  uint32_t queued() const { return on_card_ + in_memory(); }
  uint32_t in_memory() const;  // those that deep sleep would lose
  uint32_t aside() const { return aside_; }
  uint32_t lost() const { return lost_; }
  // The highest seq of the board's own boot that was found on the card.
  uint32_t highest_seq() const { return highest_boot_ == rtc_.boot ? highest_seq_ : 0; }

 private:
  class Census;
  class Oldest;

  bool scan();
  bool keep_on_card(const Photo& photo, const uint8_t* data);
  bool keep_in_memory(Photo photo, const uint8_t* data);
  bool write_file(const Photo& photo, const uint8_t* data);
  bool make_room_on_card(uint32_t size);
  bool evict_from_card();
  void insert(const Photo& photo);
  void unindex_card();
  Photo* best_waiting(uint64_t now);
  Photo* free_entry();
  Photo* yielding_entry();
  Photo* oldest_in_memory();
  int8_t free_slot() const;
  Photo* find(const Photo& photo);
  bool is_stuck(const Photo& photo) const;
  bool is_aside(const Photo& photo) const;
  bool before(const Photo& a, const Photo& b) const;

  const Ports& ports_;
  RtcState& rtc_;
  SlotMemory slots_;
  uint64_t limit_ = UINT64_MAX;
  uint64_t bytes_ = 0;    // on the card
  uint32_t on_card_ = 0;  // without those set aside
  uint32_t aside_ = 0;
  uint32_t serial_ = 0;
  uint32_t lost_ = 0;
  uint32_t highest_seq_ = 0;  // of highest_boot_
  uint64_t highest_boot_ = 0;
  uint64_t next_scan_ms_ = 0;
  Order order_ = Order::kOldestFirst;
  bool scanned_ = false;
  bool more_ = false;   // the card has photos outside of the index
  uint32_t stuck_ = 0;  // the last settled photo's serial that the card did not give up
  Photo index_[kIndex];
};

}  // namespace camd
