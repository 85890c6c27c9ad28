// relu masks: beside y = select(x > 0, x, 0) every other reader of x > 0 reads y > 0, which is the same for every x,
// NaN too. Then x need not be kept beside y, and what makes x can end with the relu.
#include <unordered_map>

#include "graph/constant.h"
#include "transform/rewrite.h"

namespace viva {
namespace {

bool is(const Node* n, std::string_view name) { return n->op && n->op->name == name; }

bool is_zero(Value v) {
  const Node* n = v.node();
  while (is(n, "broadcast")) n = n->in[0].node();
  const Array* value = constant_of(*n);
  if (!value || value->size() == 0) return false;
  for (int64_t i = 0; i < value->size(); ++i)
    if (value->at(i) != 0) return false;
  return true;
}

// The node of x > 0 where n is select(x > 0, x, 0).
const Node* mask_of_relu(const Node& n) {
  if (!is(&n, "select")) return nullptr;
  const Node* c = n.in[0].node();
  const bool relu = is(c, "compare") && c->attrs.text("direction") == "gt" && c->in[0] == n.in[1] &&
                    c->in[1] == n.in[2] && is_zero(n.in[2]) && is_float(n.types[0].dtype);
  return relu ? c : nullptr;
}

}  // namespace

Body relu_masks(const Body& f) {
  std::unordered_map<const Node*, const Node*> relus;  // by the mask
  std::unordered_map<const Node*, int> readers;
  for (const Node& n : f->nodes()) {
    for (const Value& v : n.in) ++readers[v.node()];
    if (const Node* mask = mask_of_relu(n)) relus.emplace(mask, &n);
  }
  for (const Value& v : f->outputs()) ++readers[v.node()];
  std::unordered_map<const Node*, Value> made;  // relus that stand where their mask stood
  return rewrite(*f, [&](Build& b, const Node& n, Ins in) -> std::optional<Values> {
    if (const auto it = made.find(&n); it != made.end()) return Values{it->second};
    const auto relu = relus.find(&n);
    if (relu == relus.end() || readers[&n] < 2) return std::nullopt;
    b.at(relu->second->where);
    const Value y = b.select(b.repeat(n, {in.begin(), in.end()}).front(), in[0], in[1]);
    made.emplace(relu->second, y);
    b.at(n.where);
    return b.repeat(n, {y, in[1]});
  });
}

}  // namespace viva
