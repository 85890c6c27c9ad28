// Operations that run functions: scan, while, cond.
#include <algorithm>
#include <cstring>

#include "cpu/plan.h"
#include "graph/deferred.h"

namespace viva::cpu {
namespace {

PlanOptions inside(PlanOptions o) {
  o.constants.clear(), o.donated.clear();
  return o;
}

class Plans final : public Evaluator {
 public:
  Plans(const std::vector<std::pair<const Function*, Executable>>& plans, ThreadPool& pool, const Cancel* cancel)
      : plans_(plans), pool_(pool), cancel_(cancel) {}

  std::vector<Array> call(const Function& f, std::span<const Array> args) override {
    const auto found = std::ranges::find(plans_, &f, &std::pair<const Function*, Executable>::first);
    return found->second.call({args.begin(), args.end()}, pool_, cancel_).take();
  }

 private:
  const std::vector<std::pair<const Function*, Executable>>& plans_;
  ThreadPool& pool_;
  const Cancel* cancel_;
};

// Memory that the caller of the kernel keeps.
Array borrowed(const Type& t, const void* data) {
  return Array::view(t, std::shared_ptr<const std::byte>(std::shared_ptr<void>(), static_cast<const std::byte*>(data)));
}

}  // namespace

bool runs_functions(const Node& n) { return n.op && !n.op->lower && !n.bodies.empty() && n.op->eval; }

Control::Control(const Node& n, const PlanOptions& options) : node_(n), operands_(types_of(n.in)) {
  for (const Body& f : n.bodies) {
    const Body run =
        &f == &n.bodies.front() ? resolved(f) : f;  // others that are made later are rules, which never run
    plans_.emplace_back(run.get(), compile(run, inside(options)));
  }
}

std::string Control::describe() const {
  std::string s;
  for (const auto& [f, plan] : plans_)
    s += fmt::format("{}{} of {} kernels", s.empty() ? "" : ", ", f->name(), plan.summary().kernels);
  return s;
}

void Control::run(std::span<const void* const> in, std::span<void* const> out, ThreadPool& pool,
                  const Cancel* cancel) const {
  std::vector<Array> args;
  for (size_t i = 0; i < in.size(); ++i) args.push_back(borrowed(operands_[i], in[i]));
  Plans plans(plans_, pool, cancel);
  const std::vector<Array> results = (*node_.op->eval)(node_, args, plans);
  for (size_t i = 0; i < out.size(); ++i)
    if (const auto bytes = static_cast<size_t>(results[i].bytes()); bytes > 0)
      std::memcpy(out[i], results[i].data(), bytes);
}

}  // namespace viva::cpu
