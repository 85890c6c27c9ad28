// Tensors of a model file: sizes are checked against the data before anything is allocated.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/sha256.h"
#include "onnx-ml.pb.h"
#include "onnx/reader.h"

namespace viva {
namespace {

using ::onnx::TensorProto;

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

// Elements of the given extents, or -1 where they exceed what an Array may hold.
int64_t checked_count(const Shape& dims) {
  constexpr int64_t limit = int64_t{1} << 47;
  int64_t n = 1;  // of the extents that are not 0, as strides need it
  for (const int64_t d : dims) {
    if (d > limit / n) return -1;
    n *= std::max(d, int64_t{1});
  }
  return std::ranges::count(dims, 0) > 0 ? 0 : n;
}

Array from_bytes(const Type& type, const char* bytes) {
  Array a = Array::make(type);
  auto* out = reinterpret_cast<unsigned char*>(a.mutable_data());
  const auto n = static_cast<size_t>(a.bytes());
  if (n > 0) std::memcpy(out, bytes, n);
  // A bool must hold 0 or 1; the file's byte may be anything.
  if (type.dtype == Dtype::boolean)
    std::transform(out, out + n, out, [](unsigned char c) { return static_cast<unsigned char>(c != 0); });
  return a;
}

// int32_data carries every type of up to 32 bits: integers by value, 16-bit floats by their bits.
template <class T> T from_int32(int32_t v) {
  if constexpr (is_half<T>) {
    T h;
    h.bits = static_cast<uint16_t>(v);
    return h;
  } else {
    return convert_element<T>(v);
  }
}

template <class T> T combine(const auto& field, int i) {
  if constexpr (is_std_complex<T>) return T(field[2 * i], field[2 * i + 1]);
  else if constexpr (std::is_same_v<std::decay_t<decltype(field[0])>, int32_t>) return from_int32<T>(field[i]);
  else return convert_element<T>(field[i]);
}

// Calls f(field) with the typed field that holds elements of dtype d (onnx-ml.proto, TensorProto).
template <class F> auto with_field(const TensorProto& p, Dtype d, F&& f) {
  switch (d) {
    case Dtype::float32:
    case Dtype::complex64:
      return f(p.float_data());
    case Dtype::float64:
    case Dtype::complex128:
      return f(p.double_data());
    case Dtype::int64:
      return f(p.int64_data());
    case Dtype::uint32:
    case Dtype::uint64:
      return f(p.uint64_data());
    default:
      return f(p.int32_data());
  }
}

int64_t typed_count(const TensorProto& p, Dtype d) {
  return with_field(p, d, [](const auto& field) { return int64_t{field.size()}; });
}

Array from_typed(const TensorProto& p, const Type& type) {
  Array a = Array::make(type);
  dispatch(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_field(p, type.dtype, [&](const auto& field) {
      auto out = a.as_mutable<T>();
      for (size_t i = 0; i < out.size(); ++i) out[i] = combine<T>(field, static_cast<int>(i));
      return 0;
    });
  });
  return a;
}

// A decimal number of external data, or nullopt.
std::optional<int64_t> decimal(const std::string& s) {
  int64_t v = 0;
  const auto [end, problem] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (problem != std::errc() || end != s.data() + s.size() || v < 0) return std::nullopt;
  return v;
}

std::string unsupported_type_name(int t) {
  static constexpr std::pair<int, const char*> names[] = {{TensorProto::STRING, "string"},
                                                          {TensorProto::FLOAT8E4M3FN, "float8e4m3fn"},
                                                          {TensorProto::FLOAT8E4M3FNUZ, "float8e4m3fnuz"},
                                                          {TensorProto::FLOAT8E5M2, "float8e5m2"},
                                                          {TensorProto::FLOAT8E5M2FNUZ, "float8e5m2fnuz"},
                                                          {TensorProto::UINT4, "uint4"},
                                                          {TensorProto::INT4, "int4"},
                                                          {TensorProto::FLOAT4E2M1, "float4e2m1"},
                                                          {TensorProto::FLOAT8E8M0, "float8e8m0"},
                                                          {TensorProto::UINT2, "uint2"},
                                                          {TensorProto::INT2, "int2"},
                                                          {TensorProto::FLOAT6E2M3, "float6e2m3"},
                                                          {TensorProto::FLOAT6E3M2, "float6e3m2"}};
  for (const auto& [number, text] : names)
    if (number == t) return text;
  return fmt::format("type number {}", t);
}

}  // namespace

