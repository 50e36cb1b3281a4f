#include <doctest/doctest.h>

#include <random>
#include <string>

#include "crc32.h"
#include "encoder.h"
#include "fakes.h"
#include "jpeg.h"
#include "line.h"
#include "model_camd.h"
#include "text.h"

using namespace camd;
using std::string;

namespace {

bool is_count(Text text, uint64_t max = UINT64_MAX) {
  uint64_t value;
  return parse_count(text, max, &value);
}

int64_t measure(Text text) {
  int64_t value = INT64_MIN;
  return parse_measure(text, &value) ? value : INT64_MIN;
}

string decoded(Text text) {
  char buffer[64];
  return percent_decode(text, buffer, sizeof buffer) ? string(buffer) : "(malformed)";
}

string encoded(Text text, size_t most = 100) {
  char buffer[512];
  return Writer(buffer, sizeof buffer).percent(text, most).c_str();
}

size_t size_of(const string& bytes) {
  return jpeg_size(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

TEST_CASE("counts") {
  for (const char* good : {"0", "1", "10", "999999999999999"}) CHECK(is_count(good));
  for (const char* bad : {"", "01", "+1", "-1", "1_0", " 1", "1 ", "1000000000000000", "0x1"}) {
    CHECK_FALSE(is_count(bad));
  }
  CHECK(is_count("5", 5));
  CHECK_FALSE(is_count("6", 5));
}

TEST_CASE("measurements") {
  CHECK(measure("0") == 0);
  CHECK(measure("-2") == -2000);
  CHECK(measure("3.9") == 3900);
  CHECK(measure("-0.005") == -5);
  CHECK(measure("9999999.999") == 9999999999);
  for (const char* bad : {"", "-", ".5", "1.", "1.2345", "12345678", "+1", "1e3", "--1", "1.2.3"}) {
    CHECK(measure(bad) == INT64_MIN);
  }
  char buffer[32];
  CHECK(string(Writer(buffer, sizeof buffer).measure(-2500).c_str()) == "-2.5");
  CHECK(string(Writer(buffer, sizeof buffer).measure(3905).c_str()) == "3.905");
  CHECK(string(Writer(buffer, sizeof buffer).measure(7000).c_str()) == "7");
}

TEST_CASE("hex is lower case and of the right length") {
  uint64_t value;
  CHECK(parse_hex64("0123456789abcdef", &value));
  CHECK(value == 0x0123456789abcdef);
  CHECK_FALSE(parse_hex64("0123456789ABCDEF", &value));
  CHECK_FALSE(parse_hex64("0123456789abcde", &value));
  CHECK_FALSE(parse_hex64("0123456789abcdefa", &value));
}

TEST_CASE("percent-encoding") {
  CHECK(decoded("a%20b%3d%3D") == "a b==");
  CHECK(decoded("%C3%a4") == "\xc3\xa4");
  for (const char* bad : {"%", "%2", "%zz", "%00", "%0a", "%7f", "%ff", "%c0%80", "%ed%a0%80"}) {
    CHECK(decoded(bad) == "(malformed)");
  }
  CHECK(encoded("100% a=b") == "100%25%20a%3db");
  CHECK(decoded(encoded("K\xc3\xa4se").c_str()) == "K\xc3\xa4se");
  CHECK(encoded("ab\xc3\xa4", 3) == "ab");  // no half characters
}

TEST_CASE("camera ids") {
  for (const char* good : {"a", "7", "porch.north-2", "a_b", "jpg"}) CHECK(is_camera_id(good));
  for (const char* bad : {"", "A", "-a", "a-", ".a", "a..b", "x.jpg", "v1-a", "a b", "a/b"}) {
    CHECK_FALSE(is_camera_id(bad));
  }
  CHECK(is_camera_id(string(64, 'a').c_str()));
  CHECK_FALSE(is_camera_id(string(65, 'a').c_str()));
}

TEST_CASE("a writer says when something did not fit") {
  char buffer[4];
  Writer out(buffer, sizeof buffer);
  out.text("abc");
  CHECK_FALSE(out.full());
  out.text("d");
  CHECK(out.full());
  CHECK(string(out.c_str()) == "abc");
}

TEST_CASE("CRC-32") {
  const string check = "123456789";
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(check.data());
  CHECK(crc32(0, bytes, 9) == 0xcbf43926);
  CHECK(crc32(crc32(0, bytes, 4), bytes + 4, 5) == 0xcbf43926);
  CHECK(crc32(0, bytes, 0) == 0);
}

TEST_CASE("lines") {
  for (const char* good : {"A", "ACK 1", "SET 1 a=b c=d=e", "PING x", "A b b"}) {
    CHECK(Line(good).well_formed());
  }
  for (const char* bad : {"", " ", "A ", " A", "A  b", "A b=", "A =b", "A b=1 c b=2", "a=b c"}) {
    CHECK_FALSE(Line(bad).well_formed());
  }
  Line line("NAK 7 busy retry=5");
  CHECK(line.verb() == "NAK");
  CHECK(line.at(2) == "busy");
  CHECK(line.at(9) == "");
  CHECK(line.value("retry") == "5");
  CHECK_FALSE(line.has("boot"));
}

TEST_CASE("a JPEG ends with its EOI, whatever lies behind it") {
  string jpeg = fakes::jpeg(1, 500);
  CHECK(size_of(jpeg) == 500);
  CHECK(size_of(jpeg + string(513, '\0')) == 500);
  CHECK(size_of(jpeg + jpeg) == 500);
  CHECK(size_of(jpeg + "\xff\xd9") == 500);
}

TEST_CASE("no strict prefix of a JPEG is one") {
  string jpeg = fakes::jpeg(1, 200);
  for (size_t size = 0; size < jpeg.size(); ++size) CHECK(size_of(jpeg.substr(0, size)) == 0);
}

TEST_CASE("marks inside of segments and scans are no end") {
  string head("\xff\xd8", 2), tail("\xff\xd9", 2);
  string com("\xff\xfe\x00\x08\xff\xd9\xff\xd8\xff\xda", 10);
  string sof("\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00", 13);
  string sos("\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00", 10);
  string scan("ab\xff\x00\xd9\xff\xd0\xff\xd7z", 10);
  string whole = head + com + sof + sos + scan + tail;
  CHECK(size_of(whole + "junk") == whole.size());
  string fills = head + "\xff\xff" + com.substr(1) + sof + sos + scan + "\xff" + tail;
  CHECK(size_of(fills + "junk") == fills.size());
  string progressive = head + sof + sos + scan + com + sos + scan + tail;
  CHECK(size_of(progressive) == progressive.size());
  CHECK(size_of(head + com + sos + scan + tail) == 0);  // no frame header
  CHECK(size_of(head + com + sof + tail) == 0);         // no scan
  CHECK(size_of(head + string("\xff\xfe\xff\xff", 4) + tail) == 0);
  CHECK(size_of(head + string("\xff\xfe\x00\x01", 4) + sof + sos + tail) == 0);
}

TEST_CASE("seeded noise is no harm to the JPEG walk") {
  std::mt19937 dice(7);
  string jpeg = fakes::jpeg(1, 300);
  for (int i = 0; i < 20000; ++i) {
    string noise = jpeg;
    for (unsigned n = 1 + dice() % 8; n > 0; --n) noise[dice() % noise.size()] = char(dice());
    size_t size = size_of(noise);
    CHECK_UNARY(size <= noise.size());
    if (size != 0) CHECK_UNARY(noise.compare(size - 2, 2, "\xff\xd9") == 0);
  }
}

TEST_CASE("the longest lines of a board fit") {
  string id(64, 'a');
  Hello hello;
  hello.cam = id.c_str();
  hello.boot = UINT64_MAX;
  string strange(100, '=');
  hello.firmware = hello.model = strange.c_str();
  char buffer[352];
  Writer line(buffer, sizeof buffer);
  encode_hello(line, hello);
  CHECK_FALSE(line.full());

  Photo photo;
  photo.seq = photo.size = UINT32_MAX;
  photo.boot = 1;
  photo.trigger = Trigger::kMotion;
  Writer frame(buffer, 256);
  encode_frame(frame, photo, 999999999999999, 2);
  CHECK_FALSE(frame.full());
}
