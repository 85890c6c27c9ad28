// A progress bar for waits above two seconds, on a terminal only.
#pragma once

#include <chrono>
#include <string_view>

#include "cli/verb.h"

namespace viva {

class ProgressBar {
 public:
  explicit ProgressBar(Session& session) : session_(session), start_(Clock::now()), last_(start_) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(double fraction, std::string_view what);  // fraction in [0, 1]
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  Session& session_;
  Clock::time_point start_, last_;
  bool drawn_ = false;
};

}  // namespace viva
