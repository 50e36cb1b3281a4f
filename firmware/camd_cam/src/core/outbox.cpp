#include "outbox.h"

#include <string.h>

#include "crc32.h"
#include "encoder.h"

namespace camd {

Outbox::Outbox(const Ports& ports, Spool& spool, Seal& seal)
    : ports_(ports), spool_(spool), seal_(seal) {}

void Outbox::reset() {
  phase_ = Phase::kIdle;
  photo_ = nullptr;
  view_ = nullptr;
  queued_ = 0;
}

bool Outbox::queue(Text line) {
  if (line.size + 1 > sizeof queue_ - queued_) return false;
  memcpy(queue_ + queued_, line.data, line.size);
  queue_[queued_ + line.size] = '\n';
  queued_ = uint16_t(queued_ + line.size + 1);
  return true;
}

// The line is in line_; the payload is still to be read for the mac.
void Outbox::begin(Writer& line, uint32_t payload) {
  line_size_ = uint16_t(line.size());
  payload_ = payload;
  at_ = crc_ = 0;
  chunk_size_ = 0;
  if (seal_.on()) seal_.begin_sent(ports_.crypto, line.view());
  phase_ = Phase::kPreparing;
}

void Outbox::begin_queued() {
  size_t size = size_t(static_cast<char*>(memchr(queue_, '\n', queued_)) - queue_);
  Writer line(line_, sizeof line_);
  line.text(Text(queue_, size));
  photo_ = nullptr;
  queued_ = uint16_t(queued_ - size - 1);
  memmove(queue_, queue_ + size + 1, queued_);
  begin(line, 0);
}

void Outbox::send_photo(Photo* photo, uint64_t ts, uint64_t session_boot) {
  Writer line(line_, sizeof line_);
  encode_frame(line, *photo, ts, session_boot);
  photo_ = photo;
  view_ = nullptr;
  begin(line, photo->size);
}

void Outbox::send_view(const Picture& picture) {
  Writer line(line_, sizeof line_);
  uint32_t size = uint32_t(picture.size);
  encode_view(line, size, crc32(0, picture.data, picture.size));
  photo_ = nullptr;
  view_ = picture.data;
  begin(line, size);
}

Outbox::Progress Outbox::pump() {
  if (phase_ == Phase::kIdle) {
    if (queued_ == 0) return Progress::kIdle;
    begin_queued();
  }
  Progress progress = Progress::kIdle;
  if (phase_ == Phase::kPreparing) progress = prepare();
  if (phase_ == Phase::kLine) progress = write_line();
  if (phase_ == Phase::kPayload) progress = write_payload();
  if (progress != Progress::kIdle) return progress;
  phase_ = Phase::kIdle;
  if (photo_ != nullptr) return Progress::kPhotoSent;
  return view_ != nullptr ? Progress::kViewSent : Progress::kLineSent;
}

// The bytes of the payload from at_ on that are at hand: how many, 0 at the
// end, negative when they cannot be read, kShort when there are no more.
int32_t Outbox::piece(const uint8_t** data) {
  const uint8_t* memory = view_;
  if (photo_ != nullptr) memory = spool_.memory(*photo_);
  if (at_ == payload_) return 0;
  if (memory != nullptr) {
    *data = memory + at_;
    uint32_t left = payload_ - at_;
    return int32_t(left < 4096 ? left : 4096);
  }
  bool at_hand = at_ >= chunk_at_ && at_ < chunk_at_ + chunk_size_;
  if (!at_hand) {
    int32_t size = spool_.read(*photo_, at_, chunk_, sizeof chunk_);
    if (size <= 0) return size == 0 ? kShort : -1;
    chunk_at_ = at_;
    chunk_size_ = uint16_t(size);
  }
  *data = chunk_ + (at_ - chunk_at_);
  return int32_t(chunk_at_ + chunk_size_ - at_);
}

// The mac stands before the payload, so the payload is read twice. That also
// finds a photo that the card has spoilt before any of it is sent.
Outbox::Progress Outbox::prepare() {
  const uint8_t* data = nullptr;
  for (uint32_t handled = 0; handled < kQuantum;) {
    int32_t size = piece(&data);
    bool damaged = size == 0 && photo_ != nullptr && crc_ != photo_->crc;
    if (size < 0 || damaged) {
      phase_ = Phase::kIdle;
      if (damaged) return Progress::kDamaged;
      return size == kShort ? Progress::kFragment : Progress::kUnreadable;
    }
    if (size == 0) {
      finish_line();
      return Progress::kIdle;
    }
    crc_ = crc32(crc_, data, size_t(size));
    if (seal_.on()) seal_.sent_payload(ports_.crypto, data, size_t(size));
    moved_ += uint32_t(size);
    at_ += uint32_t(size);
    handled += uint32_t(size);
  }
  return Progress::kBlocked;
}

void Outbox::finish_line() {
  Writer tail(line_ + line_size_, sizeof line_ - line_size_);
  if (seal_.on()) {
    uint8_t mac[Seal::kMacBytes];
    seal_.finish_sent(ports_.crypto, mac);
    tail.text(" mac=").hex(mac, sizeof mac);
  }
  tail.text("\n");
  line_size_ = uint16_t(line_size_ + tail.size());
  line_at_ = 0;
  at_ = 0;
  chunk_size_ = 0;
  phase_ = Phase::kLine;
}

Outbox::Progress Outbox::write_line() {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(line_) + line_at_;
  int32_t taken = ports_.transport.write(from, size_t(line_size_ - line_at_));
  if (taken < 0) return Progress::kLost;
  moved_ += uint32_t(taken);
  line_at_ = uint16_t(line_at_ + taken);
  if (line_at_ < line_size_) return Progress::kBlocked;
  phase_ = Phase::kPayload;
  return Progress::kIdle;
}

Outbox::Progress Outbox::write_payload() {
  const uint8_t* data = nullptr;
  for (uint32_t handled = 0; handled < kQuantum;) {
    int32_t size = piece(&data);
    if (size == 0) return Progress::kIdle;
    int32_t taken = size > 0 ? ports_.transport.write(data, size_t(size)) : -1;
    if (taken < 0) return Progress::kLost;
    if (taken == 0) return Progress::kBlocked;
    moved_ += uint32_t(taken);
    at_ += uint32_t(taken);
    handled += uint32_t(taken);
  }
  return Progress::kBlocked;
}

}  // namespace camd
