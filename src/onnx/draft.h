// A model being written: nodes over numbered tensors, before it has names and bytes. Internal to src/onnx.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graph/graph.h"

namespace viva {

using DraftAttr = std::pair<std::string_view, std::variant<int64_t, float, std::string, Ints>>;
using DraftAttrs = std::vector<DraftAttr>;

// An extent in N: offset + factor·N.
struct Extent {
  int64_t offset = 0, factor = 0;
  bool operator==(const Extent&) const = default;
};

struct DraftTensor {
  Type type;
  std::string name;             // "" until one is made up
  Array constant;               // empty where it is computed or fed
  std::vector<Extent> extents;  // of an input or output of a model with an open extent; else none
  bool buffer = false;          // of a stored parameter: not trained
};

struct DraftNode {
  std::string_view op;
  std::vector<int> in, out;
  DraftAttrs attrs;
  const Node* from = nullptr;  // whose meaning it carries; null for what the file itself needs
};

struct Draft {
  Body function;  // keeps the nodes alive
  std::vector<DraftTensor> tensors;
  std::vector<DraftNode> nodes;
  std::vector<int> inputs, weights, outputs;

  int add(Type type, std::string name = "", Array constant = {}) {
    tensors.push_back({std::move(type), std::move(name), std::move(constant), {}, false});
    return static_cast<int>(tensors.size()) - 1;
  }
  const DraftTensor& tensor(int id) const { return tensors[static_cast<size_t>(id)]; }
};

// The extent that is at[i] where N is sizes[i]; nothing where it is not linear, or not in integers.
std::optional<Extent> fit_extent(std::span<const int64_t> sizes, std::span<const int64_t> at);

// Where the size can be read: an axis of an input.
struct OpenAxis {
  int input = -1;  // a tensor
  int64_t axis = 0;
};

// One draft for every size of the batch, from drafts at three sizes. Throws an unsupported error that names the user's
// line and operation where they differ in more than extents that are linear in the size.
Draft fit_drafts(std::span<Draft> drafts, std::span<const int64_t> sizes, OpenAxis where);

}  // namespace viva
