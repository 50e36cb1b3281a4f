// What the core says in one fixed session, for other implementations to check.
#pragma once

#include <string>

// The text of board_plain.json or board_sealed.json.
std::string board_vectors(bool sealed);

// The constants of the session, in hex where they are bytes.
extern const char kVectorCam[];
extern const char kVectorBoot[];
extern const char kVectorKey[];
extern const char kVectorNonce[];
extern const char kVectorChallenge[];
