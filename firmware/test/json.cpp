#include "json.h"

#include <dirent.h>
#include <stdio.h>

#include "model_camd.h"

namespace {

// Strings and punctuation, one after another; strings begin with a quote.
std::vector<std::string> tokens(const std::string& text) {
  std::vector<std::string> all;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      size_t end = i + 1;
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      if (end >= text.size()) return {};
      all.push_back(text.substr(i, end - i));
      i = end;
    } else if (std::string(" \n\r\t").find(c) == std::string::npos) {
      all.push_back(std::string(1, c));
    }
  }
  return all;
}

}  // namespace

bool read_file(const std::string& path, std::string* text) {
  FILE* file = fopen(path.c_str(), "rb");
  if (file == nullptr) return false;
  char buffer[4096];
  text->clear();
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) text->append(buffer, n);
  fclose(file);
  return true;
}

std::vector<std::string> camd_vector_files(const std::string& directory) {
  std::vector<std::string> paths;
  if (DIR* open = opendir(directory.c_str())) {
    while (dirent* entry = readdir(open)) {
      std::string name = entry->d_name;
      bool is_json = name.size() > 5 && name.compare(name.size() - 5, 5, ".json") == 0;
      if (is_json && name.compare(0, 5, "camd_") == 0) paths.push_back(directory + "/" + name);
    }
    closedir(open);
  }
  return paths;
}

bool parse_vectors(const std::string& text, Vectors* vectors) {
  std::vector<std::string> all = tokens(text);
  Vectors::Message message;
  int depth = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string& token = all[i];
    if (token == "{") ++depth;
    if (token == "}" && --depth == 1) vectors->messages.push_back(message);
    bool is_pair = token[0] == '"' && i + 2 < all.size() && all[i + 1] == ":";
    if (!is_pair || all[i + 2][0] != '"') continue;
    std::string name = token.substr(1), value = all[i + 2].substr(1);
    i += 2;
    if (depth == 1) {
      vectors->fields[name] = value;
    } else if (name == "name") {
      message.name = value;
    } else if (name == "bytes") {
      message.bytes = from_hex(value);
    }
  }
  return depth == 0 && vectors->fields["format"] == "camd-vectors/1";
}
