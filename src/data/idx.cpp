#include "data/idx.h"

#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"

namespace viva {
namespace {

constexpr size_t largest_rank = 16;

std::optional<Dtype> dtype_of_code(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return Dtype::uint8;
    case 0x09:
      return Dtype::int8;
    case 0x0b:
      return Dtype::int16;
    case 0x0c:
      return Dtype::int32;
    case 0x0d:
      return Dtype::float32;
    case 0x0e:
      return Dtype::float64;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_idx(ByteSpan content) {
  return content.size() >= 4 && content[0] == std::byte{0} && content[1] == std::byte{0} && dtype_of_code(content[2]) &&
         content[3] != std::byte{0};
}

Array parse_idx(const Bytes& stored, const std::string& name) {
  const ByteSpan content = stored;
  if (!is_idx(content))
    throw input_error("{}: is not an IDX file: its first bytes are not 0, 0, a type code and a rank", name);
  const Dtype dtype = *dtype_of_code(content[2]);
  const auto rank = std::to_integer<size_t>(content[3]);
  if (rank > largest_rank) throw input_error("{}: is not an IDX file: a rank of {} is too large", name, rank);
  const size_t begin = 4 + 4 * rank;
  if (content.size() < begin)
    throw input_error("{}: ends inside its IDX header: the file was cut off; fetch it again", name);
  Type type{dtype, {}};
  for (size_t i = 0; i < rank; ++i) type.shape.push_back(read_big<uint32_t>(&content[4 + 4 * i]));
  const size_t there = content.size() - begin;
  if (storage_bytes(type) != there)
    throw input_error(
        "{}: holds {} bytes of data, which is not what its shape {} needs: the file was cut off or is corrupt", name,
        there, to_string(type));
  if (size_of(dtype) == 1) return Array::view(std::move(type), stored.share(begin));
  Array a = Array::make(std::move(type));
  if (there > 0) std::memcpy(a.mutable_data(), &content[begin], there);
  const auto width = static_cast<size_t>(size_of(dtype));
  swap_bytes(a.mutable_data(), there / width, width);
  return a;
}

}  // namespace viva
