#include "viva/tree.h"

#include "base/error.h"

namespace viva::tree {

std::vector<Tensor> Leaves::copy() const {
  std::vector<Tensor> r;
  r.reserve(all.size());
  for (const Tensor* t : all) r.push_back(*t);
  return r;
}

void Leaves::assign(const std::vector<Tensor>& leaves) const {
  if (leaves.size() != all.size()) throw usage_error("[tree] {} leaves for a tree of {}", leaves.size(), all.size());
  for (size_t i = 0; i < leaves.size(); ++i) *all[i] = leaves[i];
}

void Paths::leaf(Tensor&) { all.push_back(path_); }

void Paths::enter(std::string_view field) {
  lengths_.push_back(path_.size());
  if (!path_.empty()) path_ += '.';
  path_ += field;
}

void Paths::enter(size_t index) { enter(std::to_string(index)); }

void Paths::leave() {
  path_.resize(lengths_.back());
  lengths_.pop_back();
}

void check_same_leaves(size_t first, size_t other) {
  if (first != other) throw usage_error("[tree::map] trees of {} and {} leaves", first, other);
}

}  // namespace viva::tree
