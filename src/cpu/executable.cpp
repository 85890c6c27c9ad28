#include "cpu/executable.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <optional>

#include "cpu/plan.h"

namespace viva {
namespace {

using cpu::Buffer;
using cpu::Step;

template <class Test> bool has_any(const Type& t, const void* data, Test test) {
  return dispatch(t.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_float_type<T>) {
      const auto* x = static_cast<const T*>(data);
      return std::any_of(x, x + numel(t.shape), [&](T v) { return test(static_cast<Compute<T>>(v)); });
    } else return false;
  });
}

void check_arguments(const Executable::Plan& plan, const std::vector<Array>& args) {
  if (args.size() != plan.parameters.size())
    throw usage_error("[call] takes {} arguments, not {}", plan.parameters.size(), args.size());
  for (size_t i = 0; i < args.size(); ++i)
    if (args[i].empty() || args[i].type() != plan.parameters[i])
      throw usage_error("[call] argument {} is {}, not {}", i, args[i].empty() ? "empty" : to_string(args[i].type()),
                        to_string(plan.parameters[i]));
}

// Memory of the results: an argument's, a constant's, an earlier result's, a donated argument's, or new.
std::vector<Array> make_results(const Executable::Plan& plan, const std::vector<Array>& args) {
  std::vector<Array> results(plan.results.size());
  for (size_t r = 0; r < results.size(); ++r) {
    const Buffer& b = plan.buffers[static_cast<size_t>(plan.results[r])];
    const int64_t from = plan.donated_from[r];
    if (b.kind == Buffer::Kind::argument) results[r] = args[static_cast<size_t>(b.index)];
    else if (b.kind == Buffer::Kind::constant) results[r] = b.constant;
    else if (b.index != static_cast<int64_t>(r)) results[r] = results[static_cast<size_t>(b.index)];
    else if (from >= 0 && args[static_cast<size_t>(from)].unique()) results[r] = args[static_cast<size_t>(from)];
    else results[r] = Array::make(b.type);
  }
  return results;
}

std::byte* address(const Buffer& b, std::vector<Array>& args, std::vector<Array>& results, std::byte* arena) {
  switch (b.kind) {
    case Buffer::Kind::argument:
      return args[static_cast<size_t>(b.index)].mutable_data();
    case Buffer::Kind::constant:
      return const_cast<std::byte*>(b.constant.data());
    case Buffer::Kind::arena:
      return arena + b.offset;
    case Buffer::Kind::result:
      break;
  }
  return results[static_cast<size_t>(b.index)].mutable_data();
}

// Looks for the step that makes the first NaN. One that is computed ends the call. One that is a constant and was
// chosen, where the data have none (by a select, as the fill of a gather), may be meant: it ends the call where it
// reaches a result.
class NanTrace {
 public:
  NanTrace(const Executable::Plan& plan, const std::vector<std::byte*>& at)
      : plan_(plan),
        at_(at),
        constant_(plan.buffers.size()),
        bits_(plan.buffers.size()),
        chosen_in_(plan.buffers.size(), nullptr) {
    for (size_t b = 0; b < constant_.size(); ++b) constant_[b] = plan.buffers[b].kind == Buffer::Kind::constant;
  }

  void after(const Step& s) {
    const auto nan = [](auto v) { return std::isnan(v); };
    const auto infinite = [](auto v) { return !std::isfinite(v); };
    const bool constant = std::ranges::all_of(s.operands, [&](int b) { return constant_[index(b)]; });
    const auto came_in = [&](int b) { return bits_[index(b)] || has(b, nan); };
    const auto from = std::ranges::find_if(s.operands, [&](int b) { return !constant_[index(b)] && came_in(b); });
    const Step* chosen = from != s.operands.end() ? chosen_in_[index(*from)] : nullptr;
    if (any(s.outputs, nan)) {
      if (std::ranges::none_of(s.operands, came_in))
        throw Error(ErrorKind::input, fmt::format("[{}] gives NaN from operands without any", s.name), s.where);
      if (from == s.operands.end() && !constant) chosen = &s;
    }
    const bool spoilt = std::ranges::any_of(s.operands, [&](int b) { return bits_[index(b)] || has(b, infinite); });
    if (plan_.check_infinity && !s.operands.empty() && !spoilt && any(s.outputs, infinite))
      throw Error(ErrorKind::input, fmt::format("[{}] gives an infinity from finite operands", s.name), s.where);
    for (const int b : s.outputs) {
      constant_[index(b)] = constant, chosen_in_[index(b)] = chosen;
      bits_[index(b)] = spoilt && is_integer(plan_.buffers[index(b)].type.dtype);
    }
  }

