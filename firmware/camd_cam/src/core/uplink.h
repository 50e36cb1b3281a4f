// The connection to camd: opens it, proves who is who, sends what the spool
// holds, takes the answers, and begins anew when it breaks. Every wait in it
// has a deadline.
#pragma once

#include "decoder.h"
#include "line.h"
#include "outbox.h"
#include "ports.h"
#include "schedule.h"
#include "seal.h"
#include "settings.h"
#include "spool.h"

namespace camd {

class Uplink {
 public:
  // Who is told what camd says beside its answers.
  class Owner {
   public:
    virtual ~Owner() {}
    virtual void welcomed(uint64_t unix_ms, uint32_t last) = 0;
    virtual void commanded(const Line& line) = 0;
  };

  static const uint32_t kConnectMs = 15000;  // TCP and TLS
  static const uint32_t kOpeningMs = 15000;  // each answer of the opening
  static const uint32_t kLineMs = 15000;     // a line that has begun
  static const uint32_t kStallMs = 20000;    // camd takes no bytes
  static const uint32_t kAnswerMs = 60000;   // photos are out, no answer comes
  static const uint32_t kSilenceMs = 90000;  // then PING
  static const uint32_t kPongMs = 20000;
  static const uint32_t kLeaveMs = 5000;
  static const uint32_t kFirstRetryMs = 1000;
  static const uint32_t kMostRetryMs = 60000;
  static const uint32_t kTakenMs = 60000;
  static const uint32_t kAuthRetryMs = 600000;

  Uplink(const Ports& ports, const Settings& settings, const Schedule& schedule, Spool& spool,
         const RtcState& state, Owner& owner);

  void step();

  bool ready() const { return state_ == State::kReady; }
  uint64_t ready_since() const { return since_; }
  // True if camd took a photo since the last call.
  bool has_acked() {
    bool acked = acked_;
    acked_ = false;
    return acked;
  }
  // The boot that this session's HELLO named.
  uint64_t session_boot() const { return session_boot_; }
  // What a command from the present session may do.
  Origin origin() const;
  bool can_say() const { return ready() && outbox_.has_room(); }
  bool say(Text line) { return ready() && outbox_.queue(line); }
  // True when all lines are with the transport.
  bool said_all() const { return outbox_.idle(); }

  // Offers a picture for live view; it stays with its owner until viewing() is
  // false.
  bool view(const Picture& picture);
  bool viewing() const { return view_.data != nullptr; }

  // While held, no further photo is begun.
  void hold(bool held) { held_ = held; }
  // Says BYE and closes; it stays closed until restart().
  void leave(uint64_t next_s);
  // Closes without a word, and stays closed.
  void park();
  bool parked() const { return state_ == State::kParked; }
  bool leaving() const { return state_ == State::kLeaving; }
  // Connects anew at once: the address or the key has changed.
  void restart();

 private:
  enum class State : uint8_t {
    kWaiting,     // until retry_at_
    kConnecting,  // the transport works on it
    kHello,       // HELLO is out
    kAuth,        // AUTH is out
    kReady,       // welcomed
    kLeaving,     // BYE is on its way
    kParked
  };
  enum class Cause : uint8_t { kLost, kTaken, kAuth };
  struct Answer {
    bool given = false;
    bool ack;
    bool has_retry;
    uint32_t retry_ms;
    char reason[16];
  };

  bool open() const { return state_ >= State::kHello && state_ <= State::kLeaving; }
  void enter(State state);
  void connect();
  void say_hello();
  void close();
  void hang_up(Cause cause, const char* why);
  void lost();
  void check_deadlines();

  bool receive();
  bool take(Decoder::Event event);
  bool begin_line();
  bool handle();
  bool handle_opening(const Line& line);
  bool challenged(const Line& line);
  bool welcomed(const Line& line);
  bool refused(const Line& line);
  bool answered(const Line& line, bool ack);
  void pong(const Line& line);
  void apply(Photo* photo, const Answer& answer);
  void misread(Photo* photo, bool fragment);

  void send();
  bool begin_message();
  uint64_t unix_ms_of(const Photo& photo) const;
  void note(Level level, const char* text, Text detail = Text());

  const Ports& ports_;
  const Settings& settings_;
  const Schedule& schedule_;
  Spool& spool_;
  const RtcState& rtc_;
  Owner& owner_;

  Seal seal_;
  Outbox outbox_;
  Picture view_ = {nullptr, 0};
  uint64_t session_boot_ = 0;
  uint64_t now_ = 0;
  uint64_t since_ = 0;     // when the state was entered
  uint64_t retry_at_ = 0;  // in kWaiting
  uint64_t heard_at_ = 0;
  uint64_t pinged_at_ = 0;  // 0: no PING is out
  uint64_t moved_at_ = 0;
  uint64_t line_at_ = 0;     // when the line that is coming began, 0 for none
  uint64_t waiting_at_ = 0;  // since when an answer is due
  uint32_t moved_ = 0;
  uint16_t window_ = 1;
  uint8_t failures_ = 0;
  State state_ = State::kWaiting;
  bool held_ = false;
  bool proven_ = false;
  bool acked_ = false;
  bool view_next_ = false;
  Answer early_;  // to the photo that is still being sent
  uint8_t nonce_[16];
  uint8_t proof_[32];
  uint8_t input_size_ = 0;
  uint8_t input_at_ = 0;
  char input_[96];
  Text line_;
  Decoder decoder_;
};

}  // namespace camd
