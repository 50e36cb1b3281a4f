// What the command line of host_board says.
#pragma once

#include <stdint.h>

#include <string>
#include <utility>
#include <vector>

struct Options {
  std::string host = "127.0.0.1";
  std::string port;  // empty: 8940, or 8941 with TLS
  std::string cam = "host-board";
  std::string key;  // 64 hex digits, or empty
  bool tls = false;
  std::string ca;        // PEM file; empty: the system's
  std::string tls_name;  // of the certificate, where it is not `host`
  std::string photos;    // directory of JPEGs
  uint64_t count = 0;    // 0: no end
  uint64_t interval_ms = 1000;
  std::string spool;  // directory; empty: in memory
  uint64_t spool_limit = UINT64_MAX;
  std::string state;    // file
  std::string journal;  // file
  bool exit_when_done = false;
  double timeout_s = 0;  // 0: none
  bool verbose = false;
  std::vector<std::pair<std::string, std::string>> settings;
};

// Exits with 0 after --help, with 2 after a mistake.
Options parse_options(int argc, char** argv);
