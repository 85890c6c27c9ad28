#include "base/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/error.h"

namespace viva {
namespace {

static_assert(std::endian::native == std::endian::little, "data are stored in the order of the machine");

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t largest_header = 1 << 16, largest_rank = 64;

struct Code {
  Dtype dtype;
  std::string_view text;
};
constexpr std::array<Code, 14> codes{{{Dtype::boolean, "b1"},
                                      {Dtype::int8, "i1"},
                                      {Dtype::int16, "i2"},
                                      {Dtype::int32, "i4"},
                                      {Dtype::int64, "i8"},
                                      {Dtype::uint8, "u1"},
                                      {Dtype::uint16, "u2"},
                                      {Dtype::uint32, "u4"},
                                      {Dtype::uint64, "u8"},
                                      {Dtype::float16, "f2"},
                                      {Dtype::float32, "f4"},
                                      {Dtype::float64, "f8"},
                                      {Dtype::complex64, "c8"},
                                      {Dtype::complex128, "c16"}}};

struct Header {
  std::string descr;
  bool fortran = false;
  Shape shape;
};

// The header is a Python dictionary literal with exactly the keys descr, fortran_order and shape.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    bool descr = false, fortran = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !descr) descr = true, header_.descr = type_string();
      else if (key == "fortran_order" && !fortran) fortran = true, header_.fortran = boolean();
      else if (key == "shape" && !shape) shape = true, header_.shape = tuple();
      else fail(fmt::format("unexpected key '{}'", printable(key)));
      if (accept(',')) continue;
      expect('}');
      break;
    }
    if (!descr || !fortran || !shape) fail("descr, fortran_order or shape is missing");
    skip_space();
    if (!text_.empty()) fail("text after the dictionary");
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw input_error("{}: malformed npy header ({}): save it again with numpy.save", name_, what);
  }
  void skip_space() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\n\r"), text_.size())); }
  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("no '{}' where it must stand", c));
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  std::string string() {
    skip_space();
    const char quote = text_.empty() ? '\0' : text_[0];
    if (quote != '\'' && quote != '"') fail("no string where one must stand");
    const size_t end = text_.find(quote, 1);
    if (end == text_.npos) fail("a string does not end");
    std::string s(text_.substr(1, end - 1));
    if (s.find('\\') != s.npos) fail("an escape in a string");
    text_.remove_prefix(end + 1);
    return s;
  }
  std::string type_string() {
    skip_space();
    if (text_.starts_with('['))
      throw input_error("{}: holds records with named fields: save each field as a plain array", name_);
    return string();
  }
  bool boolean() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) fail("fortran_order is neither True nor False");
    return false;
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      if (shape.size() == largest_rank) fail("more than 64 dimensions");
      shape.push_back(extent());
      if (accept(',')) continue;
      expect(')');
      if (shape.size() == 1) fail("the shape is no tuple");
      break;
    }
    return shape;
  }
  int64_t extent() {
    skip_space();
    int64_t n = -1;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), n);
    if (error != std::errc() || n < 0) fail("an extent of the shape is no natural number");
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    if (text_.starts_with('L')) text_.remove_prefix(1);  // as Python 2 wrote long integers
    return n;
  }

  std::string_view text_;
  const std::string& name_;
  Header header_;
};

struct Preamble {
  std::string_view header;
  size_t data;  // offset
};

Preamble preamble_of(const Bytes& content, const std::string& name) {
  if (!is_npy(content)) throw input_error("{}: is not an npy file: save it with numpy.save", name);
  const auto cut_off = [&] {
    return input_error("{}: ends inside its npy header: the file was cut off; save it again", name);
  };
  if (content.size() < 10) throw cut_off();
  const auto major = std::to_integer<int>(content.data()[6]), minor = std::to_integer<int>(content.data()[7]);
  if (major < 1 || major > 3 || minor != 0)
    throw input_error("{}: npy version {}.{} is not known: save it with numpy.save", name, major, minor);
  const size_t begin = major == 1 ? 10 : 12;
  if (content.size() < begin) throw cut_off();
  const size_t size =
      major == 1 ? read_little<uint16_t>(content.data() + 8) : read_little<uint32_t>(content.data() + 8);
  if (size > largest_header)
    throw input_error("{}: an npy header of {} bytes is too large: save a plain array", name, size);
  if (content.size() - begin < size) throw cut_off();
  return {content.text().substr(begin, size), begin + size};
}

struct Stored {
  Type type;
  bool swapped = false, fortran = false;
};

Stored stored_type(const Header& h, const std::string& name) {
  const std::string_view code = h.descr;
  const char order = code.empty() ? '\0' : code[0];
  const auto known = std::ranges::find(codes, code.substr(std::min<size_t>(1, code.size())), &Code::text);
  if (known == codes.end() || (order != '<' && order != '>' && order != '=' && order != '|')) {
    const std::string_view mend = code.starts_with("|O") ? "it holds Python objects; save a plain numeric array"
                                  : code.ends_with("V2") ? "if it is bfloat16, save it as float32"
                                                         : "save it as a bool, integer, float or complex array";
    throw input_error("{}: dtype '{}' is not supported: {}", name, printable(code), mend);
  }
  if (order == '|' && size_of(known->dtype) > 1)
    throw input_error("{}: dtype '{}' has no byte order: save it again with numpy.save", name, code);
  return {{known->dtype, h.shape}, order == '>', h.fortran};
}

