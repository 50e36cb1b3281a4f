#include <doctest/doctest.h>

#include "world.h"

using std::string;

TEST_CASE("a board without a key is welcomed and its photos arrive") {
  World world;
  world.camera.junk = string(50, '\0');
  world.start();
  world.run(60000);
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.photos.size() == 6);
  CHECK(world.journal.count(camd::Fate::kAcked) == 6);
  CHECK(world.storage.files.empty());
  CHECK(world.camd.photos.begin()->second.jpeg == fakes::jpeg(1, 300));
  CHECK(world.camera.held == 0);
}

TEST_CASE("a sealed session: every mac of the board's fits") {
  World world;
  world.use_key();
  world.start();
  world.run(65000);
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.photos.size() == 7);
  CHECK(world.camd.was_told("AUTH "));
  CHECK(world.camd.was_told("STAT "));
}

TEST_CASE("the same in pieces of a few bytes, both ways") {
  for (size_t piece : {1, 2, 3, 7, 100}) {
    World world;
    world.use_key();
    world.transport.piece = piece;
    world.start();
    world.run(60000);
    CHECK(world.camd.errors.empty());
    CHECK(world.camd.photos.size() >= 5);
    CHECK(world.transport.opens == 1);
  }
}

TEST_CASE("photos keep to the window") {
  World world;
  world.camd.window = 3;
  world.camd.delay_ms = 700;
  world.settings.values["interval"] = "0.1";
  world.start();
  world.run(20000);
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.most_unanswered == 3);
}

TEST_CASE("a board with a key hangs up on a camd that proves nothing") {
  World world;
  world.use_key();
  SUBCASE("no challenge") { world.camd.skips_challenge = true; }
  SUBCASE("a wrong proof") { world.camd.lies_about_proof = true; }
  SUBCASE("a wrong mac") { world.camd.lies_about_macs = true; }
  SUBCASE("no mac") {
    world.start();
    REQUIRE(world.run_until([&] { return world.camd.welcomed(); }, 5000));
    world.transport.inbound = "PING\n";
  }
  SUBCASE("an ACK without a mac drops nothing") {
    world.camd.never_acks = true;
    world.start();
    REQUIRE(world.run_until([&] { return world.camd.frames == 1; }, 5000));
    world.transport.send("ACK 1\n");
    world.run(100);
    CHECK(world.journal.fates.empty());
  }
  if (!world.board) world.start();
  unsigned opens = world.transport.opens;
  world.run(30000);
  CHECK(world.transport.opens > opens);
  CHECK(world.camd.photos.size() <= 4);
  if (world.camd.lies_about_macs || world.camd.lies_about_proof || world.camd.skips_challenge) {
    CHECK(world.journal.fates.empty());
    CHECK(world.board->queued() == world.journal.photos.size());
  }
}

TEST_CASE("a replayed proof is no proof") {
  World world;
  world.use_key();
  world.start();
  world.run(1000);
  REQUIRE(world.camd.welcomed());
  world.camd.skips_challenge = true;
  world.transport.reset = true;
  world.run(30000);
  CHECK(world.log.has("does not prove"));
  CHECK(world.camd.photos.size() == 1);
}

TEST_CASE("an ACK for a photo that is not on its way yet drops nothing") {
  World world;
  world.camera.size = 300000;  // preparing takes a few steps
  world.camd.never_acks = true;
  world.settings.values["interval"] = "1000";
  world.start();
  REQUIRE(world.run_until([&] { return world.camd.welcomed(); }, 1000));
  for (int i = 0; i < 4; ++i) {
    world.transport.send("ACK 1\n");
    world.run(10);
  }
  CHECK(world.log.has("no photo of ours"));
  world.run(10000);
  CHECK(world.camd.frames == 1);
  CHECK(world.journal.fates.empty());
}

TEST_CASE("a replayed mac is a wrong mac") {
  World world;
  world.use_key();
  world.start();
  REQUIRE(world.run_until([&] { return world.camd.welcomed(); }, 5000));
  world.run(500);
  world.camd.say("PING a");
  string once = world.transport.inbound;
  world.run(100);
  CHECK(world.camd.was_told("PONG a"));
  CHECK(!world.log.has("a wrong mac"));
  world.transport.send(once);
  world.run(100);
  CHECK(world.log.has("a wrong mac"));
}

TEST_CASE("a board without a key cannot answer a challenge and waits long") {
  World world;
  world.camd.key = string(32, 'k');
  world.start();
  world.run(200000, 100);
  CHECK(world.transport.opens == 1);
  world.run(500000, 100);
  CHECK(world.transport.opens == 2);
}

TEST_CASE("after ERR taken the board waits a minute") {
  World world;
  world.start();
  world.run(1000);
  REQUIRE(world.transport.opens == 1);
  world.camd.say("ERR taken");
  world.transport.hang_up();
  world.run(59900);
  CHECK(world.transport.opens == 1);
  world.run(3000);
  CHECK(world.transport.opens == 2);
}

