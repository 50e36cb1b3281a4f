#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "decoder.h"

using namespace camd;
using std::string;

namespace {

typedef std::vector<string> Events;

// What comes of `bytes` fed in the pieces that `cuts` end.
Events decode(const string& bytes, const std::vector<size_t>& cuts = {}, uint64_t max = 100) {
  Decoder decoder;
  decoder.expect_payloads(max);
  Events events;
  string payload;
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    size_t end = i < cuts.size() ? cuts[i] : bytes.size();
    string piece = bytes.substr(begin, end - begin);  // its own memory, for the sanitizer
    begin = end;
    Text input(piece.data(), piece.size());
    for (bool more = true; more;) {
      switch (decoder.next(&input)) {
        case Decoder::Event::kNeedData:
          CHECK(input.empty());
          more = false;
          break;
        case Decoder::Event::kLine: payload.clear(); break;
        case Decoder::Event::kPayload:
          payload.append(decoder.payload().data, decoder.payload().size);
          break;
        case Decoder::Event::kEnd:
          events.push_back(string(decoder.line().data, decoder.line().size) + "|" + payload);
          break;
        case Decoder::Event::kBroken:
          events.push_back(string("broken: ") + decoder.why());
          return events;
      }
    }
  }
  return events;
}

const string kStream =
    "ACK 1\nPING x\r\nHINT len=5\nab\ncdNAK 2 busy retry=10\nODD len=0\nB len=1\n\n";
const Events kEvents = {"ACK 1|",     "PING x|",   "HINT len=5|ab\ncd", "NAK 2 busy retry=10|",
                        "ODD len=0|", "B len=1|\n"};

}  // namespace

TEST_CASE("lines and payloads") { CHECK(decode(kStream) == kEvents); }

TEST_CASE("any cut gives the same") {
  for (size_t a = 0; a <= kStream.size(); ++a) {
    for (size_t b = a; b <= kStream.size(); ++b) CHECK_UNARY(decode(kStream, {a, b}) == kEvents);
  }
  std::vector<size_t> all;
  for (size_t i = 1; i < kStream.size(); ++i) all.push_back(i);
  CHECK(decode(kStream, all) == kEvents);
}

TEST_CASE("every strict prefix of a message is incomplete") {
  for (string message : {"ACK 1\n", "PING x\r\n", "HINT len=5\nab\ncd", "NAK 2 busy retry=10\n"}) {
    for (size_t size = 0; size < message.size(); ++size) {
      CHECK(decode(message.substr(0, size)).empty());
    }
    CHECK(decode(message).size() == 1);
  }
}

TEST_CASE("what breaks a stream, and that it stays broken") {
  CHECK(decode(string(1023, 'a') + "\n").size() == 1);
  CHECK(decode(string(1022, 'a') + "\r\n").size() == 1);
  CHECK(decode(string(1024, 'a')) == Events{"broken: line too long"});
  CHECK(decode("A\tB\n") == Events{"broken: not ASCII"});
  CHECK(decode("A\rB\n") == Events{"broken: not ASCII"});
  CHECK(decode("A\r\r\n") == Events{"broken: not ASCII"});
  CHECK(decode("A\xc3\xa4\n") == Events{"broken: not ASCII"});
  CHECK(decode("A len=101\n") == Events{"broken: payload too long"});

  Decoder decoder;
  Text bad("\x7f\nACK 1\n");
  CHECK(decoder.next(&bad) == Decoder::Event::kBroken);
  CHECK(decoder.next(&bad) == Decoder::Event::kBroken);
  decoder.reset();
  CHECK(decoder.next(&bad) == Decoder::Event::kLine);
}

TEST_CASE("a length that cannot be read, or before WELCOME, announces nothing") {
  CHECK(decode("A len=x\nB\n") == Events{"A len=x|", "B|"});
  CHECK(decode("A len=05\nB\n") == Events{"A len=05|", "B|"});
  CHECK(decode("A len=5\nB\n", {}, 0) == Events{"A len=5|", "B|"});
}

TEST_CASE("seeded noise decodes the same in any cut") {
  std::mt19937 dice(42);
  const string signs = "AB len=123\n\n\r \x7f";
  for (int round = 0; round < 3000; ++round) {
    string noise;
    for (unsigned n = dice() % 60; n > 0; --n) noise += signs[dice() % signs.size()];
    std::vector<size_t> cuts;
    for (size_t at = 0; (at += dice() % 7) < noise.size();) cuts.push_back(at);
    CHECK_UNARY(decode(noise, cuts) == decode(noise));
  }
}
