// From a function to a plan: bind constants, simplify, fuse, give every value a place.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "cpu/plan.h"
#include "graph/constant.h"
#include "graph/prune.h"
#include "transform/rewrite.h"

namespace viva {
namespace {

using cpu::Buffer;
using cpu::Step;
using cpu::Unit;

// Bound parameters become constants, taps their operands.
Body specialised(const Body& f, const PlanOptions& options) {
  Build b(f->name());
  b.at({});
  ValueMap map;
  std::vector<const Array*> bound(f->params().size(), nullptr);
  for (const auto& [i, value] : options.constants) {
    if (i < 0 || static_cast<size_t>(i) >= bound.size())
      throw usage_error("{} has no parameter {} to bind", f->name(), i);
    const Type& want = f->params()[static_cast<size_t>(i)].type();
    if (value.empty() || value.type() != want)
      throw usage_error("parameter {} of {} is {}, not {}", i, f->name(), to_string(want), to_string(value.type()));
    bound[static_cast<size_t>(i)] = &value;
  }
  for (size_t i = 0; i < bound.size(); ++i)
    if (const Value p = f->params()[i]; !bound[i]) map[p] = b.parameter_like(p);
  for (size_t i = 0; i < bound.size(); ++i)
    if (const Value p = f->params()[i]; bound[i]) {
      b.at(p.node()->where);
      map[p] = b.constant(*bound[i]);
    }
  for (const Node& n : f->nodes()) {
    if (!n.op) continue;
    const Values in = mapped(map, n.in);
    const Values out = n.op->taps ? Values{in[0]} : b.copy(n, in);
    for (int i = 0; i < n.outputs(); ++i) map[n.out(i)] = out[static_cast<size_t>(i)];
  }
  return b.finish(mapped(map, f->outputs()), f->output_names());
}

int64_t bytes_of(const Type& t) { return numel(t.shape) * size_of(t.dtype); }

bool same_memory(const Type& a, const Type& b) { return a.dtype == b.dtype && numel(a.shape) == numel(b.shape); }

// Whether the load reads the very point of the result that is being made.
bool reads_its_point(const loops::Nest& n, const loops::Instruction& load) {
  if (static_cast<int>(load.at.size()) != n.parallel) return false;
  for (size_t d = 0; d < load.at.size(); ++d) {
    const loops::Index& i = load.at[d];
    if (i.offset != 0 || i.divisor != 1 || !i.terms.empty() || i.coefficients.empty()) return false;
    for (size_t l = 0; l < i.coefficients.size(); ++l)
      if (i.coefficients[l] != (l == d ? 1 : 0)) return false;
  }
  return true;
}

// Whether every load of the slot reads just the point that is stored, so that the result may take its place. A value
// that is stored as it was loaded must not lie where another result goes.
bool in_place(const loops::Nest& n, size_t slot, size_t output) {
  const auto of_slot = [&](const loops::Instruction& i) {
    return i.kind == loops::Kind::load && static_cast<size_t>(i.slot) == slot;
  };
  for (size_t o = 0; o < n.stores.size(); ++o) {
    const loops::Store& s = n.stores[o];
    if (s.scatter || !s.strides.empty() || (o != output && of_slot(n.body[static_cast<size_t>(s.reg)]))) return false;
  }
  if (n.operands[slot].shape != Shape(n.extents.begin(), n.extents.begin() + n.parallel)) return false;
  return std::ranges::all_of(n.body, [&](const loops::Instruction& i) {
    return i.kind != loops::Kind::scan && (!of_slot(i) || reads_its_point(n, i));
  });
}

// Whether the only load walks the operand's memory in the order of the loops, without a gap.
bool reads_in_order(const loops::Nest& n) {
  const Ints operand = row_major(n.operands[0].shape), dense = row_major(n.extents);
  Ints walked(n.extents.size(), 0);
  for (size_t d = 0; d < n.body[0].at.size(); ++d) {
    const loops::Index& i = n.body[0].at[d];
    if (i.offset != 0 || i.divisor != 1 || !i.terms.empty()) return false;
    int64_t last = 0;  // an index beyond the operand reads the fill value
    for (size_t l = 0; l < i.coefficients.size(); ++l) {
      if (i.coefficients[l] < 0) return false;
      walked[l] += i.coefficients[l] * operand[d];
      last += i.coefficients[l] * std::max<int64_t>(n.extents[l] - 1, 0);
    }
    if (last >= std::max<int64_t>(n.operands[0].shape[d], 1)) return false;
  }
  for (size_t l = 0; l < walked.size(); ++l)
    if (n.extents[l] != 1 && walked[l] != dense[l]) return false;
  return true;
}

// A unit that only passes its operand on: the result is the same memory.
bool is_alias(const Unit& u) {
  const loops::Nest* n = u.nest();
  return n && n->body.size() == 1 && n->stores.size() == 1 && n->stores[0].strides.empty() &&
         n->body[0].kind == loops::Kind::load && u.operands.size() == 1 &&
         same_memory(u.operands[0].type(), u.results[0].type()) && reads_in_order(*n);
}

cpu::Kernel kernel_of(const Unit& u, const PlanOptions& options) {
  if (cpu::runs_functions(*u.node)) return std::make_shared<const cpu::Control>(*u.node, options);
  const loops::Nest* nest = u.nest();
  if (!nest) return std::get<loops::Host>(u.form);
  if (u.product) {
    std::vector<const Array*> constants;
    for (const Value& v : u.operands) constants.push_back(constant_of(*v.node()));
    if (auto kernel = cpu::library_product(*nest, options.library_flops, constants)) return std::move(*kernel);
  }
  return loops::Prepared(*nest);
}

class Planner {
 public:
  Planner(const Body& f, const PlanOptions& options) : plan_(std::make_shared<Executable::Plan>()), options_(options) {
    plan_->parameters = f->param_types();
    plan_->nodes = static_cast<int64_t>(f->nodes().size());
    plan_->check_nan = options.check_nan || options.check_infinity;
    plan_->check_infinity = options.check_infinity;
    for (size_t i = 0; i < f->params().size(); ++i)
      buffer_of_[f->params()[i]] = add({.kind = Buffer::Kind::argument,
                                        .index = static_cast<int64_t>(i),
                                        .type = f->params()[i].type(),
                                        .constant = {}});
    for (const Node& n : f->nodes())
      if (const Array* value = constant_of(n))
        buffer_of_[n.out()] = add({.kind = Buffer::Kind::constant, .type = n.types[0], .constant = *value});
    std::vector<Unit> units = cpu::make_units(*f, options.fuse && !plan_->check_nan, options.library_flops);
    cpu::lay_out(units, *f);
    for (Unit& u : units) add_unit(u);
    finish(f->outputs(), options.donated);
  }
  std::shared_ptr<Executable::Plan> plan() { return plan_; }