// From column-major to row-major: the last index runs fastest in `to`, the first one in `from`.
template <size_t width> void transpose_into(std::byte* to, const std::byte* from, const Shape& shape) {
  const size_t rank = shape.size();
  std::vector<size_t> stride(rank);
  size_t n = 1;
  for (size_t i = 0; i < rank; ++i) {
    stride[i] = n * width;
    n *= static_cast<size_t>(shape[i]);
  }
  if (n == 0) return;
  const auto inner = static_cast<size_t>(shape[rank - 1]);
  Ints index(rank);
  for (size_t done = 0; done < n; done += inner) {
    const std::byte* row = from;
    for (size_t i = 0; i + 1 < rank; ++i) row += static_cast<size_t>(index[i]) * stride[i];
    for (size_t k = 0; k < inner; ++k, to += width) std::memcpy(to, row + k * stride[rank - 1], width);
    for (size_t i = rank - 1; i-- > 0 && ++index[i] == shape[i];) index[i] = 0;
  }
}

void transpose_into(std::byte* to, const std::byte* from, const Type& type) {
  switch (size_of(type.dtype)) {
    case 1:
      return transpose_into<1>(to, from, type.shape);
    case 2:
      return transpose_into<2>(to, from, type.shape);
    case 4:
      return transpose_into<4>(to, from, type.shape);
    case 8:
      return transpose_into<8>(to, from, type.shape);
    default:
      return transpose_into<16>(to, from, type.shape);
  }
}

bool has_odd_bool(const Type& type, ByteSpan data) {
  return is_bool(type.dtype) && std::ranges::any_of(data, [](std::byte b) { return b > std::byte{1}; });
}

Array array_from(const Stored& stored, const Bytes& content, size_t offset) {
  const ByteSpan data = content.span().subspan(offset);
  const bool transposed = stored.fortran && stored.type.rank() > 1, odd = has_odd_bool(stored.type, data);
  if (!transposed && !stored.swapped && !odd && offset % 64 == 0)
    return Array::view(stored.type, content.share(offset));
  Array a = Array::make(stored.type);
  std::byte* to = a.mutable_data();
  if (transposed) transpose_into(to, data.data(), stored.type);
  else if (!data.empty()) std::memcpy(to, data.data(), data.size());
  if (odd) std::transform(to, to + data.size(), to, [](std::byte b) { return std::byte{b != std::byte{0}}; });
  if (stored.swapped) {
    const auto width = static_cast<size_t>(size_of(stored.type.dtype)) / (is_complex(stored.type.dtype) ? 2 : 1);
    swap_bytes(to, data.size() / width, width);
  }
  return a;
}

std::string header_text(const Type& type) {
  const auto code = std::ranges::find(codes, type.dtype, &Code::dtype);
  std::string shape = fmt::format("{}", fmt::join(type.shape, ", "));
  if (type.rank() == 1) shape += ',';
  return fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                     size_of(type.dtype) == 1 ? '|' : '<', code->text, shape);
}

}  // namespace

bool is_npy(ByteSpan content) {
  return content.size() >= magic.size() && std::memcmp(content.data(), magic.data(), magic.size()) == 0;
}

Array parse_npy(const Bytes& content, const std::string& name) {
  const Preamble p = preamble_of(content, name);
  const Stored stored = stored_type(HeaderParser(p.header, name).parse(), name);
  const auto promised = storage_bytes(stored.type);
  const size_t there = content.size() - p.data;
  if (!promised)
    throw input_error("{}: shape {} has too many elements: the file is corrupt", name, to_string(stored.type.shape));
  if (*promised != there)
    throw input_error("{}: holds {} bytes of data where its shape {} needs {}: the file was cut off or is corrupt",
                      name, there, to_string(stored.type), *promised);
  return array_from(stored, content, p.data);
}

Array read_npy(const std::string& path, uint64_t limit) { return parse_npy(read_file(path, limit), printable(path)); }

Bytes npy_bytes(const Array& a) {
  if (a.dtype() == Dtype::bfloat16) return npy_bytes(a.converted(Dtype::float32));
  std::string header = header_text(a.type());
  const bool long_header = header.size() > 65000;
  const size_t begin = long_header ? 12 : 10;
  // The data begin at a multiple of 64 bytes, and the header ends in a line feed.
  const size_t data = (begin + header.size() + 1 + 63) / 64 * 64;
  header.append(data - begin - header.size() - 1, ' ');
  header += '\n';
  std::string front(magic);
  front += long_header ? '\2' : '\1';
  front += '\0';
  for (size_t i = 0; i < begin - 8; ++i) front += static_cast<char>(header.size() >> (8 * i) & 0xff);
  front += header;
  Bytes out = Bytes::make(front.size() + static_cast<size_t>(a.bytes()));
  std::ranges::copy(as_bytes(front), out.mutable_data());
  if (a.bytes() > 0) std::memcpy(out.mutable_data() + front.size(), a.data(), static_cast<size_t>(a.bytes()));
  return out;
}

void write_npy(const std::string& path, const Array& a) { write_file(path, npy_bytes(a)); }

}  // namespace viva
