#include <doctest/doctest.h>

#include "schedule.h"
#include "spool.h"
#include "world.h"

using namespace camd;
using std::string;

namespace {

// A spool with its ports, that can be started anew on the same card.
struct Bench {
  World world;
  std::unique_ptr<Spool> spool;
  uint32_t seq = 0;

  explicit Bench(Order order = Order::kOldestFirst) {
    world.rtc = RtcState();
    world.rtc.boot = 0x1111;
    start(order);
  }

  void start(Order order = Order::kOldestFirst) {
    SlotMemory slots = {world.slots.data(), World::kSlotSize, world.slot_count};
    spool.reset(new Spool(world.ports, slots, world.rtc));
    spool->order(order);
    spool->check_card();
  }

  bool add(size_t size = 300) {
    Photo photo;
    photo.boot = world.rtc.boot;
    photo.seq = ++seq;
    photo.when = 1000 + seq;
    string jpeg = fakes::jpeg(seq, size);
    return spool->add(photo, reinterpret_cast<const uint8_t*>(jpeg.data()), jpeg.size());
  }

  string content(const Photo& photo) {
    string bytes(photo.size, '\0');
    size_t at = 0;
    while (at < bytes.size()) {
      int32_t n = spool->read(photo, uint32_t(at), reinterpret_cast<uint8_t*>(&bytes[at]), 100);
      if (n <= 0) return "unreadable";
      at += size_t(n);
    }
    return bytes;
  }

  // Sends all that is there; the numbers in their order. What is not whole goes
  // as the uplink lets it go.
  std::vector<uint32_t> drain() {
    std::vector<uint32_t> order;
    for (int i = 0; i < 1000; ++i) {
      Photo* photo = spool->next(world.clock.now);
      if (photo == nullptr) break;
      photo->state = Photo::State::kInFlight;
      if (content(*photo) == "unreadable") {
        spool->settle(photo, Fate::kDamaged, "");
        continue;
      }
      CHECK_UNARY(content(*photo) == fakes::jpeg(photo->seq, photo->size));
      order.push_back(photo->seq);
      spool->settle(photo, Fate::kAcked, "");
    }
    return order;
  }
};

}  // namespace

TEST_CASE("a photo's name says all about it") {
  Photo photo;
  photo.serial = 12;
  photo.boot = 0xfedcba9876543210;
  photo.seq = 4294967295u;
  photo.when = 1767225600000;
  photo.undated = false;
  photo.trigger = Trigger::kMotion;
  photo.size = 15360;
  photo.crc = 0x0badcafe;
  string name = photo_name(photo).text;
  CHECK(name == "0000000012-fedcba9876543210-4294967295-1767225600000-motion-15360-0badcafe.jpg");
  Photo read;
  REQUIRE(parse_photo_name(name.c_str(), &read));
  CHECK(string(photo_name(read).text) == name);
  for (size_t size = 0; size < name.size(); ++size) {
    CHECK_FALSE(parse_photo_name(Text(name.data(), size), &read));
  }
  for (const char* foreign : {"DCIM", "photo.jpg", "a-b-c-d-e-f-g.jpg", "._x.part", ""}) {
    CHECK_FALSE(parse_photo_name(foreign, &read));
  }
  photo.undated = true;
  photo.serial = photo.seq = UINT32_MAX;
  photo.when = 999999999999999;
  photo.size = UINT32_MAX;
  name = photo_name(photo).text;
  REQUIRE(parse_photo_name(name.c_str(), &read));
  CHECK(read.undated);
}

TEST_CASE("photos on the card outlive the program, in the order of taking") {
  for (Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
    Bench bench(order);
    for (int i = 0; i < 100; ++i) REQUIRE(bench.add());
    CHECK(bench.spool->queued() == 100);
    bench.world.rtc.boot = 0x2222;
    bench.start(order);
    CHECK(bench.spool->queued() == 100);
    for (int i = 0; i < 5; ++i) REQUIRE(bench.add());
    std::vector<uint32_t> sent = bench.drain();
    REQUIRE(sent.size() == 105);
    bool newest = order == Order::kNewestFirst;
    for (uint32_t i = 0; i < 105; ++i) CHECK_UNARY(sent[i] == (newest ? 105 - i : i + 1));
    CHECK(bench.world.storage.files.empty());
    CHECK(bench.spool->queued() == 0);
    CHECK(bench.world.storage.lists < 30);
  }
}