TEST_CASE("after ERR auth the board waits for minutes") {
  World world;
  world.camd.refuse_opening = "auth";
  world.start();
  world.run(290000, 100);
  CHECK(world.transport.opens == 1);
  world.run(400000, 100);
  CHECK(world.transport.opens == 2);
}

TEST_CASE("reconnects back off to a minute") {
  World world;
  world.transport.refuses = true;
  world.start();
  world.run(4000);
  CHECK(world.transport.opens >= 3);
  world.run(120000);
  unsigned opens = world.transport.opens;
  world.run(600000, 100);
  CHECK(world.transport.opens - opens >= 9);
  CHECK(world.transport.opens - opens <= 21);
}

TEST_CASE("no wait is without a deadline") {
  World world;
  uint64_t within = 0;
  auto begin_welcomed = [&] {
    world.start();
    REQUIRE(world.run_until([&] { return world.camd.welcomed(); }, 1000));
    world.run(1000);
  };
  SUBCASE("connecting") {
    world.transport.hangs = true;
    world.start();
    world.run(50);
    within = 17000;
  }
  SUBCASE("WELCOME") {
    world.camd.mute = true;
    world.start();
    world.run(50);
    within = 17000;
  }
  SUBCASE("an answer to a photo") {
    world.camd.never_acks = true;
    begin_welcomed();
    within = 62000;
  }
  SUBCASE("bytes that are not taken") {
    begin_welcomed();
    world.transport.stalled = true;
    within = 35000;
  }
  SUBCASE("a line that does not end") {
    world.settings.values["interval"] = "0";
    begin_welcomed();
    world.camd.say_raw("PIN");
    within = 17000;
  }
  SUBCASE("silence, though no photo is out") {
    world.settings.values["interval"] = "0";
    begin_welcomed();
    world.camd.deaf = true;
    within = 115000;
  }
  REQUIRE(world.transport.opens == 1);
  CHECK(world.run_until([&] { return world.transport.opens == 2; }, within));
}

TEST_CASE("a silent connection is pinged, and stays when camd answers") {
  World world;
  world.settings.values["interval"] = "0";
  world.settings.values["stat"] = "65535";
  world.start();
  world.run(400000, 50);
  CHECK(world.camd.was_told("PING"));
  CHECK(world.transport.opens == 1);
}

TEST_CASE("PING is answered with its word") {
  World world;
  world.start();
  world.run(1000);
  world.camd.say("PING");
  world.camd.say("PING x%20y");
  world.camd.say("PING a=b");
  world.camd.say("PING " + string(900, 'a'));
  for (int i = 0; i < 100; ++i) world.camd.say("PING n" + std::to_string(i));
  world.run(1000);
  CHECK(world.camd.was_told("PONG x%20y"));
  CHECK(world.camd.was_told("PONG a=b"));
  CHECK(world.camd.was_told("PONG n99"));
  CHECK(world.transport.opens == 1);
}

TEST_CASE("what camd should never say is survived") {
  World world;
  world.start();
  world.run(1000);
  REQUIRE(world.camd.welcomed());
  SUBCASE("an unknown verb is passed over, with its payload") {
    world.camd.say("WHAT ever=1 len=5", "PING\n");
    world.camd.say("PING after");
    world.run(1000);
    CHECK(world.camd.was_told("PONG after"));
    CHECK(world.transport.opens == 1);
    return;
  }
  SUBCASE("ERR verb is no reason to go") {
    world.camd.say("ERR verb");
    world.run(5000);
    CHECK(world.transport.opens == 1);
    return;
  }
  SUBCASE("an answer to a photo never sent") {
    world.camd.say("ACK 4000000000");
    world.camd.say("NAK 7 denied boot=0123456789abcdef");
    world.run(5000);
    CHECK(world.transport.opens == 1);
    return;
  }
  SUBCASE("a huge line") { world.camd.say_raw(string(5000, 'x')); }
  SUBCASE("a malformed line") { world.camd.say_raw("PING  two\n"); }
  SUBCASE("a malformed answer") { world.camd.say_raw("ACK 01\n"); }
  SUBCASE("bytes that are no text") { world.camd.say_raw(string("\x00\xff\x07\n", 4)); }
  SUBCASE("a second welcome") {
    world.camd.say_raw("WELCOME camd/2 time=1 last=0 window=1 max=1\n");
  }
  SUBCASE("an immense payload") { world.camd.say_raw("WHAT len=99999999\n"); }
  SUBCASE("ERR syntax") { world.camd.say_raw("ERR syntax\n"); }
  SUBCASE("it closes") { world.transport.hang_up(); }
  SUBCASE("it resets") { world.transport.reset = true; }
  world.run(30000);
  CHECK(world.transport.opens == 2);
  CHECK(world.camd.photos.size() == world.journal.photos.size());
  CHECK(world.camd.errors.empty());
}

