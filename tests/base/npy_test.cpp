#include "base/npy.h"

#include <gtest/gtest.h>

#include "support/damage.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

// Written by NumPy itself (make.py there).
std::string numpy(const std::string& name) { return VIVA_SOURCE_DIR "/tests/base/numpy/" + name; }

const std::vector<std::pair<std::string, Dtype>> codes = {
    {"b1", Dtype::boolean},   {"i1", Dtype::int8},       {"i2", Dtype::int16},   {"i4", Dtype::int32},
    {"i8", Dtype::int64},     {"u1", Dtype::uint8},      {"u2", Dtype::uint16},  {"u4", Dtype::uint32},
    {"u8", Dtype::uint64},    {"f2", Dtype::float16},    {"f4", Dtype::float32}, {"f8", Dtype::float64},
    {"c8", Dtype::complex64}, {"c16", Dtype::complex128}};

// make.py's values(code).
Array expected(Dtype d) {
  Array a = Array::make({d, {2, 3}});
  dispatch(d, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int i = 0; i < 6; ++i) {
      T& to = a.as_mutable<T>()[static_cast<size_t>(i)];
      if constexpr (std::is_same_v<T, bool>) to = i % 2 == 1;
      else if constexpr (is_std_complex<T>) to = T(static_cast<float>(i) + 0.25f, static_cast<float>(-i));
      else if constexpr (is_float_type<T>) to = T(static_cast<float>(i) + 0.25f);
      else to = static_cast<T>(i);
    }
  });
  return a;
}

// An npy file of version 1.0 with this header text.
Bytes file_with(const std::string& header, const std::string& data) {
  std::string f = "\x93NUMPY\x01";
  f += '\0';
  f += static_cast<char>(header.size() & 255);
  f += static_cast<char>(header.size() >> 8);
  return Bytes::of(f + header + data);
}
std::string error_with(const std::string& header, const std::string& data = "") {
  return error_of([&] { parse_npy(file_with(header, data), "f.npy"); });
}

TEST(Npy, ReadsEveryDtypeThatNumpyWrites) {
  for (const auto& [code, dtype] : codes) {
    SCOPED_TRACE(code);
    EXPECT_TRUE(same_bits(read_npy(numpy(code + ".npy")), expected(dtype)));
    EXPECT_TRUE(same_bits(read_npy(numpy(code + "_big_fortran.npy")), expected(dtype)));
  }
}

TEST(Npy, ReadsShapesAndVersions) {
  const Array f = read_npy(numpy("fortran3.npy"));
  EXPECT_EQ(f.shape(), (Shape{2, 3, 4}));
  for (int32_t i = 0; i < 24; ++i) EXPECT_EQ(f.as<int32_t>()[static_cast<size_t>(i)], i);
  EXPECT_TRUE(same_bits(read_npy(numpy("scalar.npy")), Array::scalar(2.5f)));
  EXPECT_EQ(to_string(read_npy(numpy("empty.npy")).type()), "f32[0,3]");
  for (const char* v : {"version2.npy", "version3.npy"})
    EXPECT_TRUE(same_bits(read_npy(numpy(v)), expected(Dtype::float32)));
}

TEST(Npy, WritesTheBytesThatNumpyWrites) {
  for (const auto& [code, dtype] : codes) {
    SCOPED_TRACE(code);
    const Bytes bytes = npy_bytes(expected(dtype));
    EXPECT_EQ(bytes.text(), get(numpy(code + ".npy")));
    EXPECT_TRUE(same_bits(parse_npy(bytes, "f"), expected(dtype)));
  }
}

TEST(Npy, RoundTripOfShapes) {
  TempDir dir;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{5}, Shape{0}, Shape{3, 0, 2}, Shape{2, 3, 4}, Shape(64, 1)}) {
    Array a = Array::make({Dtype::int16, shape});
    for (int64_t i = 0; i < a.size(); ++i)
      a.as_mutable<int16_t>()[static_cast<size_t>(i)] = static_cast<int16_t>(i - 3);
    write_npy(dir / "f.npy", a);
    EXPECT_TRUE(same_bits(read_npy(dir / "f.npy"), a)) << to_string(shape);
    EXPECT_EQ((npy_bytes(a).size() - static_cast<size_t>(a.bytes())) % 64, 0u);
  }
}

TEST(Npy, Bfloat16IsWrittenAsFloat32) {
  const Array a = Array::of(std::vector<float>{1.5f, -2, INFINITY}, {3});
  EXPECT_TRUE(same_bits(parse_npy(npy_bytes(a.converted(Dtype::bfloat16)), "f"), a));
}

TEST(Npy, SharesAlignedStorage) {
  const Bytes bytes = npy_bytes(expected(Dtype::float32));
  EXPECT_EQ(parse_npy(bytes, "f").data(), bytes.data() + bytes.size() - 24);
  const Array copied =
      parse_npy(file_with("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", {"\0\0\x80\x3f", 4}), "f");
  EXPECT_EQ(copied.at(0), 1);
}

TEST(Npy, ABoolByteIsTrueUnlessZero) {
  const Array a = parse_npy(file_with("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", {"\0\1\7", 3}), "f");
  EXPECT_TRUE(same_bits(a, Array::of(std::vector<uint8_t>{0, 1, 1}, {3}).converted(Dtype::boolean)));
}

