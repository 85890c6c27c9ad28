// What export is checked with: by the importer in the suite, by onnx and onnxruntime in tests/peer.
#pragma once

#include <functional>
#include <string>

#include "laws/laws.h"

namespace viva {

struct ExportCase {
  std::string name;
  laws::Case c;
};

// Every sample of the catalogue, and in every other dtype that its operation takes.
std::vector<ExportCase> sample_cases();
// The samples in float64 under each transformation of the laws.
std::vector<ExportCase> transformed_cases();
// Random programs, in float64 and float32, and some under two transformations.
std::vector<ExportCase> random_cases(uint32_t count);
// Edges: what total semantics say where ONNX leaves a choice.
std::vector<ExportCase> edge_cases();

}  // namespace viva
