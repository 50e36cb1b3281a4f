#include "encoder.h"

namespace camd {
namespace {

const size_t kMostText = 24;  // of a text of the board's own, before encoding

void pair(Writer& out, Text key) { out.text(" ").text(key).text("="); }

void measure(Writer& out, Text key, int32_t value, int64_t thousandths_each) {
  if (value == INT32_MIN) return;
  pair(out, key);
  out.measure(value * thousandths_each);
}

void free_text(Writer& out, Text key, Text value) {
  if (value.empty()) return;
  pair(out, key);
  out.percent(value, kMostText);
}

void verb_and_word(Writer& out, Text verb, Text argument) {
  out.text(verb);
  if (!argument.empty()) out.text(" ").text(argument);
}

}  // namespace

void encode_hello(Writer& out, const Hello& hello) {
  out.text("HELLO camd/2 cam=").text(hello.cam).text(" boot=").hex64(hello.boot);
  out.text(" nonce=").hex(hello.nonce, sizeof hello.nonce);
  free_text(out, "fw", hello.firmware);
  free_text(out, "model", hello.model);
  out.text(" caps=set,snap,stream,reboot,update");
}

void encode_auth(Writer& out, const uint8_t digest[32]) { out.text("AUTH ").hex(digest, 32); }

void encode_frame(Writer& out, const Photo& photo, uint64_t ts, uint64_t session_boot) {
  out.text("FRAME seq=").count(photo.seq);
  out.text(" len=").count(photo.size);
  out.text(" crc=").hex32(photo.crc);
  if (ts != 0) out.text(" ts=").count(ts);
  out.text(" trigger=").text(trigger_name(photo.trigger));
  if (photo.boot != session_boot) out.text(" boot=").hex64(photo.boot);
}

void encode_view(Writer& out, uint32_t size, uint32_t crc) {
  out.text("VIEW len=").count(size).text(" crc=").hex32(crc);
}

void encode_stat(Writer& out, const Stat& stat) {
  out.text("STAT");
  measure(out, "rssi", stat.readings.rssi_dbm, 1000);
  measure(out, "vbat", stat.readings.battery_mv, 1);
  measure(out, "temp", stat.readings.temperature_mc, 1);
  measure(out, "heap", stat.readings.heap_bytes, 1000);
  pair(out, "uptime");
  out.count(stat.uptime_s);
  pair(out, "queued");
  out.count(stat.queued);
  if (stat.aside != 0) {
    pair(out, "aside");
    out.count(stat.aside);
  }
  pair(out, "lost");
  out.count(stat.lost);
  free_text(out, "reset", stat.reset);
}

void encode_done(Writer& out, uint64_t id) { out.text("DONE ").count(id); }

void encode_done(Writer& out, uint64_t id, uint32_t seq) {
  encode_done(out, id);
  pair(out, "seq");
  out.count(seq);
}

void encode_fail(Writer& out, uint64_t id, Text reason, Text detail) {
  out.text("FAIL ").count(id).text(" ").text(reason);
  if (!detail.empty()) out.text(":").percent(detail, kMostText);
}

void encode_ping(Writer& out, Text word) { verb_and_word(out, "PING", word); }

void encode_pong(Writer& out, Text word) { verb_and_word(out, "PONG", word); }

void encode_bye(Writer& out, uint64_t next_s) {
  out.text("BYE");
  if (next_s == 0) return;
  pair(out, "next");
  out.count(next_s);
}

}  // namespace camd