 private:
  int add(Buffer b) {
    plan_->buffers.push_back(std::move(b));
    return static_cast<int>(plan_->buffers.size()) - 1;
  }

  void add_unit(Unit& u) {
    if (is_alias(u)) {
      buffer_of_[u.results[0]] = buffer_of_.at(u.operands[0]);
      return;
    }
    std::vector<int> operands, outputs;
    for (const Value& v : u.operands) operands.push_back(buffer_of_.at(v));
    for (const Value& v : u.results) outputs.push_back(buffer_of_[v] = add({.type = v.type(), .constant = {}}));
    plan_->steps.push_back({kernel_of(u, options_), std::move(operands), std::move(outputs),
                            std::string(u.node->op->name), u.node->where});
  }

  // Results first get places of their own; then the arena is shared out, reusing an operand's place where a step
  // allows.
  void finish(const Values& outputs, const Mask& donated) {
    const auto steps = static_cast<int64_t>(plan_->steps.size());
    for (const Value& v : outputs) {
      const int b = buffer_of_.at(v);
      Buffer& buffer = plan_->buffers[static_cast<size_t>(b)];
      if (buffer.kind == Buffer::Kind::arena)
        buffer.kind = Buffer::Kind::result, buffer.index = static_cast<int64_t>(plan_->results.size());
      plan_->results.push_back(b);
      plan_->result_types.push_back(v.type());
      plan_->donated_from.push_back(-1);
    }
    std::vector<int64_t> first(plan_->buffers.size(), -1), last(plan_->buffers.size(), -1);
    for (int64_t s = 0; s < steps; ++s) {
      for (int b : plan_->steps[static_cast<size_t>(s)].outputs)
        first[static_cast<size_t>(b)] = last[static_cast<size_t>(b)] = s;
      for (int b : plan_->steps[static_cast<size_t>(s)].operands) last[static_cast<size_t>(b)] = s;
    }
    // Looking for the first NaN compares operands with results, so both must still be there.
    const bool overwrites = !plan_->check_nan;
    if (overwrites) donate(donated, last);
    // An output written over a dying operand shares its place: the two lives become one.
    std::vector<int> root(plan_->buffers.size());
    for (size_t b = 0; b < root.size(); ++b) root[b] = static_cast<int>(b);
    for (int64_t s = 0; overwrites && s < steps; ++s) reuse(plan_->steps[static_cast<size_t>(s)], s, last, root);
    std::vector<cpu::Lifetime> lifetimes;
    for (size_t b = 0; b < root.size(); ++b)
      if (plan_->buffers[b].kind == Buffer::Kind::arena && root[b] == static_cast<int>(b) && first[b] >= 0)
        lifetimes.push_back({static_cast<int>(b), first[b], last[b], bytes_of(plan_->buffers[b].type)});
    plan_->arena_bytes = cpu::place(std::move(lifetimes), plan_->buffers);
    for (size_t b = 0; b < root.size(); ++b) {
      size_t r = b;
      while (root[r] != static_cast<int>(r)) r = static_cast<size_t>(root[r]);
      plan_->buffers[b].offset = plan_->buffers[r].offset;
    }
  }

