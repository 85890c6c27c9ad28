// Windows over arrays in any order of dimensions: the kernels of loops/window.h, results in the order of the operand.
#include "loops/window.h"

#include <optional>

#include "base/thread_pool.h"
#include "cpu/library.h"
#include "graph/opdef.h"
#include "loops/compose.h"
#include "loops/run.h"
#include "ops/window.h"

namespace viva::cpu {
namespace {

enum class Task : uint8_t { argmax, max, gather, scatter };

class WindowUnit final : public LibraryKernel {
 public:
  WindowUnit(const Node& n, Task task) : node_(&n), task_(task) { operand_orders.resize(offsets() ? 2 : 1); }

  // That of the offsets where there are some: their maker chose it.
  Order result_order(std::span<const Order> operands) const override { return operands.back(); }
  std::shared_ptr<const LibraryKernel> followed_by(const loops::Nest&, int) const override { return nullptr; }

  loops::Host make(std::span<const Order> operands, const Order& result, std::span<const Array* const>) const override {
    const Node& n = *node_;
    const Shape &first = n.in[0].shape(), &made = n.types[0].shape;
    const Ints of_first = strides_of(first, operands.back()), of_made = strides_of(made, result);
    const Ints of_offset = offsets() ? strides_of(n.in[1].shape(), operands[1]) : of_made;
    const bool scatters = task_ == Task::scatter;
    std::vector<loops::WindowKernel::Axis> axes;
    for (const WindowAxis& a : axes_of(WindowDims::from(n.attrs), scatters ? made : first)) {
      const size_t i = axes.size();
      axes.push_back({a, (scatters ? of_made : of_first)[i], (scatters ? of_first : of_made)[i], of_offset[i]});
    }
    return {task_ == Task::max ? "window max" : n.op->name,
            [kernel = loops::WindowKernel(axes), task = task_, d = n.in[0].dtype(),
             index = offsets() ? n.in[1].dtype() : n.types[0].dtype,
             turned = turned(operands)](auto in, auto out, ThreadPool& pool) {
              const void* x = in[0];
              Array copy;
              if (turned) {
                copy = Array::make(turned->nest().operands[0]);
                void* const to[] = {copy.mutable_data()};
                loops::Scratch scratch;
                loops::run(*turned, in.first(1), to, pool, scratch);
                x = copy.data();
              }
              if (task == Task::argmax) kernel.argmax(d, x, index, out[0], pool);
              else if (task == Task::max) kernel.max(d, x, out[0], pool);
              else if (task == Task::gather) kernel.gather(d, x, index, in[1], out[0], pool);
              else kernel.scatter(d, x, index, in[1], out[0], pool);
            }};
  }

 private:
  bool offsets() const { return task_ == Task::gather || task_ == Task::scatter; }

  // Brings operand 0 into the order of the offsets, where it lies in another.
  std::optional<loops::Prepared> turned(std::span<const Order> operands) const {
    if (operands[0] == operands.back()) return std::nullopt;
    return loops::Prepared(loops::reordering(node_->in[0].type(), operands[0], operands.back()));
  }

  const Node* node_;  // of the function that is compiled
  Task task_;
};

}  // namespace

std::shared_ptr<const LibraryKernel> window_kernel(const Node& n) {
  if (n.op->name == "window_gather") return std::make_shared<WindowUnit>(n, Task::gather);
  if (n.op->name == "window_scatter") return std::make_shared<WindowUnit>(n, Task::scatter);
  if (n.op->name == "window_argmax" && numel(n.attrs.ints("size")) <= INT32_MAX)
    return std::make_shared<WindowUnit>(n, Task::argmax);
  return nullptr;
}

std::shared_ptr<const LibraryKernel> window_max_kernel(const Node& gather) {
  const Node* found = gather.op->name == "window_gather" ? gather.in[1].node() : nullptr;
  if (!found || !found->op || found->op->name != "window_argmax" || found->in[0] != gather.in[0] ||
      WindowDims::from(found->attrs) != WindowDims::from(gather.attrs))
    return nullptr;
  return std::make_shared<WindowUnit>(gather, Task::max);
}

}  // namespace viva::cpu
