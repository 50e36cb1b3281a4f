#include "vectors/board_vectors.h"

#include "encoder.h"
#include "world.h"

const char kVectorCam[] = "porch.north-2";
const char kVectorBoot[] = "00c0ffee12345678";
const char kVectorKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const char kVectorNonce[] = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
const char kVectorChallenge[] = "505152535455565758595a5b5c5d5e5f";

namespace {

const uint64_t kEarlierBoot = 0xfedcba9876543210;

// Puts a board's messages together the way the firmware does, and notes them.
class Scribe : public fakes::Peer {
 public:
  explicit Scribe(bool sealed)
      : spool_(world_.ports, slots(), rtc_), outbox_(world_.ports, spool_, seal_) {
    world_.storage.present = false;
    world_.transport.peer = this;
    world_.transport.open("", 0, false);
    camd::parse_hex64(kVectorBoot, &rtc_.boot);
    field("format", "camd-vectors/1");
    field("side", "board");
    field("cam", kVectorCam);
    field("boot", kVectorBoot);
    field("key", sealed ? kVectorKey : "");
    field("nonce", kVectorNonce);
    field("challenge", sealed ? kVectorChallenge : "");
    json_ += "  \"messages\": [";
    hello();
    if (sealed) auth();
  }

  void opened() override {}
  void closed() override {}
  void received(const std::string& bytes) override { bytes_ += bytes; }

  template <typename... Args>
  void say(const char* name, void (*encode)(camd::Writer&, Args...),
           typename std::common_type<Args>::type... args) {
    char buffer[352];
    camd::Writer line(buffer, sizeof buffer);
    encode(line, args...);
    outbox_.queue(line.view());
    note(name);
  }

  void frame(const char* name, uint64_t boot, uint32_t seq, uint64_t when, camd::Trigger trigger,
             const std::string& jpeg) {
    camd::Photo photo;
    photo.boot = boot;
    photo.seq = seq;
    photo.when = when;
    photo.undated = false;
    photo.trigger = trigger;
    spool_.add(photo, reinterpret_cast<const uint8_t*>(jpeg.data()), jpeg.size());
    camd::Photo* kept = spool_.next(0);
    outbox_.send_photo(kept, when, rtc_.boot);
    note(name);
    spool_.settle(kept, camd::Fate::kAcked, "");
  }

  void view(const std::string& jpeg) {
    outbox_.send_view({reinterpret_cast<const uint8_t*>(jpeg.data()), jpeg.size()});
    note("VIEW");
  }

  uint64_t boot() const { return rtc_.boot; }
  std::string json() const { return "{\n" + json_ + "\n  ]\n}\n"; }

 private:
  camd::SlotMemory slots() { return {world_.slots.data(), World::kSlotSize, 1}; }

  void field(const char* name, const std::string& value) {
    json_ += std::string("  \"") + name + "\": \"" + value + "\",\n";
  }

  void hello() {
    camd::Hello hello;
    hello.cam = kVectorCam;
    hello.boot = rtc_.boot;
    camd::parse_hex(kVectorNonce, hello.nonce, sizeof hello.nonce);
    hello.firmware = "2.0";
    hello.model = "AI-Thinker 100% K\xc3\xa4se";
    say<const camd::Hello&>("HELLO", camd::encode_hello, hello);
  }

  void auth() {
    camd::Opening opening;
    opening.cam = kVectorCam;
    opening.boot = rtc_.boot;
    camd::parse_hex(kVectorNonce, opening.nonce, sizeof opening.nonce);
    camd::parse_hex(kVectorChallenge, opening.challenge, sizeof opening.challenge);
    uint8_t key[32], digest[32];
    camd::parse_hex(kVectorKey, key, sizeof key);
    camd::opening_digest(world_.crypto, key, camd::Proof::kBoard, opening, digest);
    say<const uint8_t*>("AUTH", camd::encode_auth, digest);
    camd::opening_digest(world_.crypto, key, camd::Proof::kSession, opening, digest);
    seal_.open(digest);
  }

  void note(const char* name) {
    while (outbox_.pump() == camd::Outbox::Progress::kBlocked) {
    }
    json_ += std::string(first_ ? "\n" : ",\n") + "    {\"name\": \"" + name + "\", \"bytes\": \"";
    json_ += to_hex(bytes_) + "\"}";
    bytes_.clear();
    first_ = false;
  }

  World world_;
  camd::RtcState rtc_ = camd::RtcState();
  camd::Seal seal_;
  camd::Spool spool_;
  camd::Outbox outbox_;
  std::string json_;
  std::string bytes_;
  bool first_ = true;
};

}  // namespace

std::string board_vectors(bool sealed) {
  Scribe scribe(sealed);
  camd::Stat stat = {};
  stat.readings.rssi_dbm = -67;
  stat.readings.battery_mv = 3905;
  stat.readings.temperature_mc = -2500;
  stat.readings.heap_bytes = 112340;
  stat.uptime_s = 86461;
  stat.queued = 3;
  stat.lost = 0;
  stat.reset = "brownout";
  scribe.say<const camd::Stat&>("STAT", camd::encode_stat, stat);
  scribe.frame("FRAME", scribe.boot(), 1, 1767225600123, camd::Trigger::kBoot, fakes::jpeg(1, 90));
  scribe.frame("FRAME of an earlier boot", kEarlierBoot, 4294967295u, 1767139200000,
               camd::Trigger::kMotion, fakes::jpeg(2, 120));
  scribe.frame("FRAME without a time", kEarlierBoot, 7, 0, camd::Trigger::kTimer,
               fakes::jpeg(3, 80));
  scribe.view(fakes::jpeg(4, 100));
  scribe.say<camd::Text>("PING", camd::encode_ping, "");
  scribe.say<camd::Text>("PING with a word", camd::encode_ping, "k%3D1");
  scribe.say<camd::Text>("PONG", camd::encode_pong, "17");
  scribe.say<uint64_t>("DONE", camd::encode_done, 12);
  scribe.say<uint64_t, uint32_t>("DONE of a SNAP", camd::encode_done, 13, 2);
  scribe.say<uint64_t, camd::Text, camd::Text>("FAIL", camd::encode_fail, 14, "range", "quality");
  scribe.say<uint64_t>("BYE", camd::encode_bye, 600);
  scribe.say<uint64_t>("BYE for good", camd::encode_bye, 0);
  return scribe.json();
}
