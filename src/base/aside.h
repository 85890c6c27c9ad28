// Output that is prepared under a hidden name beside its place and then moved there in one step.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace viva {

std::string error_text(int error);  // of an errno

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& o) noexcept : fd_(o.release()) {}
  Descriptor& operator=(Descriptor&& o) noexcept;
  ~Descriptor() { close(); }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release();
  bool close();  // false, with errno, where the system reports a failed write only now

 private:
  int fd_;
};

// Where output goes: the directory and name after symbolic links were followed, and what stands there.
struct OutputPlace {
  std::string shown;      // as the user wrote it, made printable
  std::string directory;  // absolute; it exists
  std::string name;
  bool exists = false, is_file = false, is_directory = false;
  unsigned mode = 0;  // permission bits of what exists
  std::string inside() const { return directory == "/" ? directory : directory + "/"; }
  std::string path() const { return inside() + name; }
};
// Input errors: an empty path, a missing parent directory, a link to nothing, the root directory.
OutputPlace resolve_output(const std::string& path);

// A fresh hidden file or directory `.NAME.viva-PID-N` beside a place, locked (flock) as long as `lock` is open. The
// lock ends with the process however that ends, so a hidden name without one is known to be left over.
struct Aside {
  std::string path;
  Descriptor lock;  // of a file, open for writing
};
enum class AsideKind : uint8_t { file, directory };
Aside make_aside(const OutputPlace& place, AsideKind kind);
// Removes the left-over hidden names of a place. Failures are ignored: the next run tries again.
void remove_stale(const OutputPlace& place);

// These throw an input error that names `shown`.
void write_all(int fd, ByteSpan content, const std::string& shown);
void sync(int fd, const std::string& shown);
void sync_directory(const std::string& directory, const std::string& shown);
Error cannot_write(const std::string& shown, int error);

// Exchanges two names in one step; false where the file system cannot.
bool exchange_names(const std::string& a, const std::string& b, const std::string& shown);
// The replacement for it: `to` moves to the free name `spare`, then `from` to `to`; undone where the second step fails.
void replace_by_renaming(const std::string& from, const std::string& to, const std::string& spare,
                         const std::string& shown);

}  // namespace viva
