#include "net_transport.h"

#include <ESPmDNS.h>
#include <errno.h>
#include <esp_arduino_version.h>
#include <lwip/sockets.h>
#include <string.h>

#include "../core/text.h"

// Some releases of lwIP make macros of these names.
#undef close
#undef connect
#undef read
#undef write

namespace camd {
namespace {

const char kLocal[] = ".local";

bool is_local(Text host) {
  size_t tail = sizeof kLocal - 1;
  return host.size > tail && host.from(host.size - tail) == kLocal;
}

IPAddress found_address(int index) {
#if ESP_ARDUINO_VERSION_MAJOR >= 3
  return MDNS.address(index);
#else
  return MDNS.IP(index);
#endif
}

bool copy(Text from, char* to, size_t room) {
  Writer out(to, room);
  out.text(from).c_str();
  return !out.full();
}

}  // namespace

bool NetTransport::network_up() { return WiFi.status() == WL_CONNECTED; }

bool NetTransport::open(const char* host, uint16_t port, bool tls) {
  close();
  if (task_ == nullptr &&
      xTaskCreatePinnedToCore(run, task_name_, kStack, this, 1, &task_, 0) != pdPASS) {
    task_ = nullptr;
    return false;
  }
  if (!copy(host, next_.host, sizeof next_.host)) return false;
  next_.port = port;
  next_.tls = tls;
  waiting_ = true;
  launch();
  return true;
}

void NetTransport::launch() {
  if (!waiting_ || phase_.load() != Phase::kIdle) return;
  waiting_ = false;
  request_ = next_;
  // A copy: the console may change it while the task works.
  const char* ca = settings_.ca();
  ca_ = ca != nullptr && next_.tls ? ca : "";
  phase_.store(Phase::kWorking);
  xTaskNotifyGive(task_);
}

Transport::Link NetTransport::link() {
  launch();
  Phase phase = phase_.load();
  if (waiting_ || phase == Phase::kWorking) return Link::kConnecting;
  return phase == Phase::kUp ? Link::kUp : Link::kDown;
}

void NetTransport::close() {
  waiting_ = false;
  Phase working = Phase::kWorking;
  if (phase_.compare_exchange_strong(working, Phase::kAbandoned)) return;
  if (working == Phase::kAbandoned || working == Phase::kIdle) return;
  client().stop();
  phase_.store(Phase::kIdle);
}

void NetTransport::run(void* self) {
  for (;;) {
    ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
    static_cast<NetTransport*>(self)->work();
  }
}

void NetTransport::work() {
  Phase outcome = connect() ? Phase::kUp : Phase::kFailed;
  Phase working = Phase::kWorking;
  if (phase_.compare_exchange_strong(working, outcome)) return;
  // Nobody waits for it any more.
  client().stop();
  phase_.store(Phase::kIdle);
}

bool NetTransport::find(IPAddress* address, char* name, size_t room, uint16_t* port) {
  Text host(request_.host);
  *port = request_.port;
  if (host == NvsSettings::anyone()) {
    if (MDNS.queryService("camd", "tcp") <= 0) return false;
    *address = found_address(0);
    String target = MDNS.hostname(0);
    // Its record names the plain port; for TLS the setting does.
    if (!request_.tls) *port = MDNS.port(0);
    Writer out(name, room);
    out.text(Text(target.c_str(), target.length())).text(kLocal).c_str();
    if (out.full()) return false;
    // Not every server sends its address along with its name.
    if (uint32_t(*address) == 0) *address = MDNS.queryHost(target, kQueryMs);
    return uint32_t(*address) != 0;
  }
  if (!copy(host, name, room)) return false;
  if (address->fromString(request_.host)) return true;
  if (is_local(host)) {
    char stem[64];
    copy(Text(host.data, host.size - (sizeof kLocal - 1)), stem, sizeof stem);
    *address = MDNS.queryHost(stem, kQueryMs);
    return uint32_t(*address) != 0;
  }
  return WiFi.hostByName(request_.host, *address) == 1;
}

bool NetTransport::connect() {
  IPAddress address;
  char name[80];
  uint16_t port;
  if (!find(&address, name, sizeof name, &port)) return false;
  if (!request_.tls) {
    if (!plain_.connect(address, port, kConnectMs)) return false;
    plain_.setNoDelay(true);
    return true;
  }
  // Without a CA there is nothing to check the server against.
  if (ca_.length() == 0) return false;
  secure_.setHandshakeTimeout(kHandshakeS);
  return secure_.connect(address, port, name, ca_.c_str(), nullptr, nullptr) == 1;
}

int32_t NetTransport::read(uint8_t* to, size_t room) {
  if (phase_.load() != Phase::kUp) return -1;
  if (request_.tls) {
    int there = secure_.available();
    if (there <= 0) return secure_.connected() ? 0 : -1;
    int size = secure_.read(to, room);
    return size > 0 ? size : -1;
  }
  ssize_t size = lwip_recv(plain_.fd(), to, room, MSG_DONTWAIT);
  if (size > 0) return int32_t(size);
  return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

bool NetTransport::can_write() {
  int number = socket_number();
  if (number < 0) return false;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(number, &set);
  timeval at_once = {0, 0};
  return lwip_select(number + 1, nullptr, &set, nullptr, &at_once) > 0;
}

int32_t NetTransport::write(const uint8_t* from, size_t size) {
  if (phase_.load() != Phase::kUp) return -1;
  if (!request_.tls) {
    ssize_t taken = lwip_send(plain_.fd(), from, size, MSG_DONTWAIT);
    if (taken >= 0) return int32_t(taken);
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
  }
  if (socket_number() < 0) return -1;
  // A socket that may be written has room for two segments at least, so a
  // record of this size goes in without a wait.
  if (!can_write()) return 0;
  size_t taken = secure_.write(from, size < kMostWrite ? size : kMostWrite);
  return taken > 0 ? int32_t(taken) : -1;
}

}  // namespace camd