TEST_CASE("refusals for now are sent again, refusals for good are not") {
  World world;
  world.settings.values["interval"] = "1000";
  world.camd.verdict = [&](const string&, unsigned) -> string { return "busy"; };
  world.start();
  SUBCASE("after 1 s, doubling") {
    world.run(20000);
    CHECK(world.camd.frames == 5);  // 0, 1, 3, 7, 15 s
    world.run(300000, 50);
    unsigned frames = world.camd.frames;
    world.run(300000, 50);
    CHECK(world.camd.frames - frames == 5);
    CHECK(world.journal.fates.empty());
  }
  SUBCASE("after retry") {
    world.camd.verdict = [&](const string&, unsigned) -> string { return "full retry=7000"; };
    world.run(6900);
    CHECK(world.camd.frames == 1);
    world.run(500);
    CHECK(world.camd.frames == 2);
  }
  SUBCASE("crc is given up after the third") {
    world.camd.verdict = [&](const string&, unsigned) -> string { return "crc"; };
    world.run(30000);
    CHECK(world.camd.frames == 3);
    CHECK(world.storage.photos() == 1);
    CHECK(world.journal.fates.empty());
    CHECK(world.board->queued() == 0);
    world.camd.verdict = nullptr;
    world.start();
    world.run(5000);
    CHECK(world.camd.photos.size() == 2);
    CHECK(world.storage.photos() == 0);
  }
  SUBCASE("crc is given up in memory, too, where nothing can stay") {
    world.storage.present = false;
    world.camd.verdict = [&](const string&, unsigned) -> string { return "crc"; };
    world.run(30000);
    CHECK(world.journal.fates.size() == 1);
    CHECK(world.journal.fates.begin()->second.reason == "crc");
  }
  SUBCASE("a reason that is not known counts as for now") {
    world.camd.verdict = [&](const string&, unsigned) -> string { return "moonlight"; };
    world.run(20000);
    CHECK(world.camd.frames == 5);
  }
  for (string reason : {"jpeg", "size", "conflict", "denied"}) {
    SUBCASE(reason.c_str()) {
      world.camd.verdict = [=](const string&, unsigned) -> string { return reason; };
      world.run(30000);
      CHECK(world.camd.frames == 1);
      CHECK(world.journal.count(camd::Fate::kRefused) == 1);
      CHECK(world.storage.files.empty());
    }
  }
}

TEST_CASE("a refusal that comes before the photo is out counts") {
  World world;
  world.storage.present = false;
  world.transport.piece = 40;
  world.settings.values["interval"] = "1000";
  world.start();
  REQUIRE(world.run_until([&] { return world.camd.welcomed(); }, 1000));
  world.transport.stall_after = 200;  // within the photo
  REQUIRE(world.run_until([&] { return world.transport.stall_after == 0; }, 2000));
  world.camd.say("NAK 1 size");
  world.run(50);
  world.transport.hang_up();
  world.run(1000);
  CHECK(world.journal.count(camd::Fate::kRefused) == 1);
}

TEST_CASE("a photo whose ACK got lost is sent again and stored once") {
  World world;
  world.camd.never_acks = true;
  world.start();
  REQUIRE(world.run_until([&] { return world.camd.frames == 1; }, 5000));
  world.transport.reset = true;
  world.camd.never_acks = false;
  world.run(5000);
  CHECK(world.camd.frames == 2);
  CHECK(world.camd.photos.size() == 1);
  CHECK(world.journal.count(camd::Fate::kAcked) == 1);
}

TEST_CASE("a photo that the card has spoilt is found before it is sent") {
  World world;
  world.transport.network = false;
  world.settings.values["interval"] = "1000";
  world.start();
  world.run(1000);
  REQUIRE(world.storage.files.size() == 1);
  std::string& file = world.storage.files.begin()->second;
  std::string whole = file;
  SUBCASE("another byte: it may be the contact's fault, and stays") {
    file[100] = char(file[100] ^ 4);
  }
  SUBCASE("cut short") { file.resize(100); }
  SUBCASE("empty") { file.clear(); }
  bool fragment = file.size() < whole.size();
  world.transport.network = true;
  world.run(20000);
  CHECK(world.camd.welcomed());
  CHECK(world.camd.frames == 0);
  CHECK(world.journal.count(camd::Fate::kDamaged) == (fragment ? 1 : 0));
  CHECK(world.transport.opens == 1);
  CHECK(world.board->queued() == 0);
  REQUIRE(world.storage.photos() == (fragment ? 0 : 1));
  if (fragment) return;
  world.storage.files.begin()->second = whole;
  world.start();
  world.run(5000);
  CHECK(world.camd.photos.size() == 2);
}

