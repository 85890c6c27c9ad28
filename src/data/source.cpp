#include "data/source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/gzip.h"
#include "base/npy.h"
#include "base/sha256.h"
#include "data/idx.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return path.find('\0') == path.npos && fs::exists(path, ignored);
}

std::string file_name(const std::string& path) { return printable(path.substr(path.rfind('/') + 1)); }

std::vector<std::string> fashion_directories() {
  std::vector<std::string> directories{"/usr/share/datasets/fashion-mnist"};
  const char* data = std::getenv("VIVA_DATA");
  if (data && *data) directories.insert(directories.begin(), std::string(data) + "/fashion-mnist");
  return directories;
}

std::optional<std::string> plain_or_gzipped(const std::string& path) {
  for (const char* end : {".gz", ""})
    if (exists(path + end)) return path + end;
  return std::nullopt;
}

DataSource fashion_mnist(std::string_view part) {
  if (part != "test" && part != "train")
    throw input_error("fashion-mnist:{}: no such part: its parts are test and train", printable(part));
  const std::string prefix = part == "test" ? "/t10k-" : "/train-";
  std::string looked;
  for (const std::string& directory : fashion_directories()) {
    const auto images = plain_or_gzipped(directory + prefix + "images-idx3-ubyte"),
               labels = plain_or_gzipped(directory + prefix + "labels-idx1-ubyte");
    if (images && labels)
      return {
          fmt::format("fashion-mnist:{}", part),
          {*images, *labels},
          {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}};
    looked += (looked.empty() ? "" : " and ") + printable(directory);
  }
  throw input_error(
      "fashion-mnist: is not in {}: apt-get install dataset-fashion-mnist, or set VIVA_DATA to the directory that "
      "holds fashion-mnist/",
      looked);
}

// The first part of INPUTS:LABELS that does not exist, to be named where there is only one way to read the spec.
std::string missing_part(const std::string& spec, size_t colon) {
  const std::string first = spec.substr(0, colon), second = spec.substr(colon + 1);
  return exists(first) ? second : first;
}

DataSource two_files(const std::string& spec) {
  std::optional<size_t> split;
  const std::string shown = printable(spec);
  for (size_t colon = spec.find(':'); colon != spec.npos; colon = spec.find(':', colon + 1)) {
    if (!exists(spec.substr(0, colon)) || !exists(spec.substr(colon + 1))) continue;
    if (split)
      throw input_error("{}: two of its colons can part two files: rename a file, or use links without colons", shown);
    split = colon;
  }
  if (split) {
    const std::string inputs = spec.substr(0, *split), labels = spec.substr(*split + 1);
    return {file_name(inputs) + ":" + file_name(labels), {inputs, labels}, {}};
  }
  const size_t colon = spec.find(':');
  if (colon == spec.npos) throw input_error("{}: is no data set and no file: give {}", shown, dataset_grammar);
  if (spec.find(':', colon + 1) != spec.npos)
    throw input_error("{}: no colon of it parts two files that exist: give {}", shown, dataset_grammar);
  throw input_error("{}: no file '{}': give {}", shown, printable(missing_part(spec, colon)), dataset_grammar);
}

Bytes read_and_hash(const std::string& path, std::vector<DataFile>& files) {
  Bytes stored = read_stored(path);
  files.push_back({printable(path), sha256_hex(stored), static_cast<int64_t>(stored.size())});
  return is_gzip(stored) ? gunzip(stored, printable(path), default_file_limit) : stored;
}

NamedArray read_array(const std::string& path, std::vector<DataFile>& files) {
  const Bytes content = read_and_hash(path, files);
  const std::string shown = printable(path);
  if (is_npy(content)) return {parse_npy(content, shown), shown};
  if (is_idx(content)) return {parse_idx(content, shown), shown};
  if (is_zip(content)) throw input_error("{}: is an npz file: give it alone, with arrays x and y", shown);
  throw input_error("{}: is neither an npy nor an IDX file: give {}", shown, dataset_grammar);
}

RawData read_npz(const std::string& path) {
  RawData raw;
  const Bytes content = read_and_hash(path, raw.files);
  const std::string shown = printable(path);
  if (is_npy(content) || is_idx(content))
    throw input_error("{}: holds one array: name the file of the labels too, as {}:LABELS", shown, shown);
  if (!is_zip(content)) throw input_error("{}: is not an npz file: give {}", shown, dataset_grammar);
  const Npz npz(content, shown);
  for (const char* key : {"x", "y"})
    if (std::ranges::find(npz.keys(), key) == npz.keys().end())
      throw input_error("{}: has no array {}, but {}: save numpy.savez(FILE, x=inputs, y=labels)", shown, key,
                        npz.keys().empty() ? "none at all" : printable(fmt::format("{}", fmt::join(npz.keys(), ", "))));
  raw.inputs = {npz.read("x"), shown + "[x]"};
  raw.labels = {npz.read("y"), shown + "[y]"};
  return raw;
}

}  // namespace

DataSource find_source(const std::string& spec) {
  constexpr std::string_view fashion = "fashion-mnist";
  if (spec == fashion) return fashion_mnist("test");
  if (spec.starts_with(fashion) && spec[fashion.size()] == ':')
    return fashion_mnist(std::string_view(spec).substr(fashion.size() + 1));
  if (spec.empty()) throw input_error("'': names no data set: give {}", dataset_grammar);
  if (exists(spec)) return {file_name(spec), {spec}, {}};
  return two_files(spec);
}

RawData read_source(const DataSource& source) {
  if (source.paths.size() == 1) return read_npz(source.paths[0]);
  RawData raw;
  raw.inputs = read_array(source.paths[0], raw.files);
  raw.labels = read_array(source.paths[1], raw.files);
  return raw;
}

}  // namespace viva
