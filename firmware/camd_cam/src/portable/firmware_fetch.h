// Brings a new firmware over HTTP or HTTPS, in pieces, and lets it in only if
// it has the SHA-256 that was named for it. Every wait in it has a deadline.
#pragma once

#include "../core/ports.h"
#include "../core/text.h"

namespace camd {

// Where the firmware goes.
class FirmwareSink {
 public:
  virtual ~FirmwareSink() {}
  virtual bool begin(uint32_t size) = 0;
  virtual bool write(const uint8_t* data, size_t size) = 0;
  // What was written is whole and right: it starts with the next reboot.
  virtual bool finish() = 0;
  virtual void abandon() = 0;
};

class Sha256 {
 public:
  virtual ~Sha256() {}
  virtual void begin() = 0;
  virtual void update(const void* data, size_t size) = 0;
  virtual void finish(uint8_t digest[32]) = 0;
};

struct Url {
  bool tls;
  uint16_t port;
  char host[64];
  const char* path;  // into the text that was parsed

  // http or https, a name or an IPv4 address, nothing of a user.
  static bool parse(const char* text, Url* url);
};

class FirmwareFetch {
 public:
  static const uint32_t kConnectMs = 20000;
  static const uint32_t kStallMs = 20000;
  static const uint32_t kWholeMs = 600000;
  static const uint32_t kMostHead = 4096;

  FirmwareFetch(Transport& transport, Clock& clock, Sha256& sha, FirmwareSink& sink)
      : transport_(transport), clock_(clock), sha_(sha), sink_(sink) {}

  // False for an address that it cannot read.
  bool begin(const char* url, const uint8_t sha256[32]);
  System::Update step();
  const char* why() const { return why_; }

 private:
  enum class State : uint8_t { kIdle, kConnecting, kAsking, kHead, kBody };

  System::Update failed(const char* why);
  System::Update send_request();
  System::Update receive();
  bool take_head(const uint8_t* data, size_t size, size_t* used);
  bool head_line(Text line);
  System::Update take_body(const uint8_t* data, size_t size);

  Transport& transport_;
  Clock& clock_;
  Sha256& sha_;
  FirmwareSink& sink_;
  const char* why_ = "";
  uint64_t until_ = 0;        // the whole of it
  uint64_t moved_until_ = 0;  // the next progress
  uint32_t size_ = 0;
  uint32_t got_ = 0;
  uint32_t head_size_ = 0;
  uint16_t line_size_ = 0;
  uint16_t request_size_ = 0;
  uint16_t request_at_ = 0;
  State state_ = State::kIdle;
  bool status_seen_ = false;
  bool begun_ = false;  // the sink has
  uint8_t wanted_[32];
  char line_[160];
  char request_[420];
};

}  // namespace camd