  void at_end() const {
    for (const int r : plan_.results)
      if (const Step* s = chosen_in_[index(r)]; s && has(r, [](auto v) { return std::isnan(v); }))
        throw Error(ErrorKind::input, fmt::format("[{}] chooses a NaN that is a constant; its data have none", s->name),
                    s->where);
  }

 private:
  static size_t index(int b) { return static_cast<size_t>(b); }
  template <class Test> bool has(int b, Test test) const {
    return has_any(plan_.buffers[index(b)].type, at_[index(b)], test);
  }
  template <class Test> bool any(const std::vector<int>& buffers, Test test) const {
    return std::ranges::any_of(buffers, [&](int b) { return has(b, test); });
  }

  const Executable::Plan& plan_;
  const std::vector<std::byte*>& at_;
  std::vector<bool> constant_;          // made of constants alone
  std::vector<bool> bits_;              // integers made of NaN or infinity: stop_gradient makes bits and floats again
  std::vector<const Step*> chosen_in_;  // where a NaN in the buffer was chosen; null where it came in, or there is none
};

// The most that one step takes, so that no step grows it.
size_t scratch_bytes(const Executable::Plan& plan, int threads) {
  size_t most = 0;
  for (const Step& s : plan.steps)
    if (const auto* nest = std::get_if<loops::Prepared>(&s.kernel)) most = std::max(most, nest->scratch_bytes(threads));
  return most;
}

std::string described(const cpu::Kernel& k) {
  if (const auto* nest = std::get_if<loops::Prepared>(&k)) return nest->describe();
  if (const auto* host = std::get_if<loops::Host>(&k)) return std::string(host->name);
  return std::get<std::shared_ptr<const cpu::Control>>(k)->describe();
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<Array> run(const Executable::Plan& plan, std::vector<Array> args, ThreadPool& pool, const Cancel* cancel,
                       KernelTimes* times) {
  check_arguments(plan, args);
  std::vector<Array> results = make_results(plan, args);
  Array arena = Array::make({Dtype::uint8, {plan.arena_bytes}});
  loops::Scratch scratch;
  scratch.get(scratch_bytes(plan, pool.threads()));
  std::vector<std::byte*> at;
  at.reserve(plan.buffers.size());
  for (const Buffer& b : plan.buffers) at.push_back(address(b, args, results, arena.mutable_data()));
  std::vector<const void*> in;
  std::vector<void*> out;
  if (times) times->resize(plan.steps.size());
  std::optional<NanTrace> nan;
  if (plan.check_nan) nan.emplace(plan, at);
  for (const Step& s : plan.steps) {
    const double begin = times ? now() : 0;
    if (cancel && cancel->load(std::memory_order_relaxed)) throw Error(ErrorKind::cancelled, "interrupted");
    in.clear(), out.clear();
    for (int b : s.operands) in.push_back(at[static_cast<size_t>(b)]);
    for (int b : s.outputs) out.push_back(at[static_cast<size_t>(b)]);
    if (const auto* nest = std::get_if<loops::Prepared>(&s.kernel)) loops::run(*nest, in, out, pool, scratch, cancel);
    else if (const auto* host = std::get_if<loops::Host>(&s.kernel)) host->fn(in, out, pool);
    else std::get<std::shared_ptr<const cpu::Control>>(s.kernel)->run(in, out, pool, cancel);
    if (nan) nan->after(s);
    if (times) (*times)[static_cast<size_t>(&s - plan.steps.data())] += now() - begin;
  }
  if (nan) nan->at_end();
  // A result that is another's memory under another shape (a reshape) is viewed as its own type.
  for (size_t r = 0; r < results.size(); ++r) results[r] = results[r].reshaped(plan.result_types[r].shape);
  return results;
}

}  // namespace

Result<std::vector<Array>> Executable::call(std::vector<Array> args, ThreadPool& pool, const Cancel* cancel,
                                            KernelTimes* times) const {
  try {
    return run(*plan_, std::move(args), pool, cancel, times);
  } catch (const Error& e) { return e; } catch (const std::bad_alloc&) {
    return input_error("no memory for a call");
  }
}

const std::vector<Type>& Executable::parameter_types() const { return plan_->parameters; }

PlanSummary Executable::summary() const {
  PlanSummary s{static_cast<int64_t>(plan_->steps.size()), plan_->nodes, plan_->arena_bytes, {}};
  for (const Step& step : plan_->steps) { s.lines.push_back(fmt::format("{}: {}", step.name, described(step.kernel))); }
  return s;
}

}  // namespace viva
