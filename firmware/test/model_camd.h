// A camd for tests, written over strings and apart from the core's own code.
// It stores by (boot, seq), checks all that it is told, and can be made to lie.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fakes.h"

std::string hmac_hex(const std::string& key, const std::string& text);
std::string from_hex(const std::string& hex);
std::string to_hex(const std::string& bytes);
uint32_t model_crc32(const std::string& bytes);

class ModelCamd : public fakes::Peer {
 public:
  typedef std::map<std::string, std::string> Words;
  struct Stored {
    uint32_t crc;
    std::string jpeg;
    std::string ts;
    std::string trigger;
  };

  ModelCamd(fakes::Transport& transport, fakes::Clock& clock)
      : transport_(transport), clock_(clock) {}

  void opened() override;
  void received(const std::string& bytes) override;
  void closed() override { open_ = false; }
  // Sends what is due by now.
  void pump();

  // Says a line as camd, sealed where the session is.
  void say(const std::string& line, const std::string& payload = "");
  // Sends bytes that no camd would.
  void say_raw(const std::string& bytes) { transport_.send(bytes); }
  bool welcomed() const { return open_ && welcomed_; }
  bool was_told(const std::string& start) const;

  // How it behaves.
  std::string key;  // 32 bytes, or empty
  unsigned window = 2;
  unsigned long max = 400000;
  uint64_t delay_ms = 0;  // before each answer
  unsigned last = 0;
  bool mute = false;  // never answers an opening
  bool never_acks = false;
  bool skips_challenge = false;  // and gives the proof of last time, if any
  bool deaf = false;             // takes bytes and does nothing about them
  bool lies_about_proof = false;
  bool lies_about_macs = false;
  std::string refuse_opening;  // an ERR word
  // What to say to a photo: "" for ACK, else "reason" or "reason retry=ms".
  std::function<std::string(const std::string& boot, unsigned seq)> verdict;

  // What came of it.
  std::map<std::pair<std::string, unsigned>, Stored> photos;
  std::vector<std::string> lines;  // all that the board said
  std::vector<std::string> views;
  std::vector<std::string> errors;  // what a board must never do
  unsigned frames = 0;              // with those that came again
  unsigned most_unanswered = 0;
  std::map<std::string, std::string> hello;

 private:
  struct Reply {
    uint64_t at;
    std::string line;
  };

  void handle(std::string line, const std::string& payload);
  void on_hello(const std::string& line);
  void on_auth(const std::string& line);
  void on_frame(const std::string& payload);
  void welcome(const std::string& proof);
  std::string digest(const char* side) const;
  void error(const std::string& what) { errors.push_back(what); }

  fakes::Transport& transport_;
  fakes::Clock& clock_;
  bool open_ = false;
  bool challenged_ = false;
  bool welcomed_ = false;
  bool sealed_ = false;
  std::string buffer_;
  std::string challenge_;
  std::string session_;
  std::string last_proof_;
  unsigned sent_ = 0;
  unsigned heard_ = 0;
  unsigned unanswered_ = 0;
  unsigned challenges_ = 0;
  Words words_;
  std::deque<Reply> replies_;
};
