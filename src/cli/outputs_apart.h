// Outputs of one run that would overwrite each other, or the network that it reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace viva {

struct RunPath {
  enum class Is : uint8_t { network, file, report };  // what is read; a file to be written; the folder of a report
  Is is;
  std::string what;  // "--mend"
  std::string path;
};

// Throws a usage error where two paths are one place, however they are spelled, or where a file would lie in the folder
// of a report, which is replaced as a whole; its own ledger may.
void check_apart(std::span<const RunPath> paths);

}  // namespace viva
