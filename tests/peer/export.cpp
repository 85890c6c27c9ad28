// Writes models with arguments and results, for tests/peer/export_test.py: FOLDER/N/model.onnx, name.txt, xI.npy,
// yI.npy.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/npy.h"
#include "interpret/interpret.h"
#include "onnx/export.h"
#include "onnx/export_cases.h"

namespace {

using namespace viva;

// Halves as float32: numpy has no bfloat16.
void write(const std::filesystem::path& path, const Array& a) {
  write_npy(path.string(), a.dtype() == Dtype::bfloat16 ? a.converted(Dtype::float32) : a);
}

void write_case(const std::filesystem::path& folder, const ExportCase& e) {
  std::filesystem::create_directories(folder);
  write_file((folder / "name.txt").string(), std::string_view(e.name));
  ExportOptions o;
  for (size_t i = 0; i < e.c.args.size(); ++i) o.parameters.push_back({fmt::format("x{}", i), std::nullopt, -1});
  write_file((folder / "model.onnx").string(), std::string_view(export_onnx([&](int64_t) { return e.c.f; }, o).bytes));
  for (size_t i = 0; i < e.c.args.size(); ++i) write(folder / fmt::format("x{}.npy", i), e.c.args[i]);
  const auto results = interpret(*e.c.f, e.c.args);
  for (size_t i = 0; i < results.size(); ++i) write(folder / fmt::format("y{}.npy", i), results[i]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: peer_export FOLDER\n", stderr), 2;
  int refused = 0, written = 0;
  for (const auto& cases : {sample_cases(), edge_cases(), random_cases(60), transformed_cases()})
    for (const ExportCase& e : cases) try {
        write_case(std::filesystem::path(argv[1]) / std::to_string(written), e);
        ++written;
      } catch (const Error& error) {
        std::printf("refused: %s: %s\n", e.name.c_str(), error.what());
        ++refused;
      }
  std::printf("%d written, %d refused\n", written, refused);
}
