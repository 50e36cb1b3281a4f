// The smallest uploader for an AI-Thinker ESP32-CAM: a photo, an answer, the
// next photo. It speaks what the widely copied sketch speaks (`FrameBegin`,
// the JPEG, `FrameOver`, one line back), and a server cannot tell them apart.
//
// Each place where it does otherwise than that sketch is marked "Otherwise:",
// with the reason. It has no key, no card and no live page; camd_cam has.
#include <Arduino.h>
#include <Preferences.h>
#include <WiFi.h>
#include <esp_camera.h>
#include <lwip/sockets.h>

const size_t kPiece = 1430;

// Otherwise: every wait has an end. A Wi-Fi that does not come is tried anew,
// and so is a server that does not answer.
const uint32_t kJoinMs = 20000;
const uint32_t kConnectMs = 10000;
const uint32_t kShortestPauseMs = 1000;
const uint32_t kLongestPauseMs = 60000;
// A server may hold its answer back to pace the board, so this one is long. A
// server that has gone is noticed sooner, by connected() and by keepalive.
const uint32_t kAnswerMs = 900000;
const uint32_t kAskAgainMs = 5000;
const int kMostFailedGrabs = 5;

WiFiClient client;
Preferences kept;
uint32_t pauseMs = kShortestPauseMs;
int failedGrabs = 0;

// What was typed, -1 for nothing. A line ends with '\n', however the serial
// monitor ends it.
int nextSign() {
  static char last = 0;
  if (!Serial.available()) return -1;
  char sign = char(Serial.read());
  bool second = sign == '\n' && last == '\r';
  last = sign;
  if (second) return -1;
  return sign == '\r' ? '\n' : sign;
}

// Otherwise: network and server are asked for once, and kept in the chip.
// What stands in a source file is copied along with it. The question comes
// again for whoever opens the serial monitor late.
String askFor(const char* question) {
  String answer;
  uint32_t asked = millis() - kAskAgainMs;
  for (;;) {
    int sign = nextSign();
    if (sign == '\n') break;
    if (sign >= 0) {
      if (answer.length() < 64) answer += char(sign);
      continue;
    }
    if (answer.length() == 0 && millis() - asked >= kAskAgainMs) {
      Serial.printf("%s: ", question);
      asked = millis();
    }
    delay(10);
  }
  Serial.println();
  return answer;
}

void setUp() {
  kept.putString("ssid", askFor("Wi-Fi name").c_str());
  kept.putString("psk", askFor("Wi-Fi password").c_str());
  kept.putString("server", askFor("server's address").c_str());
  String port = askFor("server's port (empty: 8940)");
  kept.putUShort("port", port.length() > 0 ? uint16_t(port.toInt()) : 8940);
  Serial.println("kept");
}

void offerSetUp() {
  if (!kept.isKey("server")) return setUp();
  // Enter, not any key: noise on an open line would stop the board here for good.
  Serial.println("press Enter within 5 seconds to change the set-up");
  uint32_t began = millis();
  while (millis() - began < 5000) {
    int sign = nextSign();
    if (sign == '\n') return setUp();
    if (sign < 0) delay(10);
  }
}

// Otherwise: called before each connection, not only at the start. A router
// that restarts took the original off the air for good.
bool joinWifi() {
  if (WiFi.status() == WL_CONNECTED) return true;
  WiFi.disconnect();
  WiFi.mode(WIFI_STA);
  WiFi.setSleep(false);
  WiFi.begin(kept.getString("ssid", String()).c_str(), kept.getString("psk", String()).c_str());
  uint32_t began = millis();
  while (WiFi.status() != WL_CONNECTED) {
    if (millis() - began > kJoinMs) return false;
    delay(100);
  }
  Serial.printf("Wi-Fi: %s\n", WiFi.localIP().toString().c_str());
  return true;
}