std::optional<Dtype> dtype_of_proto(int t, std::string& why) {
  switch (t) {
    case TensorProto::FLOAT:
      return Dtype::float32;
    case TensorProto::UINT8:
      return Dtype::uint8;
    case TensorProto::INT8:
      return Dtype::int8;
    case TensorProto::UINT16:
      return Dtype::uint16;
    case TensorProto::INT16:
      return Dtype::int16;
    case TensorProto::INT32:
      return Dtype::int32;
    case TensorProto::INT64:
      return Dtype::int64;
    case TensorProto::BOOL:
      return Dtype::boolean;
    case TensorProto::FLOAT16:
      return Dtype::float16;
    case TensorProto::DOUBLE:
      return Dtype::float64;
    case TensorProto::UINT32:
      return Dtype::uint32;
    case TensorProto::UINT64:
      return Dtype::uint64;
    case TensorProto::COMPLEX64:
      return Dtype::complex64;
    case TensorProto::COMPLEX128:
      return Dtype::complex128;
    case TensorProto::BFLOAT16:
      return Dtype::bfloat16;
    default:
      why = "tensors of " + unsupported_type_name(t);
      return std::nullopt;
  }
}

TensorDef ModelReader::tensor(const TensorProto& p, std::string_view what) {
  TensorDef t;
  t.name = text(p.name(), "name of a tensor");
  const std::string place = p.name().empty() ? std::string(what) : fmt::format("{} {}", what, in_quotes(p.name()));
  if (p.dims_size() > max_rank) throw error("{} has {} dimensions, the limit is {}", place, p.dims_size(), max_rank);
  Shape dims(p.dims().begin(), p.dims().end());
  for (const int64_t d : dims)
    if (d < 0) throw error("{} has a negative extent: {}", place, to_string(dims));
  const int64_t count = checked_count(dims);
  if (count < 0) throw error("{} has too many elements: {}", place, to_string(dims));
  if (p.data_type() == TensorProto::UNDEFINED) throw error("{} has no element type", place);
  const auto dtype = dtype_of_proto(p.data_type(), t.unsupported);
  if (!dtype) return t;
  if (p.has_segment()) {
    t.unsupported = "tensors stored in segments";
    return t;
  }
  const Type type{*dtype, std::move(dims)};
  const int64_t bytes = count * size_of(*dtype);
  if (p.data_location() == TensorProto::EXTERNAL) {
    t.value = external_data(p, type, place);
  } else if (p.has_raw_data()) {
    const auto given = static_cast<int64_t>(p.raw_data().size());
    if (given != bytes)
      throw error("{} of type {} needs {} bytes, the file has {}", place, to_string(type), bytes, given);
    t.value = from_bytes(type, p.raw_data().data());
  } else {
    const int64_t given = typed_count(p, *dtype), needed = count * (is_complex(*dtype) ? 2 : 1);
    if (given != needed)
      throw error("{} of type {} needs {} numbers, the file has {}", place, to_string(type), needed, given);
    t.value = from_typed(p, type);
  }
  return t;
}

const Bytes& ModelReader::external_file(const std::string& location, const std::string& place) {
  const auto known = external_bytes_.find(location);
  if (known != external_bytes_.end()) return known->second;
  try {
    const std::string path = safe_join(folder_, location);
    Bytes bytes = read_stored(path);
    // Named as the user reached it, not by where the folder happens to be.
    const std::string shown = (std::filesystem::path(folder_) / location).lexically_normal().string();
    external_.push_back({printable(shown), static_cast<int64_t>(bytes.size()), sha256_hex(bytes)});
    return external_bytes_.emplace(location, std::move(bytes)).first->second;
  } catch (const Error& e) { throw error("{}: external data {}: {}", place, in_quotes(location), e.message()); }
}

Array ModelReader::external_data(const TensorProto& p, const Type& type, const std::string& place) {
  std::string location;
  int64_t offset = 0;
  const int64_t bytes = numel(type.shape) * size_of(type.dtype);
  for (const auto& e : p.external_data()) {
    if (e.key() == "location") location = text(e.value(), "location of external data");
    if (e.key() != "offset" && e.key() != "length") continue;
    const auto v = decimal(e.value());
    if (!v) throw error("{}: external data with {} {}", place, e.key(), in_quotes(e.value()));
    if (e.key() == "offset") offset = *v;
    else if (*v != bytes)
      throw error("{} of type {} needs {} bytes, its external data has {}", place, to_string(type), bytes, *v);
  }
  if (location.empty()) throw error("{}: external data with no location", place);
  const Bytes& file = external_file(location, place);
  const auto size = static_cast<int64_t>(file.size());
  if (offset > size || bytes > size - offset)
    throw error("{} of type {} needs {} bytes at {} of {}, which has {}", place, to_string(type), bytes, offset,
                in_quotes(location), size);
  const std::byte* start = file.data() + offset;
  // Arrays are 64-byte aligned; a weight that already is shares the file's block.
  if (reinterpret_cast<uintptr_t>(start) % 64 == 0 && type.dtype != Dtype::boolean)
    return Array::view(type, file.share(static_cast<size_t>(offset)));
  return from_bytes(type, reinterpret_cast<const char*>(start));
}

}  // namespace viva
