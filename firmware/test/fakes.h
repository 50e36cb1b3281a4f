// Ports for tests: a clock that is moved by hand, a camera that draws numbers,
// a card that can lose power at any byte.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "openssl_crypto.h"
#include "ports.h"

namespace fakes {

typedef std::string Bytes;

class Clock : public camd::Clock {
 public:
  uint64_t now_ms() override { return now; }
  uint64_t now = 0;
};

class Random : public camd::Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  void fill(uint8_t* to, size_t size) override {
    for (size_t i = 0; i < size; ++i) to[i] = uint8_t(engine_());
  }

 private:
  std::mt19937 engine_;
};

class Log : public camd::Log {
 public:
  void line(camd::Level, const char* text) override { lines.push_back(text); }
  bool has(const std::string& text) const {
    for (const std::string& line : lines) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> lines;
};

// A small whole JPEG that says `number`, and is `size` bytes long.
Bytes jpeg(unsigned number, size_t size);

class Camera : public camd::Camera {
 public:
  bool grab(bool flash, camd::Picture* picture) override;
  void release() override { --held; }
  bool restart() override {
    ++restarts;
    return true;
  }
  bool set(const char* name, int32_t value) override {
    settings[name] = std::to_string(value);
    return !refuses;
  }
  bool set_framesize(const char* name) override {
    settings["framesize"] = name;
    return !refuses;
  }

  unsigned grabs = 0;
  unsigned flashes = 0;
  unsigned restarts = 0;
  int held = 0;
  bool broken = false;
  bool refuses = false;
  size_t size = 300;
  Bytes junk;  // what the driver appends
  std::map<std::string, std::string> settings;

 private:
  Bytes picture_;
};

// `budget` is how many operations and bytes go through before the power fails:
// after that all calls fail until restore(). Of the file that was being written
// then, all bytes that got out are there afterwards, or, as on FAT, none.
class Storage : public camd::Storage {
 public:
  bool ready() override { return present && !dead_; }
  bool list(Visitor& visitor) override;
  uint64_t free_bytes() override { return capacity - used(); }
  bool create(const char* name) override;
  bool append(const uint8_t* from, size_t size) override;
  bool commit() override;
  void discard() override {
    if (!dead_) open_.clear();
  }
  bool remove(const char* name) override;
  int32_t read(const char* name, uint32_t offset, uint8_t* to, size_t room) override;

  void restore();
  uint64_t used() const;
  size_t photos() const;

  bool present = true;
  bool full = false;
  bool read_only = false;
  bool forgets = false;  // bytes that were not committed, when the power fails
  uint64_t capacity = 1ull << 30;
  uint64_t budget = UINT64_MAX;
  unsigned lists = 0;
  std::map<std::string, Bytes> files;
  // What a loose contact makes of a piece that was read: false, it could not be.
  std::function<bool(uint8_t* bytes, size_t size)> contact;

 private:
  bool spend(uint64_t cost);

  bool dead_ = false;
  std::string open_;
};

class SettingsStore : public camd::SettingsStore {
 public:
  bool load(const char* name, char* value, size_t room) override;
  bool save(const char* name, const char* value) override {
    if (!full) values[name] = value;
    return !full;
  }
  bool full = false;
  std::map<std::string, std::string> values;
};

class System : public camd::System {
 public:
  void measure(camd::Readings* readings) override {
    *readings = given;
    ++measures;
  }
  const char* reset_reason() override { return "poweron"; }
  const char* firmware() override { return "2.0 test"; }
  const char* model() override { return "host"; }
  void reboot() override { ++reboots; }
  bool update_begin(const char* from, const uint8_t*) override {
    url = from;
    return true;
  }
  Update update_step() override { return update; }

  camd::Readings given;
  unsigned measures = 0;
  unsigned reboots = 0;
  std::string url;
  Update update = Update::kRunning;
};

struct Settled {
  camd::Fate fate;
  std::string reason;
};

class Journal : public camd::Journal {
 public:
  typedef std::pair<uint64_t, uint32_t> Id;

  void state_changed(const camd::RtcState&) override { ++changes; }
  void taken(uint64_t boot, uint32_t seq, uint32_t crc, uint32_t) override {
    repeated = repeated || photos.count(Id(boot, seq)) != 0;
    photos[Id(boot, seq)] = crc;
  }
  void settled(uint64_t boot, uint32_t seq, camd::Fate fate, const char* reason) override {
    fates[Id(boot, seq)] = Settled{fate, reason};
  }
  size_t count(camd::Fate fate) const {
    size_t sum = 0;
    for (const auto& entry : fates) sum += entry.second.fate == fate;
    return sum;
  }

  unsigned changes = 0;
  bool repeated = false;  // a number was given twice
  std::map<Id, uint32_t> photos;
  std::map<Id, Settled> fates;
};

// The other end of a connection, as a test's camd sees it.
class Peer {
 public:
  virtual ~Peer() {}
  virtual void opened() = 0;
  virtual void received(const Bytes& bytes) = 0;
  virtual void closed() = 0;
};

class Transport : public camd::Transport {
 public:
  bool network_up() override { return network; }
  bool open(const char*, uint16_t, bool) override;
  Link link() override;
  int32_t read(uint8_t* to, size_t room) override;
  int32_t write(const uint8_t* from, size_t size) override;
  void close() override;

  // What the peer does.
  void send(const Bytes& bytes) { inbound += bytes; }
  void hang_up() { peer_closed = true; }

  Peer* peer = nullptr;
  bool network = true;
  bool refuses = false;  // open() fails
  bool hangs = false;    // connecting never ends
  bool stalled = false;  // takes no bytes
  bool reset = false;    // writes and reads fail
  bool peer_closed = false;
  bool up = false;
  size_t piece = SIZE_MAX;            // the most that one read or write moves
  uint64_t break_after = UINT64_MAX;  // written bytes until the connection is reset
  uint64_t stall_after = UINT64_MAX;  // written bytes until no more are taken
  unsigned opens = 0;
  Bytes inbound;
};

}  // namespace fakes
