// Runs a fuzz target without a fuzzer, the same way every time: on each file of a folder, then on a fixed number of
// truncated and altered copies of it. Usage: replay_NAME FOLDER [FILE MUTATION], the latter to repeat one case alone.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

char current[512];  // the case under test, for the message of a crash

void report(int signal) {
  const std::string_view text = current;
  [[maybe_unused]] auto written = write(STDERR_FILENO, text.data(), text.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

Bytes read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Mutation 0 is the file itself; every fourth is cut short, the others have up to eight bytes changed or a run erased.
Bytes mutate(Bytes bytes, int mutation) {
  if (mutation == 0 || bytes.empty()) return bytes;
  std::mt19937 random(static_cast<uint32_t>(mutation));
  auto below = [&](size_t n) { return static_cast<std::ptrdiff_t>(random() % n); };
  if (mutation % 4 == 0) bytes.resize(static_cast<size_t>(below(bytes.size())));
  if (bytes.empty()) return bytes;
  if (mutation % 4 == 1) {
    const auto from = bytes.begin() + below(bytes.size());
    bytes.erase(from, from + std::min<std::ptrdiff_t>(1 + below(16), bytes.end() - from));
    return bytes;
  }
  for (auto left = 1 + below(8); left > 0; --left) {
    uint8_t& byte = bytes[static_cast<size_t>(below(bytes.size()))];
    byte = random() % 2 ? static_cast<uint8_t>(byte ^ (1u << below(8))) : static_cast<uint8_t>(random());
  }
  return bytes;
}

void run(const std::filesystem::path& file, const Bytes& bytes, int mutation) {
  std::snprintf(current, sizeof current, "\ncrashed on: %s %d\n", file.filename().c_str(), mutation);
  const Bytes input = mutate(bytes, mutation);
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) return std::fprintf(stderr, "usage: %s FOLDER [FILE MUTATION]\n", argv[0]), 2;
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS})
    if (const auto old = std::signal(signal, report); old != SIG_DFL) std::signal(signal, old);  // a sanitizer's
  const std::filesystem::path folder = argv[1];
  if (argc == 4) return run(folder / argv[2], read(folder / argv[2]), std::atoi(argv[3])), 0;

  const int mutations = std::getenv("VIVA_LONG") ? 20000 : 400;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const Bytes bytes = read(file);
    for (int mutation = 0; mutation <= mutations; ++mutation) run(file, bytes, mutation);
  }
  std::printf("%zu files, %d mutations each\n", files.size(), mutations);
  return files.empty() ? 1 : 0;
}
