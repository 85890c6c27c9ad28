#include "cli/output_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/sha256.h"

namespace viva {
namespace {

constexpr size_t longest = 160;  // bytes; with a digest and ".npy" below the 255 of file systems

std::string file_of(const std::string& name) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  std::string s;
  for (const char c : name) {
    // A leading point would hide the file.
    if (plain.find(c) != std::string_view::npos || (c == '.' && !s.empty())) s += c;
    else s += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  // '%' before anything but two digits is otherwise never written, so that no two names meet.
  if (s.empty()) s = "%empty";
  if (s.size() > longest) s = s.substr(0, longest) + "%sha256-" + sha256_hex(as_bytes(name));
  return s + ".npy";
}

}  // namespace

std::map<std::string, std::string> output_files(const std::vector<std::string>& names) {
  std::map<std::string, std::string> files;
  for (const std::string& name : names) files.emplace(name, file_of(name));
  return files;
}

bool holds_only(const std::string& directory, const std::map<std::string, std::string>& files) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const bool ours = std::ranges::any_of(files, [&](const auto& f) { return f.second == name; });
    if (!ours || at->symlink_status(error).type() != std::filesystem::file_type::regular) return false;
  }
  return !error;
}

}  // namespace viva
