// A connection over POSIX sockets, with TLS out of OpenSSL.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "ports.h"

class PosixTransport : public camd::Transport {
 public:
  // `ca` is a PEM file that alone is trusted, or empty for the system's.
  PosixTransport(const std::string& ca, const std::string& tls_name);
  ~PosixTransport() override;
  PosixTransport(const PosixTransport&) = delete;
  PosixTransport& operator=(const PosixTransport&) = delete;

  bool network_up() override { return true; }
  bool open(const char* host, uint16_t port, bool tls) override;
  Link link() override;
  int32_t read(uint8_t* to, size_t room) override;
  int32_t write(const uint8_t* from, size_t size) override;
  void close() override;

  // Sleeps until there is something to do, `ms` at most.
  void wait(int ms);

 private:
  bool begin_tls(const char* host);
  int32_t tls_result(int result);

  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string ca_;
  std::string tls_name_;
  std::string host_;
  int socket_ = -1;
  bool tls_ = false;
  bool connected_ = false;  // TCP
  bool up_ = false;         // and TLS
  bool write_blocked_ = false;
};