TEST_CASE("a photo that is set aside blocks no other, and stays so over deep sleep") {
  World world;
  world.settings.values["sleep"] = "1";
  world.settings.values["interval"] = "600";
  world.start();
  std::string spoilt;
  world.camd.verdict = [&](const string& boot, unsigned seq) -> string {
    if (spoilt.empty()) spoilt = boot;
    return boot == spoilt && seq == 1 ? "crc" : "";
  };
  world.run(60000);
  REQUIRE(world.board->sleep_ms() > 500000);
  CHECK(world.camd.frames == 3);
  CHECK(world.clock.now < 20000);
  for (int night = 0; night < 3; ++night) {
    world.start(true);
    world.run(60000);
    REQUIRE(world.board->sleep_ms() > 500000);
    CHECK(world.clock.now < 2000);  // nothing is waited for
    CHECK(world.camd.lines[world.camd.lines.size() - 2].find(" aside=1 ") != string::npos);
  }
  CHECK(world.camd.frames == 6);
  CHECK(world.camd.photos.size() == 3);
  CHECK(world.storage.photos() == 1);
  CHECK(world.camd.lines.back().compare(0, 9, "BYE next=") == 0);
  world.start();  // the power was off
  world.run(60000);
  CHECK(world.camd.frames == 10);
  CHECK(world.storage.photos() == 1);
}

TEST_CASE("a photo that cannot be read for now is kept") {
  World world;
  world.transport.network = false;
  world.settings.values["interval"] = "1000";
  world.start();
  world.run(1000);
  auto files = world.storage.files;
  world.storage.files.clear();
  world.transport.network = true;
  SUBCASE("for a moment") { world.run(1500); }
  SUBCASE("for long: the next start sends it") {
    world.run(100000);
    world.storage.files = files;
    world.start();
  }
  CHECK(world.journal.fates.empty());
  world.storage.files = files;
  world.run(10000);
  CHECK(world.storage.photos() == 0);
  CHECK(world.journal.count(camd::Fate::kAcked) > 0);
}

TEST_CASE("last raises the numbering and drops nothing") {
  World world;
  world.transport.network = false;
  world.start();
  world.run(25000);
  REQUIRE(world.journal.photos.size() == 3);
  world.camd.last = 500;
  world.transport.network = true;
  world.run(20000);
  CHECK(world.camd.photos.size() == 5);
  CHECK(world.rtc.seq == 502);
}

TEST_CASE("photos on the card raise the numbering too") {
  World world;
  world.transport.network = false;
  world.start();
  camd::RtcState early = world.rtc;
  world.run(25000);
  REQUIRE(world.rtc.seq == 3);
  world.rtc = early;
  world.start(true);
  world.transport.network = true;
  world.run(5000);
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.photos.size() == 4);
  CHECK(world.rtc.seq == 4);
}

TEST_CASE("the last number on the card does not spoil the next boot") {
  World world;
  world.settings.values["interval"] = "1";
  world.camd.last = 4294967294u;
  world.start();
  world.run(500);
  world.transport.network = false;
  world.run(1000);
  REQUIRE(world.rtc.seq == 4294967295u);
  world.start(true);
  world.run(8000);
  CHECK(world.rtc.seq >= 5);
  CHECK(world.rtc.seq < 10);
}

TEST_CASE("past the last number a new boot begins") {
  World world;
  world.camd.last = 4294967295u;
  world.settings.values["interval"] = "1";
  world.start();
  world.run(500);
  world.camd.last = 0;
  world.run(5000);
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.photos.size() == 6);
  CHECK(world.rtc.seq <= 6);
  world.transport.reset = true;
  world.run(5000);
  CHECK(world.camd.errors.empty());
  CHECK(world.camd.photos.size() == world.journal.photos.size());
}

TEST_CASE("seeded noise from camd never harms") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    World world(seed);
    if (seed % 2) world.use_key();
    world.settings.values["interval"] = "1";
    world.start();
    std::mt19937 dice(seed);
    const std::vector<string> words = {"ACK",     "NAK",    "1",    " ",   " ",   "\n",
                                       "WELCOME", "camd/2", "=",    "len", "SET", "SNAP",
                                       "STREAM",  "fps",    "busy", "\r",  "PING"};
    for (int i = 0; i < 60; ++i) {
      world.run(100, 20);
      string noise;
      for (unsigned n = dice() % 30; n > 0; --n) {
        noise += dice() % 3 ? words[dice() % words.size()] : string(1, char(dice()));
      }
      world.transport.send(noise);
    }
    // Sealed, no noise can be taken for an answer.
    if (seed % 2) CHECK(world.camd.photos.size() >= world.journal.fates.size());
    CHECK(world.camera.held <= 1);
  }
}
