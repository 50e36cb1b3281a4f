#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <string>

#include "fakes.h"
#include "portable/firmware_fetch.h"

using namespace camd;
using std::string;

namespace {

class OpensslSha256 : public Sha256 {
 public:
  OpensslSha256() : context_(EVP_MD_CTX_new()) {}
  ~OpensslSha256() override { EVP_MD_CTX_free(context_); }
  void begin() override { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  void update(const void* data, size_t size) override { EVP_DigestUpdate(context_, data, size); }
  void finish(uint8_t digest[32]) override { EVP_DigestFinal_ex(context_, digest, nullptr); }

 private:
  EVP_MD_CTX* context_;
};

class Sink : public FirmwareSink {
 public:
  bool begin(uint32_t size) override {
    ++begun;
    return size <= room;
  }
  bool write(const uint8_t* data, size_t size) override {
    bytes.append(reinterpret_cast<const char*>(data), size);
    return bytes.size() <= breaks_at;
  }
  bool finish() override {
    ++finished;
    return keeps;
  }
  void abandon() override { ++abandoned; }

  size_t room = 1 << 20;
  size_t breaks_at = SIZE_MAX;
  bool keeps = true;
  string bytes;
  int begun = 0, finished = 0, abandoned = 0;
};

class Server : public fakes::Peer {
 public:
  explicit Server(fakes::Transport& transport) : transport_(transport) {}
  void opened() override {}
  void received(const fakes::Bytes& bytes) override {
    request += bytes;
    bool whole = request.size() >= 4 && request.compare(request.size() - 4, 4, "\r\n\r\n") == 0;
    if (!whole || silent) return;
    transport_.send(answer);
    if (closes) transport_.hang_up();
  }
  void closed() override {}

  string request, answer;
  bool silent = false, closes = true;

 private:
  fakes::Transport& transport_;
};

struct Bench {
  Bench() {
    transport.peer = &server;
    for (int i = 0; i < 50000; ++i) image += char(i * 7 + i / 256);
    OpensslSha256 hash;
    hash.begin();
    hash.update(image.data(), image.size());
    hash.finish(digest);
    server.answer = head(image.size()) + image;
  }
  static string head(size_t size) {
    return "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n";
  }
  bool begin(const char* url = "http://192.0.2.7:8080/fw.bin?v=2#top") {
    return fetch.begin(url, digest);
  }
  System::Update run() {
    System::Update progress = System::Update::kRunning;
    for (int i = 0; i < 100000 && progress == System::Update::kRunning; ++i) {
      clock.now += 10;
      progress = fetch.step();
    }
    return progress;
  }
  string outcome() { return run() == System::Update::kDone ? "done" : fetch.why(); }

