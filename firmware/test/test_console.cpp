#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "portable/assignments.h"
#include "portable/console.h"

using namespace camd;
using std::string;

namespace {

// "name|value" for a pair, "other" and "bad" for the rest.
std::vector<string> items(const string& text) {
  std::vector<string> found;
  Assignments assignments(Text(text.data(), text.size()));
  for (;;) {
    switch (assignments.next()) {
      case Assignments::Item::kEnd: return found;
      case Assignments::Item::kOther: found.push_back("other"); break;
      case Assignments::Item::kBad: found.push_back("bad"); break;
      case Assignments::Item::kPair:
        found.push_back(string(assignments.name().data, assignments.name().size) + "|" +
                        assignments.value());
        break;
    }
  }
}

const char kPem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBszCCAVmgAwIBAgIUQ2FtZCBpcyBub3QgYSByZWFsIGNlcnRpZmljYXRlLg==\n"
    "TWF5YmUgbmV4dCB0aW1l\n"
    "-----END CERTIFICATE-----\n";

class Bench : public Console::Owner, public Lines {
 public:
  const Settings& settings() const override { return values; }
  SetResult set(Text name, Text value) override { return values.set(name, value, Origin::kOwner); }
  bool keep_ca(const char* pem) override {
    ca = pem ? pem : "";
    return true;
  }
  bool has_ca() const override { return !ca.empty(); }
  void test(Lines& out) override { out.line("tested"); }
  void photo() override { done += "photo "; }
  void portal() override { done += "portal "; }
  void reboot() override { done += "reboot "; }
  void line(const char* text) override { said.push_back(text); }

  void type(const string& text) {
    said.clear();
    for (char sign : text) console.feed(sign);
  }
  string all() const {
    string text;
    for (const string& one : said) text += one + "\n";
    return text;
  }

  Settings values;
  string ca;
  string done;
  std::vector<string> said;
  Console console{*this, *this};
};

}  // namespace

TEST_CASE("assignments are read in every form in which people have them") {
  typedef std::vector<string> Items;
  CHECK(items("set server=192.0.2.7 port=8940") == Items{"server|192.0.2.7", "port|8940"});
  CHECK(items("server=a\r\nport=1\n\ncam=porch") == Items{"server|a", "port|1", "cam|porch"});
  CHECK(items("  server  192.0.2.7\n  port    8940\n") == Items{"server|192.0.2.7", "port|8940"});
  CHECK(items("ssid=\"My Wi-Fi\" psk=\"a \\\"b\\\" \\\\ c\"") ==
        Items{"ssid|My Wi-Fi", "psk|a \"b\" \\ c"});
  CHECK(items("set ssid My Wi-Fi  ") == Items{"ssid|My Wi-Fi"});
  CHECK(items("psk=a=b%20c") == Items{"psk|a=b%20c"});
  CHECK(items("password=\"\"") == Items{"password|"});
  CHECK(items("password=") == Items{"password|"});
}

TEST_CASE("what is no assignment is said to be none") {
  typedef std::vector<string> Items;
  CHECK(items("") == Items{});
  CHECK(items("\r\n \n") == Items{});
  CHECK(items("server") == Items{"other"});
  CHECK(items("Give the board these settings") == Items{"other"});
  CHECK(items("ssid=My Wi-Fi") == Items{"ssid|My", "bad"});
  CHECK(items("ssid=\"My Wi-Fi\nport=1") == Items{"bad", "port|1"});
  CHECK(items("ssid=\"a\"b") == Items{"bad"});
  CHECK(items("ssid=\"a\\") == Items{"bad"});
  CHECK(items("=a") == Items{"bad"});
  CHECK(items("a b=c") == Items{"a|b=c"});
  CHECK(items("psk=" + string(Assignments::kValueRoom - 1, 'x')).front().size() > 90);
  CHECK(items("psk=" + string(Assignments::kValueRoom, 'x')) == Items{"bad"});
}

TEST_CASE("the console sets, shows and masks") {
  Bench bench;
  bench.type("set server=192.0.2.7 port=8941 cam=porch key=" + string(64, 'a') + "\r\n");
  CHECK(bench.all() == "server 192.0.2.7\nport 8941\ncam porch\nkey ****\n");
  CHECK(bench.values.has_key);
  bench.type("set psk \"hush hush\"\n");
  CHECK(string(bench.values.psk) == "hush hush");
  CHECK(bench.all() == "psk ****\n");
  bench.type("show\n");
  CHECK(bench.said.size() == Settings::count() + 1);
  CHECK(bench.all().find("hush") == string::npos);
  CHECK(bench.all().find("aaaa") == string::npos);
  CHECK(bench.all().find("password (not set)") != string::npos);
  CHECK(bench.all().find("CA none") != string::npos);
  bench.type("show interval\n");
  CHECK(bench.all() == "interval 10\n");
  bench.type("show nosuch\n");
  CHECK(bench.all() == "there is no such setting\n");
}

