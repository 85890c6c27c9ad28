// metrics.jsonl: lines that are kept up to a checkpoint and written again after it. What depends on the clock stands in
// the last field of a line, "time", and takes no part in its hash: checkpoints of equal runs are equal files.
#pragma once

#include <string>

#include "base/aside.h"

namespace viva {

class MetricsFile {
 public:
  // What a checkpoint remembers of the file.
  struct Mark {
    uint64_t lines = 0;
    std::string sha256 = {};
  };

  MetricsFile() = default;  // of no file: lines go nowhere
  // Opens or makes the file and cuts off what follows the mark. Throws an input error where the part before it is not
  // what it was.
  MetricsFile(const std::string& path, const Mark& mark);

  // An object of JSON without its closing brace, and the time, an object.
  void add(const std::string& open_object, const std::string& time);
  // Appends what was added; what cannot be written stays to be written by the next call. Throws an input error.
  void flush();
  // The same, on the disk for good.
  Mark sync();

 private:
  std::string path_, shown_, pending_;
  Descriptor file_;
  uint64_t bytes_ = 0, lines_ = 0;
};

}  // namespace viva
