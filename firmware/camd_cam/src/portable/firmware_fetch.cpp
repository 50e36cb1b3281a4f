#include "firmware_fetch.h"

#include <string.h>

#include "../core/seal.h"
#include "assignments.h"

namespace camd {
namespace {

const size_t kPiece = 1024;
const int kPiecesAStep = 4;

char lower(char sign) { return sign >= 'A' && sign <= 'Z' ? char(sign + 32) : sign; }

bool same_name(Text a, Text b) {
  if (a.size != b.size) return false;
  for (size_t i = 0; i < a.size; ++i) {
    if (lower(a.data[i]) != lower(b.data[i])) return false;
  }
  return true;
}

bool is_host_sign(char sign) {
  return (lower(sign) >= 'a' && lower(sign) <= 'z') || (sign >= '0' && sign <= '9') ||
         sign == '.' || sign == '-' || sign == '_';
}

}  // namespace

bool Url::parse(const char* text, Url* url) {
  Text rest(text);
  for (size_t i = 0; i < rest.size; ++i) {
    if (rest.data[i] <= 0x20 || rest.data[i] == 0x7f) return false;
  }
  url->tls = rest.starts_with("https://");
  if (!url->tls && !rest.starts_with("http://")) return false;
  url->port = url->tls ? 443 : 80;
  rest = rest.from(url->tls ? 8 : 7);
  size_t size = 0;
  while (size < rest.size && is_host_sign(rest.data[size])) ++size;
  if (size == 0 || size >= sizeof url->host) return false;
  memcpy(url->host, rest.data, size);
  url->host[size] = '\0';
  rest = rest.from(size);
  if (rest.starts_with(":")) {
    size_t digits = 1;
    while (digits < rest.size && rest.data[digits] != '/') ++digits;
    uint64_t port;
    if (!parse_count(Text(rest.data + 1, digits - 1), 65535, &port) || port == 0) return false;
    url->port = uint16_t(port);
    rest = rest.from(digits);
  }
  url->path = rest.empty() ? "/" : rest.data;
  return url->path[0] == '/';
}

bool FirmwareFetch::begin(const char* text, const uint8_t sha256[32]) {
  if (state_ != State::kIdle) return false;
  Url url;
  if (!Url::parse(text, &url)) return false;
  Text path(url.path);
  const void* fragment = memchr(path.data, '#', path.size);
  if (fragment) path.size = size_t(static_cast<const char*>(fragment) - path.data);
  // 1.0, because an answer to it comes in one piece.
  Writer request(request_, sizeof request_);
  request.text("GET ").text(path).text(" HTTP/1.0\r\nHost: ").text(url.host).text(":");
  request.count(url.port).text("\r\nUser-Agent: camd\r\nConnection: close\r\n\r\n");
  if (request.full()) return false;
  request_size_ = uint16_t(request.size());
  request_at_ = line_size_ = 0;
  size_ = got_ = head_size_ = 0;
  status_seen_ = begun_ = false;
  why_ = "";
  memcpy(wanted_, sha256, sizeof wanted_);
  sha_.begin();
  if (!transport_.open(url.host, url.port, url.tls)) return false;
  state_ = State::kConnecting;
  uint64_t now = clock_.now_ms();
  until_ = now + kWholeMs;
  moved_until_ = now + kConnectMs;
  return true;
}

System::Update FirmwareFetch::failed(const char* why) {
  why_ = why;
  if (begun_) sink_.abandon();
  transport_.close();
  state_ = State::kIdle;
  return System::Update::kFailed;
}

System::Update FirmwareFetch::step() {
  if (state_ == State::kIdle) return System::Update::kFailed;
  uint64_t now = clock_.now_ms();
  if (now >= until_ || now >= moved_until_) return failed("it takes too long");
  Transport::Link link = transport_.link();
  if (state_ == State::kConnecting) {
    if (link == Transport::Link::kDown) return failed("no connection");
    if (link == Transport::Link::kConnecting) return System::Update::kRunning;
    state_ = State::kAsking;
    moved_until_ = now + kStallMs;
  }
  return state_ == State::kAsking ? send_request() : receive();
}

System::Update FirmwareFetch::send_request() {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(request_) + request_at_;
  int32_t taken = transport_.write(from, request_size_ - request_at_);
  if (taken < 0) return failed("the connection broke");
  request_at_ = uint16_t(request_at_ + taken);
  if (request_at_ == request_size_) state_ = State::kHead;
  return System::Update::kRunning;
}

System::Update FirmwareFetch::receive() {
  uint8_t piece[kPiece];
  for (int i = 0; i < kPiecesAStep; ++i) {
    int32_t size = transport_.read(piece, sizeof piece);
    if (size == 0) break;
    if (size < 0) return failed("the connection broke");
    moved_until_ = clock_.now_ms() + kStallMs;
    size_t used = 0;
    if (state_ == State::kHead && !take_head(piece, size_t(size), &used)) return failed(why_);
    if (state_ != State::kBody) continue;
    System::Update progress = take_body(piece + used, size_t(size) - used);
    if (progress != System::Update::kRunning) return progress;
  }
  return System::Update::kRunning;
}

bool FirmwareFetch::take_head(const uint8_t* data, size_t size, size_t* used) {
  while (*used < size && state_ == State::kHead) {
    if (++head_size_ > kMostHead) {
      why_ = "the answer's head is too long";
      return false;
    }
    char sign = char(data[(*used)++]);
    // The tail of a line that is too long says nothing of interest.
    if (sign != '\n') {
      if (line_size_ < sizeof line_) line_[line_size_++] = sign;
      continue;
    }
    Text line = trimmed(Text(line_, line_size_));
    line_size_ = 0;
    if (!head_line(line)) return false;
  }
  return true;
}

bool FirmwareFetch::head_line(Text line) {
  if (!status_seen_) {
    status_seen_ = true;
    bool good = line.size >= 12 && line.starts_with("HTTP/1.") &&
                Text(line.data + 8, 4) == " 200" && (line.size == 12 || line.data[12] == ' ');
    if (!good) why_ = "the server does not answer 200";
    return good;
  }
  if (line.empty()) {
    if (size_ == 0) {
      why_ = "the server names no length";
      return false;
    }
    begun_ = sink_.begin(size_);
    if (!begun_) why_ = "there is no room for it";
    state_ = State::kBody;
    return begun_;
  }
  const void* colon = memchr(line.data, ':', line.size);
  if (colon == nullptr) return true;
  size_t name = size_t(static_cast<const char*>(colon) - line.data);
  if (!same_name(Text(line.data, name), "Content-Length")) return true;
  uint64_t length;
  bool good = size_ == 0 && parse_count(trimmed(line.from(name + 1)), 1u << 24, &length);
  if (good) size_ = uint32_t(length);
  if (!good) why_ = "the server names a length that cannot be";
  return good;
}

System::Update FirmwareFetch::take_body(const uint8_t* data, size_t size) {
  if (size > size_ - got_) size = size_ - got_;
  sha_.update(data, size);
  if (size > 0 && !sink_.write(data, size)) return failed("the flash does not take it");
  got_ += uint32_t(size);
  if (got_ < size_) return System::Update::kRunning;
  uint8_t digest[32];
  sha_.finish(digest);
  if (!same_bytes(digest, wanted_, sizeof digest)) return failed("it has another SHA-256");
  if (!sink_.finish()) return failed("the flash does not keep it");
  begun_ = false;
  transport_.close();
  state_ = State::kIdle;
  return System::Update::kDone;
}

}  // namespace camd
