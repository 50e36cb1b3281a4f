// What the core needs from the world. The core itself includes nothing of a
// platform: a board, a host program and the tests each bring their own ports.
//
// Rules that hold for every port:
//  - calls are made from one thread, the one that calls Board::step();
//  - a call returns soon. Only Camera::grab() and Storage may take seconds,
//    and they too give up by themselves;
//  - strings are ASCII or UTF-8 and end with a zero byte; the callee copies
//    what it wants to keep.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace camd {

// Milliseconds since this start of the program; never goes back, never wraps.
class Clock {
 public:
  virtual ~Clock() {}
  virtual uint64_t now_ms() = 0;
};

// One stream connection, plain TCP or TLS.
class Transport {
 public:
  enum class Link : uint8_t { kDown, kConnecting, kUp };

  virtual ~Transport() {}
  // True while there is a network at all (Wi-Fi has an address). While false,
  // no connection is tried and nothing counts as a failure.
  virtual bool network_up() = 0;
  // Begins a new connection, closing the old one. With `tls` the peer's
  // certificate is checked before link() says kUp. False: failed at once.
  virtual bool open(const char* host, uint16_t port, bool tls) = 0;
  // Carries the connection on (connect, TLS handshake) and says how it stands.
  virtual Link link() = 0;
  // Bytes read, 0 for none now, negative when the peer closed or reset.
  virtual int32_t read(uint8_t* to, size_t room) = 0;
  // Bytes taken, 0 for no room now, negative when the connection is lost.
  virtual int32_t write(const uint8_t* from, size_t size) = 0;
  // Closes in order: what write() took is still delivered if it can be.
  virtual void close() = 0;
};

// A picture in the driver's own memory, valid until release().
struct Picture {
  const uint8_t* data;
  size_t size;
};

class Camera {
 public:
  virtual ~Camera() {}
  // Takes a picture that is exposed after the call. False when the sensor gave
  // none within the driver's own deadline.
  virtual bool grab(bool flash, Picture* picture) = 0;
  // Gives the picture of the last grab() back to the driver.
  virtual void release() = 0;
  // Powers the sensor down and up again after repeated failures. The core
  // applies the settings anew and throws the first frames away.
  virtual bool restart() = 0;
  // `name` is one of the integer settings of the stock CameraWebServer.
  virtual bool set(const char* name, int32_t value) = 0;
  // `name` is the size in lower case, as in "vga". The numbers differ between
  // releases of the driver, so the port alone knows them.
  virtual bool set_framesize(const char* name) = 0;
};

// A flat directory of files on a card. All calls may fail at any time, because
// a card can be pulled out.
class Storage {
 public:
  class Visitor {
   public:
    virtual ~Visitor() {}
    virtual void file(const char* name) = 0;
  };

  virtual ~Storage() {}
  virtual bool ready() = 0;
  // Visits every file once, in any order. Nothing is changed meanwhile.
  virtual bool list(Visitor& visitor) = 0;
  virtual uint64_t free_bytes() = 0;
  // One file at a time is written: create, append..., commit. commit() returns
  // true once the bytes are on the medium; until then, and after discard(), the
  // file may be there with any part of them.
  virtual bool create(const char* name) = 0;
  virtual bool append(const uint8_t* from, size_t size) = 0;
  virtual bool commit() = 0;
  virtual void discard() = 0;
  virtual bool remove(const char* name) = 0;
  // Bytes read, fewer than `room` only at the file's end, negative on failure.
  virtual int32_t read(const char* name, uint32_t offset, uint8_t* to, size_t room) = 0;
};

// Settings that outlive a power cut, as text by name (NVS, a file).
class SettingsStore {
 public:
  virtual ~SettingsStore() {}
  // False when there is none of that name or it does not fit.
  virtual bool load(const char* name, char* value, size_t room) = 0;
  virtual bool save(const char* name, const char* value) = 0;
};

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };

class Log {
 public:
  virtual ~Log() {}
  virtual void line(Level level, const char* text) = 0;
};

