#include "base/output_directory.h"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace viva {
namespace {

namespace fs = std::filesystem;

// The caller may have written files itself, so everything is synchronised here, innermost first.
void sync_tree(const std::string& directory, const std::string& shown) {
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string& path = it->path().native();
    const fs::file_type type = it->symlink_status().type();
    if (type == fs::file_type::directory) sync_tree(path, shown);
    if (type != fs::file_type::regular) continue;
    const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) throw cannot_write(shown, errno);
    sync(file.get(), shown);
  }
  if (error) throw cannot_write(shown, error.value());
  sync_directory(directory, shown);
}

}  // namespace

OutputDirectory::OutputDirectory(const std::string& target, Predicate may_replace)
    : place_(resolve_output(target)), may_replace_(std::move(may_replace)) {
  check_target();
  remove_stale(place_);
  aside_ = make_aside(place_, AsideKind::directory);
}

OutputDirectory::~OutputDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(aside_.path, ignored);
}

void OutputDirectory::check_target() const {
  if (!place_.exists) return;
  if (!place_.is_directory) throw input_error("{}: exists and is not a directory: choose another name", place_.shown);
  if (!may_replace_ || !may_replace_(place_.path()))
    throw input_error("{}: exists and is not an output that may be replaced: choose another name, or remove it",
                      place_.shown);
}

void OutputDirectory::write(const std::string& name, ByteSpan content) {
  if (committed_) throw internal_error("output directory {} written after commit", place_.shown);
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos)
    throw internal_error("'{}' is no plain file name for output directory {}", printable(name), place_.shown);
  const std::string shown = place_.shown + "/" + printable(name);
  Descriptor file(
      open((aside_.path + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file) throw cannot_write(shown, errno);
  write_all(file.get(), content, shown);
  if (!file.close()) throw cannot_write(shown, errno);
}

std::string OutputDirectory::put_in_place() {
  const std::string target = place_.path();
  if (!place_.exists) {
    if (renameat2(AT_FDCWD, aside_.path.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) return "";
    const bool plain = errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
    if (!plain || rename(aside_.path.c_str(), target.c_str()) != 0) throw cannot_write(place_.shown, errno);
    return "";
  }
  if (exchange_names(aside_.path, target, place_.shown)) return aside_.path;
  // Killed between the two renames, the old content is under a hidden name and goes at the next run: it was to go
  // anyway.
  const Aside spare = make_aside(place_, AsideKind::directory);
  replace_by_renaming(aside_.path, target, spare.path, place_.shown);
  return spare.path;
}

void OutputDirectory::commit() {
  if (committed_) throw internal_error("output directory {} committed twice", place_.shown);
  sync_tree(aside_.path, place_.shown);
  const std::string shown = place_.shown;
  place_ = resolve_output(place_.path());
  place_.shown = shown;
  check_target();
  const std::string old = put_in_place();
  committed_ = true;
  std::error_code ignored;  // what stays is removed by the next run
  if (!old.empty()) fs::remove_all(old, ignored);
  aside_.lock.close();
  sync_directory(place_.directory, place_.shown);
}

}  // namespace viva
