// What the board is saying: one line and its payload at a time, in whatever
// pieces the transport takes them, and short lines waiting behind it.
#pragma once

#include "ports.h"
#include "seal.h"
#include "spool.h"

namespace camd {

class Outbox {
 public:
  enum class Progress : uint8_t {
    kIdle,        // nothing to say
    kBlocked,     // come back in the next step
    kLineSent,    // a queued line has left
    kPhotoSent,   // photo() has left
    kViewSent,    // the picture has left
    kUnreadable,  // photo() could not be read, and not a byte of it was sent
    kFragment,    // photo() is shorter than its name says; not a byte was sent
    kDamaged,     // photo() has another checksum; not a byte was sent
    kLost         // the connection is gone, or a card failed within a payload
  };
  static const size_t kLongestReply = 256;

  Outbox(const Ports& ports, Spool& spool, Seal& seal);
  void reset();

  // Queues a line, without mac and end. False when it does not fit.
  bool queue(Text line);
  // True while kLongestReply bytes more can be queued.
  bool has_room() const { return sizeof queue_ - queued_ > kLongestReply; }
  bool idle() const { return phase_ == Phase::kIdle && queued_ == 0; }
  bool free() const { return phase_ == Phase::kIdle; }

  // Begins the next message; only while free().
  void send_photo(Photo* photo, uint64_t ts, uint64_t session_boot);
  // `picture` stays valid until kViewSent or reset().
  void send_view(const Picture& picture);

  // Goes on until a message has left or nothing more can be done for now.
  Progress pump();

  Photo* photo() const { return photo_; }
  // True once the photo's line may have reached camd.
  bool announced() const { return phase_ == Phase::kLine || phase_ == Phase::kPayload; }
  // Changes as long as there is progress: bytes prepared, and bytes taken.
  uint32_t moved() const { return moved_; }

 private:
  enum class Phase : uint8_t { kIdle, kPreparing, kLine, kPayload };
  static const size_t kChunk = 512;
  static const size_t kLineRoom = 352;
  static const size_t kQueueRoom = 352;
  static const uint32_t kQuantum = 32768;  // bytes handled in one pump()
  static const int32_t kShort = -2;

  void begin(Writer& line, uint32_t payload);
  void begin_queued();
  void finish_line();
  // Each says what came of it; kIdle: its part is done.
  Progress prepare();
  Progress write_line();
  Progress write_payload();
  int32_t piece(const uint8_t** data);

  const Ports& ports_;
  Spool& spool_;
  Seal& seal_;
  Photo* photo_ = nullptr;
  const uint8_t* view_ = nullptr;
  uint32_t payload_ = 0;  // its size
  uint32_t at_ = 0;       // how much of it is prepared or sent
  uint32_t crc_ = 0;
  uint32_t moved_ = 0;
  uint32_t chunk_at_ = 0;  // where in the payload the chunk begins
  uint16_t chunk_size_ = 0;
  uint16_t line_size_ = 0;
  uint16_t line_at_ = 0;
  uint16_t queued_ = 0;
  Phase phase_ = Phase::kIdle;
  char line_[kLineRoom];
  char queue_[kQueueRoom];
  uint8_t chunk_[kChunk];
};

}  // namespace camd
