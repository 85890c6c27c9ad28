#include "cli/ledger_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/bytes.h"
#include "base/file.h"

namespace viva {
namespace {

// One run at a time beside a place; the lock ends with the process.
Descriptor turn_at(const Place& place) {
  Descriptor folder(open(place.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) throw cannot_write(place.shown, errno);
  while (flock(folder.get(), LOCK_EX) != 0)
    if (errno != EINTR) break;  // a file system without locks: runs beside each other are then the user's care
  return folder;
}

void keep(const std::string& old, const std::string& fresh, const std::string& shown) {
  if (link(old.c_str(), fresh.c_str()) == 0 || errno == ENOENT) return;
  std::error_code error;
  std::filesystem::copy_file(old, fresh, error);
  if (error) throw cannot_write(shown, error.value());
}

}  // namespace

std::vector<EarlierRuling> read_ledger(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  return parse_ledger(read_stored(path, uint64_t{1} << 30).text(), printable(path));
}

void commit_with_ledger(OutputDirectory& directory, const std::string& target, const std::string& lines) {
  const Place place = resolve_output(target);
  const Descriptor turn = turn_at(place);
  const std::string name(ledger_name), fresh = directory.path() + "/" + name;
  keep(place.path() + "/" + name, fresh, place.shown);
  append_to_ledger(fresh, lines);
  directory.commit();
}

void check_ledger(const std::string& path) {
  const Place place = resolve_output(path);
  const std::string asked = place.exists ? place.path() : place.directory;
  if (access(asked.c_str(), W_OK) != 0) throw cannot_write(place.shown, errno);
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

}  // namespace viva
