// What camd may ask of a board.
#include "board.h"
#include "encoder.h"

namespace camd {
namespace {

const int64_t kMostFps = 25000;  // thousandths

bool parse_id(const Line& line, uint64_t* id) { return parse_count(line.at(1), UINT64_MAX, id); }

// The words of a SET that are no setting's.
bool is_framing(Text key) { return key == "len" || key == "mac"; }

}  // namespace

void Board::say_done(uint64_t id) {
  char buffer[64];
  Writer line(buffer, sizeof buffer);
  encode_done(line, id);
  uplink_.say(line.view());
}

void Board::say_fail(uint64_t id, Text reason, Text detail) {
  char buffer[160];
  Writer line(buffer, sizeof buffer);
  encode_fail(line, id, reason, detail);
  uplink_.say(line.view());
}

void Board::commanded(const Line& line) {
  static const struct {
    const char* verb;
    void (Board::*run)(const Line& line, uint64_t id);
  } kCommands[] = {
      {"SET", &Board::command_set},       {"SNAP", &Board::command_snap},
      {"STREAM", &Board::command_stream}, {"REBOOT", &Board::command_reboot},
      {"UPDATE", &Board::command_update},
  };
  for (const auto& command : kCommands) {
    if (line.verb() != command.verb) continue;
    uint64_t id;
    if (parse_id(line, &id)) {
      (this->*command.run)(line, id);
    } else {
      ports_.log.line(Level::kWarn, "a command without a number");
    }
    return;
  }
  ports_.log.line(Level::kWarn, "camd says a verb that is not known");
}

// All settings are looked at before the first is changed.
void Board::command_set(const Line& line, uint64_t id) {
  char decoded[Settings::kValueRoom];
  for (int pass = 0; pass < 2; ++pass) {
    bool change = pass == 1;
    Line::Words words(line.text());
    Text word, name, value;
    while (words.next(&word)) {
      if (!split_pair(word, &name, &value) || is_framing(name)) continue;
      SetResult result = SetResult::kRange;
      if (percent_decode(value, decoded, sizeof decoded)) {
        result = change ? set(name, decoded, uplink_.origin())
                        : settings_.check(name, decoded, uplink_.origin());
      }
      if (result != SetResult::kOk) return say_fail(id, set_result_name(result), name);
    }
  }
  say_done(id);
}

void Board::command_snap(const Line& line, uint64_t id) {
  if (snap_) return say_fail(id, "busy");
  wanted_ = Trigger::kSnap;
  snap_ = true;
  snap_id_ = id;
  snap_flash_ = line.value("flash") == "1";
}

void Board::end_snap(Shot shot) {
  if (snap_ && shot == Shot::kTaken) {
    char buffer[64];
    Writer line(buffer, sizeof buffer);
    encode_done(line, snap_id_, last_seq_);
    uplink_.say(line.view());
  } else if (snap_) {
    say_fail(snap_id_, spool_.has_room(1) ? "camera" : "full");
  }
  wanted_ = Trigger::kTimer;
  snap_ = snap_flash_ = false;
}

void Board::command_stream(const Line& line, uint64_t id) {
  int64_t fps;
  if (line.at(2) == "off") {
    view_every_ms_ = 0;
  } else if (parse_measure(line.value("fps"), &fps) && fps > 0) {
    view_every_ms_ = uint32_t(1000000 / (fps < kMostFps ? fps : kMostFps));
    view_at_ = now_;
  } else {
    return say_fail(id, "range", "fps");
  }
  say_done(id);
}

void Board::command_reboot(const Line&, uint64_t id) {
  say_done(id);
  reboot_by_ = now_ + kRebootMs;
}

void Board::command_update(const Line& line, uint64_t id) {
  // Only a camd that proved itself may say what runs on the board.
  if (uplink_.origin() < Origin::kProven) return say_fail(id, "denied");
  if (updating_ || reboot_by_ != 0) return say_fail(id, "busy");
  char url[256];
  uint8_t sha256[32];
  bool good = percent_decode(line.value("url"), url, sizeof url) && url[0] != '\0' &&
              parse_hex(line.value("sha256"), sha256, sizeof sha256);
  if (!good) return say_fail(id, "range");
  if (!ports_.system.update_begin(url, sha256)) return say_fail(id, "update");
  updating_ = true;
  update_id_ = id;
}

}  // namespace camd
