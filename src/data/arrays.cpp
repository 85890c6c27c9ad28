#include <cstring>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/npy.h"
#include "data/idx.h"
#include "viva/data.h"

namespace viva {

namespace {

// `count` pieces of `bytes` each, piece i from offset(i), into an array of this type.
template <class Offset> Tensor gather(const Type& type, const Array& from, size_t count, size_t bytes, Offset offset) {
  Array out = Array::make(type);
  std::byte* to = out.mutable_data();
  for (size_t i = 0; i < count && bytes > 0; ++i, to += bytes) std::memcpy(to, from.data() + offset(i), bytes);
  return out;
}

void check_vector(const char* what, const Tensor& t, Where where) {
  if (t.empty() || t.rank() < 1) throw Error(ErrorKind::usage, fmt::format("[{}] a scalar has no rows", what), where);
}

}  // namespace

Tensor load_array(const std::string& path) {
  const Bytes content = read_file(path);
  const std::string shown = printable(path);
  if (is_npy(content)) return parse_npy(content, shown);
  if (is_idx(content)) return parse_idx(content, shown);
  throw input_error("{}: is neither an npy nor an IDX file", shown);
}

std::map<std::string, Tensor> load_npz(const std::string& path) {
  const Npz npz(read_file(path), printable(path));
  std::map<std::string, Tensor> all;
  for (const std::string& key : npz.keys()) all.emplace(key, npz.read(key));
  return all;
}

void save_npy(const std::string& path, const Tensor& t) { write_npy(path, t.array()); }

Tensor map_npy(const std::string& path) { return parse_npy(map_file(path), printable(path)); }

std::string load_text(const std::string& path) {
  std::string text(read_file(path).text());
  for (size_t at = 0; at < text.size();) {
    const size_t n = utf8_length(std::string_view(text).substr(at));
    if (n == 0)
      throw input_error("{}: byte {} begins no character of UTF-8: convert the file, with iconv say", printable(path),
                        at);
    at += n;
  }
  return text;
}

Tensor take_rows(const Tensor& all, const Ints& rows, Loc l) {
  check_vector("take_rows", all, l);
  const Array a = all.array(l);
  Type type = a.type();
  for (int64_t r : rows)
    if (r < 0 || r >= type.shape[0])
      throw Error(ErrorKind::usage, fmt::format("[take_rows] row {} of {} rows", r, type.shape[0]), l);
  const size_t bytes = type.shape[0] == 0 ? 0 : static_cast<size_t>(a.bytes() / type.shape[0]);
  type.shape[0] = static_cast<int64_t>(rows.size());
  return gather(type, a, rows.size(), bytes, [&](size_t i) { return static_cast<size_t>(rows[i]) * bytes; });
}

Tensor take_windows(const Tensor& tokens, const Ints& starts, int64_t length, int64_t shift, Loc l) {
  check_vector("take_windows", tokens, l);
  const Array a = tokens.array(l);
  if (a.type().rank() != 1 || length < 0)
    throw Error(ErrorKind::usage,
                fmt::format("[take_windows] windows of {} of {}: give a vector", length, to_string(a.type())), l);
  for (int64_t s : starts)
    if (s < 0 || shift < 0 || shift > a.size() || s > a.size() - shift || length > a.size() - shift - s)
      throw Error(ErrorKind::usage,
                  fmt::format("[take_windows] {} from {} + {} on lie outside {} tokens", length, s, shift, a.size()),
                  l);
  const auto width = static_cast<size_t>(size_of(a.dtype()));
  return gather({a.dtype(), {static_cast<int64_t>(starts.size()), length}}, a, starts.size(),
                static_cast<size_t>(length) * width,
                [&](size_t i) { return static_cast<size_t>(starts[i] + shift) * width; });
}

}  // namespace viva
