// A function of the graph becomes a model file.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "graph/graph.h"

namespace viva {

// The opsets of exported models: the lower, or the higher where it needs BitCast.
inline constexpr int64_t export_opset = 21, export_opset_bitcast = 26;

// The metadata say what each stored parameter is: "viva.leaf:hidden.weight" is "weight" or "buffer".
inline constexpr std::string_view export_leaf = "viva.leaf:", export_weight = "weight", export_buffer = "buffer";

struct ExportParameter {
  std::string name;                  // "" for the parameter's own
  std::optional<Array> initializer;  // stored in the file; none: an input
  int64_t open_axis = -1;            // of an input: the axis whose extent the file leaves open
  bool buffer = false;               // of an initializer: not trained
};

struct ExportOptions {
  std::vector<ExportParameter> parameters;  // one for each of the function, or none: inputs by their own names
  std::vector<std::string> output_names;    // one for each output, or none: their own, or "output"
  std::string symbol;                       // of the open extent
  std::string name = "viva";                // of the graph
  // Initialisers go to a file beside the model where all take more bytes: protobuf ends at 2 GiB.
  int64_t external_above = 1'900'000'000;
  std::vector<std::pair<std::string, std::string>> metadata = {};  // of the model: keys and values, valid UTF-8
};

// The function at one size of the open extent; at sizes[0] alone where no axis is open.
using AtSize = std::function<Body(int64_t size)>;

struct ExportedModel {
  std::string bytes;     // of the model
  std::string external;  // of the file beside it, "" where there is none
  std::string external_name;
};

// Throws an unsupported error that names the user's line and every operation that ONNX cannot say, with the reason, or
// that differs between sizes in more than extents that are linear in the size; a usage error where options do not fit.
// file: the name of the model's file, for that of the file beside it.
ExportedModel export_onnx(const AtSize& function, const ExportOptions& options, const std::string& file = "model.onnx");
ExportedModel export_onnx(const Body& function, const ExportOptions& options = {});

// The model at path, and beside it what it refers to, each whole or not at all.
void write_onnx(const std::string& path, const AtSize& function, const ExportOptions& options);

// One row of the table of operations, for the documentation and its test.
struct OnnxExport {
  std::string operation, as, differs;
  bool exported = true;
};
std::vector<OnnxExport> exported_operations();

}  // namespace viva
