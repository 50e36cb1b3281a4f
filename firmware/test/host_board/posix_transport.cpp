#include "host_board/posix_transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

PosixTransport::PosixTransport(const std::string& ca, const std::string& tls_name)
    : ca_(ca), tls_name_(tls_name) {}

PosixTransport::~PosixTransport() {
  close();
  SSL_CTX_free(context_);
}

bool PosixTransport::open(const char* host, uint16_t port, bool tls) {
  close();
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, std::to_string(port).c_str(), &hints, &found) != 0) return false;
  socket_ = socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  bool begun = socket_ >= 0 &&
               (connect(socket_, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS);
  freeaddrinfo(found);
  if (!begun) {
    close();
    return false;
  }
  int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  host_ = host;
  tls_ = tls;
  return true;
}

bool PosixTransport::begin_tls(const char* host) {
  if (context_ == nullptr) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int trusted = ca_.empty() ? SSL_CTX_set_default_verify_paths(context_)
                              : SSL_CTX_load_verify_locations(context_, ca_.c_str(), nullptr);
    if (trusted != 1) {
      fprintf(stderr, "host_board: %s: no CA in it\n", ca_.c_str());
      return false;
    }
  }
  ssl_ = SSL_new(context_);
  const char* name = tls_name_.empty() ? host : tls_name_.c_str();
  unsigned char address[sizeof(in6_addr)];
  bool is_address =
      inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name);
  } else {
    SSL_set1_host(ssl_, name);
    SSL_set_tlsext_host_name(ssl_, name);
  }
  return SSL_set_fd(ssl_, socket_) == 1;
}

camd::Transport::Link PosixTransport::link() {
  if (socket_ < 0) return Link::kDown;
  if (!connected_) {
    pollfd entry = {socket_, POLLOUT, 0};
    if (poll(&entry, 1, 0) == 0) return Link::kConnecting;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Link::kDown;
    connected_ = true;
    if (tls_ && !begin_tls(host_.c_str())) return Link::kDown;
    up_ = !tls_;
  }
  if (!up_) {
    ERR_clear_error();
    int result = SSL_connect(ssl_);
    if (result == 1) {
      up_ = true;
    } else if (tls_result(result) < 0) {
      fprintf(stderr, "host_board: TLS: %s\n",
              X509_verify_cert_error_string(SSL_get_verify_result(ssl_)));
      return Link::kDown;
    }
  }
  return up_ ? Link::kUp : Link::kConnecting;
}

// 0 for "later", negative for "never".
int32_t PosixTransport::tls_result(int result) {
  int error = SSL_get_error(ssl_, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int32_t PosixTransport::read(uint8_t* to, size_t room) {
  if (!up_) return -1;
  if (tls_) {
    ERR_clear_error();
    int size = SSL_read(ssl_, to, int(room));
    return size > 0 ? size : tls_result(size);
  }
  ssize_t size = recv(socket_, to, room, 0);
  if (size > 0) return int32_t(size);
  return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int32_t PosixTransport::write(const uint8_t* from, size_t size) {
  if (!up_) return -1;
  int32_t taken;
  if (tls_) {
    ERR_clear_error();
    int result = SSL_write(ssl_, from, int(size));
    taken = result > 0 ? result : tls_result(result);
  } else {
    ssize_t result = send(socket_, from, size, MSG_NOSIGNAL);
    taken = result >= 0 ? int32_t(result) : errno == EAGAIN || errno == EINTR ? 0 : -1;
  }
  write_blocked_ = taken == 0;
  return taken;
}

void PosixTransport::close() {
  if (ssl_ != nullptr) {
    if (up_) SSL_shutdown(ssl_);
    SSL_free(ssl_);
    ssl_ = nullptr;
  }
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  connected_ = up_ = write_blocked_ = false;
}

void PosixTransport::wait(int ms) {
  bool wants_write = write_blocked_ || !connected_;
  pollfd entry = {socket_, short(POLLIN | (wants_write ? POLLOUT : 0)), 0};
  // A negative descriptor is skipped, and poll() only sleeps.
  poll(&entry, 1, ms);
  write_blocked_ = false;
}
