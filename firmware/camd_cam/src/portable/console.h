// The serial console: lines in, answers out. Secrets are never shown.
#pragma once

#include "../core/settings.h"
#include "pem.h"

namespace camd {

class Lines {
 public:
  virtual ~Lines() {}
  virtual void line(const char* text) = 0;
};

class Console {
 public:
  // What the commands do.
  class Owner {
   public:
    virtual ~Owner() {}
    virtual const Settings& settings() const = 0;
    virtual SetResult set(Text name, Text value) = 0;
    // Keeps the CA that TLS servers are checked against; null for none.
    virtual bool keep_ca(const char* pem) = 0;
    virtual bool has_ca() const = 0;
    virtual void test(Lines& out) = 0;
    virtual void photo() = 0;
    virtual void portal() = 0;
    virtual void reboot() = 0;
  };
  static const size_t kLineRoom = 512;

  Console(Owner& owner, Lines& out) : owner_(owner), out_(out) {}

  void feed(char sign);
  // Takes one line, as feed() does at its end.
  void run(Text line);
  // Takes a paste of any kind: settings, a certificate, and what is around
  // them. The number of settings that it changed.
  unsigned paste(Text text);

  static size_t command_count();
  static const char* command_name(size_t index);
  static const char* command_help(size_t index);

 private:
  struct Command;
  static const Command kCommands[];

  void help(Text arguments);
  void show(Text arguments);
  void set(Text arguments);
  void ca(Text arguments);
  void test(Text arguments);
  void photo(Text arguments);
  void portal(Text arguments);
  void reboot(Text arguments);

  bool is_setting(Text name) const;
  bool assign(Text name, const char* value);
  void show_one(size_t index);
  void certificate(Text line);

  Owner& owner_;
  Lines& out_;
  Pem pem_;
  size_t size_ = 0;
  bool too_long_ = false;
  char line_[kLineRoom];
};

}  // namespace camd
