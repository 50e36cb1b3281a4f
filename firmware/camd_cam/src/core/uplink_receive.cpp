// What camd says, and what the uplink makes of it.
#include <string.h>

#include "backoff.h"
#include "encoder.h"
#include "uplink.h"

namespace camd {
namespace {

const size_t kLongestPong = 200;
const size_t kMostReceived = 4096;  // in one step
const uint8_t kMostCrcRefusals = 3;
const uint16_t kMostWindow = 8;

bool is_final(Text reason) {
  return reason == "jpeg" || reason == "size" || reason == "conflict" || reason == "denied";
}

}  // namespace

// Takes in what is there. False when the session has ended by it.
bool Uplink::receive() {
  size_t received = 0;
  for (;;) {
    // Without room for an answer nothing more is read.
    if (!outbox_.has_room()) return true;
    Text input(input_ + input_at_, size_t(input_size_ - input_at_));
    Decoder::Event event = decoder_.next(&input);
    input_at_ = uint8_t(input_size_ - input.size);
    if (event != Decoder::Event::kNeedData) {
      if (!take(event)) return false;
      continue;
    }
    if (!decoder_.in_line()) {
      line_at_ = 0;
    } else if (line_at_ == 0) {
      line_at_ = now_;
    }
    if (received >= kMostReceived) return true;
    int32_t size = ports_.transport.read(reinterpret_cast<uint8_t*>(input_), sizeof input_);
    if (size < 0) {
      hang_up(Cause::kLost, "camd has closed");
      return false;
    }
    if (size == 0) return true;
    received += size_t(size);
    input_at_ = 0;
    input_size_ = uint8_t(size);
    heard_at_ = now_;
    pinged_at_ = 0;
  }
}

bool Uplink::take(Decoder::Event event) {
  switch (event) {
    case Decoder::Event::kLine: return begin_line();
    case Decoder::Event::kPayload:
      // No payload means anything to a board; it only counts for the mac.
      if (seal_.on()) {
        seal_.received_payload(ports_.crypto, decoder_.payload().data, decoder_.payload().size);
      }
      return true;
    case Decoder::Event::kEnd: return handle();
    case Decoder::Event::kBroken: hang_up(Cause::kLost, decoder_.why()); return false;
    case Decoder::Event::kNeedData: break;
  }
  return true;
}

bool Uplink::begin_line() {
  line_ = decoder_.line();
  if (!seal_.on()) return true;
  if (state_ == State::kAuth && line_.starts_with("ERR ")) {
    seal_.close();  // camd seals from its WELCOME on
    return true;
  }
  if (seal_.begin_received(ports_.crypto, &line_)) return true;
  hang_up(Cause::kLost, "a line without a mac");
  return false;
}

bool Uplink::handle() {
  if (seal_.on() && !seal_.finish_received(ports_.crypto)) {
    hang_up(Cause::kLost, "a wrong mac");
    return false;
  }
  Line line(line_);
  if (!line.well_formed()) {
    hang_up(Cause::kLost, "a malformed line");
    return false;
  }
  Text verb = line.verb();
  if (verb == "ERR") return refused(line);
  if (state_ == State::kHello || state_ == State::kAuth) return handle_opening(line);
  if (verb == "ACK") return answered(line, true);
  if (verb == "NAK") return answered(line, false);
  if (verb == "PING") {
    pong(line);
  } else if (verb == "CHALLENGE" || verb == "WELCOME") {
    hang_up(Cause::kLost, "the opening again");
    return false;
  } else if (verb != "PONG" && state_ == State::kReady) {
    owner_.commanded(line);
    return open();
  }
  return true;
}

bool Uplink::handle_opening(const Line& line) {
  if (line.verb() == "CHALLENGE" && state_ == State::kHello) return challenged(line);
  if (line.verb() == "WELCOME") return welcomed(line);
  hang_up(Cause::kLost, "out of order");
  return false;
}

bool Uplink::challenged(const Line& line) {
  if (!outbox_.idle()) {
    hang_up(Cause::kLost, "out of order");
    return false;
  }
  if (!settings_.has_key) {
    hang_up(Cause::kAuth, "camd wants a key");
    return false;
  }
  Opening opening;
  opening.cam = settings_.cam;
  opening.boot = session_boot_;
  memcpy(opening.nonce, nonce_, sizeof nonce_);
  if (!parse_hex(line.at(1), opening.challenge, sizeof opening.challenge)) {
    hang_up(Cause::kLost, "a malformed challenge");
    return false;
  }
  uint8_t digest[32];
  opening_digest(ports_.crypto, settings_.key, Proof::kCamd, opening, proof_);
  opening_digest(ports_.crypto, settings_.key, Proof::kBoard, opening, digest);
  char buffer[80];
  Writer auth(buffer, sizeof buffer);
  encode_auth(auth, digest);
  outbox_.queue(auth.view());
  // AUTH is the last line without a mac: it is put together before the seal is on.
  outbox_.pump();
  if (!settings_.tls) {
    opening_digest(ports_.crypto, settings_.key, Proof::kSession, opening, digest);
    seal_.open(digest);
  }
  enter(State::kAuth);
  return true;
}

bool Uplink::welcomed(const Line& line) {
  if (settings_.has_key) {
    uint8_t proof[32];
    bool proven = state_ == State::kAuth && parse_hex(line.value("proof"), proof, sizeof proof) &&
                  same_bytes(proof, proof_, sizeof proof);
    if (!proven) {
      hang_up(Cause::kLost, "camd does not prove that it knows the key");
      return false;
    }
    proven_ = true;
  }
  uint64_t time, last, window, max;
  bool good = line.at(1) == "camd/2" && parse_count(line.value("time"), UINT64_MAX, &time) &&
              parse_count(line.value("last"), UINT32_MAX, &last) &&
              parse_count(line.value("window"), UINT32_MAX, &window) && window > 0 &&
              parse_count(line.value("max"), UINT64_MAX, &max);
  if (!good) {
    hang_up(Cause::kLost, "a malformed welcome");
    return false;
  }
  window_ = window < kMostWindow ? uint16_t(window) : kMostWindow;
  decoder_.expect_payloads(4 * max);
  enter(State::kReady);
  note(Level::kInfo, "welcome");
  owner_.welcomed(time, uint32_t(last));
  return open();
}

bool Uplink::refused(const Line& line) {
  Text reason = line.at(1);
  if (reason == "verb" && state_ == State::kReady) {
    note(Level::kWarn, "camd does not know a verb");
    return true;
  }
  Cause cause = Cause::kLost;
  if (reason == "taken") cause = Cause::kTaken;
  if (reason == "auth" || reason == "id" || reason == "version") cause = Cause::kAuth;
  note(Level::kWarn, "camd says ERR ", reason);
  hang_up(cause, "refused");
  return false;
}

void Uplink::pong(const Line& line) {
  Text word = line.at(1), key, value;
  const bool frames = split_pair(word, &key, &value) && (key == "mac" || key == "len");
  if (frames || word.size > kLongestPong) word = Text();
  char buffer[kLongestPong + 8];
  Writer pong(buffer, sizeof buffer);
  encode_pong(pong, word);
  outbox_.queue(pong.view());
}

bool Uplink::answered(const Line& line, bool ack) {
  uint64_t seq, boot = session_boot_, retry = 0;
  Text reason = ack ? Text() : line.at(2);
  bool good = parse_count(line.at(1), UINT32_MAX, &seq);
  if (line.has("boot")) good = good && parse_hex64(line.value("boot"), &boot);
  if (line.has("retry")) good = good && parse_count(line.value("retry"), UINT32_MAX, &retry);
  if (!good || (!ack && reason.empty())) {
    hang_up(Cause::kLost, "a malformed answer");
    return false;
  }
  Photo* photo = spool_.in_flight(boot, uint32_t(seq));
  bool sending = photo != nullptr && photo == outbox_.photo() && !outbox_.free();
  if (photo == nullptr || (sending && !outbox_.announced())) {
    note(Level::kWarn, "an answer to no photo of ours");
    return true;
  }
  Answer answer;
  answer.given = true;
  answer.ack = ack;
  answer.has_retry = line.has("retry");
  answer.retry_ms = uint32_t(retry);
  Writer(answer.reason, sizeof answer.reason).text(reason).c_str();
  if (sending) {
    early_ = answer;
  } else {
    apply(photo, answer);
    if (waiting_at_ != 0) waiting_at_ = now_;
  }
  return true;
}

void Uplink::apply(Photo* photo, const Answer& answer) {
  failures_ = 0;
  if (answer.ack) {
    acked_ = true;
    spool_.settle(photo, Fate::kAcked, "");
    return;
  }
  if (Text(answer.reason) == "crc") ++photo->crc_refusals;
  if (is_final(answer.reason)) {
    note(Level::kWarn, "a photo was refused for good: ", answer.reason);
    spool_.settle(photo, Fate::kRefused, answer.reason);
    return;
  }
  if (photo->crc_refusals >= kMostCrcRefusals) {
    note(Level::kWarn, "a photo arrives damaged each time, and is given up until the next start");
    spool_.set_aside(photo, Fate::kRefused, answer.reason);
    return;
  }
  uint32_t wait = doubled(kFirstRetryMs, photo->refusals, kMostRetryMs);
  if (photo->refusals < 16) ++photo->refusals;
  spool_.postpone(photo, now_ + (answer.has_retry ? answer.retry_ms : wait));
}

}  // namespace camd
