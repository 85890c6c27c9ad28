#include "base/aside.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace viva {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> r(realpath(path.c_str(), nullptr), &std::free);
  return r ? std::optional<std::string>(r.get()) : std::nullopt;
}

// The longest file name is 255 bytes on the usual file systems, so a long target is cut: two targets that then share
// a prefix only clean up for each other.
std::string hidden_prefix(const OutputPlace& place) { return fmt::format(".{}.viva-", place.name.substr(0, 200)); }

bool is_hidden_name(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  const size_t digits = name.find_first_not_of("0123456789");
  return digits != 0 && digits != name.npos && name[digits] == '-' && digits + 1 < name.size() &&
         name.find_first_not_of("0123456789", digits + 1) == name.npos;
}

bool same_inode(int fd, const std::string& path) {
  struct stat a, b;
  return fstat(fd, &a) == 0 && lstat(path.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// False where another process holds the lock or removed the name since. A file system without locks counts as locked
// by us; there nothing is ever taken for left over.
bool lock_ours(int fd, const std::string& path) {
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK && same_inode(fd, path);
  return same_inode(fd, path);
}

Descriptor create(const std::string& path, AsideKind kind) {
  if (kind == AsideKind::file)
    return Descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (mkdir(path.c_str(), 0777) != 0) return Descriptor();
  Descriptor d(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (d) return d;
  const int error = errno;
  rmdir(path.c_str());
  errno = error;
  return d;
}

}  // namespace

std::string error_text(int error) { return std::generic_category().message(error); }

Descriptor& Descriptor::operator=(Descriptor&& o) noexcept {
  if (this != &o) {
    close();
    fd_ = o.release();
  }
  return *this;
}
int Descriptor::release() { return std::exchange(fd_, -1); }
bool Descriptor::close() {
  const int fd = release();
  return fd < 0 || ::close(fd) == 0 || errno == EINTR;  // Linux closes even when interrupted
}

Error cannot_write(const std::string& shown, int error) {
  const char* mend = "choose another place";
  if (error == ENOSPC || error == EDQUOT) mend = "free some space or choose another disk";
  else if (error == EACCES || error == EPERM) mend = "check the permissions of the directory";
  else if (error == EROFS) mend = "choose a place that is not read-only";
  else if (error == ENAMETOOLONG) mend = "choose a shorter name";
  else if (error == EBUSY) mend = "it is a mount point; choose a directory inside it";
  return input_error("{}: cannot be written ({}): {}", shown, error_text(error), mend);
}

OutputPlace resolve_output(const std::string& path) {
  OutputPlace place;
  place.shown = printable(path);
  if (path.empty() || path.find('\0') != std::string::npos)
    throw input_error("'{}': is no file name: name the output", place.shown);
  struct stat s;
  std::string full = path;
  while (full.size() > 1 && full.back() == '/') full.pop_back();
  if (lstat(full.c_str(), &s) == 0) {
    const auto real = real_path(full);
    if (!real || stat(real->c_str(), &s) != 0)
      throw input_error("{}: is a link to nothing: remove it or choose another name", place.shown);
    full = *real;
    place.exists = true;
    place.is_file = S_ISREG(s.st_mode);
    place.is_directory = S_ISDIR(s.st_mode);
    place.mode = s.st_mode & 07777;
  } else if (errno != ENOENT) {
    throw cannot_write(place.shown, errno);
  }
  const size_t slash = full.rfind('/');
  place.name = slash == full.npos ? full : full.substr(slash + 1);
  if (place.name.empty()) throw input_error("{}: is the root directory: name a place inside it", place.shown);
  const std::string parent = slash == full.npos ? "." : slash == 0 ? "/" : full.substr(0, slash);
  const auto real = real_path(parent);
  if (!real) throw input_error("{}: the directory {} does not exist: create it first", place.shown, printable(parent));
  place.directory = *real;
  return place;
}

Aside make_aside(const OutputPlace& place, AsideKind kind) {
  const std::string prefix = place.inside() + hidden_prefix(place) + std::to_string(getpid()) + "-";
  for (int n = 0; n < 100000; ++n) {
    Aside aside{prefix + std::to_string(n), Descriptor()};
    aside.lock = create(aside.path, kind);
    // ENOENT: a clean-up by another process came between the making and the lock; time and again, a place where nothing
    // can be made, such as /proc.
    const bool again = errno == EEXIST || (errno == ENOENT && n < 100 && fs::is_directory(place.directory));
    if (!aside.lock && !again) throw cannot_write(place.shown, errno);
    if (aside.lock && lock_ours(aside.lock.get(), aside.path)) return aside;
  }
  throw input_error("{}: too many hidden files {}*: remove them", place.shown, printable(prefix));
}

void remove_stale(const OutputPlace& place) {
  const std::string prefix = hidden_prefix(place);
  std::error_code ignored;
  for (fs::directory_iterator it(place.directory, ignored), end; !ignored && it != end; it.increment(ignored)) {
    if (!is_hidden_name(it->path().filename().native(), prefix)) continue;
    const std::string& path = it->path().native();
    const Descriptor d(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!d || flock(d.get(), LOCK_EX | LOCK_NB) != 0 || !same_inode(d.get(), path)) continue;
    std::error_code left;
    fs::remove_all(path, left);
  }
}

void write_all(int fd, ByteSpan content, const std::string& shown) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw cannot_write(shown, n < 0 ? errno : ENOSPC);
    content = content.subspan(static_cast<size_t>(n));
  }
}

void sync(int fd, const std::string& shown) {
  while (fsync(fd) != 0) {
    if (errno == EINTR) continue;
    // Some file systems have nothing to synchronise and say so.
    if (errno == EINVAL || errno == ENOTSUP) return;
    throw cannot_write(shown, errno);
  }
}

void sync_directory(const std::string& directory, const std::string& shown) {
  const Descriptor d(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!d) throw cannot_write(shown, errno);
  sync(d.get(), shown);
}

bool exchange_names(const std::string& a, const std::string& b, const std::string& shown) {
  if (renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP) return false;
  throw cannot_write(shown, errno);
}

void replace_by_renaming(const std::string& from, const std::string& to, const std::string& spare,
                         const std::string& shown) {
  if (rename(to.c_str(), spare.c_str()) != 0) throw cannot_write(shown, errno);
  if (rename(from.c_str(), to.c_str()) == 0) return;
  const int error = errno;
  if (rename(spare.c_str(), to.c_str()) != 0)
    throw input_error("{}: cannot be replaced ({}): its old content is now in {}", shown, error_text(error),
                      printable(spare));
  throw cannot_write(shown, error);
}

}  // namespace viva
