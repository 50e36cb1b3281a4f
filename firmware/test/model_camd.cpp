#include "model_camd.h"

#include <openssl/hmac.h>
#include <stdlib.h>

#include <algorithm>

using std::string;

string from_hex(const string& hex) {
  string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += char(strtoul(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

string to_hex(const string& bytes) {
  static const char kDigits[] = "0123456789abcdef";
  string hex;
  for (unsigned char byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

string hmac_hex(const string& key, const string& text) {
  unsigned char digest[32];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), int(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return to_hex(string(reinterpret_cast<char*>(digest), size));
}

uint32_t model_crc32(const string& bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

void ModelCamd::opened() {
  open_ = true;
  challenged_ = welcomed_ = sealed_ = false;
  buffer_.clear();
  replies_.clear();
  sent_ = unanswered_ = 0;
  heard_ = 1;
}

string ModelCamd::digest(const char* side) const {
  return hmac_hex(key, string("camd/2 ") + side + " " + hello.at("cam") + " " + hello.at("boot") +
                           " " + hello.at("nonce") + " " + challenge_);
}

void ModelCamd::say(const string& line, const string& payload) {
  string whole = line;
  if (sealed_) {
    string text = "camd " + std::to_string(sent_++) + " " + line + "\n" + payload;
    string mac = hmac_hex(session_, text).substr(0, 32);
    if (lies_about_macs && sent_ > 1) mac[5] = mac[5] == '0' ? '1' : '0';
    whole += " mac=" + mac;
  }
  transport_.send(whole + "\n" + payload);
}

bool ModelCamd::was_told(const string& start) const {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const string& line) { return line.compare(0, start.size(), start) == 0; });
}

void ModelCamd::received(const string& bytes) {
  if (deaf) return;
  buffer_ += bytes;
  while (open_) {
    size_t end = buffer_.find('\n');
    if (end == string::npos) {
      if (buffer_.size() > 1024) error("a line too long");
      return;
    }
    string line = buffer_.substr(0, end);
    size_t length = 0;
    size_t at = line.find(" len=");
    if (welcomed_ && at != string::npos) length = strtoul(line.c_str() + at + 5, nullptr, 10);
    if (buffer_.size() < end + 1 + length) return;
    string payload = buffer_.substr(end + 1, length);
    buffer_.erase(0, end + 1 + length);
    handle(line, payload);
  }
}

void ModelCamd::handle(string line, const string& payload) {
  if (sealed_ && welcomed_) {
    size_t at = line.rfind(" mac=");
    if (at == string::npos) return error("no mac: " + line);
    string mac = line.substr(at + 5);
    line.resize(at);
    string text = "board " + std::to_string(heard_++) + " " + line + "\n" + payload;
    if (hmac_hex(session_, text).substr(0, 32) != mac) return error("wrong mac: " + line);
  }
  lines.push_back(line);
  words_.clear();
  string verb;
  for (size_t at = 0; at <= line.size();) {
    size_t space = std::min(line.find(' ', at), line.size());
    string word = line.substr(at, space - at);
    if (word.empty()) error("an empty word: " + line);
    size_t equals = word.find('=');
    if (at == 0) {
      verb = word;
    } else if (equals != string::npos) {
      if (!words_.emplace(word.substr(0, equals), word.substr(equals + 1)).second) {
        error("a key twice: " + line);
      }
    }
    at = space + 1;
  }
  if (verb == "HELLO") return on_hello(line);
  if (verb == "AUTH") return on_auth(line);
  if (!welcomed_) return error("before WELCOME: " + line);
  if (verb == "FRAME") return on_frame(payload);
  if (verb == "VIEW") {
    if (model_crc32(payload) != strtoul(words_["crc"].c_str(), nullptr, 16)) error("a torn view");
    views.push_back(payload);
  } else if (verb == "PING") {
    say("PONG");
  } else if (verb == "BYE" && unanswered_ > 0) {
    error("BYE with photos unanswered");
  }
}

void ModelCamd::on_hello(const string& line) {
  if (line.compare(0, 13, "HELLO camd/2 ") != 0) error("no HELLO: " + line);
  hello = words_;
  if (mute) return;
  if (!refuse_opening.empty()) {
    say("ERR " + refuse_opening);
    transport_.hang_up();
    return;
  }
  if (key.empty() || skips_challenge) return welcome(last_proof_);
  challenge_ = hmac_hex("challenge", std::to_string(++challenges_)).substr(0, 32);
  challenged_ = true;
  say("CHALLENGE " + challenge_);
}

void ModelCamd::on_auth(const string& line) {
  if (!challenged_ || welcomed_) return error("AUTH out of order");
  if (line != "AUTH " + digest("board")) {
    error("a wrong AUTH");
    say("ERR auth");
    transport_.hang_up();
    return;
  }
  session_ = from_hex(digest("session"));
  sealed_ = true;
  string proof = last_proof_ = digest("camd");
  if (lies_about_proof) proof[0] = proof[0] == 'a' ? 'b' : 'a';
  welcome(proof);
}

void ModelCamd::welcome(const string& proof) {
  string line = "WELCOME camd/2 time=" + std::to_string(1700000000000ull + clock_.now);
  line += " last=" + std::to_string(last) + " window=" + std::to_string(window);
  line += " max=" + std::to_string(max);
  if (!proof.empty()) line += " proof=" + proof;
  say(line);
  welcomed_ = true;
}

void ModelCamd::on_frame(const string& payload) {
  ++frames;
  most_unanswered = std::max(most_unanswered, ++unanswered_);
  if (unanswered_ > window) error("over the window");
  unsigned seq = unsigned(strtoul(words_["seq"].c_str(), nullptr, 10));
  bool named = words_.count("boot") != 0;
  string boot = named ? words_["boot"] : hello["boot"];
  if (named && boot == hello["boot"]) error("boot= for the session's own boot");
  uint32_t crc = model_crc32(payload);
  bool whole = payload.size() > 4 && payload.substr(payload.size() - 2) == "\xff\xd9";
  if (!whole) error("a payload without EOI");

  string answer, reason;
  auto known = photos.find({boot, seq});
  if (crc != strtoul(words_["crc"].c_str(), nullptr, 16)) {
    reason = "crc";
  } else if (known != photos.end()) {
    if (known->second.crc != crc) {
      reason = "conflict";
      error("two photos of one name");
    }
  } else {
    if (verdict) reason = verdict(boot, seq);
    if (reason.empty()) photos[{boot, seq}] = Stored{crc, payload, words_["ts"], words_["trigger"]};
  }
  if (never_acks) return;
  answer = (reason.empty() ? "ACK " : "NAK ") + std::to_string(seq);
  if (!reason.empty()) answer += " " + reason;
  if (named) answer += " boot=" + boot;
  replies_.push_back(Reply{clock_.now + delay_ms, answer});
  if (delay_ms == 0) pump();
}

void ModelCamd::pump() {
  while (open_ && !replies_.empty() && replies_.front().at <= clock_.now) {
    say(replies_.front().line);
    replies_.pop_front();
    --unanswered_;
  }
}
