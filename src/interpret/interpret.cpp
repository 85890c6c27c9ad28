#include "interpret/interpret.h"

#include "graph/opdef.h"

namespace viva {
namespace {

class Interpreter final : public Evaluator {
 public:
  explicit Interpreter(const Cancel* cancel) : cancel_(cancel) {}

  std::vector<Array> call(const Function& f, std::span<const Array> args) override {
    check(f, args);
    std::vector<std::vector<Array>> values(f.nodes().size());
    std::vector<int64_t> last_use = last_uses(f);
    const auto at = [&](const Value& v) -> Array& {
      return values[static_cast<size_t>(v.node()->id)][static_cast<size_t>(v.port())];
    };
    for (size_t i = 0; i < args.size(); ++i) values[i] = {args[i]};
    for (const Node& n : f.nodes()) {
      if (!n.op) continue;
      if (cancel_ && cancel_->load(std::memory_order_relaxed)) throw Error(ErrorKind::cancelled, "interrupted");
      if (!n.op->eval) throw unsupported("[interpret] {} has no eval rule: {}", n.op->name, n.op->eval.absent().why);
      std::vector<Array> in;
      for (const Value& v : n.in) in.push_back(at(v));
      values[static_cast<size_t>(n.id)] = (*n.op->eval)(n, in, *this);
      for (const Value& v : n.in)
        if (last_use[static_cast<size_t>(v.node()->id)] == n.id)
          values[static_cast<size_t>(v.node()->id)].assign(v.node()->types.size(), Array());
    }
    std::vector<Array> out;
    for (const Value& v : f.outputs()) out.push_back(at(v));
    return out;
  }

 private:
  static void check(const Function& f, std::span<const Array> args) {
    if (args.size() != f.params().size())
      throw usage_error("[interpret] {} takes {} arguments, not {}", f.name(), f.params().size(), args.size());
    for (size_t i = 0; i < args.size(); ++i)
      if (args[i].empty() || args[i].type() != f.params()[i].type())
        throw usage_error("[interpret] {}: argument {} is {}, not {}", f.name(), i, to_string(args[i].type()),
                          to_string(f.params()[i].type()));
  }

  // For each node, the last node that reads it; beyond the end for outputs.
  static std::vector<int64_t> last_uses(const Function& f) {
    std::vector<int64_t> last(f.nodes().size(), -1);
    for (const Node& n : f.nodes())
      for (const Value& v : n.in) last[static_cast<size_t>(v.node()->id)] = n.id;
    for (const Value& v : f.outputs()) last[static_cast<size_t>(v.node()->id)] = static_cast<int64_t>(f.nodes().size());
    return last;
  }

  const Cancel* cancel_;
};

}  // namespace

std::vector<Array> interpret(const Function& f, std::span<const Array> args, const Cancel* cancel) {
  return Interpreter(cancel).call(f, args);
}

}  // namespace viva