bool startCamera() {
  // Otherwise: filled in by name from zeros. A list of designated values
  // leaves out what a newer driver has added, in an order it may have changed.
  camera_config_t config = {};
  config.pin_pwdn = 32;
  config.pin_reset = -1;
  config.pin_xclk = 0;
  config.pin_sccb_sda = 26;
  config.pin_sccb_scl = 27;
  config.pin_d7 = 35;
  config.pin_d6 = 34;
  config.pin_d5 = 39;
  config.pin_d4 = 36;
  config.pin_d3 = 21;
  config.pin_d2 = 19;
  config.pin_d1 = 18;
  config.pin_d0 = 5;
  config.pin_vsync = 25;
  config.pin_href = 23;
  config.pin_pclk = 22;
  config.xclk_freq_hz = 20000000;
  config.ledc_timer = LEDC_TIMER_0;
  config.ledc_channel = LEDC_CHANNEL_0;
  config.pixel_format = PIXFORMAT_JPEG;
  config.frame_size = FRAMESIZE_VGA;
  config.jpeg_quality = 12;
  config.fb_count = 1;
  // Otherwise: said, because the driver's own choice is PSRAM, and a board
  // without it would not start its camera.
  config.fb_location = psramFound() ? CAMERA_FB_IN_PSRAM : CAMERA_FB_IN_DRAM;
  config.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
  return esp_camera_init(&config) == ESP_OK;
}

bool connectServer() {
  // Otherwise: the old connection is given back first. Without it each new one
  // costs a socket, until there are none.
  client.stop();
  String server = kept.getString("server", String());
  if (!client.connect(server.c_str(), kept.getUShort("port", 8940), int32_t(kConnectMs))) {
    return false;
  }
  // Otherwise: a server that lost its power says nothing. Keepalive asks after
  // half a minute of silence, and then connected() turns false.
  int on = 1, idle = 30, every = 10, count = 3;
  lwip_setsockopt(client.fd(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  lwip_setsockopt(client.fd(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  lwip_setsockopt(client.fd(), IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
  lwip_setsockopt(client.fd(), IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  return true;
}

// Otherwise: what write() took is looked at. A blocked one gives up after ten
// seconds, and the original then sent a photo with a hole in it.
bool sendAll(const uint8_t* data, size_t size) {
  while (size > 0) {
    size_t piece = size < kPiece ? size : kPiece;
    if (client.write(data, piece) != piece) return false;
    data += piece;
    size -= piece;
  }
  return true;
}

bool sendText(const char* text) {
  return sendAll(reinterpret_cast<const uint8_t*>(text), strlen(text));
}

// Otherwise: a reader of its own, which ends with the line, with the
// connection or with the time. readStringUntil() waits a second for a line
// end that does not come and grows a String by what does; and the loop around
// it asked neither whether the server was still there nor how late it was.
bool readAnswer() {
  char answer[64];
  size_t size = 0;
  uint32_t began = millis();
  while (millis() - began < kAnswerMs) {
    if (!client.available()) {
      if (!client.connected()) return false;
      delay(1);
      continue;
    }
    int sign = client.read();
    if (sign == '\n') {
      answer[size] = '\0';
      Serial.printf("answer: %s\n", answer);
      return true;
    }
    if (sign >= ' ' && size + 1 < sizeof answer) answer[size++] = char(sign);
  }
  return false;
}

// False when the connection is of no more use.
bool sendPhoto() {
  camera_fb_t* photo = esp_camera_fb_get();
  // Otherwise: looked at before it is used. The original took the address out
  // of nothing and crashed with the first picture that did not come.
  if (photo == NULL) {
    Serial.println("no picture");
    // A camera that has lost its way comes back only with its power.
    if (++failedGrabs >= kMostFailedGrabs) ESP.restart();
    delay(1000);
    return true;
  }
  failedGrabs = 0;
  bool sent = sendText("FrameBegin") && sendAll(photo->buf, photo->len) && sendText("FrameOver");
  size_t size = photo->len;
  // Given back on every way out; the driver has only this one.
  esp_camera_fb_return(photo);
  if (!sent) return false;
  Serial.printf("sent %u bytes\n", unsigned(size));
  return readAnswer();
}

void setup() {
  Serial.begin(115200);
  kept.begin("camd_legacy", false);
  offerSetUp();
  joinWifi();
  // Otherwise: a camera that does not start is started again with the board,
  // where the original went on and crashed at its first picture.
  if (!startCamera()) {
    Serial.println("the camera does not start");
    delay(10000);
    ESP.restart();
  }
}

void loop() {
  if (joinWifi() && connectServer()) {
    Serial.println("connected");
    bool any = false;
    while (sendPhoto()) any = true;
    // Otherwise: said goodbye to here as well, so that the server knows.
    client.stop();
    if (any) pauseMs = kShortestPauseMs;
  }
  // Otherwise: the pause grows, from one second to one minute, so that a short
  // break costs little and a long one does not keep the radio busy.
  Serial.printf("again in %u ms\n", unsigned(pauseMs));
  delay(pauseMs);
  pauseMs = pauseMs < kLongestPauseMs / 2 ? pauseMs * 2 : kLongestPauseMs;
}
