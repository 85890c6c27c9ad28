#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view format = "checkpoint 1", key = "\"sha256\":\"", prefix = "checkpoint-",
                           suffix = ".safetensors";
constexpr size_t digits = 64, name_digits = 9;
constexpr uint64_t largest = uint64_t{1} << 46;

// Where the checksum stands. In JSON the key can occur once only: inside other text its quotes are escaped.
std::optional<size_t> checksum_place(std::string_view header) {
  const size_t at = header.find(key);
  if (at == header.npos || header.size() - at < key.size() + digits) return std::nullopt;
  return at + key.size();
}

std::string checksum(ByteSpan content, size_t place) {
  const std::string zeros(digits, '0');
  Sha256 h;
  h.update(content.first(place)).update(as_bytes(zeros)).update(content.subspan(place + digits));
  return h.finish();
}

template <class T> std::optional<T> whole_number(std::string_view text) {
  T v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size() || v < 0) return std::nullopt;
  return v;
}

std::string field(const Safetensors& s, const std::string& name, const std::string& file) {
  const auto it = s.metadata.find(name);
  if (it == s.metadata.end()) throw input_error("{}: is no checkpoint: its metadata have no {}", file, name);
  return it->second;
}

}  // namespace

Bytes checkpoint_bytes(const Checkpoint& c) {
  Bytes out = safetensors_bytes({{{"viva", std::string(format)},
                                  {"step", std::to_string(c.step)},
                                  {"run", c.run},
                                  {"progress", c.progress},
                                  {"sha256", std::string(digits, '0')}},
                                 c.tensors});
  const std::string_view header = safetensors_header(out, "checkpoint");
  const size_t place = static_cast<size_t>(header.data() - out.text().data()) + checksum_place(header).value();
  std::ranges::copy(as_bytes(checksum(out, place)), out.mutable_data() + place);
  return out;
}

Checkpoint parse_checkpoint(const Bytes& content, const std::string& name) {
  const std::string_view header = safetensors_header(content, name);
  const auto place = checksum_place(header);
  if (!place) throw input_error("{}: is no checkpoint: it holds no checksum", name);
  const auto at = static_cast<size_t>(header.data() - content.text().data()) + *place;
  if (checksum(content, at) != content.text().substr(at, digits))
    throw input_error("{}: is damaged: its checksum is not that of its content", name);
  Safetensors s = parse_safetensors(content, name);
  if (field(s, "viva", name) != format)
    throw input_error("{}: is no checkpoint of this version: it says '{}'", name, printable(field(s, "viva", name)));
  const auto step = whole_number<int64_t>(field(s, "step", name));
  if (!step) throw input_error("{}: is no checkpoint: its step is no number", name);
  return {*step, field(s, "run", name), field(s, "progress", name), std::move(s.tensors)};
}

std::string CheckpointFiles::path(int64_t step) const {
  return fmt::format("{}/{}{:0{}}{}", directory_, prefix, step, name_digits, suffix);
}

std::vector<int64_t> CheckpointFiles::steps() const {
  std::vector<int64_t> all;
  std::error_code error;
  for (const auto& e : fs::directory_iterator(directory_, error)) {
    const std::string name = e.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const auto step = whole_number<int64_t>(
        std::string_view(name).substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
    if (step && path(*step) == directory_ + "/" + name) all.push_back(*step);
  }
  if (error) throw input_error("{}: cannot be read ({})", printable(directory_), error.message());
  std::ranges::sort(all);
  return all;
}

std::optional<std::pair<Checkpoint, std::string>> CheckpointFiles::newest(
    const std::function<void(const std::string&)>& report) const {
  std::vector<int64_t> all = steps();
  const size_t found = all.size();
  std::string newest;  // what is wrong with it
  for (; !all.empty(); all.pop_back()) {
    const std::string file = path(all.back()), shown = printable(file);
    try {
      Checkpoint c = parse_checkpoint(read_stored(file, largest), shown);
      if (c.step != all.back()) throw input_error("{}: holds step {}: it was renamed", shown, c.step);
      return std::pair(std::move(c), file);
    } catch (const Error& e) {
      if (newest.empty()) newest = e.message();
      if (report && all.size() > 1) report(fmt::format("{}; the checkpoint before it is used", e.message()));
    }
  }
  if (found == 0) return std::nullopt;
  throw input_error("{}: of {} checkpoints none is whole, the newest: {}: bring one back, or delete them to begin anew",
                    printable(directory_), found, newest);
}

void CheckpointFiles::write(const Checkpoint& c) const {
  write_file(path(c.step), checkpoint_bytes(c));
  std::vector<int64_t> older, gone;
  for (int64_t step : steps()) (step <= c.step ? older : gone).push_back(step);
  while (static_cast<int64_t>(older.size()) > keep_) gone.push_back(older.front()), older.erase(older.begin());
  std::error_code ignored;  // what stays is removed with the next
  for (int64_t step : gone) fs::remove(path(step), ignored);
}

}  // namespace viva
