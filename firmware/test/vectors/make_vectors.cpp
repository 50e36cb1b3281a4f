#include <stdio.h>

#include "vectors/board_vectors.h"

namespace {

bool write(const std::string& path, const std::string& text) {
  FILE* file = fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  bool good = fwrite(text.data(), 1, text.size(), file) == text.size();
  return fclose(file) == 0 && good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: make_vectors DIRECTORY\n");
    return 2;
  }
  std::string directory = argv[1];
  bool good = write(directory + "/board_plain.json", board_vectors(false)) &&
              write(directory + "/board_sealed.json", board_vectors(true));
  if (!good) perror(argv[1]);
  return good ? 0 : 1;
}
