#include "host_board/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <fstream>

namespace {

const char kUsage[] =
    "usage: host_board --photos DIR [options]\n"
    "A camera board over sockets: takes the JPEGs of DIR in turn, each made unique,\n"
    "and hands them to camd.\n"
    "  --host HOST          where camd is (127.0.0.1)\n"
    "  --port PORT          (8940, with --tls 8941)\n"
    "  --cam ID             the camera's id (host-board)\n"
    "  --key HEX            the camera's key, 64 hex digits\n"
    "  --key-file FILE      the same, from a file\n"
    "  --tls                speak TLS\n"
    "  --ca FILE            trust this CA alone (PEM)\n"
    "  --tls-name NAME      the certificate's name, where it is not HOST\n"
    "  --count N            photos to take, with those that the journal has (no end)\n"
    "  --interval-ms MS     between photos, at least 20 (1000)\n"
    "  --spool DIR          keep photos there until they are settled (in memory)\n"
    "  --spool-limit BYTES  the ring's size\n"
    "  --state FILE         boot and numbering go on from there\n"
    "  --journal FILE       append: taken BOOT SEQ CRC LEN | acked BOOT SEQ |\n"
    "                       dropped BOOT SEQ REASON; after a crash the\n"
    "                       last line of a photo may come again\n"
    "  --set NAME=VALUE     a setting of the board, as for SET; may be repeated\n"
    "  --exit-when-done     exit once N photos are taken and all are settled\n"
    "  --timeout S          give up after that long: exit 3\n"
    "  --verbose            log to stderr\n"
    "exit: 0 all photos settled, 1 some are not, 2 wrong use, 3 timeout\n";

[[noreturn]] void wrong_use(const std::string& why) {
  fprintf(stderr, "host_board: %s\n%s", why.c_str(), kUsage);
  exit(2);
}

uint64_t number(const char* name, const char* text) {
  char* end = nullptr;
  uint64_t value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') wrong_use(std::string(name) + ": no number");
  return value;
}

std::string first_word(const char* path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) wrong_use(std::string(path) + ": cannot be read");
  return word;
}

}  // namespace

Options parse_options(int argc, char** argv) {
  static const option kOptions[] = {{"host", required_argument, nullptr, 'h'},
                                    {"port", required_argument, nullptr, 'p'},
                                    {"cam", required_argument, nullptr, 'c'},
                                    {"key", required_argument, nullptr, 'k'},
                                    {"key-file", required_argument, nullptr, 'K'},
                                    {"tls", no_argument, nullptr, 't'},
                                    {"ca", required_argument, nullptr, 'a'},
                                    {"tls-name", required_argument, nullptr, 'n'},
                                    {"photos", required_argument, nullptr, 'd'},
                                    {"count", required_argument, nullptr, 'N'},
                                    {"interval-ms", required_argument, nullptr, 'i'},
                                    {"spool", required_argument, nullptr, 's'},
                                    {"spool-limit", required_argument, nullptr, 'l'},
                                    {"state", required_argument, nullptr, 'S'},
                                    {"journal", required_argument, nullptr, 'j'},
                                    {"set", required_argument, nullptr, 'x'},
                                    {"exit-when-done", no_argument, nullptr, 'e'},
                                    {"timeout", required_argument, nullptr, 'T'},
                                    {"verbose", no_argument, nullptr, 'v'},
                                    {"help", no_argument, nullptr, '?'},
                                    {nullptr, 0, nullptr, 0}};
  Options options;
  opterr = 0;
  int index = 0;
  for (int c; (c = getopt_long(argc, argv, "", kOptions, &index)) != -1;) {
    std::string value = optarg ? optarg : "";
    switch (c) {
      case 'h': options.host = value; break;
      case 'p': options.port = value; break;
      case 'c': options.cam = value; break;
      case 'k': options.key = value; break;
      case 'K': options.key = first_word(optarg); break;
      case 't': options.tls = true; break;
      case 'a': options.ca = value; break;
      case 'n': options.tls_name = value; break;
      case 'd': options.photos = value; break;
      case 'N': options.count = number("--count", optarg); break;
      case 'i': options.interval_ms = number("--interval-ms", optarg); break;
      case 's': options.spool = value; break;
      case 'l': options.spool_limit = number("--spool-limit", optarg); break;
      case 'S': options.state = value; break;
      case 'j': options.journal = value; break;
      case 'e': options.exit_when_done = true; break;
      case 'T': options.timeout_s = atof(optarg); break;
      case 'v': options.verbose = true; break;
      case 'x': {
        size_t equals = value.find('=');
        if (equals == std::string::npos) wrong_use("--set wants NAME=VALUE");
        options.settings.emplace_back(value.substr(0, equals), value.substr(equals + 1));
        break;
      }
      default: {
        bool help = optopt == 0 && optind > 0 && std::string(argv[optind - 1]) == "--help";
        if (!help) wrong_use(std::string(argv[optind - 1]) + ": what is that?");
        fputs(kUsage, stdout);
        exit(0);
      }
    }
  }
  if (optind != argc) wrong_use(std::string(argv[optind]) + ": what is that?");
  if (options.photos.empty()) wrong_use("--photos is missing");
  if (options.port.empty()) options.port = options.tls ? "8941" : "8940";
  return options;
}
