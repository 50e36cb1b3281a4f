// The board's core as a program: sockets for Wi-Fi, a directory for the card.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include <memory>

#include "board.h"
#include "host_board/host_ports.h"
#include "host_board/options.h"
#include "host_board/posix_transport.h"
#include "openssl_crypto.h"

namespace {

const size_t kSlotSize = 1 << 20;
const uint8_t kSlots = 8;

volatile sig_atomic_t stop_wanted = 0;

void want_stop(int) { stop_wanted = 1; }

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options),
        transport_(options.ca, options.tls_name),
        storage_(options.spool),
        log_(options.verbose),
        journal_(options.state, options.journal),
        ports_{clock_,    transport_, camera_, options.spool.empty() ? nullptr : &storage_,
               settings_, log_,       random_, crypto_,
               system_,   &journal_} {}

  int run() {
    if (!camera_.load(options_.photos)) {
      fprintf(stderr, "host_board: %s: no JPEGs in it\n", options_.photos.c_str());
      return 2;
    }
    if (!configure()) return 2;
    if (!options_.spool.empty()) journal_.reconcile(storage_);
    bool had_state = journal_.load_state(&rtc_);
    start(had_state);

    uint64_t begin = HostClock::wall_ms();
    while (!stop_wanted) {
      if (all_taken()) board_->set("interval", "0", camd::Origin::kOwner);
      board_->step();
      if (board_->sleep_ms() != 0) sleep();
      if (options_.exit_when_done && all_taken() && board_->queued() == 0) break;
      if (options_.timeout_s > 0 && HostClock::wall_ms() - begin > options_.timeout_s * 1000) {
        report();
        return 3;
      }
      transport_.wait(5);
    }
    transport_.close();
    report();
    return board_->queued() == 0 ? 0 : 1;
  }

 private:
  bool configure() {
    std::map<std::string, std::string>& values = settings_.values;
    values["server"] = options_.host;
    values["port"] = options_.port;
    values["tls"] = options_.tls ? "1" : "0";
    values["cam"] = options_.cam;
    values["warmup"] = "0";
    if (!options_.key.empty()) values["key"] = options_.key;
    char interval[32];
    camd::Writer text(interval, sizeof interval);
    values["interval"] = text.measure(int64_t(options_.interval_ms)).c_str();
    for (const auto& setting : options_.settings) values[setting.first] = setting.second;
    camd::Settings check;
    for (const auto& value : values) {
      camd::SetResult result =
          check.check(value.first.c_str(), value.second.c_str(), camd::Origin::kOwner);
      if (result == camd::SetResult::kOk) continue;
      fprintf(stderr, "host_board: %s: %s\n", value.first.c_str(), camd::set_result_name(result));
      return false;
    }
    return true;
  }

  void start(bool woke) {
    clock_.restart();
    // A directory outlives this program, memory does not: it is one or the other.
    bool in_memory = options_.spool.empty();
    if (in_memory) slots_.resize(kSlotSize * kSlots);
    camd::SlotMemory slots = {slots_.data(), kSlotSize, in_memory ? kSlots : uint8_t(0)};
    board_.reset(new camd::Board(ports_, rtc_, slots));
    board_->limit_card(options_.spool_limit);
    board_->begin(woke);
  }

  void sleep() {
    uint64_t until = HostClock::wall_ms() + board_->sleep_ms();
    while (HostClock::wall_ms() < until && !stop_wanted) transport_.wait(10);
    start(true);
  }

  bool all_taken() const { return options_.count != 0 && journal_.taken_count() >= options_.count; }

  void report() {
    printf("taken %" PRIu64 " acked %" PRIu64 " dropped %" PRIu64 " queued %" PRIu32 "\n",
           journal_.taken_count(), journal_.acked_count(), journal_.dropped_count(),
           board_->queued());
  }

  Options options_;
  HostClock clock_;
  PosixTransport transport_;
  HostCamera camera_;
  HostStorage storage_;
  HostSettings settings_;
  HostLog log_;
  HostRandom random_;
  OpensslCrypto crypto_;
  HostSystem system_;
  HostJournal journal_;
  camd::Ports ports_;
  camd::RtcState rtc_ = {};
  std::vector<uint8_t> slots_;
  std::unique_ptr<camd::Board> board_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options = parse_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, want_stop);
  signal(SIGTERM, want_stop);
  return Program(options).run();
}