TEST(Npy, HeadersInOtherSpellings) {
  const std::string one = {"\1\0", 2};
  for (const char* h : {"{\"shape\":(1,),\"descr\":\"<i2\",\"fortran_order\":False}",
                        "  { 'descr' : '=i2' , 'shape' : ( 1L , ) , 'fortran_order' : True , }  \n",
                        "{'descr': '<i2', 'fortran_order': False, 'shape': (1,), }\n"})
    EXPECT_TRUE(same_bits(parse_npy(file_with(h, one), "f"), Array::of(std::vector<int16_t>{1}, {1}))) << h;
}

TEST(Npy, MalformedHeaders) {
  const auto head = [](const std::string& descr, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  };
  for (const char* h :
       {"", "{", "{}", "[]", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), 'more': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} x", "{'descr' '<f4'}", "{'descr': '<f4",
        "{'descr': '<f\\x34'}"})
    VIVA_EXPECT_HAS(error_with(h), "f.npy: malformed npy header");
  for (const char* s :
       {"(1)", "1", "(-1,)", "(,)", "(1,,)", "(1 2)", "(99999999999999999999,)", "(1.0,)", "(True,)", "[1]"})
    VIVA_EXPECT_HAS(error_with(head("'<f4'", s)), "malformed npy header");
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1,";
  VIVA_EXPECT_HAS(error_with(head("'<f4'", many + ")")), "more than 64 dimensions");
  for (const char* s : {"(4611686018427387904, 4)", "(0, 4611686018427387904, 4)", "(9223372036854775807,)"})
    VIVA_EXPECT_HAS(error_with(head("'<f8'", s)), "too many elements");
  for (const char* d : {"''", "'f4'", "'<'", "'<f3'", "'<f16'", "'<c32'", "'<M8[ns]'", "'!f4'", "'<f4 '"})
    VIVA_EXPECT_HAS(error_with(head(d, "(0,)")), "is not supported: save it as");
  VIVA_EXPECT_HAS(error_with(head("'|f4'", "(0,)")), "no byte order");
  VIVA_EXPECT_HAS(error_with(head("'|V2'", "(0,)")), "bfloat16");
  VIVA_EXPECT_HAS(error_with(head("'<f4'", "(2,)"), "1234567"),
                  "f.npy: holds 7 bytes of data where its shape f32[2] needs 8");
  VIVA_EXPECT_HAS(error_with(head("'<f4'", "(2,)"), "123456789"), "holds 9 bytes");
  VIVA_EXPECT_HAS(error_of([] { read_npy(numpy("object.npy")); }), "Python objects");
  VIVA_EXPECT_HAS(error_of([] { read_npy(numpy("text.npy")); }), "'<U2' is not supported");
  VIVA_EXPECT_HAS(error_of([] { read_npy(numpy("record.npy")); }), "named fields");
  VIVA_EXPECT_HAS(error_of([] { parse_npy(Bytes::of("a text"), "f"); }), "is not an npy file");
  VIVA_EXPECT_HAS(error_of([] { parse_npy(Bytes::of("\x93NUMPY\x09\x01\x01\x01\x01\x01"), "f"); }), "version 9.1");
  VIVA_EXPECT_HAS(error_of([] { parse_npy(Bytes::of("\x93NUMPY\x02" + std::string("\0\xff\xff\xff\xff", 5)), "f"); }),
                  "too large");
}

TEST(Npy, DamagedFilesLoadOrAreRefused) {
  const auto read = [](const std::string& s) { parse_npy(Bytes::of(s), "f"); };
  for (const char* name : {"f4.npy", "b1.npy", "fortran3.npy", "version2.npy", "record.npy"}) {
    const std::string whole = get(numpy(name));
    EXPECT_EQ(loads_truncated(read, whole), 0) << name;
    loads_damaged(read, whole);
  }
}

TEST(Npz, ReadsWhatNumpyWrites) {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    const Npz z(read_file(numpy(name)), name);
    EXPECT_EQ(z.keys(), (std::vector<std::string>{"x", "y"}));
    EXPECT_TRUE(z.has("x"));
    EXPECT_FALSE(z.has("x.npy"));
    EXPECT_TRUE(same_bits(z.read("y"), Array::of(std::vector<int64_t>{2, 0, 1}, {3})));
    const Array x = z.read("x");
    EXPECT_EQ(to_string(x.type()), "f32[3,4]");
    for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(x.at(i), static_cast<double>(i));
    VIVA_EXPECT_HAS(error_of([&] { z.read("z"); }), "has no array 'z': it holds x, y");
    VIVA_EXPECT_HAS(error_of([&] { z.read("x", 100); }),
                    std::string(name) + "[x]: has 176 bytes, more than the limit of 100");
  }
}

TEST(Npz, Refusals) {
  VIVA_EXPECT_HAS(error_of([] { Npz(Bytes::of("a text"), "f.npz"); }), "f.npz: is not an npz file");
  VIVA_EXPECT_HAS(error_of([] { Npz(Bytes::of("PK\3\4" + std::string(100, 'x')), "f.npz"); }),
                  "f.npz: is not a sound npz file");
  EXPECT_TRUE(Npz(Bytes::of("PK\5\6" + std::string(18, '\0')), "f").keys().empty());
}

// An error must come from every damage to the packed data: the checksum covers them.
TEST(Npz, DamagedFilesLoadOrAreRefused) {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    const std::string whole = get(numpy(name));
    const Array x = Npz(Bytes::of(whole), "f").read("x");
    const auto read = [&](const std::string& s) {
      const Npz z(Bytes::of(s), "f");
      for (const auto& key : z.keys()) {
        const Array a = z.read(key);
        EXPECT_TRUE(key != "x" || same_bits(a, x));
      }
    };
    EXPECT_EQ(loads_truncated(read, whole), 0) << name;
    loads_damaged(read, whole);
  }
}

}  // namespace
}  // namespace viva
