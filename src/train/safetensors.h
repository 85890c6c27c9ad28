// The safetensors format: eight bytes with the length of a JSON header, the header, then the elements of all tensors.
// https://github.com/huggingface/safetensors, README, "Format".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/array.h"
#include "base/bytes.h"

namespace viva {

struct NamedTensor {
  std::string name;
  Array array;
};
struct Safetensors {
  std::map<std::string, std::string> metadata;
  std::vector<NamedTensor> tensors;
};

// Little-endian, tensors with wide elements first, then by name; the data begin at a multiple of 64 bytes. Usage
// errors: two tensors of one name, the name __metadata__, names that are no UTF-8. complex128 is unsupported: the
// format has none.
Bytes safetensors_bytes(const Safetensors& s);

// What `content` holds, in the order of the data; `name` names the file in errors. Input errors: anything that the
// format does not allow (a header that is no JSON object or over 100 MB, names given twice, a dtype that Viva lacks,
// offsets that leave gaps, overlap, lie outside or do not fit the shape).
Safetensors parse_safetensors(const Bytes& content, const std::string& name);

// The header alone, as it stands in `content`; checked as far as its length.
std::string_view safetensors_header(ByteSpan content, const std::string& name);

}  // namespace viva
