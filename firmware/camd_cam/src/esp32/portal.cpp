#include "portal.h"

#include <WiFi.h>
#include <stdio.h>

namespace camd {
namespace {

const size_t kShortestPassword = 8;  // that WPA2 takes

struct Field {
  const char* name;
  const char* label;
  const char* attributes;
};

// They show what holds now, and are sent empty where nothing is to change.
const Field kFields[] = {
    {"server", "Server: a name, an address, or _camd._tcp to look for one", ""},
    {"port", "Port", " type='number'"},
    {"tls", "TLS: 1 or 0", ""},
    {"cam", "This camera's name", ""},
    {"key", "Key: 64 hex digits", " type='password'"},
    {"password", "Password for this network and the live page", " type='password'"},
};

// A box of several lines: in a field of one line a browser drops the line ends.
const char kPasteBox[] =
    "<br><label for='paste'>Or paste here what camd enroll says, or the CA's PEM text</label>"
    "<textarea id='paste' name='paste' rows='6' style='width:100%'></textarea>";

// As a value of the console's grammar.
bool quoted(const char* name, const String& value, char* to, size_t room) {
  Writer out(to, room);
  out.text(name).text("=\"");
  for (size_t i = 0; i < value.length(); ++i) {
    char sign = value[i];
    if (sign == '"' || sign == '\\') out.text("\\");
    out.text(Text(&sign, 1));
  }
  out.text("\"").c_str();
  return !out.full();
}

}  // namespace

void Portal::open(const Settings& settings, uint64_t now) {
  if (active()) return;
  settings_ = &settings;
  manager_ = new WiFiManager;
  build(settings);
  // A board that was never set up has nothing else to do.
  until_ = settings.ssid[0] == '\0' ? 0 : now + kMostMs;

  char name[33];
  Writer out(name, sizeof name);
  Text cam(settings.cam);
  out.text("camd-").text(Text(cam.data, cam.size < 27 ? cam.size : 27)).c_str();
  bool closed = Text(settings.password).size >= kShortestPassword;
  manager_->startConfigPortal(name, closed ? settings.password : nullptr);
}

void Portal::build(const Settings& settings) {
  manager_->setDebugOutput(false);
  manager_->setConfigPortalBlocking(false);
  manager_->setConfigPortalTimeout(0);
  // The library is not to join the network itself: the loop would stand still
  // for as long as that takes. It looks all the same, for the second it is given.
  manager_->setSaveConnect(false);
  manager_->setSaveConnectTimeout(1);
  manager_->setShowInfoUpdate(false);
  manager_->setTitle("camd");
  manager_->setSaveParamsCallback([this]() { saved(); });
  manager_->addParameter(new WiFiManagerParameter(kPasteBox));
  for (const Field& field : kFields) {
    char now[Settings::kValueRoom];
    bool secret = Text(field.attributes) == " type='password'";
    if (secret || !settings.get(field.name, now, sizeof now)) now[0] = '\0';
    // WiFiManager keeps a pointer to both texts.
    char* attributes = new char[Settings::kValueRoom + 40];
    snprintf(attributes, Settings::kValueRoom + 40, "%s placeholder='", field.attributes);
    String html(attributes);
    for (const char* sign = now; *sign != '\0'; ++sign) {
      if (*sign != '\'' && *sign != '<' && *sign != '&') html += *sign;
    }
    html += "'";
    snprintf(attributes, Settings::kValueRoom + 40, "%s", html.c_str());
    manager_->addParameter(new WiFiManagerParameter(field.name, field.label, "",
                                                    int(Settings::kValueRoom), attributes));
  }
}

// From within WiFiManager's web server, while the form is at hand.
void Portal::saved() {
  auto& server = *manager_->server;
  String pasted = server.arg("paste");
  console_.paste(Text(pasted.c_str(), pasted.length()));
  char line[2 * Settings::kValueRoom + 24];
  for (const Field& field : kFields) {
    String value = server.arg(field.name);
    if (value.length() == 0) continue;
    if (quoted(field.name, value, line, sizeof line)) console_.paste(line);
  }
  String ssid = server.arg("s");
  String psk = server.arg("p");
  bool other = ssid.length() > 0 && Text(ssid.c_str(), ssid.length()) != settings_->ssid;
  if (other && quoted("ssid", ssid, line, sizeof line)) console_.paste(line);
  // Another network's empty password says that it is open.
  bool has_psk = other || psk.length() > 0;
  if (has_psk && quoted("psk", psk, line, sizeof line)) console_.paste(line);
  saved_ = true;
}

bool Portal::step(uint64_t now) {
  manager_->process();
  if (saved_ && done_at_ == 0) done_at_ = now + kFarewellMs;
  if (done_at_ != 0) return now >= done_at_;
  return until_ != 0 && now >= until_;
}

}  // namespace camd