TEST_CASE("the newest goes first while older ones wait") {
  Bench bench(Order::kNewestFirst);
  for (int i = 0; i < 50; ++i) bench.add();
  Photo* photo = bench.spool->next(0);
  CHECK(photo->seq == 50);
  bench.spool->settle(photo, Fate::kAcked, "");
  bench.add();
  CHECK(bench.spool->next(0)->seq == 51);
  bench.spool->order(Order::kOldestFirst);
  CHECK(bench.spool->next(0)->seq == 1);
  CHECK(bench.drain().size() == 50);
}

TEST_CASE("power may fail at any byte: a photo is sent whole or not at all") {
  // Twice: while the second photo is written, and while the first is removed.
  for (uint64_t budget = 0; budget < 800; ++budget) {
    Bench bench;
    REQUIRE(bench.add());
    bench.world.slot_count = 0;
    bench.start();
    bench.world.storage.forgets = budget >= 400;
    bench.world.storage.budget = budget % 400;
    bool kept = bench.add();
    Photo* first = bench.spool->next(0);
    if (first != nullptr && bench.content(*first) != "unreadable") {
      bench.spool->settle(first, Fate::kAcked, "");
    }
    bench.world.storage.restore();
    bench.start();
    std::vector<uint32_t> found = bench.drain();
    CHECK_UNARY(found.size() <= 2);
    bool second = !found.empty() && found.back() == 2;
    CHECK_UNARY(second == kept || (budget % 400 == 301 && second));  // written, and not said
    CHECK_UNARY(bench.world.storage.files.empty());  // no leftovers
    CHECK_UNARY_FALSE(bench.world.journal.repeated);
  }
}

TEST_CASE("a card that takes no changes is read to its end, and each photo is sent once") {
  for (Order order : {Order::kOldestFirst, Order::kNewestFirst}) {
    Bench bench(order);
    for (int i = 0; i < 40; ++i) bench.add();
    bench.world.storage.read_only = true;
    bench.start(order);
    std::vector<uint32_t> sent;
    for (int i = 0; i < 100; ++i) {
      Photo* photo = bench.spool->next(0);
      if (photo == nullptr) break;
      sent.push_back(photo->seq);
      CHECK_FALSE(bench.spool->settle(photo, Fate::kAcked, ""));
    }
    CHECK_UNARY(sent.size() == 40);
    CHECK_UNARY(bench.spool->queued() == 0);
    CHECK_UNARY(bench.add());  // in memory
    CHECK_UNARY(bench.drain() == std::vector<uint32_t>{41});
    // Then it does again. What it kept is sent a second time, and goes.
    bench.world.storage.read_only = false;
    CHECK_UNARY(bench.add());
    bench.start(order);
    CHECK_UNARY(bench.drain().size() == 41);
    CHECK_UNARY(bench.world.storage.files.empty());
  }
}

TEST_CASE("a file that is not as its name says is no photo") {
  Bench bench;
  bench.add();
  bench.add();
  for (auto& file : bench.world.storage.files) {
    if (file.first.find("-0000000001-") != string::npos) file.second.resize(100);
  }
  bench.world.storage.files["holiday.jpg"] = "not ours";
  bench.start();
  CHECK(bench.drain() == std::vector<uint32_t>{2});
  CHECK(bench.world.storage.files.size() == 1);
  CHECK(bench.world.storage.files.count("holiday.jpg") == 1);
  CHECK(bench.world.journal.count(Fate::kDamaged) == 1);
}

TEST_CASE("the card is a ring by bytes; what is in flight stays") {
  Bench bench;
  bench.spool->limit(3000);
  for (int i = 0; i < 10; ++i) bench.add();
  Photo* flying = bench.spool->next(0);
  REQUIRE(flying->seq == 1);
  flying->state = Photo::State::kInFlight;
  bench.add();
  bench.add();
  CHECK(bench.world.storage.used() == 3000);
  CHECK(bench.world.journal.count(Fate::kEvicted) == 2);
  CHECK(bench.spool->lost() == 2);
  bench.spool->recall();
  CHECK(bench.drain() == std::vector<uint32_t>{1, 4, 5, 6, 7, 8, 9, 10, 11, 12});
}

