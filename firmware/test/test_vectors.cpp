#include <doctest/doctest.h>

#include "decoder.h"
#include "json.h"
#include "line.h"
#include "model_camd.h"
#include "openssl_crypto.h"
#include "seal.h"
#include "vectors/board_vectors.h"

using namespace camd;
using std::string;

namespace {

const string kDirectory = CAMD_VECTORS;

Opening opening_of(Vectors& vectors) {
  Opening opening;
  opening.cam = vectors.fields["cam"].c_str();
  CHECK(parse_hex64(vectors.fields["boot"].c_str(), &opening.boot));
  CHECK(parse_hex(vectors.fields["nonce"].c_str(), opening.nonce, 16));
  CHECK(parse_hex(vectors.fields["challenge"].c_str(), opening.challenge, 16));
  return opening;
}

// Reads camd's messages as a board does: the lines, or why not.
std::vector<string> read_camd(Vectors& vectors, size_t piece) {
  bool keyed = !vectors.fields["key"].empty();
  OpensslCrypto crypto;
  Seal seal;
  Decoder decoder;
  string bytes;
  for (const auto& message : vectors.messages) bytes += message.bytes;

  std::vector<string> lines;
  Text line;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    string cut = bytes.substr(at, piece);
    Text input(cut.data(), cut.size());
    for (bool more = true; more;) {
      switch (decoder.next(&input)) {
        case Decoder::Event::kNeedData: more = false; break;
        case Decoder::Event::kLine:
          line = decoder.line();
          if (seal.on() && !seal.begin_received(crypto, &line)) return {"no mac"};
          break;
        case Decoder::Event::kPayload:
          if (seal.on()) {
            seal.received_payload(crypto, decoder.payload().data, decoder.payload().size);
          }
          break;
        case Decoder::Event::kEnd:
          if (seal.on() && !seal.finish_received(crypto)) return {"wrong mac"};
          if (!Line(line).well_formed()) return {"malformed"};
          lines.push_back(string(line.data, line.size));
          if (Line(line).verb() == "CHALLENGE" && keyed) {
            uint8_t key[32], session[32];
            parse_hex(vectors.fields["key"].c_str(), key, sizeof key);
            opening_digest(crypto, key, Proof::kSession, opening_of(vectors), session);
            seal.open(session);
          } else if (Line(line).verb() == "WELCOME") {
            decoder.expect_payloads(4 * 400000);
          }
          break;
        case Decoder::Event::kBroken: return {decoder.why()};
      }
    }
  }
  return lines;
}

}  // namespace

TEST_CASE("the committed board vectors are what the core says") {
  for (bool sealed : {false, true}) {
    string text;
    REQUIRE(read_file(kDirectory + (sealed ? "/board_sealed.json" : "/board_plain.json"), &text));
    CHECK(text == board_vectors(sealed));
  }
}

TEST_CASE("the board vectors by another implementation of the macs") {
  Vectors vectors;
  REQUIRE(parse_vectors(board_vectors(true), &vectors));
  string key = from_hex(vectors.fields["key"]);
  string facts = vectors.fields["cam"] + " " + vectors.fields["boot"] + " " +
                 vectors.fields["nonce"] + " " + vectors.fields["challenge"];
  string session = from_hex(hmac_hex(key, "camd/2 session " + facts));
  REQUIRE(vectors.messages.size() > 10);
  CHECK(vectors.messages[1].bytes == "AUTH " + hmac_hex(key, "camd/2 board " + facts) + "\n");
  for (size_t n = 2; n < vectors.messages.size(); ++n) {
    const string& bytes = vectors.messages[n].bytes;
    size_t end = bytes.find('\n');
    size_t at = bytes.rfind(" mac=", end);
    REQUIRE(at != string::npos);
    string said = "board " + std::to_string(n - 1) + " " + bytes.substr(0, at) + bytes.substr(end);
    CHECK(bytes.substr(at + 5, end - at - 5) == hmac_hex(session, said).substr(0, 32));
  }
}

TEST_CASE("the core reads what camd says, in any pieces") {
  for (const string& path : camd_vector_files(kDirectory)) {
    INFO(path);
    string text;
    REQUIRE(read_file(path, &text));
    Vectors vectors;
    REQUIRE(parse_vectors(text, &vectors));
    std::vector<string> whole = read_camd(vectors, SIZE_MAX / 2);
    CHECK(whole.size() == vectors.messages.size());
    for (size_t piece : {1, 2, 3, 5, 17, 64}) CHECK(read_camd(vectors, piece) == whole);

    if (vectors.fields["key"].empty()) continue;
    Text proof;
    for (const string& line : whole) {
      if (line.compare(0, 8, "WELCOME ") == 0) proof = Line(line.c_str()).value("proof");
    }
    OpensslCrypto crypto;
    uint8_t key[32], expected[32], got[32];
    parse_hex(vectors.fields["key"].c_str(), key, sizeof key);
    opening_digest(crypto, key, Proof::kCamd, opening_of(vectors), expected);
    REQUIRE(parse_hex(proof, got, sizeof got));
    CHECK(same_bytes(expected, got, sizeof got));
  }
}

TEST_CASE("no byte of a sealed session can be changed unnoticed") {
  string text;
  if (!read_file(kDirectory + "/camd_sealed.json", &text)) return;
  Vectors original;
  REQUIRE(parse_vectors(text, &original));
  size_t lines = original.messages.size();
  for (size_t m = 1; m < original.messages.size(); ++m) {
    for (size_t i = 0; i < original.messages[m].bytes.size(); ++i) {
      Vectors changed = original;
      changed.messages[m].bytes[i] = char(changed.messages[m].bytes[i] ^ 1);
      CHECK_UNARY(read_camd(changed, SIZE_MAX / 2).size() < lines);
    }
  }
}

TEST_CASE("every strict prefix of camd's messages is incomplete") {
  for (const string& path : camd_vector_files(kDirectory)) {
    INFO(path);
    string text;
    REQUIRE(read_file(path, &text));
    Vectors vectors;
    REQUIRE(parse_vectors(text, &vectors));
    for (const auto& message : vectors.messages) {
      for (size_t size = 0; size < message.bytes.size(); ++size) {
        Decoder decoder;
        decoder.expect_payloads(1000);
        string prefix = message.bytes.substr(0, size);
        Text input(prefix.data(), prefix.size());
        bool ended = false;
        for (Decoder::Event event; (event = decoder.next(&input)) != Decoder::Event::kNeedData;) {
          REQUIRE(event != Decoder::Event::kBroken);
          ended = ended || event == Decoder::Event::kEnd;
        }
        CHECK_UNARY_FALSE(ended);
      }
    }
  }
}
