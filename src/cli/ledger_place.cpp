#include "cli/ledger_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/report_directory.h"

namespace viva {
namespace {

// One run at a time beside a place; the lock ends with the process.
Descriptor turn_at(const OutputPlace& place) {
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

// Why a ledger could not be kept in the folder of the network's own report; "" where it can.
std::string why_not_in(const OutputPlace& own) {
  if (own.exists && !own.is_directory) return "is no folder";
  if (own.exists && !is_replaceable_report(own.path())) return "holds other files than a report";
  const std::string file = own.path() + "/" + std::string(ledger_name);
  const std::string asked = !own.exists ? own.directory : access(file.c_str(), F_OK) == 0 ? file : own.path();
  return access(asked.c_str(), W_OK) == 0 ? "" : "cannot be written (" + error_text(errno) + ")";
}

void append_beside_model(const std::string& folder, const std::string& lines) {
  if (lines.empty()) return;
  const OutputPlace place = resolve_output(folder);
  const Descriptor turn = turn_at(place);
  if (mkdir(place.path().c_str(), 0777) != 0 && errno != EEXIST) throw cannot_write(place.shown, errno);
  append_to_ledger(place.path() + "/" + std::string(ledger_name), lines);
}

}  // namespace

std::vector<EarlierRuling> read_ledger(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  return parse_ledger(read_stored(path, uint64_t{1} << 30).text(), printable(path));
}

LedgerPlace ledger_place(const std::optional<std::string>& ledger, const std::string& model,
                         const std::string& target) {
  if (ledger) return {LedgerPlace::In::file, *ledger, ""};
  const std::string folder = model + ".viva";
  const OutputPlace own = resolve_output(folder);
  if (own.path() == resolve_output(target).path()) return {LedgerPlace::In::report, target, ""};
  const std::string why = why_not_in(own);
  if (why.empty()) return {LedgerPlace::In::model, folder, ""};
  return {LedgerPlace::In::report, target, own.shown + " " + why};
}

void commit_with_ledger(OutputDirectory& directory, const std::string& target, const LedgerPlace& ledger,
                        const std::string& lines) {
  if (ledger.in == LedgerPlace::In::file) append_to_ledger(ledger.path, lines);
  if (ledger.in == LedgerPlace::In::model) append_beside_model(ledger.path, lines);
  const OutputPlace place = resolve_output(target);
  const Descriptor turn = turn_at(place);
  const std::string name(ledger_name), fresh = directory.path() + "/" + name;
  keep(place.path() + "/" + name, fresh, place.shown);
  if (ledger.in == LedgerPlace::In::report) append_to_ledger(fresh, lines);
  directory.commit();
}

void check_ledger(const std::string& path) {
  const OutputPlace place = resolve_output(path);
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