// Unpredictable bytes: nonces and the board's boot number come from here.
class Random {
 public:
  virtual ~Random() {}
  virtual void fill(uint8_t* to, size_t size) = 0;
};

// HMAC-SHA256. Two computations may run side by side, one in each lane.
class Crypto {
 public:
  enum class Lane : uint8_t { kSend, kReceive };

  virtual ~Crypto() {}
  virtual void hmac_begin(Lane lane, const uint8_t key[32]) = 0;
  virtual void hmac_update(Lane lane, const void* data, size_t size) = 0;
  virtual void hmac_finish(Lane lane, uint8_t digest[32]) = 0;
};

// A figure that the board cannot measure is left at kNone.
struct Readings {
  static const int32_t kNone = INT32_MIN;
  int32_t rssi_dbm = kNone;
  int32_t battery_mv = kNone;
  int32_t temperature_mc = kNone;  // thousandths of a degree Celsius
  int32_t heap_bytes = kNone;
};

// The chip and what it was built from.
class System {
 public:
  enum class Update : uint8_t { kRunning, kDone, kFailed };

  virtual ~System() {}
  virtual void measure(Readings* readings) = 0;
  virtual const char* reset_reason() = 0;  // one word: poweron, brownout, ...
  virtual const char* firmware() = 0;      // the version, free text
  virtual const char* model() = 0;         // the board, free text
  // Restarts; does not return on a board. A host program notes it and returns.
  virtual void reboot() = 0;
  // Fetches and checks a new firmware in small pieces, one for each
  // update_step(). kDone: it is in place and starts with the next reboot.
  virtual bool update_begin(const char* url, const uint8_t sha256[32]) = 0;
  virtual Update update_step() = 0;
};

// What has to outlive deep sleep; fits RTC memory. The platform owns the one
// instance (RTC_DATA_ATTR, a file) and hands it to the board.
struct RtcState {
  static const uint8_t kAsides = 4;

  uint32_t magic;
  uint32_t seq;            // the last number given to a photo of this boot
  uint64_t boot;           // drawn at random at power-on
  uint64_t board_ms;       // board time at the start of this wake
  int64_t unix_offset_ms;  // unix time minus board time; 0 while unknown
  uint64_t next_photo_ms;  // board time at which the next photo is due
  uint32_t lost;           // photos that made room for newer ones
  uint8_t rested;          // 1: the last sleep was for a weak battery
  uint8_t reserved[2];
  uint8_t asides;           // how many marks there are
  uint32_t aside[kAsides];  // the spool's marks of photos that it has set aside
  uint32_t aside_from;      // when these are used up: all serials from here
  uint32_t aside_to;        // to here; 0 while there are none
  uint32_t check;           // CRC-32 of all before it
};

// How a photo's life on the board ended.
enum class Fate : uint8_t {
  kAcked,    // camd has it
  kRefused,  // camd refused it for good
  kEvicted,  // made room for a newer one
  kDamaged   // could not be read back from the card
};

// Told of every photo, for programs that keep count. Optional.
class Journal {
 public:
  virtual ~Journal() {}
  // The numbering moved. Called before a photo with the new number exists.
  virtual void state_changed(const RtcState& state) = 0;
  // The photo is in the spool; it has not been sent yet.
  virtual void taken(uint64_t boot, uint32_t seq, uint32_t crc, uint32_t size) = 0;
  // Called before the photo leaves the spool. `reason` is camd's, or "".
  virtual void settled(uint64_t boot, uint32_t seq, Fate fate, const char* reason) = 0;
};

// Memory for photos while there is no card: `count` slots of `slot_size` bytes
// each, one behind the other (PSRAM). Photos in it do not survive deep sleep.
struct SlotMemory {
  uint8_t* base;
  size_t slot_size;
  uint8_t count;
};

// All ports together. Those that are pointers may be null.
struct Ports {
  Clock& clock;
  Transport& transport;
  Camera& camera;
  Storage* storage;
  SettingsStore& settings;
  Log& log;
  Random& random;
  Crypto& crypto;
  System& system;
  Journal* journal;
};

}  // namespace camd
