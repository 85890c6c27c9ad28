// Checkpoints: safetensors files whose metadata say where the run stood, with a checksum over every byte.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "train/safetensors.h"

namespace viva {

struct Checkpoint {
  int64_t step = 0;
  std::string run;       // what makes the run what it is, JSON
  std::string progress;  // where its log stands, JSON
  std::vector<NamedTensor> tensors;
};

// Metadata: viva "checkpoint 1", step, run, progress, and sha256: that of the file with 64 zeros in its place.
Bytes checkpoint_bytes(const Checkpoint& c);
// Input errors: those of parse_safetensors, a file that is no checkpoint, a checksum that does not fit.
Checkpoint parse_checkpoint(const Bytes& content, const std::string& name);

// The checkpoints of a directory, "checkpoint-000000500.safetensors".
class CheckpointFiles {
 public:
  CheckpointFiles(std::string directory, int64_t keep) : directory_(std::move(directory)), keep_(keep) {}
  std::string path(int64_t step) const;
  std::vector<int64_t> steps() const;  // ascending
  // The newest that is whole, with its path; each that is not is reported and passed over.
  std::optional<std::pair<Checkpoint, std::string>> newest(const std::function<void(const std::string&)>& report) const;
  // Writes c, then removes all but the newest `keep`; and what claims to be later, which was found damaged, or the run
  // would have gone on from it. Throws an input error where c cannot be written.
  void write(const Checkpoint& c) const;

 private:
  std::string directory_;
  int64_t keep_;
};

}  // namespace viva
