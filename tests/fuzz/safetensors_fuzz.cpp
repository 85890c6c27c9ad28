// Arbitrary bytes as a safetensors file and as a checkpoint: what is read is written to a file that reads to the same;
// anything else is refused by an input error of one line. Its metadata are read as those of a checkpoint too, behind
// the checksum, which stops all that is not meant. Seeds: tests/fuzz/safetensors.
#include <cstdint>
#include <cstdlib>

#include "fuzz/refuse.h"
#include "train/checkpoint.h"
#include "train/identity.h"
#include "train/progress.h"

namespace {

void read_metadata(const viva::Safetensors& s) {
  const auto field = [&](const char* name) {
    const auto it = s.metadata.find(name);
    return it == s.metadata.end() ? std::string() : it->second;
  };
  const viva::Checkpoint c{1, field("run"), field("progress"), s.tensors};
  const viva::Bytes once = viva::checkpoint_bytes(c);
  const viva::Checkpoint again = viva::parse_checkpoint(once, "written");
  if (again.run != c.run || again.progress != c.progress) std::abort();
  read_or_refuse([&] {
    const std::string text = viva::progress_text(viva::parse_progress(c.progress, "fuzzed"));
    if (viva::progress_text(viva::parse_progress(text, "written")) != text) std::abort();
  });
  const std::string here = R"({"seed":1,"batch":{"size":2,"shuffle":true},"record":{},"step":"s"})";
  std::vector<std::string> paths;
  std::vector<viva::Tensor> leaves;
  for (const viva::NamedTensor& t : s.tensors) paths.push_back(t.name), leaves.emplace_back(t.array);
  read_or_refuse([&] { viva::training::check_same_run(c, {here, paths, leaves}, "fuzzed"); });
  read_or_refuse([&] { viva::training::check_same_run(c, {here, {"model.w"}, {viva::Array::scalar(1.f)}}, "fuzzed"); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const viva::Bytes content = viva::Bytes::of({reinterpret_cast<const char*>(data), size});
  read_or_refuse([&] { viva::parse_checkpoint(content, "fuzzed"); });
  read_or_refuse([&] {
    const viva::Safetensors s = viva::parse_safetensors(content, "fuzzed");
    if (s.tensors.size() > 0 && s.tensors.front().name == "__metadata__") std::abort();
    const viva::Bytes once = viva::safetensors_bytes(s);
    if (viva::safetensors_bytes(viva::parse_safetensors(once, "written")).text() != once.text()) std::abort();
    read_metadata(s);
  });
  return 0;
}
