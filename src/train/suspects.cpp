#include "train/suspects.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/bytes.h"
#include "base/error.h"
#include "graph/opdef.h"
#include "ops/record.h"
#include "transform/pipeline.h"

namespace viva::training {
namespace {

std::string shown(const std::string& path) { return path.empty() ? "the batch" : "batch." + printable(path); }

// "[3,17], in row 4052": the place of an element, and the row of the data where the leaf's first axis counts them.
std::string place(const Batch& batch, const Tensor& leaf, int64_t element) {
  Ints at(static_cast<size_t>(leaf.rank()));
  for (size_t i = at.size(), rest = static_cast<size_t>(element); i-- > 0;) {
    const auto extent = static_cast<size_t>(leaf.shape()[i]);
    at[i] = static_cast<int64_t>(rest % extent), rest /= extent;
  }
  const bool by_row = !at.empty() && leaf.dim(0) == static_cast<int64_t>(batch.rows.size());
  return to_string(at) + (by_row ? fmt::format(", in row {}", batch.rows[static_cast<size_t>(at[0])]) : "");
}

template <class Test> std::string first_in(const Batch& batch, Test test) {
  for (size_t i = 0; i < batch.leaves.size(); ++i) {
    const Tensor& leaf = batch.leaves[i];
    if (leaf.empty() || !is_float(leaf.dtype())) continue;
    const Array a = leaf.array();
    for (int64_t k = 0; k < a.size(); ++k)
      if (test(a.at(k))) return fmt::format("{} is {} at {}", shown(batch.paths[i]), a.at(k), place(batch, leaf, k));
  }
  return "";
}

// What a choice between a loss and NaN asks of a label: a number below `classes`, not below 0, or one of `others`.
struct LabelTest {
  Value label;
  int64_t classes = -1;
  std::vector<int64_t> others;
  bool allows(int64_t v) const { return (v >= 0 && v < classes) || std::ranges::find(others, v) != others.end(); }
};

// The test that a predicate makes of an integer parameter, and of it alone.
std::optional<LabelTest> test_of(Value predicate) {
  LabelTest t;
  Values open{predicate};
  std::unordered_set<Value, ValueHash> seen;
  while (!open.empty()) {
    const Value v = open.back();
    open.pop_back();
    if (!seen.insert(v).second || splat_value(v)) continue;
    const Node& n = *v.node();
    if (!n.op) {
      if (!is_integer(v.dtype()) || (t.label && t.label != v)) return {};
      t.label = v;
      continue;
    }
    if (n.op->name == "compare") {
      const auto bound = splat_value(n.in[1]);
      const std::string& direction = n.attrs.text("direction");
      if (!bound) return {};
      if (direction == "lt") t.classes = static_cast<int64_t>(*bound);
      else if (direction == "eq") t.others.push_back(static_cast<int64_t>(*bound));
      else if (direction != "ge" || *bound != 0) return {};
    } else if (std::ranges::count(
                   std::array<std::string_view, 6>{"and", "or", "convert", "reshape", "broadcast", "transpose"},
                   n.op->name) == 0)
      return {};
    open.insert(open.end(), n.in.begin(), n.in.end());
  }
  return t.label && t.classes > 0 ? std::optional(t) : std::nullopt;
}

// The path of a batch's leaf, from the name of its parameter: the batch is argument 2 of a step.
std::optional<std::string> path_of(const Value& parameter) {
  const std::string& name = parameter.name();
  if (name == "2") return "";
  return name.starts_with("2.") ? std::optional(name.substr(2)) : std::nullopt;
}

}  // namespace

std::string nan_in(const Batch& batch) {
  return first_in(batch, [](double v) { return std::isnan(v); });
}
std::string infinity_in(const Batch& batch) {
  return first_in(batch, [](double v) { return std::isinf(v); });
}

std::optional<BadLabel> bad_label(const Body& step, const Batch& batch) {
  const Body whole = run_pass(inline_all_pass, step, {});
  for (const Node& n : whole->nodes()) {
    if (!n.op || n.op->name != "select" || !is_float(n.types[0].dtype)) continue;
    const auto otherwise = splat_value(n.in[2]);
    const auto test = otherwise && std::isnan(*otherwise) ? test_of(n.in[0]) : std::nullopt;
    const auto path = test ? path_of(test->label) : std::nullopt;
    const auto i = path ? std::ranges::find(batch.paths, *path) - batch.paths.begin() : std::ssize(batch.paths);
    if (i == std::ssize(batch.paths)) continue;
    const Tensor& leaf = batch.leaves[static_cast<size_t>(i)];
    const Array a = leaf.array();
    for (int64_t k = 0; k < a.size(); ++k)
      if (const auto v = static_cast<int64_t>(a.at(k)); !test->allows(v))
        return BadLabel{fmt::format("{} is {} at {}, outside the {} classes: labels go from 0 to {}", shown(*path), v,
                                    place(batch, leaf, k), test->classes, test->classes - 1),
                        n.where};
  }
  return {};
}

}  // namespace viva::training
