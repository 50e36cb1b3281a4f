// One connection over WiFiClient or, with TLS, WiFiClientSecure.
//
// Finding a name, connecting and the TLS handshake block in the libraries, so
// a task of their own does them; link() only looks how far it is. Reading and
// writing never wait: they ask the socket first.
#pragma once

#include <WiFi.h>
#include <WiFiClientSecure.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include <atomic>

#include "../core/ports.h"
#include "nvs_settings.h"

namespace camd {

// The library keeps the socket to itself.
class SecureClient : public WiFiClientSecure {
 public:
  int socket_number() const { return sslclient->socket; }
};

class NetTransport : public Transport {
 public:
  NetTransport(const char* task_name, NvsSettings& settings)
      : task_name_(task_name), settings_(settings) {}

  bool network_up() override;
  bool open(const char* host, uint16_t port, bool tls) override;
  Link link() override;
  int32_t read(uint8_t* to, size_t room) override;
  int32_t write(const uint8_t* from, size_t size) override;
  void close() override;

 private:
  static const int32_t kConnectMs = 10000;
  static const uint32_t kHandshakeS = 12;
  static const uint32_t kQueryMs = 3000;
  static const size_t kMostWrite = 1024;
  static const uint32_t kStack = 10240;

  // The task goes kWorking -> kUp or kFailed; the loop goes back to kIdle. An
  // attempt that was given up is kAbandoned until the task lets go of it.
  enum class Phase : uint8_t { kIdle, kWorking, kAbandoned, kUp, kFailed };
  struct Request {
    char host[64];
    uint16_t port;
    bool tls;
  };

  static void run(void* self);
  void work();
  bool connect();
  bool find(IPAddress* address, char* name, size_t room, uint16_t* port);
  void launch();
  WiFiClient& client() { return request_.tls ? static_cast<WiFiClient&>(secure_) : plain_; }
  int socket_number() { return request_.tls ? secure_.socket_number() : plain_.fd(); }
  bool can_write();

  const char* task_name_;
  NvsSettings& settings_;
  TaskHandle_t task_ = nullptr;
  std::atomic<Phase> phase_{Phase::kIdle};
  bool waiting_ = false;  // next_ is to begin once the task is free
  Request next_;
  Request request_;  // the task's, as is ca_, from launch() until it is done
  String ca_;
  WiFiClient plain_;
  SecureClient secure_;
};

}  // namespace camd
