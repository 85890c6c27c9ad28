#include "train/safetensors.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "support/damage.h"
#include "support/temp_dir.h"
#include "train/checkpoint.h"
#include "viva/viva.h"

namespace viva {
namespace {

Safetensors sample() {
  Safetensors s;
  s.metadata = {{"a", "b \" \\ ü"}};
  s.tensors = {{"w", Array::of(std::vector<float>{1, -2.5f, 3}, {3, 1})},
               {"mask", Array::of(std::vector<uint8_t>{7, 8, 9}, {3})},
               {"count", Array::scalar(int64_t{-5})},
               {"empty", Array::zeros({Dtype::float64, {0, 4}})},
               {"half", Array::zeros({Dtype::bfloat16, {2}})},
               {"yes", Array::full({Dtype::boolean, {2}}, 1)}};
  return s;
}
Safetensors parse(const std::string& content) { return parse_safetensors(Bytes::of(content), "f"); }
std::string with_header(std::string header, const std::string& data = "") {
  std::string length;
  for (size_t i = 0; i < 8; ++i) length += static_cast<char>(header.size() >> (8 * i) & 255);
  return length + header + data;
}

TEST(Safetensors, RoundTrip) {
  const Safetensors s = sample(), back = parse_safetensors(safetensors_bytes(s), "f");
  EXPECT_EQ(back.metadata, s.metadata);
  ASSERT_EQ(back.tensors.size(), s.tensors.size());
  for (const NamedTensor& t : s.tensors) {
    const auto it = std::ranges::find(back.tensors, t.name, &NamedTensor::name);
    ASSERT_NE(it, back.tensors.end()) << t.name;
    EXPECT_TRUE(same_bits(it->array, t.array)) << t.name;
  }
}

// Written by Python's safetensors 0.4.5: save({'b': np.array([[1, 2]], np.int16), 'a': np.array([.5], np.float32)}).
TEST(Safetensors, ReadsWhatPythonWrites) {
  std::string f = with_header(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I16","shape":[1,2],"data_offsets":[4,8]}})",
      std::string("\0\0\0?\1\0\2\0", 8));
  const Safetensors s = parse(f);
  ASSERT_EQ(s.tensors.size(), 2u);
  EXPECT_EQ(to_string(Tensor(s.tensors[0].array)), "f32[1] [0.5]");
  EXPECT_EQ(to_string(Tensor(s.tensors[1].array)), "i16[1,2] [[1, 2]]");
}

TEST(Safetensors, Layout) {
  const Bytes b = safetensors_bytes(sample());
  EXPECT_EQ(b.text(), safetensors_bytes(sample()).text());
  const std::string_view header = safetensors_header(b, "f");
  EXPECT_EQ((8 + header.size()) % 64, 0u);
  EXPECT_NE(header.find(R"("w":{"data_offsets":[8,20],"dtype":"F32","shape":[3,1]})"), header.npos) << header;
}

TEST(Safetensors, Refusals) {
  const auto refused = [](const std::string& content) { return error_of([&] { parse(content); }); };
  EXPECT_EQ(refused(""), "f: is no safetensors file: it ends in its first 8 bytes");
  EXPECT_EQ(refused(std::string(8, '\xff')),
            "f: is no safetensors file: a header of 18446744073709551615 bytes is beyond the format's limit");
  EXPECT_EQ(refused(with_header("{}").substr(0, 9)), "f: ends inside its header: the file was cut off");
  const std::string bad = "f: is damaged, or no safetensors file: ";
  for (const char* header : {"", "[]", "1", "nul", "{", " {}", "{\"a\":", "{}x"})
    VIVA_EXPECT_HAS(refused(with_header(header)), bad + "its header is no JSON");
  EXPECT_EQ(refused(with_header("{\"a\":1,\"a\":2}")), bad + "its header gives a name twice");
  EXPECT_EQ(refused(with_header("{\"__metadata__\":{\"a\":1}}")), bad + "its metadata hold something other than text");
  EXPECT_EQ(refused(with_header("{\"__metadata__\":[]}")), bad + "its metadata are no JSON object");
  EXPECT_EQ(refused(with_header("{}", "x")), bad + "it holds 1 bytes of data, its header describes 0");
  const auto tensor = [&](const std::string& dtype, const std::string& shape, const std::string& offsets,
                          size_t bytes) {
    return refused(
        with_header(fmt::format(R"({{"t":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets),
                    std::string(bytes, 'x')));
  };
  EXPECT_EQ(tensor("F32", "[1]", "[0,4]", 3), bad + "it holds 3 bytes of data, its header describes 4");
  EXPECT_EQ(tensor("F33", "[1]", "[0,4]", 4), bad + "'t' has dtype F33");
  EXPECT_EQ(tensor("F32", "[2]", "[0,4]", 4), bad + "the offsets of 't' do not fit f32[2]");
  EXPECT_EQ(tensor("F32", "[1]", "[4,8]", 8), bad + "'t' does not begin where the tensor before it ends");
  EXPECT_EQ(tensor("F32", "[1]", "[8,4]", 8), bad + "the offsets of 't' do not fit f32[1]");
  EXPECT_EQ(tensor("F32", "[-1]", "[0,4]", 4), bad + "'t' has an extent or offset that is no number");
  EXPECT_EQ(tensor("F32", "[1.0]", "[0,4]", 4), bad + "'t' has an extent or offset that is no number");
  EXPECT_EQ(tensor("F32", "[18446744073709551615]", "[0,4]", 4), bad + "'t' is too large");
  VIVA_EXPECT_HAS(tensor("F32", "[4611686018427387904,4]", "[0,0]", 0), "do not fit");
  EXPECT_EQ(tensor("F32", "[1]", "[0,4,4]", 4), bad + "'t' lacks dtype, shape or offsets");
  EXPECT_EQ(tensor("F32", "1", "[0,4]", 4), bad + "'t' lacks dtype, shape or offsets");
  VIVA_EXPECT_HAS(refused(with_header(std::string(1000000, '['))), bad);
  for (const char* more : {"[", "{\"a\":"}) {
    std::string header = "{\"a\":";
    for (int i = 0; i < 1000000; ++i) header += more;
    EXPECT_EQ(refused(with_header(header)), bad + "its header is nested deeper than the format's");
  }
  const std::string overlap =
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})";
  EXPECT_EQ(refused(with_header(overlap, "xyz")), bad + "'b' does not begin where the tensor before it ends");
}

TEST(Safetensors, DamagedFilesLoadOrAreRefused) {
  const std::string whole(safetensors_bytes(sample()).text());
  EXPECT_EQ(loads_truncated(parse, whole), 0);
  loads_damaged(parse, whole);
}

TEST(Safetensors, WriterRefusesWhatItCannotSay) {
  const Array one = Array::scalar(1.f);
  EXPECT_EQ(error_of([&] { safetensors_bytes({{}, {{"a", one}, {"a", one}}}); }, ErrorKind::usage),
            "two tensors of a safetensors file would be named 'a'");
  EXPECT_EQ(error_of([&] { safetensors_bytes({{}, {{"__metadata__", one}}}); }, ErrorKind::usage),
            "two tensors of a safetensors file would be named '__metadata__'");
  EXPECT_EQ(error_of([&] { safetensors_bytes({{}, {{"\xff", one}}}); }, ErrorKind::usage),
            "names in safetensors files are UTF-8");
  EXPECT_EQ(error_of([&] { safetensors_bytes({{}, {{"c", Array::zeros({Dtype::complex128, {1}})}}}); },
                     ErrorKind::unsupported),
            "c: safetensors files hold no c128: convert it");
}

// Checkpoints

Checkpoint checkpoint() { return {12, R"({"seed":1})", R"({"lines":0,"note":"\"sha256\":\"000"})", sample().tensors}; }
Checkpoint parse_one(const std::string& content) { return parse_checkpoint(Bytes::of(content), "c"); }

TEST(Checkpoint, RoundTripAndChecksum) {
  const Bytes b = checkpoint_bytes(checkpoint());
  const Checkpoint c = parse_checkpoint(b, "c");
  EXPECT_EQ(c.step, 12);
  EXPECT_EQ(c.run, checkpoint().run);
  EXPECT_EQ(c.progress, checkpoint().progress);
  EXPECT_EQ(c.tensors.size(), sample().tensors.size());
  // As the comment in checkpoint.h says, by hand.
  const Safetensors s = parse_safetensors(b, "c");
  std::string text(b.text());
  const std::string sum = s.metadata.at("sha256");
  text.replace(text.find(sum), 64, std::string(64, '0'));
  EXPECT_EQ(sha256_hex(as_bytes(text)), sum);
}

TEST(Checkpoint, EveryDamageIsSeen) {
  const std::string whole(checkpoint_bytes(checkpoint()).text());
  EXPECT_EQ(loads_truncated(parse_one, whole), 0);
  EXPECT_EQ(loads_damaged(parse_one, whole), 0);
  EXPECT_EQ(loads(parse_one, whole + "x"), 0);
  EXPECT_EQ(loads(parse_one, std::string(safetensors_bytes(sample()).text())), 0);
}

TEST(Checkpoint, TheNewestWholeOneIsFound) {
  const TempDir dir;
  const CheckpointFiles files(dir.path(), 2);
  EXPECT_FALSE(files.newest({}));
  Checkpoint c = checkpoint();
  for (int64_t step : {5, 10, 15, 1234567890}) c.step = step, files.write(c);
  EXPECT_EQ(names_in(dir.path()),
            (std::vector<std::string>{"checkpoint-000000015.safetensors", "checkpoint-1234567890.safetensors"}));
  EXPECT_EQ(files.newest({})->first.step, 1234567890);
  put(dir / "checkpoint-1.safetensors", "not ours");
  put(dir / "checkpoint-00000000x.safetensors", "not ours");
  put(files.path(1234567890), get(files.path(1234567890)).substr(0, 300));
  std::vector<std::string> said;
  EXPECT_EQ(files.newest([&](const std::string& line) { said.push_back(line); })->first.step, 15);
  ASSERT_EQ(said.size(), 1u);
  VIVA_EXPECT_HAS(said[0], "checkpoint-1234567890.safetensors: ");
  VIVA_EXPECT_HAS(said[0], "; the checkpoint before it is used");
  // A copy under another step's name is not that step.
  put(files.path(20), get(files.path(15)));
  EXPECT_EQ(files.newest({})->first.step, 15);
  // The damaged ones go with the next that is written, and not the whole one before it.
  c.step = 16, files.write(c);
  EXPECT_EQ(files.steps(), (std::vector<int64_t>{15, 16}));
}

// Trees as files

struct Model {
  std::vector<Tensor> layers;
  Tensor absent;
  Buffer mean;
};

TEST(SaveSafetensors, TreesRoundTrip) {
  const TempDir dir;
  const Model m{{tensor({1, 2}), full({1, 1}, 3, Dtype::float64)}, {}, {tensor({5})}};
  save_safetensors(dir / "m", m);
  const Model like{{zeros({2}), zeros({1, 1}, Dtype::float64)}, {}, {zeros({1})}};
  const Model back = load_safetensors(dir / "m", like);
  EXPECT_EQ(to_string(back.layers[0]), "f32[2] [1, 2]");
  EXPECT_EQ(to_string(back.layers[1]), "f64[1,1] [[3]]");
  EXPECT_EQ(to_string(back.mean.value), "f32[1] [5]");
  EXPECT_TRUE(back.absent.empty());
  VIVA_EXPECT_HAS(error_of([&] { load_safetensors(dir / "m", Model{{zeros({3}), {}}, {}, {}}); }),
                  ": does not fit: layers.0 is f32[2] in it and f32[3] here");
  VIVA_EXPECT_HAS(error_of([&] { load_safetensors(dir / "m", Model{{zeros({2})}, {}, {zeros({1})}}); }),
                  ": does not fit: it has layers.1, which is not here");
  VIVA_EXPECT_HAS(error_of([&] { load_safetensors(dir / "m", Model{like.layers, zeros({1}), like.mean}); }),
                  ": does not fit: it has no absent");
}

}  // namespace
}  // namespace viva
