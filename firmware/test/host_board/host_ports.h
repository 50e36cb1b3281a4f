// The other ports of a board that lives on a host: files, a clock, a "camera".
#pragma once

#include <stdint.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ports.h"

// Counts from the start of the program, as on a board.
class HostClock : public camd::Clock {
 public:
  HostClock() { restart(); }
  void restart();
  uint64_t now_ms() override;
  static uint64_t wall_ms();

 private:
  uint64_t start_ms_ = 0;
};

class HostRandom : public camd::Random {
 public:
  void fill(uint8_t* to, size_t size) override;
};

class HostLog : public camd::Log {
 public:
  explicit HostLog(bool verbose) : verbose_(verbose) {}
  void line(camd::Level level, const char* text) override;

 private:
  bool verbose_;
};

// Shows the JPEGs of a directory in turn, each with a comment of its own.
class HostCamera : public camd::Camera {
 public:
  // False when there are none.
  bool load(const std::string& directory);

  bool grab(bool flash, camd::Picture* picture) override;
  void release() override {}
  bool restart() override { return true; }
  bool set(const char*, int32_t) override { return true; }
  bool set_framesize(const char*) override { return true; }

 private:
  std::vector<std::string> jpegs_;
  std::string picture_;
  std::string mark_;  // of this run
  uint64_t grabs_ = 0;
};

// A directory as the card.
class HostStorage : public camd::Storage {
 public:
  explicit HostStorage(const std::string& directory) : directory_(directory) {}
  ~HostStorage() override { discard(); }

  bool ready() override { return true; }
  bool list(Visitor& visitor) override;
  // The disk is others' too: --spool-limit alone bounds the ring.
  uint64_t free_bytes() override { return UINT64_MAX; }
  bool create(const char* name) override;
  bool append(const uint8_t* from, size_t size) override;
  bool commit() override;
  void discard() override;
  bool remove(const char* name) override;
  int32_t read(const char* name, uint32_t offset, uint8_t* to, size_t room) override;

 private:
  std::string path(const char* name) const { return directory_ + "/" + name; }

  std::string directory_;
  int file_ = -1;
};

// Settings of this run only.
class HostSettings : public camd::SettingsStore {
 public:
  bool load(const char* name, char* value, size_t room) override;
  bool save(const char* name, const char* value) override {
    values[name] = value;
    return true;
  }
  std::map<std::string, std::string> values;
};

class HostSystem : public camd::System {
 public:
  void measure(camd::Readings*) override {}
  const char* reset_reason() override { return "poweron"; }
  const char* firmware() override { return "host"; }
  const char* model() override { return "host_board"; }
  void reboot() override {}
  bool update_begin(const char*, const uint8_t*) override { return false; }
  Update update_step() override { return Update::kFailed; }
};

// Keeps the state file and the journal file.
class HostJournal : public camd::Journal {
 public:
  HostJournal(const std::string& state_path, const std::string& journal_path);

  // The state of the run before. False when there is none.
  bool load_state(camd::RtcState* state);
  // Notes photos of the spool that were kept, but not noted before a crash.
  void reconcile(camd::Storage& storage);

  void state_changed(const camd::RtcState& state) override;
  void taken(uint64_t boot, uint32_t seq, uint32_t crc, uint32_t size) override;
  void settled(uint64_t boot, uint32_t seq, camd::Fate fate, const char* reason) override;

  uint64_t taken_count() const { return taken_.size(); }
  uint64_t acked_count() const { return acked_.size(); }
  uint64_t dropped_count() const { return dropped_.size(); }

 private:
  typedef std::pair<uint64_t, uint32_t> Id;

  void append(const std::string& line);
  void read_back();

  std::string state_path_;
  std::string journal_path_;
  uint64_t origin_ms_ = 0;  // the wall's time at board time 0
  std::set<Id> taken_, acked_, dropped_;
};
