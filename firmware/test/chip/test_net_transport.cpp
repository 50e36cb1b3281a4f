// The transport's task is a thread here, and its connections open and fail
// when the test says so.
#include <ESPmDNS.h>
#include <WiFi.h>
#include <doctest/doctest.h>
#include <errno.h>
#include <lwip/sockets.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "esp32/net_transport.h"

using namespace camd;
using std::string;

namespace {

typedef Transport::Link Link;

struct Net {
  std::mutex mutex;
  std::condition_variable changed;
  unsigned notified = 0;  // the task is to begin
  unsigned begun = 0;     // connects that wait for their outcome
  unsigned ended = 0;
  int outcome = 1;
  unsigned stops = 0;
  string host, ca, name, queried, inbound, outbound;
  uint32_t address = 0;
  uint16_t port = 0;
  bool peer_closed = false;
  bool full = false;
};
Net* net;
thread_local Net* own_net;  // a task's: a later test has another

// How the connection attempt that is under way ends.
void end_connect(int outcome) {
  std::lock_guard<std::mutex> lock(net->mutex);
  net->outcome = outcome;
  ++net->ended;
  net->changed.notify_all();
}

int connecting(IPAddress address, uint16_t port) {
  std::unique_lock<std::mutex> lock(net->mutex);
  net->address = address;
  net->port = port;
  unsigned mine = ++net->begun;
  net->changed.notify_all();
  net->changed.wait(lock, [&] { return net->ended >= mine; });
  return net->outcome;
}

void wait_for_begun(unsigned count) {
  std::unique_lock<std::mutex> lock(net->mutex);
  bool came =
      net->changed.wait_for(lock, std::chrono::seconds(20), [&] { return net->begun >= count; });
  CHECK(came);
}

Link settled(NetTransport& transport) {
  for (int i = 0; i < 20000; ++i) {
    Link link = transport.link();
    if (link != Link::kConnecting) return link;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Link::kConnecting;
}

// Its task is never done, as on the chip: all that it uses outlives the tests.
struct Bench {
  Bench() {
    net = new Net;
    transport = new NetTransport("test", *store);
  }
  NvsSettings* store = new NvsSettings;
  NetTransport* transport;
};

}  // namespace

MDNSResponder MDNS;

BaseType_t xTaskCreatePinnedToCore(void (*code)(void*), const char*, uint32_t, void* argument,
                                   UBaseType_t, TaskHandle_t* task, BaseType_t) {
  *task = reinterpret_cast<TaskHandle_t>(net);
  Net* mine = net;
  std::thread([=] {
    own_net = mine;
    code(argument);
  }).detach();
  return pdPASS;
}
uint32_t ulTaskNotifyTake(BaseType_t, TickType_t) {
  Net* mine = own_net;
  std::unique_lock<std::mutex> lock(mine->mutex);
  mine->changed.wait(lock, [&] { return mine->notified > 0; });
  --mine->notified;
  return 1;
}
BaseType_t xTaskNotifyGive(TaskHandle_t) {
  std::lock_guard<std::mutex> lock(net->mutex);
  ++net->notified;
  net->changed.notify_all();
  return pdPASS;
}

WiFiClient::~WiFiClient() {}
int WiFiClient::connect(IPAddress address, uint16_t port, int32_t timeout_ms) {
  CHECK(timeout_ms <= 15000);
  return connecting(address, port);
}
int WiFiClient::connect(const char*, uint16_t, int32_t) { return 0; }
size_t WiFiClient::write(const uint8_t* from, size_t size) {
  net->outbound.append(reinterpret_cast<const char*>(from), size);
  return size;
}
int WiFiClient::available() { return int(net->inbound.size()); }
int WiFiClient::read() { return -1; }
int WiFiClient::read(uint8_t* to, size_t room) {
  size_t size = std::min(room, net->inbound.size());
  memcpy(to, net->inbound.data(), size);
  net->inbound.erase(0, size);
  return int(size);
}
void WiFiClient::stop() {
  std::lock_guard<std::mutex> lock(net->mutex);
  ++net->stops;
}
uint8_t WiFiClient::connected() { return !net->peer_closed; }
int WiFiClient::fd() const { return 3; }
int WiFiClient::setNoDelay(bool) { return 0; }
int WiFiClientSecure::connect(IPAddress address, uint16_t port, const char* host, const char* ca,
                              const char*, const char*) {
  net->name = host;
  net->ca = ca;
  sslclient.reset(new sslclient_context{4});
  return connecting(address, port);
}
void WiFiClientSecure::setHandshakeTimeout(unsigned long seconds) { CHECK(seconds <= 15); }

bool IPAddress::fromString(const char* text) {
  bool good = string(text) == "10.0.0.9";
  if (good) address_ = 0x0900000a;
  return good;
}
int WiFiClass::hostByName(const char* name, IPAddress& address) {
  net->queried = name;
  address = IPAddress(0x11);
  return string(name) == "camd.example";
}
int MDNSResponder::queryService(const char* service, const char*) {
  net->queried = service;
  return 1;
}
IPAddress MDNSResponder::queryHost(const char* host, uint32_t) {
  net->queried = host;
  return IPAddress(0x22);
}
IPAddress MDNSResponder::queryHost(String host, uint32_t wait) {
  return queryHost(host.c_str(), wait);
}
String MDNSResponder::hostname(int) { return String("nas"); }
uint16_t MDNSResponder::port(int) { return 9999; }
IPAddress MDNSResponder::address(int) { return IPAddress(0); }

ssize_t lwip_recv(int, void* to, size_t room, int flags) {
  CHECK(flags == MSG_DONTWAIT);
  if (net->inbound.empty()) {
    errno = EAGAIN;
    return net->peer_closed ? 0 : -1;
  }
  size_t size = std::min(room, net->inbound.size());
  memcpy(to, net->inbound.data(), size);
  net->inbound.erase(0, size);
  return ssize_t(size);
}
ssize_t lwip_send(int, const void* from, size_t size, int flags) {
  CHECK(flags == MSG_DONTWAIT);
  errno = net->peer_closed ? ECONNRESET : EAGAIN;
  if (net->full || net->peer_closed) return -1;
  net->outbound.append(static_cast<const char*>(from), size);
  return ssize_t(size);
}
int lwip_select(int, fd_set*, fd_set*, fd_set*, timeval* wait) {
  CHECK(wait->tv_sec + wait->tv_usec == 0);
  return net->full ? 0 : 1;
}

TEST_CASE("a plain connection, from opening to closing") {
  Bench bench;
  NetTransport& transport = *bench.transport;
  CHECK(transport.link() == Link::kDown);
  CHECK(transport.open("10.0.0.9", 8940, false));
  wait_for_begun(1);
  CHECK(transport.link() == Link::kConnecting);
  uint8_t bytes[8];
  CHECK(transport.read(bytes, sizeof bytes) < 0);
  end_connect(1);
  CHECK(settled(transport) == Link::kUp);
  CHECK(net->address == 0x0900000a);
  CHECK(net->port == 8940);

  CHECK(transport.read(bytes, sizeof bytes) == 0);
  net->inbound = "hello";
  CHECK(transport.read(bytes, sizeof bytes) == 5);
  CHECK(transport.write(bytes, 5) == 5);
  CHECK(net->outbound == "hello");
  net->full = true;
  CHECK(transport.write(bytes, 5) == 0);
  net->peer_closed = true;
  CHECK(transport.read(bytes, sizeof bytes) < 0);
  CHECK(transport.write(bytes, 5) < 0);
  transport.close();
  CHECK(net->stops == 1);
  CHECK(transport.link() == Link::kDown);
}

TEST_CASE("a connection that fails") {
  Bench bench;
  CHECK(bench.transport->open("camd.example", 8940, false));
  wait_for_begun(1);
  end_connect(0);
  CHECK(settled(*bench.transport) == Link::kDown);
  CHECK(net->queried == "camd.example");
  CHECK(bench.transport->open("nosuch.example", 8940, false));
  CHECK(settled(*bench.transport) == Link::kDown);
  CHECK(net->begun == 1);
}

TEST_CASE("an attempt that was given up does not come back, and the next one waits for it") {
  Bench bench;
  NetTransport& transport = *bench.transport;
  CHECK(transport.open("10.0.0.9", 1, false));
  wait_for_begun(1);
  transport.close();
  CHECK(transport.link() == Link::kDown);
  CHECK(transport.open("10.0.0.9", 2, false));
  CHECK(transport.link() == Link::kConnecting);
  CHECK(net->begun == 1);
  end_connect(1);  // the first succeeds, too late
  for (int i = 0; i < 20000 && net->stops == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(net->stops == 1);
  for (int i = 0; i < 100; ++i) {
    CHECK(transport.link() == Link::kConnecting);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  wait_for_begun(2);
  CHECK(net->port == 2);
  end_connect(1);
  CHECK(settled(transport) == Link::kUp);
  transport.close();
}

TEST_CASE("TLS needs a CA, and checks the server by its name") {
  Bench bench;
  NetTransport& transport = *bench.transport;
  CHECK(transport.open("camd.example", 8941, true));
  CHECK(settled(transport) == Link::kDown);
  CHECK(net->begun == 0);

  bench.store->keep_ca("PEM");
  CHECK(transport.open("camd.example", 8941, true));
  bench.store->keep_ca("ANOTHER");  // while the task works
  wait_for_begun(1);
  end_connect(1);
  CHECK(settled(transport) == Link::kUp);
  CHECK(net->name == "camd.example");
  CHECK(net->ca == "PEM");

  uint8_t bytes[2000] = {};
  CHECK(transport.read(bytes, sizeof bytes) == 0);
  net->inbound = "hi";
  CHECK(transport.read(bytes, sizeof bytes) == 2);
  CHECK(transport.write(bytes, sizeof bytes) == 1024);
  net->full = true;
  CHECK(transport.write(bytes, sizeof bytes) == 0);
  net->peer_closed = true;
  CHECK(transport.read(bytes, sizeof bytes) < 0);
  transport.close();
}

TEST_CASE("a server without a name, and names that only mDNS knows") {
  Bench bench;
  NetTransport& transport = *bench.transport;
  CHECK(transport.open(NvsSettings::anyone(), 8940, false));
  wait_for_begun(1);
  end_connect(1);
  CHECK(settled(transport) == Link::kUp);
  CHECK(net->queried == "nas");  // its address did not come along
  CHECK(net->address == 0x22);
  CHECK(net->port == 9999);

  CHECK(transport.open("shed.local", 8940, false));
  wait_for_begun(2);
  end_connect(1);
  CHECK(settled(transport) == Link::kUp);
  CHECK(net->queried == "shed");
  CHECK(net->port == 8940);
  transport.close();
}
