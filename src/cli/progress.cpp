#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace viva {

void ProgressBar::show(double fraction, std::string_view what) {
  using std::chrono::milliseconds;
  const auto now = Clock::now();
  if (!session_.err_is_terminal || now - start_ < milliseconds(2000) || now - last_ < milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  constexpr int width = 30;
  const int full = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * width);
  session_.err << fmt::format("\r\033[K{}{} {:3.0f} % {}", std::string(static_cast<size_t>(full), '#'),
                              std::string(static_cast<size_t>(width - full), '.'), 100 * fraction, what);
  session_.err.flush();
}

void ProgressBar::clear() {
  if (drawn_) session_.err << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace viva
