#include "uplink.h"

#include <string.h>

#include "backoff.h"
#include "encoder.h"

namespace camd {
namespace {

const int kMostMessages = 16;  // in one step
const uint8_t kMostMisreads = 3;

}  // namespace

Uplink::Uplink(const Ports& ports, const Settings& settings, const Schedule& schedule, Spool& spool,
               const RtcState& rtc, Owner& owner)
    : ports_(ports),
      settings_(settings),
      schedule_(schedule),
      spool_(spool),
      rtc_(rtc),
      owner_(owner),
      outbox_(ports, spool, seal_) {}

Origin Uplink::origin() const {
  if (!proven_) return Origin::kAnyone;
  return settings_.tls ? Origin::kPrivate : Origin::kProven;
}

void Uplink::step() {
  now_ = ports_.clock.now_ms();
  switch (state_) {
    case State::kParked: return;

    case State::kWaiting:
      if (now_ >= retry_at_ && ports_.transport.network_up()) connect();
      return;

    case State::kConnecting:
      switch (ports_.transport.link()) {
        case Transport::Link::kUp: say_hello(); break;
        case Transport::Link::kDown: hang_up(Cause::kLost, "no connection"); break;
        case Transport::Link::kConnecting:
          if (now_ - since_ > kConnectMs) hang_up(Cause::kLost, "connecting took too long");
          break;
      }
      return;

    case State::kHello:
    case State::kAuth:
    case State::kReady:
    case State::kLeaving:
      if (receive() && open()) send();
      if (open()) check_deadlines();
      return;
  }
}

void Uplink::enter(State state) {
  state_ = state;
  since_ = now_;
}

void Uplink::connect() {
  if (settings_.server[0] == '\0' || !is_camera_id(settings_.cam)) {
    retry_at_ = now_ + kMostRetryMs;
    note(Level::kWarn, "no server or no camera id is set");
    return;
  }
  enter(State::kConnecting);
  if (!ports_.transport.open(settings_.server, settings_.port, settings_.tls)) {
    hang_up(Cause::kLost, "no connection");
  }
}

void Uplink::say_hello() {
  Hello hello;
  hello.cam = settings_.cam;
  hello.boot = session_boot_ = rtc_.boot;
  ports_.random.fill(nonce_, sizeof nonce_);
  memcpy(hello.nonce, nonce_, sizeof nonce_);
  hello.firmware = ports_.system.firmware();
  hello.model = ports_.system.model();
  char buffer[352];
  Writer line(buffer, sizeof buffer);
  encode_hello(line, hello);
  outbox_.queue(line.view());
  moved_at_ = heard_at_ = now_;
  enter(State::kHello);
}

void Uplink::close() {
  ports_.transport.close();
  // An answer that came before its photo was out is still the photo's answer.
  if (early_.given && outbox_.photo() != nullptr) apply(outbox_.photo(), early_);
  early_.given = false;
  outbox_.reset();
  decoder_.reset();
  seal_.close();
  spool_.recall();
  view_ = {nullptr, 0};
  input_size_ = input_at_ = 0;
  pinged_at_ = line_at_ = waiting_at_ = 0;
  window_ = 1;
  proven_ = view_next_ = false;
}

void Uplink::hang_up(Cause cause, const char* why) {
  note(Level::kWarn, "hanging up: ", why);
  uint32_t wait = 0;
  switch (cause) {
    case Cause::kLost:
      wait = jittered(doubled(kFirstRetryMs, failures_, kMostRetryMs), ports_.random);
      if (failures_ < 16) ++failures_;
      break;
    case Cause::kTaken: wait = kTakenMs + jittered(kFirstRetryMs, ports_.random); break;
    case Cause::kAuth: wait = jittered(kAuthRetryMs, ports_.random); break;
  }
  close();
  retry_at_ = now_ + wait;
  enter(State::kWaiting);
}

void Uplink::park() {
  close();
  enter(State::kParked);
}

void Uplink::restart() {
  now_ = ports_.clock.now_ms();
  close();
  failures_ = 0;
  retry_at_ = now_;
  enter(State::kWaiting);
}

void Uplink::leave(uint64_t next_s) {
  char buffer[32];
  Writer line(buffer, sizeof buffer);
  encode_bye(line, next_s);
  if (!say(line.view())) {
    park();
    return;
  }
  enter(State::kLeaving);
}

bool Uplink::view(const Picture& picture) {
  if (!ready() || viewing()) return false;
  view_ = picture;
  return true;
}

void Uplink::check_deadlines() {
  uint64_t stood = now_ - since_;
  switch (state_) {
    case State::kHello:
    case State::kAuth:
      if (stood > kOpeningMs) return hang_up(Cause::kLost, "no answer to the opening");
      break;
    case State::kLeaving:
      if (outbox_.idle() || stood > kLeaveMs) return park();
      break;
    default: break;
  }
  if (line_at_ != 0 && now_ - line_at_ > kLineMs) {
    return hang_up(Cause::kLost, "a line that does not end");
  }
  if (outbox_.idle() || outbox_.moved() != moved_) {
    moved_ = outbox_.moved();
    moved_at_ = now_;
  } else if (now_ - moved_at_ > kStallMs) {
    return hang_up(Cause::kLost, "camd takes no bytes");
  }
  if (state_ != State::kReady) return;
  if (stood > kMostRetryMs) failures_ = 0;

  size_t sending = outbox_.photo() != nullptr && !outbox_.free() ? 1 : 0;
  if (spool_.flying() == sending) {
    waiting_at_ = 0;
  } else if (waiting_at_ == 0) {
    waiting_at_ = now_;
  } else if (now_ - waiting_at_ > kAnswerMs) {
    return hang_up(Cause::kLost, "no answer to a photo");
  }
  if (pinged_at_ != 0) {
    if (now_ - pinged_at_ > kPongMs) hang_up(Cause::kLost, "camd is silent");
  } else if (now_ - heard_at_ > kSilenceMs && can_say()) {
    say("PING");
    pinged_at_ = now_;
  }
}

void Uplink::send() {
  for (int messages = 0; messages < kMostMessages; ++messages) {
    if (outbox_.idle() && !begin_message()) return;
    switch (outbox_.pump()) {
      case Outbox::Progress::kIdle:
      case Outbox::Progress::kBlocked: return;
      case Outbox::Progress::kLineSent: break;
      case Outbox::Progress::kViewSent: view_ = {nullptr, 0}; break;
      case Outbox::Progress::kPhotoSent:
        if (early_.given) apply(outbox_.photo(), early_);
        early_.given = false;
        break;
      case Outbox::Progress::kUnreadable:
      case Outbox::Progress::kDamaged: misread(outbox_.photo(), false); break;
      case Outbox::Progress::kFragment: misread(outbox_.photo(), true); break;
      case Outbox::Progress::kLost: lost(); return;
    }
  }
}

// Live pictures and photos take turns, so that neither starves the other.
bool Uplink::begin_message() {
  if (state_ != State::kReady) return false;
  Photo* photo = nullptr;
  if (!held_ && spool_.flying() < window_) photo = spool_.next(now_);
  if (view_.data != nullptr && (view_next_ || photo == nullptr)) {
    view_next_ = false;
    outbox_.send_view(view_);
    return true;
  }
  if (photo == nullptr) return false;
  view_next_ = true;
  photo->state = Photo::State::kInFlight;
  outbox_.send_photo(photo, unix_ms_of(*photo), session_boot_);
  return true;
}

// 0 while unknown: the board time of an earlier boot says nothing.
uint64_t Uplink::unix_ms_of(const Photo& photo) const {
  bool ours = photo.boot == rtc_.boot;
  if (photo.undated) return ours ? schedule_.unix_ms(photo.when) : 0;
  return ours ? schedule_.corrected(photo.when) : photo.when;
}

// What is short was never whole: the power went while it was written. All else
// may be the fault of the card's contacts.
void Uplink::misread(Photo* photo, bool fragment) {
  if (++photo->misreads >= kMostMisreads) {
    note(Level::kError, fragment ? "no whole photo" : "a photo is damaged on the card");
    if (fragment) {
      spool_.settle(photo, Fate::kDamaged, "short");
    } else {
      spool_.set_aside(photo, Fate::kDamaged, "crc");
    }
    return;
  }
  spool_.postpone(photo, now_ + doubled(kFirstRetryMs, photo->misreads, kMostRetryMs));
}

// camd may have said why before it closed.
void Uplink::lost() {
  receive();
  if (open()) hang_up(Cause::kLost, "the connection is gone");
}

void Uplink::note(Level level, const char* text, Text detail) {
  char buffer[96];
  Writer line(buffer, sizeof buffer);
  line.text(text).text(detail);
  ports_.log.line(level, line.c_str());
}

}  // namespace camd
