#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/aside.h"
#include "base/error.h"
#include "base/gzip.h"

namespace viva {
namespace {

void refuse_nul(const std::string& path) {
  if (path.find('\0') != std::string::npos) throw input_error("{}: a path cannot hold a NUL byte", printable(path));
}

std::string_view mend_for(int error) {
  switch (error) {
    case ENOENT:
      return "check the name";
    case EACCES:
    case EPERM:
      return "check its permissions and those of its directories";
    case ENOTDIR:
      return "a part of the path is a file";
    case ELOOP:
      return "symbolic links lead in a circle";
    default:
      return "check the path and the disk";
  }
}

Descriptor open_for_reading(const std::string& path) {
  refuse_nul(path);
  // O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    const int error = errno;
    throw input_error("{}: cannot be read ({}): {}", printable(path), error_text(error), mend_for(error));
  }
  return file;
}

uint64_t checked_size(const Descriptor& file, const std::string& path, uint64_t limit) {
  struct stat s;
  if (fstat(file.get(), &s) != 0)
    throw input_error("{}: cannot be read ({}): check the disk", printable(path), error_text(errno));
  if (S_ISDIR(s.st_mode)) throw input_error("{}: is a directory: name a file inside it", printable(path));
  if (!S_ISREG(s.st_mode))
    throw input_error("{}: is not a regular file: copy its content to a file first", printable(path));
  const auto size = static_cast<uint64_t>(s.st_size);
  if (size > limit)
    throw input_error("{}: has {} bytes, more than the limit of {}: use a smaller file", printable(path), size, limit);
  return size;
}

}  // namespace

Bytes read_stored(const std::string& path, uint64_t limit) {
  const Descriptor file = open_for_reading(path);
  const uint64_t size = checked_size(file, path, limit);
  Bytes content = Bytes::make(size + 1);  // one more shows a file that grew
  uint64_t done = 0;
  while (done < content.size()) {
    const ssize_t n = read(file.get(), content.mutable_data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw input_error("{}: cannot be read ({}): check the disk", printable(path), error_text(errno));
    if (n == 0) break;
    done += static_cast<uint64_t>(n);
  }
  if (done != size) throw input_error("{}: changed while it was read: wait until it is complete", printable(path));
  content.truncate(size);
  return content;
}

Bytes map_file(const std::string& path) {
  const Descriptor file = open_for_reading(path);
  const uint64_t size = checked_size(file, path, UINT64_MAX);
  if (size == 0) return Bytes::make(0);
  void* p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (p == MAP_FAILED)
    throw input_error("{}: cannot be mapped ({}): check the disk", printable(path), error_text(errno));
  return Bytes::view({static_cast<const std::byte*>(p), [p, size](const std::byte*) { munmap(p, size); }}, size);
}

Bytes read_file(const std::string& path, uint64_t limit) {
  Bytes content = read_stored(path, limit);
  return is_gzip(content) ? gunzip(content, printable(path), limit) : content;
}

void write_file(const std::string& path, ByteSpan content) {
  const OutputPlace place = resolve_output(path);
  if (place.exists && !place.is_file)
    throw input_error("{}: exists and is not a regular file: choose another name", place.shown);
  remove_stale(place);
  Aside aside = make_aside(place, AsideKind::file);
  try {
    write_all(aside.lock.get(), content, place.shown);
    if (place.exists && fchmod(aside.lock.get(), place.mode) != 0) throw cannot_write(place.shown, errno);
    sync(aside.lock.get(), place.shown);
    // Closing reports the last failures of network file systems. A second descriptor is closed, which keeps the lock.
    Descriptor second(dup(aside.lock.get()));
    if (!second || !second.close() || rename(aside.path.c_str(), place.path().c_str()) != 0)
      throw cannot_write(place.shown, errno);
  } catch (...) {
    unlink(aside.path.c_str());
    throw;
  }
  sync_directory(place.directory, place.shown);
}

void write_file(const std::string& path, std::string_view content) { write_file(path, as_bytes(content)); }

std::string safe_join(const std::string& base, const std::string& relative) {
  const std::string shown = printable(relative);
  if (relative.empty() || relative.find('\0') != std::string::npos)
    throw input_error("{}: names the file '{}', which is no file name: the model or data file is malformed",
                      printable(base), shown);
  if (relative[0] == '/')
    throw input_error("{}: names the absolute path '{}': only files beside it are read", printable(base), shown);
  for (size_t begin = 0; begin <= relative.size();) {
    const size_t end = std::min(relative.find('/', begin), relative.size());
    if (relative.compare(begin, end - begin, "..") == 0)
      throw input_error("{}: names '{}', which leads out of the directory: only files inside it are read",
                        printable(base), shown);
    begin = end + 1;
  }
  const auto resolve = [](const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> r(realpath(path.c_str(), nullptr), &std::free);
    if (r) return std::string(r.get());
    const int error = errno;
    throw input_error("{}: cannot be found ({}): {}", printable(path), error_text(error), mend_for(error));
  };
  refuse_nul(base);
  const std::string root = resolve(base.empty() ? "." : base),
                    file = resolve((base.empty() ? "." : base) + "/" + relative);
  if (!(root == "/" || file.starts_with(root + "/")))
    throw input_error("{}: '{}' is a link that leads out of the directory: put the file itself there", printable(base),
                      shown);
  return file;
}

}  // namespace viva
