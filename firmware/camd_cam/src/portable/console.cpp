#include "console.h"

#include "assignments.h"

namespace camd {

struct Console::Command {
  const char* name;
  const char* help;
  void (Console::*run)(Text arguments);
};

const Console::Command Console::kCommands[] = {
    {"help", "help                      this list", &Console::help},
    {"show", "show [setting]            the settings, without their secrets", &Console::show},
    {"set", "set name=value ...        changes settings, and keeps them", &Console::set},
    {"ca", "ca none                   forgets the CA; to set one, paste its PEM text",
     &Console::ca},
    {"test", "test                      tries Wi-Fi, camd, the camera and the card",
     &Console::test},
    {"photo", "photo                     takes a photo now", &Console::photo},
    {"portal", "portal                    opens the set-up network", &Console::portal},
    {"reboot", "reboot                    starts anew", &Console::reboot},
};

size_t Console::command_count() { return sizeof kCommands / sizeof kCommands[0]; }
const char* Console::command_name(size_t index) { return kCommands[index].name; }
const char* Console::command_help(size_t index) { return kCommands[index].help; }

void Console::feed(char sign) {
  if (sign == '\b' || sign == 0x7f) {
    if (size_ > 0) --size_;
  } else if (sign != '\n' && sign != '\r') {
    if (size_ < sizeof line_) {
      line_[size_++] = sign;
    } else {
      too_long_ = true;
    }
  } else {
    Text line(line_, size_);
    bool lost = too_long_;
    size_ = 0;
    too_long_ = false;
    if (lost) {
      out_.line("that line is too long; nothing of it was done");
    } else {
      run(line);
    }
  }
}

void Console::run(Text line) {
  line = trimmed(line);
  if (line.empty()) return;
  if (pem_.state() == Pem::State::kInside || Pem::begins(line)) return certificate(line);
  Text word = first_word(line);
  for (const Command& command : kCommands) {
    if (word == command.name) return (this->*command.run)(trimmed(line.from(word.size)));
  }
  Assignments assignments(line);
  bool sets = assignments.next() == Assignments::Item::kPair && is_setting(assignments.name());
  if (sets) return set(line);
  out_.line("unknown; try help");
}

unsigned Console::paste(Text text) {
  unsigned changed = 0;
  Assignments assignments(text);
  for (;;) {
    Assignments::Item item = assignments.next();
    if (item == Assignments::Item::kEnd) break;
    if (item == Assignments::Item::kPair && is_setting(assignments.name())) {
      changed += assign(assignments.name(), assignments.value());
    }
  }
  Pem pem;
  if (pem.take_all(text) == Pem::State::kWhole) owner_.keep_ca(pem.text());
  return changed;
}

bool Console::is_setting(Text name) const {
  for (size_t i = 0; i < Settings::count(); ++i) {
    if (name == Settings::name(i)) return true;
  }
  return false;
}

bool Console::assign(Text name, const char* value) {
  SetResult result = owner_.set(name, value);
  char text[96];
  Writer out(text, sizeof text);
  if (result == SetResult::kOk) {
    for (size_t i = 0; i < Settings::count(); ++i) {
      if (name == Settings::name(i)) show_one(i);
    }
    return true;
  }
  out.text(Text(name.data, name.size < 32 ? name.size : 32)).text(": ");
  switch (result) {
    case SetResult::kUnknown: out.text("there is no such setting; try show"); break;
    case SetResult::kRange: out.text("takes no such value"); break;
    case SetResult::kRefused: out.text("kept, but this camera does not take it"); break;
    case SetResult::kUnsaved: out.text("in effect, but it could not be kept"); break;
    default: out.text(set_result_name(result)); break;
  }
  out_.line(out.c_str());
  return false;
}

void Console::set(Text arguments) {
  Assignments assignments(arguments);
  bool any = false;
  for (;;) {
    Assignments::Item item = assignments.next();
    if (item == Assignments::Item::kEnd) break;
    any = true;
    if (item == Assignments::Item::kPair) {
      assign(assignments.name(), assignments.value());
    } else {
      out_.line("set name=value; a value with blanks goes between quotes");
    }
  }
  if (!any) out_.line("set name=value; show lists the names");
}

void Console::help(Text) {
  for (const Command& command : kCommands) out_.line(command.help);
}

void Console::show(Text name) {
  bool found = false;
  for (size_t i = 0; i < Settings::count(); ++i) {
    if (!name.empty() && name != Settings::name(i)) continue;
    show_one(i);
    found = true;
  }
  if (!found) out_.line("there is no such setting");
  if (name.empty()) out_.line(owner_.has_ca() ? "CA set" : "CA none");
}

void Console::show_one(size_t index) {
  char value[Settings::kValueRoom];
  const char* name = Settings::name(index);
  if (!owner_.settings().get(name, value, sizeof value)) return;
  bool is_set = value[0] != '\0' && Text(value) != "none";
  char text[Settings::kNameRoom + Settings::kValueRoom + 4];
  Writer out(text, sizeof text);
  out.text(name).text(" ");
  if (!is_set) {
    out.text("(not set)");
  } else {
    out.text(Settings::is_secret(index) ? Text("****") : Text(value));
  }
  out_.line(out.c_str());
}

void Console::ca(Text arguments) {
  if (arguments == "none") {
    out_.line(owner_.keep_ca(nullptr) ? "CA none" : "the CA could not be forgotten");
  } else {
    out_.line("paste the certificate, from its BEGIN line to its END line");
  }
}

void Console::certificate(Text line) {
  if (pem_.state() != Pem::State::kInside) pem_.reset();
  Pem::State state = pem_.take(line);
  if (state == Pem::State::kInside) return;
  bool kept = state == Pem::State::kWhole && owner_.keep_ca(pem_.text());
  out_.line(kept ? "CA set" : "that is no certificate, or one that is too long; nothing is kept");
  pem_.reset();
}

void Console::test(Text) { owner_.test(out_); }

void Console::photo(Text) {
  owner_.photo();
  out_.line("a photo is on its way");
}

void Console::portal(Text) {
  out_.line("the set-up network opens");
  owner_.portal();
}

void Console::reboot(Text) {
  out_.line("starting anew");
  owner_.reboot();
}

}  // namespace camd
