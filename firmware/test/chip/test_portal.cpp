// The set-up network's form, above a WiFiManager that the test plays.
#include <doctest/doctest.h>

#include <vector>

#include "chip/chip.h"
#include "esp32/portal.h"

using namespace camd;
using std::string;

namespace {

struct Form {
  std::map<string, string> fields;
  std::function<void()> saved;
  string page;  // all that the page is given to show
  string network, password;
  // The board keeps it until it starts anew.
  std::vector<std::unique_ptr<WiFiManager>> managers;
};
Form* form = nullptr;

// A board as the console knows it.
struct Owner : Console::Owner, Lines {
  const Settings& settings() const override { return kept; }
  SetResult set(Text name, Text value) override { return kept.set(name, value, Origin::kOwner); }
  bool keep_ca(const char*) override { return true; }
  bool has_ca() const override { return false; }
  void test(Lines&) override {}
  void photo() override {}
  void portal() override {}
  void reboot() override {}
  void line(const char*) override {}
  Settings kept;
};

struct Bench : ChipBench {
  Bench() : console(owner, owner), portal(console) {
    form = &shown;
    owner.set("ssid", "net");
    owner.set("psk", "its password");
    owner.set("password", "of the page");
    owner.set("server", "camd.example");
    owner.set("key", string(64, 'a').c_str());
    portal.open(owner.kept, 0);
  }
  ~Bench() { form = nullptr; }

  void save(const std::map<string, string>& fields) {
    shown.fields = fields;
    shown.saved();
  }

  Owner owner;
  Console console;
  Portal portal;
  Form shown;
};

}  // namespace

String WebServer::arg(const String& name) { return String(form->fields[name.c_str()].c_str()); }
WiFiManagerParameter::WiFiManagerParameter(const char* html) { form->page += html; }
WiFiManagerParameter::WiFiManagerParameter(const char*, const char* label, const char* value, int,
                                           const char* attributes) {
  form->page += string(label) + value + attributes;
  delete[] attributes;
}
void WiFiManager::setDebugOutput(bool on) { CHECK_FALSE(on); }
void WiFiManager::setConfigPortalBlocking(bool on) { CHECK_FALSE(on); }
void WiFiManager::setConfigPortalTimeout(unsigned long) {}
void WiFiManager::setSaveConnect(bool) {}
void WiFiManager::setSaveConnectTimeout(unsigned long) {}
void WiFiManager::setShowInfoUpdate(bool) {}
void WiFiManager::setTitle(String) {}
void WiFiManager::setSaveParamsCallback(std::function<void()> call) { form->saved = call; }
bool WiFiManager::addParameter(WiFiManagerParameter* parameter) {
  delete parameter;
  return true;
}
bool WiFiManager::startConfigPortal(const char* name, const char* password) {
  form->managers.emplace_back(this);
  form->network = name;
  form->password = password != nullptr ? password : "";
  server.reset(new WebServer);
  return true;
}
bool WiFiManager::process() { return false; }

TEST_CASE("the set-up page shows no secret, and no mark-up of a setting's") {
  Bench bench;
  CHECK(bench.shown.page.find("camd.example") != string::npos);
  for (const char* secret : {"its password", "of the page", "aaaa"}) {
    CHECK(bench.shown.page.find(secret) == string::npos);
  }
  CHECK(bench.shown.password == "of the page");
  Owner hostile;
  hostile.set("server", "'><script>&amp;");
  Form shown;
  form = &shown;
  Portal portal(bench.console);
  portal.open(hostile.kept, 0);
  CHECK(shown.page.find("placeholder='>script>amp;'") != string::npos);
  CHECK(shown.password == "");
}

TEST_CASE("empty fields of the set-up page change nothing") {
  Bench bench;
  const Settings& kept = bench.owner.kept;
  bench.save({});
  CHECK(string(kept.ssid) == "net");
  CHECK(string(kept.psk) == "its password");
  CHECK(string(kept.server) == "camd.example");
  CHECK(kept.has_key);
  bench.save({{"s", "net"}, {"server", "192.0.2.7"}});  // the same network, picked again
  CHECK(string(kept.psk) == "its password");
  CHECK(string(kept.server) == "192.0.2.7");
  bench.save({{"p", "a \"new\\ one"}});
  CHECK(string(kept.psk) == "a \"new\\ one");
  bench.save({{"s", "an open one"}});
  CHECK(string(kept.ssid) == "an open one");
  CHECK(string(kept.psk) == "");
  bench.save({{"cam", string(3000, 'x')}, {"server", string(3000, '"')}});
  CHECK(string(kept.cam) == "");
  CHECK(string(kept.server) == "192.0.2.7");
  CHECK_FALSE(bench.portal.step(1000));
  CHECK(bench.portal.step(60000));  // starts anew
}