TEST_CASE("a full card loses what was set aside first, and then its oldest") {
  Bench bench;
  bench.spool->limit(3000);
  for (int i = 0; i < 10; ++i) bench.add();
  for (uint32_t seq : {1, 2, 3}) {
    Photo* photo = bench.spool->next(0);
    REQUIRE(photo->seq == seq);
    photo->state = Photo::State::kInFlight;
    if (seq == 2) {
      bench.spool->postpone(photo, 1);
    } else {
      bench.spool->set_aside(photo, Fate::kRefused, "crc");
    }
  }
  CHECK(bench.spool->queued() == 8);
  CHECK(bench.spool->aside() == 2);
  CHECK(bench.world.journal.fates.empty());
  bench.add();
  bench.add();
  CHECK(bench.spool->aside() == 0);
  CHECK(bench.spool->queued() == 10);
  bench.add();
  CHECK(bench.spool->lost() == 3);
  bench.world.clock.now = 1;
  CHECK(bench.drain() == std::vector<uint32_t>{4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
}

TEST_CASE("more damaged photos than are remembered: none is lost, and none blocks") {
  Bench bench;
  for (int i = 0; i < 60; ++i) bench.add();
  std::set<uint32_t> sent;
  for (int i = 0; i < 400; ++i) {
    Photo* photo = bench.spool->next(0);
    if (photo == nullptr) break;
    photo->state = Photo::State::kInFlight;
    if (photo->seq <= 40) {
      bench.spool->set_aside(photo, Fate::kDamaged, "crc");
    } else {
      sent.insert(photo->seq);
      bench.spool->settle(photo, Fate::kAcked, "");
    }
  }
  CHECK(sent.size() == 20);
  CHECK(bench.world.storage.photos() == 40);
  CHECK(bench.spool->lost() == 0);
}

TEST_CASE("a photo that the card cannot read does not hold the card up for ever") {
  Bench bench;
  for (int i = 0; i < 3; ++i) bench.add();
  Photo* photo = bench.spool->next(0);
  SUBCASE("") { ++photo->misreads; }
  SUBCASE("") { ++photo->crc_refusals; }
  bench.spool->postpone(photo, 2000);
  // The card comes back from the failure.
  bench.world.storage.present = false;
  bench.spool->check_card();
  CHECK(bench.spool->next(5000) == nullptr);
  bench.world.storage.present = true;
  bench.spool->check_card();
  CHECK(bench.spool->queued() == 3);
  CHECK(bench.spool->next(0)->seq == 2);
  CHECK(bench.spool->next(5000)->misreads + bench.spool->next(5000)->crc_refusals == 1);
  // Another card: what is not on it is forgotten.
  bench.world.storage.present = false;
  bench.spool->check_card();
  bench.world.storage.present = true;
  bench.world.storage.files.clear();
  bench.spool->check_card();
  CHECK(bench.spool->next(5000) == nullptr);
  CHECK(bench.spool->queued() == 0);
}

TEST_CASE("a card that is almost full of other things makes room among its photos") {
  Bench bench;
  bench.world.storage.capacity = Spool::kMinFree + 1000;
  for (int i = 0; i < 5; ++i) CHECK(bench.add());
  CHECK(bench.drain() == std::vector<uint32_t>{3, 4, 5});
}

TEST_CASE("without a card the newest few stay in memory") {
  Bench bench;
  bench.world.storage.present = false;
  bench.start();
  for (int i = 0; i < 6; ++i) CHECK(bench.add());
  CHECK(bench.spool->in_memory() == 4);
  CHECK(bench.world.journal.count(Fate::kEvicted) == 2);
  CHECK_FALSE(bench.add(World::kSlotSize + 1));
  CHECK(bench.drain() == std::vector<uint32_t>{3, 4, 5, 6});
}

TEST_CASE("one slot is kept free of flights, and all in flight means no room") {
  Bench bench;
  bench.world.storage.present = false;
  bench.start();
  for (int i = 0; i < 4; ++i) bench.add();
  for (int i = 0; i < 3; ++i) bench.spool->next(0)->state = Photo::State::kInFlight;
  CHECK(bench.spool->next(0) == nullptr);
  CHECK(bench.spool->has_room(300));
  CHECK(bench.add());
  CHECK(bench.spool->flying() == 3);
}

TEST_CASE("a card that fails makes way for memory, one that comes is used") {
  Bench bench;
  bench.add();
  bench.world.storage.full = true;
  CHECK(bench.add());
  CHECK(bench.spool->in_memory() == 1);
  bench.world.storage.full = false;
  bench.world.storage.present = false;
  bench.spool->check_card();
  CHECK(bench.add());
  CHECK(bench.spool->in_memory() == 2);
  bench.world.storage.present = true;
  bench.spool->check_card();
  CHECK(bench.add());
  CHECK(bench.spool->queued() == 4);
  CHECK(bench.drain() == std::vector<uint32_t>{1, 2, 3, 4});
}

TEST_CASE("a photo that waits for a retry lets others pass") {
  Bench bench;
  for (int i = 0; i < 40; ++i) bench.add();
  Photo* photo = bench.spool->next(0);
  bench.spool->postpone(photo, 5000);
  CHECK(bench.drain().size() == 39);
  bench.world.clock.now = 5000;
  CHECK(bench.drain() == std::vector<uint32_t>{1});
}

TEST_CASE("the state is taken up only whole, and only after sleep") {
  World world;
  Schedule schedule(world.clock, world.rtc);
  CHECK_FALSE(schedule.start(true, world.random));  // noise from power-on
  uint64_t boot = world.rtc.boot;
  schedule.take_seq(world.random);
  schedule.set_time(1767225600000);
  schedule.prepare_sleep(60000);
  RtcState slept = world.rtc;
  CHECK(schedule.start(true, world.random));
  CHECK(world.rtc.boot == boot);
  CHECK(world.rtc.seq == 1);
  CHECK(schedule.unix_ms(schedule.board_ms()) == 1767225660000);
  CHECK_FALSE(schedule.start(false, world.random));
  CHECK(world.rtc.boot != boot);
  for (size_t i = 0; i < offsetof(RtcState, check); ++i) {
    world.rtc = slept;
    reinterpret_cast<uint8_t*>(&world.rtc)[i] ^= 0x10;
    CHECK_FALSE(schedule.start(true, world.random));
  }
}

TEST_CASE("times that sleep's clock got wrong are corrected by camd's") {
  World world;
  Schedule before(world.clock, world.rtc);
  before.start(false, world.random);
  before.set_time(1767225600000);
  before.prepare_sleep(600000);
  Schedule schedule(world.clock, world.rtc);
  REQUIRE(schedule.start(true, world.random));
  world.clock.now = 500;
  uint64_t taken = schedule.unix_ms(schedule.board_ms());
  CHECK(taken == 1767226200500);
  CHECK(schedule.corrected(taken) == taken);
  world.clock.now = 3000;
  schedule.set_time(1767226221000);  // it is 18 s later than the board believes
  CHECK(schedule.corrected(taken) == 1767226218500);
  CHECK(schedule.corrected(taken - 1000) == taken - 1000);  // of the wake before
  world.clock.now = 4000;
  CHECK(schedule.corrected(schedule.unix_ms(schedule.board_ms())) == 1767226222000);
}

TEST_CASE("photos keep the beat") {
  World world;
  Schedule schedule(world.clock, world.rtc);
  schedule.start(false, world.random);
  CHECK(schedule.photo_due(10000));
  CHECK_FALSE(schedule.photo_due(0));
  world.clock.now = 300;
  schedule.photo_taken(10000);
  CHECK(schedule.until_next_ms() == 9700);
  world.clock.now = 34000;  // busy for three beats
  schedule.photo_taken(10000);
  CHECK(schedule.until_next_ms() == 6000);
  schedule.replan(2000);
  CHECK(schedule.until_next_ms() == 2000);
}
