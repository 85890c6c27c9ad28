// The cases that a peer test wrote for a program of this folder.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace viva::peer {

inline std::vector<std::filesystem::path> npz_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".npz") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

}  // namespace viva::peer
