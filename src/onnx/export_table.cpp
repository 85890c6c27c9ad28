// The table of exported operations.
#include <algorithm>

#include "onnx/export.h"
#include "onnx/exporter.h"

namespace viva {
namespace {

using Family = std::span<const ExportRow> (*)();
constexpr Family families[] = {onnx_export::source,   onnx_export::unary,       onnx_export::binary,
                               onnx_export::movement, onnx_export::contraction, onnx_export::reduction,
                               onnx_export::indexing};

}  // namespace

const ExportRow* find_export_row(std::string_view name) {
  for (const Family f : families) {
    const auto rows = f();
    const auto it = std::ranges::find(rows, name, &ExportRow::name);
    if (it != rows.end()) return &*it;
  }
  return nullptr;
}

std::vector<OnnxExport> exported_operations() {
  std::vector<OnnxExport> all;
  for (const Family f : families)
    for (const ExportRow& r : f())
      all.push_back({std::string(r.name), std::string(r.as), std::string(r.differs), r.write != nullptr});
  return all;
}

}  // namespace viva
