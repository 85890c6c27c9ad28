#include "train/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace viva {
namespace {

using Json = nlohmann::json;

struct Code {
  Dtype dtype;
  std::string_view text;
};
constexpr Code codes[] = {{Dtype::boolean, "BOOL"}, {Dtype::int8, "I8"},       {Dtype::int16, "I16"},
                          {Dtype::int32, "I32"},    {Dtype::int64, "I64"},     {Dtype::uint8, "U8"},
                          {Dtype::uint16, "U16"},   {Dtype::uint32, "U32"},    {Dtype::uint64, "U64"},
                          {Dtype::float16, "F16"},  {Dtype::bfloat16, "BF16"}, {Dtype::float32, "F32"},
                          {Dtype::float64, "F64"},  {Dtype::complex64, "C64"}};
constexpr uint64_t most_header = 100'000'000;
constexpr int deepest = 3;  // header, tensor, shape; then numbers
constexpr size_t length_bytes = 8, alignment = 64;

std::string header_of(const std::vector<const NamedTensor*>& order,
                      const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const NamedTensor* t : order) {
    const auto* code = std::ranges::find(codes, t->array.dtype(), &Code::dtype);
    if (code == std::end(codes))
      throw unsupported("{}: safetensors files hold no {}: convert it", printable(t->name), name(t->array.dtype()));
    const auto bytes = static_cast<uint64_t>(t->array.bytes());
    header[t->name] = {{"dtype", code->text}, {"shape", t->array.shape()}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  try {
    return header.dump();
  } catch (const Json::exception&) { throw usage_error("names in safetensors files are UTF-8"); }
}

}  // namespace

Bytes safetensors_bytes(const Safetensors& s) {
  std::vector<const NamedTensor*> order;
  std::set<std::string_view> names{"__metadata__"};
  for (const NamedTensor& t : s.tensors) {
    if (!names.insert(t.name).second)
      throw usage_error("two tensors of a safetensors file would be named '{}'", printable(t.name));
    order.push_back(&t);
  }
  std::ranges::sort(order, [](const NamedTensor* a, const NamedTensor* b) {
    const int64_t x = size_of(a->array.dtype()), y = size_of(b->array.dtype());
    return x != y ? x > y : a->name < b->name;
  });
  std::string header = header_of(order, s.metadata);
  header.append((alignment - (length_bytes + header.size()) % alignment) % alignment, ' ');
  size_t total = length_bytes + header.size();
  for (const NamedTensor* t : order) total += static_cast<size_t>(t->array.bytes());
  Bytes out = Bytes::make(total);
  std::byte* to = out.mutable_data();
  for (size_t i = 0; i < length_bytes; ++i) *to++ = static_cast<std::byte>(header.size() >> (8 * i) & 0xff);
  to = std::ranges::copy(as_bytes(header), to).out;
  for (const NamedTensor* t : order) {
    const auto bytes = static_cast<size_t>(t->array.bytes());
    if (bytes > 0) std::memcpy(to, t->array.data(), bytes);
    to += bytes;
  }
  return out;
}

std::string_view safetensors_header(ByteSpan content, const std::string& name) {
  if (content.size() < length_bytes)
    throw input_error("{}: is no safetensors file: it ends in its first 8 bytes", name);
  const auto length = read_little<uint64_t>(content.data());
  if (length > most_header)
    throw input_error("{}: is no safetensors file: a header of {} bytes is beyond the format's limit", name, length);
  if (length > content.size() - length_bytes)
    throw input_error("{}: ends inside its header: the file was cut off", name);
  return {reinterpret_cast<const char*>(content.data()) + length_bytes, static_cast<size_t>(length)};
}

namespace {

struct Entry {
  std::string name;
  Type type;
  uint64_t begin = 0, end = 0;
};

// Reads a header; each problem is an input error that names the file.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& file) : file_(file) {
    if (!text.starts_with('{')) refuse("its header is no JSON object");
    std::vector<std::set<std::string>> open;
    // A key that comes twice would hide a tensor.
    const auto once = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth > deepest) refuse("its header is nested deeper than the format's");
      if (event == Json::parse_event_t::object_start) open.emplace_back();
      if (event == Json::parse_event_t::object_end) open.pop_back();
      if (event == Json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second) twice_ = true;
      return true;
    };
    try {
      json_ = Json::parse(text, once);
    } catch (const Json::exception&) { refuse("its header is no JSON"); }
    if (twice_) refuse("its header gives a name twice");
    if (!json_.is_object()) refuse("its header is no JSON object");
  }

  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> all;
    if (!json_.contains("__metadata__")) return all;
    const Json& m = json_["__metadata__"];
    if (!m.is_object()) refuse("its metadata are no JSON object");
    for (const auto& [key, value] : m.items()) {
      if (!value.is_string()) refuse("its metadata hold something other than text");
      all.emplace(key, value.get<std::string>());
    }
    return all;
  }

  // In the order of the data, which they fill without gaps.
  std::vector<Entry> entries(uint64_t data_bytes) const {
    std::vector<Entry> all;
    for (const auto& [name, value] : json_.items())
      if (name != "__metadata__") all.push_back(entry(name, value));
    std::ranges::stable_sort(
        all, [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    uint64_t at = 0;
    for (const Entry& e : all) {
      if (e.begin != at) refuse(fmt::format("'{}' does not begin where the tensor before it ends", printable(e.name)));
      at = e.end;
    }
    if (at != data_bytes) refuse(fmt::format("it holds {} bytes of data, its header describes {}", data_bytes, at));
    return all;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw input_error("{}: is damaged, or no safetensors file: {}", file_, why);
  }

  uint64_t whole(const Json& v, std::string_view tensor) const {
    if (!v.is_number_unsigned())
      refuse(fmt::format("'{}' has an extent or offset that is no number", printable(tensor)));
    return v.get<uint64_t>();
  }

  Entry entry(const std::string& name, const Json& v) const {
    const bool plain = v.is_object() && v.size() == 3 && v.contains("dtype") && v["dtype"].is_string() &&
                       v.contains("shape") && v["shape"].is_array() && v.contains("data_offsets") &&
                       v["data_offsets"].is_array() && v["data_offsets"].size() == 2;
    if (!plain) refuse(fmt::format("'{}' lacks dtype, shape or offsets", printable(name)));
    const auto text = v["dtype"].get<std::string>();
    const auto* code = std::ranges::find(codes, text, &Code::text);
    if (code == std::end(codes)) refuse(fmt::format("'{}' has dtype {}", printable(name), printable(text)));
    Entry e{name, {code->dtype, {}}, whole(v["data_offsets"][0], name), whole(v["data_offsets"][1], name)};
    for (const Json& d : v["shape"]) {
      const uint64_t extent = whole(d, name);
      if (extent > INT64_MAX) refuse(fmt::format("'{}' is too large", printable(name)));
      e.type.shape.push_back(static_cast<int64_t>(extent));
    }
    const auto bytes = storage_bytes(e.type);
    if (e.type.rank() > 64 || e.end < e.begin || !bytes || static_cast<uint64_t>(*bytes) != e.end - e.begin)
      refuse(fmt::format("the offsets of '{}' do not fit {}", printable(name), to_string(e.type)));
    return e;
  }

  const std::string& file_;
  Json json_;
  bool twice_ = false;
};

}  // namespace

Safetensors parse_safetensors(const Bytes& content, const std::string& name) {
  const std::string_view header = safetensors_header(content, name);
  const HeaderReader reader(header, name);
  const ByteSpan data = content.span().subspan(length_bytes + header.size());
  Safetensors s;
  s.metadata = reader.metadata();
  for (const Entry& e : reader.entries(data.size())) {
    Array a = Array::make(e.type);
    if (e.end > e.begin) std::memcpy(a.mutable_data(), data.data() + e.begin, e.end - e.begin);
    if (is_bool(e.type.dtype))
      for (uint8_t& b : std::span(reinterpret_cast<uint8_t*>(a.mutable_data()), static_cast<size_t>(a.bytes())))
        b = b != 0;
    s.tensors.push_back({e.name, std::move(a)});
  }
  return s;
}

}  // namespace viva