TEST_CASE("the console takes settings without the word set, and says what it does not take") {
  Bench bench;
  bench.type("interval=60\n");
  CHECK(bench.values.interval_ms == 60000);
  bench.type("  cam     porch\n");
  CHECK(string(bench.values.cam) == "porch");
  bench.type("set interval=-1 nosuch=1 quality\n");
  CHECK(bench.said.size() == 3);
  CHECK(bench.values.interval_ms == 60000);
  bench.type("nosuch=1\n");
  CHECK(bench.all() == "unknown; try help\n");
  bench.type("Give the board these settings\n");
  CHECK(bench.all() == "unknown; try help\n");
  bench.type("set\n");
  CHECK(bench.said.size() == 1);
}

TEST_CASE("the console's other commands") {
  Bench bench;
  bench.type("help\n");
  CHECK(bench.said.size() == Console::command_count());
  bench.type("test\n");
  CHECK(bench.all() == "tested\n");
  bench.type("photo\nportal\nreboot\n");
  CHECK(bench.done == "photo portal reboot ");
  bench.type("\r\n\n");
  CHECK(bench.said.empty());
  bench.type("rebox\bot\n");
  CHECK(bench.done == "photo portal reboot reboot ");
  for (size_t i = 0; i < Console::command_count(); ++i) {
    for (size_t j = 0; j < Settings::count(); ++j) {
      CHECK(string(Console::command_name(i)) != Settings::name(j));
    }
  }
}

TEST_CASE("a line that is too long does nothing, and the next one is whole again") {
  Bench bench;
  bench.type("set cam=porch password=" + string(Console::kLineRoom, 'x') + "\n");
  CHECK(bench.said.size() == 1);
  CHECK(string(bench.values.cam) == "");
  bench.type("set cam=den\n");
  CHECK(string(bench.values.cam) == "den");
}

TEST_CASE("a certificate is gathered from the lines of a paste") {
  Bench bench;
  bench.type(kPem);
  CHECK(bench.ca == kPem);
  CHECK(bench.all() == "CA set\n");
  bench.type("ca none\n");
  CHECK(bench.ca.empty());
  bench.type("ca\n");
  CHECK(bench.said.size() == 1);

  string crlf;
  for (const char* sign = kPem; *sign; ++sign) crlf += *sign == '\n' ? "\r\n" : string(1, *sign);
  bench.type(crlf);
  CHECK(bench.ca == kPem);

  bench.ca.clear();
  bench.type("-----BEGIN CERTIFICATE-----\nno base 64!\nset cam=den\n");
  CHECK(bench.ca.empty());
  CHECK(string(bench.values.cam) == "den");

  string endless = "-----BEGIN CERTIFICATE-----\n";
  for (int i = 0; i < 60; ++i) endless += string(64, 'A') + "\n";
  bench.type(endless + "-----END CERTIFICATE-----\n");
  CHECK(bench.ca.empty());
}

TEST_CASE("a paste of all that camd enroll says") {
  Bench bench;
  string text =
      "porch has a key, kept in /var/lib/camd/keys/porch\r\n\r\n"
      "Give the board these settings, at its serial console or on its own page:\r\n\r\n"
      "  server  192.0.2.7\r\n  port    8941\r\n  tls     1\r\n  cam     porch\r\n"
      "  key     " +
      string(64, '5') +
      "\r\n\r\nWhoever knows the key can be this camera. A running camd knows it already.\r\n";
  CHECK(bench.console.paste(Text(text.data(), text.size())) == 5);
  CHECK(string(bench.values.server) == "192.0.2.7");
  CHECK(bench.values.port == 8941);
  CHECK(bench.values.tls);
  CHECK(string(bench.values.cam) == "porch");
  CHECK(bench.values.key[0] == 0x55);

  Bench qr;
  string code = "server=192.0.2.7\nport=8940\ncam=porch\nkey=" + string(64, '5');
  CHECK(qr.console.paste(Text((code + "\n" + kPem).c_str())) == 4);
  CHECK(qr.values.has_key);
  CHECK(qr.ca == kPem);
}
