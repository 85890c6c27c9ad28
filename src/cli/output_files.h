// File names for the outputs of a model.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace viva {

// For each name a plain file name that ends in .npy: letters, digits, '_', '-' and inner '.' stay, other bytes become
// %XX, and a name too long for a file system is cut and ends in its SHA-256. Different names get different files.
std::map<std::string, std::string> output_files(const std::vector<std::string>& names);

// True for a directory that holds nothing but regular files of these names.
bool holds_only(const std::string& directory, const std::map<std::string, std::string>& files);

}  // namespace viva
