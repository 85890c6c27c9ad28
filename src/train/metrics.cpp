#include "train/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/sha256.h"

namespace viva {
namespace {

constexpr uint64_t largest = uint64_t{1} << 46;

constexpr std::string_view time_field = ",\"time\":";

// The hash of the first lines without their times, and how many bytes they take.
std::pair<std::string, uint64_t> hash_of(const std::string& path, uint64_t lines, const std::string& shown) {
  const Bytes content = read_stored(path, largest);
  const std::string_view text = content.text();
  Sha256 h;
  size_t at = 0;
  for (uint64_t i = 0; i < lines; ++i) {
    const size_t end = text.find('\n', at);
    if (end == text.npos)
      throw input_error(
          "{}: holds {} lines where the checkpoint was written with {}: put it back, or train in another "
          "directory",
          shown, i, lines);
    const std::string_view line = text.substr(at, end - at);
    h.update(as_bytes(line.substr(0, line.rfind(time_field)))).update(as_bytes("\n"));
    at = end + 1;
  }
  return {h.finish(), at};
}

}  // namespace

MetricsFile::MetricsFile(const std::string& path, const Mark& mark)
    : path_(path), shown_(printable(path)), lines_(mark.lines) {
  file_ = Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
  if (!file_) throw cannot_write(shown_, errno);
  const auto [hash, bytes] = hash_of(path_, lines_, shown_);
  if (lines_ > 0 && hash != mark.sha256)
    throw input_error(
        "{}: its first {} lines are not those the checkpoint was written with: put it back, or train in "
        "another directory",
        shown_, lines_);
  bytes_ = bytes;
  if (ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0) throw cannot_write(shown_, errno);
}

void MetricsFile::add(const std::string& open_object, const std::string& time) {
  pending_ += fmt::format("{}{}{}}}\n", open_object, time_field, time);
}

void MetricsFile::flush() {
  if (!file_) return pending_.clear();
  size_t done = 0;
  while (done < pending_.size()) {
    const ssize_t n =
        pwrite(file_.get(), pending_.data() + done, pending_.size() - done, static_cast<off_t>(bytes_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      if (ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0) throw cannot_write(shown_, errno);
      throw cannot_write(shown_, error);
    }
    done += static_cast<size_t>(n);
  }
  bytes_ += done;
  lines_ += static_cast<uint64_t>(std::ranges::count(pending_, '\n'));
  pending_.clear();
}

MetricsFile::Mark MetricsFile::sync() {
  flush();
  if (!file_) return {};
  viva::sync(file_.get(), shown_);
  return {lines_, hash_of(path_, lines_, shown_).first};
}

}  // namespace viva
