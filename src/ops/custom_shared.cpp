#include <unordered_map>
#include <unordered_set>

#include "ops/custom.h"

namespace viva {
namespace {

class LinearInlining {
 public:
  LinearInlining(Build& b, const Function& f, Ins args, const Mask& linear) : b_(b) {
    for (size_t i = 0; i < args.size(); ++i) {
      if (args[i]) map_[f.params()[i]] = args[i];
      if (linear[i]) depends_.insert(f.params()[i]);
    }
  }

  void node(const Node& n) {
    Mask moves, zero;
    for (int o = 0; o < n.outputs(); ++o) {
      Mask used(n.types.size(), false);
      used[static_cast<size_t>(o)] = true;
      const Mask needed = needed_operands(n, used);
      bool depends = false, is_zero = true;
      for (size_t i = 0; i < n.in.size(); ++i) {
        if (!needed[i] || !depends_.contains(n.in[i])) continue;
        depends = true;
        is_zero = is_zero && !map_.contains(n.in[i]);
      }
      moves.push_back(depends), zero.push_back(depends && is_zero);
    }
    Values out(n.types.size());
    if (!all(zero) || n.types.empty()) out = emit(n);
    for (int o = 0; o < n.outputs(); ++o) {
      const auto k = static_cast<size_t>(o);
      if (moves[k]) depends_.insert(n.out(o));
      if (!zero[k]) map_[n.out(o)] = out[k];
    }
  }

  Value at(Value v) const {
    const auto it = map_.find(v);
    return it == map_.end() ? Value{} : it->second;
  }

 private:
  Values emit(const Node& n) {
    Values in;
    for (const Value& v : n.in) {
      const auto it = map_.find(v);
      in.push_back(it == map_.end() ? b_.full(v.type(), 0) : it->second);
    }
    return b_.copy(n, std::move(in));
  }

  Build& b_;
  std::unordered_map<Value, Value, ValueHash> map_;  // what is zero is missing
  std::unordered_set<Value, ValueHash> depends_;     // on what is linear
};

}  // namespace

Values inline_linear(Build& b, const Function& f, Ins args, const Mask& linear) {
  LinearInlining walk(b, f, args, linear);
  for (const Node& n : f.nodes())
    if (n.op) walk.node(n);
  Values out;
  for (const Value& v : f.outputs()) out.push_back(walk.at(v));
  return out;
}

void require_rule(const Function& f, const Function& of) {
  require(!f.params().empty() || !f.outputs().empty(),
          "{}, a rule of {}, is C++ code that text does not hold: build the graph again, or inline its calls before "
          "printing",
          f.name(), of.name());
}

void require_outputs(const Function& f, std::span<const Type> out, std::string_view what) {
  const std::vector<Type> given = f.output_types();
  require(given.size() == out.size(), "{} {} gives {} values, not {}", what, f.name(), given.size(), out.size());
  for (size_t i = 0; i < out.size(); ++i)
    require(given[i] == out[i], "output {} of {} {} is {}, not {}", i, what, f.name(), spelled(given[i]),
            spelled(out[i]));
}

Values with_axes_in_front(Build& b, Ins in, std::span<const int> axis) {
  Values r;
  for (size_t i = 0; i < in.size(); ++i) r.push_back(axis[i] < 0 ? in[i] : b.move_axis(in[i], axis[i], 0));
  return r;
}

std::vector<int> front_axes(std::span<const int> axis) {
  std::vector<int> r;
  for (const int a : axis) r.push_back(a < 0 ? -1 : 0);
  return r;
}

Body transposed_later(const Body& f, size_t known) {
  return deferred(f->name() + ".transpose", Later::derived, [f, known] {
    Mask linear(f->params().size(), true);
    std::fill_n(linear.begin(), known, false);
    try {
      return fresh_transforms()->transpose(f, linear, Mask(f->outputs().size(), true));
    } catch (const Error& e) {
      throw Error(e.kind(),
                  fmt::format("{}: forward mode goes through {} the other way, which must be linear in the cotangent",
                              e.message(), f->name()),
                  e.where());
    }
  });
}

}  // namespace viva
