// The table of operators: the families' rows, and the reasons of those that have none.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "onnx/op.h"

namespace viva {
namespace {

using Index = std::unordered_map<std::string_view, std::vector<const OnnxRow*>>;

const Index& index() {
  static const Index all = [] {
    using namespace onnx_ops;
    Index m;
    for (const auto family : {unary, binary, activation, contraction, convolution, pooling, normalization, reduction,
                              shape, movement, indexing, source, quantization, resizing, attention, loss, spatial})
      for (const OnnxRow& row : family()) m[row.name].push_back(&row);
    return m;
  }();
  return all;
}

struct Refusal {
  std::string_view name, why;
};
constexpr std::string_view data_dependent = "its shape depends on data", strings = "strings are not tensors of numbers",
                           sequences = "sequences are not imported", optionals = "optionals are not imported",
                           random = "its random numbers are not specified by ONNX",
                           loops = "loops over a body are not imported; export the network unrolled",
                           recurrent = "recurrent layers are not imported; export the network unrolled over its steps";
constexpr std::array refusals = {
    Refusal{"Compress", data_dependent},
    Refusal{"NonMaxSuppression", data_dependent},
    Refusal{"NonZero", data_dependent},
    Refusal{"Unique", data_dependent},
    Refusal{"ImageDecoder", data_dependent},
    Refusal{"RegexFullMatch", strings},
    Refusal{"StringConcat", strings},
    Refusal{"StringNormalizer", strings},
    Refusal{"StringSplit", strings},
    Refusal{"TfIdfVectorizer", strings},
    Refusal{"ConcatFromSequence", sequences},
    Refusal{"SequenceAt", sequences},
    Refusal{"SequenceConstruct", sequences},
    Refusal{"SequenceEmpty", sequences},
    Refusal{"SequenceErase", sequences},
    Refusal{"SequenceInsert", sequences},
    Refusal{"SequenceLength", sequences},
    Refusal{"SequenceMap", sequences},
    Refusal{"SplitToSequence", sequences},
    Refusal{"Optional", optionals},
    Refusal{"OptionalGetElement", optionals},
    Refusal{"OptionalHasElement", optionals},
    Refusal{"Bernoulli", random},
    Refusal{"Multinomial", random},
    Refusal{"RandomNormal", random},
    Refusal{"RandomNormalLike", random},
    Refusal{"RandomUniform", random},
    Refusal{"RandomUniformLike", random},
    Refusal{"Loop", loops},
    Refusal{"Scan", loops},
    Refusal{"GRU", recurrent},
    Refusal{"LSTM", recurrent},
    Refusal{"RNN", recurrent},
    Refusal{"LinearAttention", loops},
};

}  // namespace

const OnnxRow* find_onnx_row(std::string_view name, int64_t opset) {
  const auto at = index().find(name);
  if (at == index().end()) return nullptr;
  for (const OnnxRow* row : at->second)
    if (row->since <= opset && opset <= row->until) return row;
  return nullptr;
}

bool knows_onnx_name(std::string_view name) { return index().contains(name); }

std::string refusal_reason(std::string_view name) {
  for (const Refusal& r : refusals)
    if (r.name == name) return std::string(r.why);
  return "not imported";
}

std::vector<OnnxOperator> imported_operators() {
  std::vector<OnnxOperator> all;
  for (const auto& [name, rows] : index())
    for (const OnnxRow* row : rows) all.push_back({std::string(name), row->since, row->until});
  std::ranges::sort(
      all, [](const auto& x, const auto& y) { return std::pair(x.name, x.since) < std::pair(y.name, y.since); });
  return all;
}

}  // namespace viva