  // f(slot, operand's buffer, output's buffer) for the slots whose memory an output of the step may take; where f says
  // yes, neither is offered again.
  template <class F> void each_exchange(const Step& step, F&& f) {
    const auto* prepared = std::get_if<loops::Prepared>(&step.kernel);
    if (!prepared) return;
    std::vector<bool> taken(step.operands.size(), false);
    for (size_t o = 0; o < step.outputs.size(); ++o)
      for (size_t slot = 0; slot < step.operands.size(); ++slot) {
        const auto from = static_cast<size_t>(step.operands[slot]), to = static_cast<size_t>(step.outputs[o]);
        if (taken[slot] || !same_memory(plan_->buffers[from].type, plan_->buffers[to].type) ||
            std::ranges::count(step.operands, step.operands[slot]) != 1 || !in_place(prepared->nest(), slot, o))
          continue;
        if ((taken[slot] = f(from, to))) break;
      }
  }

  void reuse(const Step& step, int64_t s, std::vector<int64_t>& last, std::vector<int>& root) {
    each_exchange(step, [&](size_t from, size_t to) {
      size_t r = from;
      while (root[r] != static_cast<int>(r)) r = static_cast<size_t>(root[r]);
      const bool arena =
          plan_->buffers[from].kind == Buffer::Kind::arena && plan_->buffers[to].kind == Buffer::Kind::arena;
      if (!arena || last[from] != s || last[r] != s) return false;
      root[to] = static_cast<int>(r);
      last[r] = std::max(last[r], last[to]);
      return true;
    });
  }

  // A result may take the memory of a donated argument that its step reads last, at the very points it stores.
  void donate(const Mask& donated, const std::vector<int64_t>& last) {
    std::unordered_set<int64_t> taken;
    for (size_t s = 0; s < plan_->steps.size(); ++s)
      each_exchange(plan_->steps[s], [&](size_t from, size_t to) {
        const Buffer &argument = plan_->buffers[from], &out = plan_->buffers[to];
        const auto i = static_cast<size_t>(argument.index);
        if (argument.kind != Buffer::Kind::argument || out.kind != Buffer::Kind::result || i >= donated.size() ||
            !donated[i] || last[from] != static_cast<int64_t>(s) ||
            std::ranges::count(plan_->results, static_cast<int>(from)) || !taken.insert(argument.index).second)
          return false;
        plan_->donated_from[static_cast<size_t>(out.index)] = argument.index;
        return true;
      });
  }

  std::shared_ptr<Executable::Plan> plan_;
  const PlanOptions& options_;
  std::unordered_map<Value, int, ValueHash> buffer_of_;
};

}  // namespace

Executable compile(const Body& f, const PlanOptions& options) {
  if (options.tier != 0) throw usage_error("[compile] there is no tier {}; 0 is the tile evaluator", options.tier);
  const Body bound = run_step(
      "bind", run_pass(inline_all_pass, f, options.passes),
      [&](const Body& whole) { return specialised(whole, options); }, options.passes);
  if (!options.donated.empty() && options.donated.size() != bound->params().size())
    throw usage_error("[compile] {} marks of donation for {} arguments", options.donated.size(),
                      bound->params().size());
  PassOptions passes = options.passes;
  if (options.check_nan || options.check_infinity)
    passes.disabled.insert("constants");  // a folded NaN would have no operation to name
  return Executable(Planner(simplify(bound, passes), options).plan());
}

Executable compile(const Program& program, std::string_view entry, const PlanOptions& options) {
  for (const auto& [name, body] : program.functions())
    if (name == entry) return compile(body, options);
  throw usage_error("[compile] the program has no function '{}'", entry);
}

}  // namespace viva
