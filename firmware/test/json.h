// Just enough of JSON to read the golden vectors: objects and lists of strings.
#pragma once

#include <map>
#include <string>
#include <vector>

struct Vectors {
  struct Message {
    std::string name;
    std::string bytes;
  };
  std::map<std::string, std::string> fields;
  std::vector<Message> messages;
};

// False when the file is not there or is not such a file.
bool read_file(const std::string& path, std::string* text);
// All camd_*.json of the directory.
std::vector<std::string> camd_vector_files(const std::string& directory);
bool parse_vectors(const std::string& text, Vectors* vectors);
