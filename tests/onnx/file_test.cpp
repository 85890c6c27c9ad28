#include "onnx/file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "base/error.h"

namespace viva {
namespace {

const std::string folder = std::string(VIVA_SOURCE_DIR) + "/tests/onnx/fixtures/";

ModelFile read(const std::string& name) { return read_onnx(folder + name); }

std::string bytes_of(const std::string& name) {
  std::ifstream in(folder + name, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

const TensorDef& initializer(const ModelFile& m, const std::string& name) {
  for (const auto& t : m.graph.initializers)
    if (t.name == name) return t;
  throw internal_error("no initializer {}", name);
}

TEST(OnnxFile, ReadsAModel) {
  const ModelFile m = read("small.onnx");
  EXPECT_EQ(m.ir_version, 10);
  EXPECT_EQ(m.producer, "fixtures");
  EXPECT_EQ(m.producer_version, "1");
  EXPECT_EQ(m.opsets, (std::map<std::string, int64_t>{{"", 20}}));
  EXPECT_EQ(m.metadata, (std::vector<std::pair<std::string, std::string>>{{"task", "none"}}));
  ASSERT_EQ(m.graph.inputs.size(), 1u);
  const ValueDef& x = m.graph.inputs[0];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.dtype, Dtype::float32);
  ASSERT_EQ(x.dims.size(), 2u);
  EXPECT_EQ(x.dims[0].symbol, "N");
  EXPECT_FALSE(x.dims[0].value);
  EXPECT_EQ(x.dims[1].value, 2);
  ASSERT_EQ(m.graph.nodes.size(), 2u);
  EXPECT_EQ(m.graph.nodes[0].inputs, (std::vector<std::string>{"x", "w"}));
  EXPECT_EQ(to_string(m.graph.nodes[0]), "MatMul 'mm'");
  EXPECT_EQ(to_string(m.graph.nodes[1]), "Relu making 'y'");
  EXPECT_TRUE(same_bits(initializer(m, "w").value, Array::of<float>({0, 1, 2, 3, 4, 5}, {2, 3})));
  ASSERT_EQ(m.files.size(), 1u);
  EXPECT_EQ(m.files[0].bytes, static_cast<int64_t>(bytes_of("small.onnx").size()));
  EXPECT_EQ(m.files[0].sha256.size(), 64u);
}

TEST(OnnxFile, ReadsGzip) {
  const ModelFile plain = read("small.onnx"), packed = read("small.onnx.gz");
  EXPECT_EQ(packed.graph.nodes.size(), plain.graph.nodes.size());
  EXPECT_TRUE(same_bits(initializer(packed, "w").value, initializer(plain, "w").value));
  EXPECT_EQ(packed.files[0].bytes, static_cast<int64_t>(bytes_of("small.onnx.gz").size()));
  EXPECT_NE(packed.files[0].sha256, plain.files[0].sha256);
}

TEST(OnnxFile, ReadsEveryDtype) {
  const ModelFile m = read("dtypes.onnx");
  for (const char* storage : {"raw_", "typed_"}) {
    for (const char* numpy :
         {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}) {
      const Array& a = initializer(m, std::string(storage) + numpy).value;
      ASSERT_EQ(a.shape(), (Shape{3})) << storage << numpy;
      for (int i = 0; i < 3; ++i) EXPECT_EQ(a.at(i), i) << storage << numpy;
    }
    const std::string s = storage;
    EXPECT_TRUE(
        same_bits(initializer(m, s + "complex64").value, Array::of<std::complex<float>>({{1, 2}, {0, 3}, -1}, {3})));
    EXPECT_TRUE(
        same_bits(initializer(m, s + "complex128").value, Array::of<std::complex<double>>({{1, 2}, {0, 3}, -1}, {3})));
    const auto flags = initializer(m, s + "bool").value.as<bool>();
    EXPECT_EQ((std::vector<bool>(flags.begin(), flags.end())), (std::vector<bool>{true, false, true}));
  }
  EXPECT_EQ(initializer(m, "typed_bfloat16").value.at(1), -2.5);
  EXPECT_EQ(initializer(m, "empty").value.shape(), (Shape{0, 5}));
  unsigned char raw[3];
  std::memcpy(raw, initializer(m, "strange_bool").value.data(), 3);
  EXPECT_EQ(raw[0] + 2 * raw[1] + 4 * raw[2], 6);
}

TEST(OnnxFile, UnsupportedTensorsOnlySayWhy) {
  const ModelFile m = read("dtypes.onnx");
  EXPECT_EQ(initializer(m, "strings").unsupported, "tensors of string");
  EXPECT_EQ(initializer(m, "int4").unsupported, "tensors of int4");
  EXPECT_EQ(initializer(m, "float8").unsupported, "tensors of float8e4m3fn");
  EXPECT_TRUE(initializer(m, "float8").value.empty());
}

TEST(OnnxFile, ReadsEveryKindOfAttribute) {
  const ModelFile m = read("attributes.onnx");
  const NodeDef& n = m.graph.nodes[0];
  EXPECT_EQ(n.domain, "test");
  EXPECT_EQ(n.find("f")->f, 1.5f);
  EXPECT_EQ(n.find("i")->i, -3);
  EXPECT_EQ(n.find("s")->s, "text");
  EXPECT_EQ(n.find("floats")->floats, (std::vector<float>{1, 2}));
  EXPECT_EQ(n.find("ints")->ints, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(n.find("strings")->strings, (std::vector<std::string>{"p", "q"}));
  EXPECT_TRUE(same_bits(n.find("t")->tensors[0].value, Array::scalar(2.0f)));
  EXPECT_EQ(n.find("g")->graphs[0]->nodes[0].op_type, "Neg");
  EXPECT_EQ(n.find("nothing"), nullptr);
}

TEST(OnnxFile, ReadsFunctions) {
  const ModelFile m = read("function.onnx");
  ASSERT_EQ(m.functions.size(), 1u);
  EXPECT_EQ(m.functions[0].name, "Scale");
  EXPECT_EQ(m.functions[0].attributes, (std::vector<std::string>{"alpha"}));
  const AttributeDef* alpha = m.functions[0].nodes[0].find("alpha");
  EXPECT_EQ(alpha->kind, AttributeDef::Kind::reference);
  EXPECT_EQ(alpha->s, "alpha");
}

TEST(OnnxFile, InitializersThatAreInputsAreOverridable) {
  const ModelFile m = read("overridable.onnx");
  ASSERT_EQ(m.graph.inputs.size(), 1u);
  EXPECT_EQ(m.graph.inputs[0].name, "x");
  ASSERT_EQ(m.graph.overridable.size(), 1u);
  EXPECT_EQ(m.graph.overridable[0].name, "w");
}

TEST(OnnxFile, MinusOneIsAnOpenExtent) {
  const ModelFile m = read("open_batch.onnx");
  EXPECT_FALSE(m.graph.inputs[0].dims[0].value);
  EXPECT_EQ(m.graph.inputs[0].dims[0].symbol, "");
}

TEST(OnnxFile, ReadsExternalData) {
  const Array w = Array::of<float>({0, 1, 2, 3, 4, 5}, {2, 3});
  for (const char* name : {"external.onnx", "external_no_length.onnx"}) {
    const ModelFile m = read(name);
    EXPECT_TRUE(same_bits(initializer(m, "w").value, w));
    ASSERT_EQ(m.files.size(), 2u);
    EXPECT_EQ(m.files[1].path.substr(m.files[1].path.rfind('/') + 1), "weights.bin");
    EXPECT_EQ(m.files[1].bytes, 32);
    EXPECT_EQ(m.files[1].sha256.size(), 64u);
  }
}

struct Defect {
  const char* file;
  const char* part;  // of the message
};

class OnnxDefect : public testing::TestWithParam<Defect> {};

TEST_P(OnnxDefect, IsOneLineThatNamesTheFileAndThePlace) {
  const auto& [file, part] = GetParam();
  try {
    read(file);
    FAIL() << file << " was read";
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_EQ(e.kind(), ErrorKind::input) << what;
    EXPECT_NE(what.find(file), std::string::npos) << what;
    EXPECT_NE(what.find(part), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OnnxDefect,
    testing::Values(Defect{"bad_raw_size.onnx", "initializer 'w' of type f32[2,3] needs 24 bytes, the file has 20"},
                    Defect{"bad_typed_size.onnx", "initializer 'w' of type f32[2,3] needs 6 numbers, the file has 1"},
                    Defect{"bad_complex_size.onnx", "needs 2 numbers, the file has 1"},
                    Defect{"bad_negative.onnx", "negative extent: [-2,-3]"},
                    Defect{"bad_overflow.onnx", "too many elements"}, Defect{"bad_rank.onnx", "100 dimensions"},
                    Defect{"bad_dtype.onnx", "has no element type"},
                    Defect{"bad_order.onnx", "Relu 'second': input 'm' is made only later, by Relu 'first'"},
                    Defect{"bad_cycle.onnx", "Add 'loop': input 'c' depends on this node's own output (a cycle)"},
                    Defect{"bad_missing_input.onnx", "Relu making 'y': input 'nothing' is made by no node"},
                    Defect{"bad_missing_output.onnx", "output 'y' is made by no node"},
                    Defect{"bad_twice.onnx", "Relu making 'y': output 'y' is defined twice"},
                    Defect{"bad_initializer_twice.onnx", "initializer 'w' is defined twice"},
                    Defect{"bad_output_twice.onnx", "output 'y' is listed twice"},
                    Defect{"bad_attribute_twice.onnx", "attribute 'alpha' is given twice"},
                    Defect{"bad_reference.onnx", "refers to an attribute of a function"},
                    Defect{"bad_nesting.onnx", "nested more than 16 deep"},
                    Defect{"bad_inner.onnx", "input 'later' is made by no node"},
                    Defect{"bad_recursion.onnx", "function 'Again' calls itself"},
                    Defect{"bad_function_twice.onnx", "function 'Again' is defined twice"},
                    Defect{"bad_opsets.onnx", "opset of the default domain is given as 17 and as 18"},
                    Defect{"bad_no_graph.onnx", "no graph"}, Defect{"bad_utf8.onnx", "not UTF-8"},
                    Defect{"bad_text.onnx", "not an ONNX model but a text file: a Git LFS pointer"},
                    Defect{"bad_empty.onnx", "not an ONNX model: the file is empty"}, Defect{"nowhere.onnx", ""},
                    Defect{"external_missing.onnx", "'nowhere.bin'"},
                    Defect{"external_parent.onnx", "'../make_fixtures.py'"},
                    Defect{"external_absolute.onnx", "'/etc/passwd'"},
                    Defect{"external_hidden_parent.onnx", "'a/../../make_fixtures.py'"},
                    Defect{"external_folder.onnx", "'.'"}, Defect{"external_no_location.onnx", "no location"},
                    Defect{"external_short.onnx", "needs 24 bytes at 16 of 'weights.bin', which has 32"},
                    Defect{"external_past_end.onnx", "needs 24 bytes at 4611686018427387904 of 'weights.bin'"},
                    Defect{"external_negative.onnx", "offset '-8'"},
                    Defect{"external_wrong_length.onnx", "needs 24 bytes, its external data has 20"},
                    Defect{"external_not_a_number.onnx", "offset 'eight'"}),
    [](const auto& info) {
      std::string s = info.param.file;
      return s.substr(0, s.find('.'));
    });

// Reads damaged bytes: either they still are a model or the error is an input error of one line.
void read_damaged(const std::string& bytes) {
  try {
    parse_onnx(bytes, "damaged", folder);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::input) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
  }
}

const char* const whole_models[] = {"small.onnx",    "dtypes.onnx",   "attributes.onnx",
                                    "function.onnx", "external.onnx", "bad_nesting.onnx"};

TEST(OnnxFile, AnyTruncationIsAnError) {
  for (const char* name : whole_models) {
    const std::string bytes = bytes_of(name);
    for (size_t n = 0; n < bytes.size(); ++n) read_damaged(bytes.substr(0, n));
  }
}

TEST(OnnxFile, AnyFlippedBitIsSurvived) {
  for (const char* name : whole_models) {
    std::string bytes = bytes_of(name);
    for (size_t i = 0; i < bytes.size() * 8; ++i) {
      const auto flip = [&] { bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << (i % 8))); };
      flip();
      read_damaged(bytes);
      flip();
    }
  }
}

TEST(OnnxFile, RandomDamageIsSurvived) {
  std::mt19937 random(1);
  for (const char* name : whole_models) {
    const std::string bytes = bytes_of(name);
    for (int round = 0; round < 500; ++round) {
      std::string s = bytes;
      for (unsigned k = 0; k < 1 + random() % 8; ++k) s[random() % s.size()] = static_cast<char>(random());
      if (random() % 4 == 0) s.erase(random() % s.size(), random() % 8);
      read_damaged(s);
    }
  }
}

}  // namespace
}  // namespace viva
