// Where the log of a run stands: the part of a checkpoint that is neither tensors nor settings.
#pragma once

#include "train/metrics.h"
#include "viva/train.h"

namespace viva {

struct Progress {
  MetricsFile::Mark mark;
  Scores sums;  // of metrics since the last line
  int64_t summed = 0;
  int64_t logged_step = 0;
};

std::string progress_text(const Progress& p);
// Throws an input error, which names the file, where the text is none that progress_text gives.
Progress parse_progress(const std::string& text, const std::string& file);

}  // namespace viva