  fakes::Clock clock;
  fakes::Transport transport;
  Server server{transport};
  OpensslSha256 sha;
  Sink sink;
  FirmwareFetch fetch{transport, clock, sha, sink};
  string image;
  uint8_t digest[32];
};

}  // namespace

TEST_CASE("addresses of a firmware") {
  Url url;
  CHECK(Url::parse("http://a/b", &url));
  CHECK_FALSE(url.tls);
  CHECK(url.port == 80);
  CHECK(string(url.host) == "a");
  CHECK(string(url.path) == "/b");
  CHECK(Url::parse("https://camd.example:8443/x/y?z=1", &url));
  CHECK(url.tls);
  CHECK(url.port == 8443);
  CHECK(string(url.path) == "/x/y?z=1");
  CHECK(Url::parse("https://a", &url));
  CHECK(url.port == 443);
  CHECK(string(url.path) == "/");
  string long_host = "http://" + string(64, 'a') + "/";
  for (const char* bad :
       {"", "ftp://a/", "http://", "http:///x", "http://u:p@a/", "http://a:0/", "http://a:65536/",
        "http://a:/x", "http://a:8x/", "http://a b/", "http://a/b c", "http://a/\r\nX: y",
        "http://[::1]/", "http://a?x", long_host.c_str()}) {
    INFO(bad);
    CHECK_FALSE(Url::parse(bad, &url));
  }
}

TEST_CASE("a firmware comes whole, however it is cut") {
  for (size_t piece : {size_t(1), size_t(7), size_t(1000), size_t(100000)}) {
    Bench bench;
    bench.transport.piece = piece;
    REQUIRE(bench.begin());
    CHECK(bench.outcome() == "done");
    CHECK(bench.sink.bytes == bench.image);
    CHECK(bench.sink.finished == 1);
    CHECK(bench.sink.abandoned == 0);
    CHECK_FALSE(bench.transport.up);
    CHECK(bench.server.request.find("GET /fw.bin?v=2 HTTP/1.0\r\nHost: 192.0.2.7:8080\r\n") == 0);
  }
}

TEST_CASE("what follows the firmware is no part of it") {
  Bench bench;
  bench.server.answer += "junk";
  REQUIRE(bench.begin());
  CHECK(bench.outcome() == "done");
  CHECK(bench.sink.bytes == bench.image);
}

TEST_CASE("a second one may follow") {
  Bench bench;
  bench.digest[0] ^= 1;
  REQUIRE(bench.begin());
  CHECK_FALSE(bench.begin());
  CHECK(bench.run() == System::Update::kFailed);
  bench.digest[0] ^= 1;
  bench.sink.bytes.clear();
  bench.server.request.clear();
  bench.transport.peer_closed = false;
  bench.transport.inbound.clear();
  REQUIRE(bench.begin());
  CHECK(bench.outcome() == "done");
  CHECK(bench.sink.bytes == bench.image);
}

TEST_CASE("a firmware that is not the one that was named is let go") {
  Bench bench;
  bench.server.answer[bench.server.answer.size() - 1] ^= 1;
  REQUIRE(bench.begin());
  CHECK(bench.outcome() == "it has another SHA-256");
  CHECK(bench.sink.finished == 0);
  CHECK(bench.sink.abandoned == 1);
  CHECK_FALSE(bench.transport.up);
}

TEST_CASE("every prefix of an answer is too short") {
  for (size_t size = 0; size < 50100; size += size < 100 ? 1 : 997) {
    Bench bench;
    if (size >= bench.server.answer.size()) break;
    bench.server.answer.resize(size);
    REQUIRE(bench.begin());
    CHECK(bench.run() == System::Update::kFailed);
    CHECK(bench.sink.finished == 0);
    CHECK(bench.sink.abandoned == bench.sink.begun);
  }
}

TEST_CASE("answers that are of no use") {
  struct {
    const char* head;
    const char* why;
  } cases[] = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n", "the server does not answer 200"},
      {"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", "the server does not answer 200"},
      {"HTTP/1.1 2000\r\n\r\n", "the server does not answer 200"},
      {"SSH-2.0-x\r\n", "the server does not answer 200"},
      {"HTTP/1.1 200 OK\r\n\r\nabc", "the server names no length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the server names no length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the server names a length that cannot be"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
       "the server names a length that cannot be"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
       "the server names a length that cannot be"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", "there is no room for it"},
  };
  for (const auto& item : cases) {
    INFO(item.head);
    Bench bench;
    bench.server.answer = item.head;
    REQUIRE(bench.begin());
    CHECK(bench.outcome() == item.why);
    CHECK(bench.sink.finished == 0);
  }
  Bench endless;
  endless.server.answer = "HTTP/1.1 200 OK\r\nX: " + string(100000, 'x');
  REQUIRE(endless.begin());
  CHECK(endless.outcome() == "the answer's head is too long");
}

TEST_CASE("a flash that fails ends it") {
  Bench worn;
  worn.sink.breaks_at = 20000;
  REQUIRE(worn.begin());
  CHECK(worn.outcome() == "the flash does not take it");
  CHECK(worn.sink.abandoned == 1);
  Bench forgetful;
  forgetful.sink.keeps = false;
  REQUIRE(forgetful.begin());
  CHECK(forgetful.outcome() == "the flash does not keep it");
}

TEST_CASE("no wait is without an end") {
  Bench hung;
  hung.transport.hangs = true;
  REQUIRE(hung.begin());
  CHECK(hung.outcome() == "it takes too long");
  CHECK(hung.clock.now <= FirmwareFetch::kConnectMs + 100);

  Bench silent;
  silent.server.silent = true;
  REQUIRE(silent.begin());
  CHECK(silent.outcome() == "it takes too long");
  CHECK(silent.clock.now <= FirmwareFetch::kStallMs + 100);

  Bench stalled;
  stalled.transport.stalled = true;
  REQUIRE(stalled.begin());
  CHECK(stalled.outcome() == "it takes too long");

  Bench half;
  half.server.answer.resize(20000);
  half.server.closes = false;
  REQUIRE(half.begin());
  CHECK(half.outcome() == "it takes too long");
  CHECK(half.sink.abandoned == 1);

  Bench refused;
  refused.transport.refuses = true;
  CHECK_FALSE(refused.begin());
}
