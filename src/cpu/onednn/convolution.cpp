// Convolutions of float32 by oneDNN: images with channels innermost, kernels in the blocked layout it asks for. A
// gradient in the kernel is the sum of its shards in a fixed order.
#include <algorithm>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/recycler.h"
#include "base/thread_pool.h"
#include "cpu/library.h"
#include "cpu/onednn/division.h"
#include "graph/opdef.h"

namespace viva::cpu {
namespace onednn {
namespace {

std::array<int, tensors> argument_names(Role r) {
  if (r == Role::forward) return {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
  if (r == Role::toward_image) return {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST};
  return {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST};
}
Tensor made_by(Role r) { return r == Role::forward ? result : r == Role::toward_image ? image : kernel; }
// The tensor that a node's operand 0 or 1 is.
std::array<Tensor, 2> operands_of(Role r) {
  if (r == Role::forward) return {image, kernel};
  return r == Role::toward_image ? std::array{result, kernel} : std::array{image, result};
}

// Everything a call needs, made once.
class Convolution {
 public:
  // added: where the operand of the ending `add` lies, if there is one.
  Convolution(std::shared_ptr<const Division> division, const Layout& l, std::optional<View> added,
              const Array* constant_kernel)
      : d_(std::move(division)), layout_(l), added_(std::move(added)), given_kernel_(strided(l.views[kernel])) {
    int step = 0;
    for (const Ending& e : d_->endings) {
      if (e.kind == Ending::Kind::bias) bias_operand_ = e.operand;
      else if (e.kind == Ending::Kind::add) added_operand_ = e.operand, added_step_ = step;
      step += e.kind != Ending::Kind::bias;
    }
    const OneThread guard;
    for (const Shard& s : d_->shards) place(s);
    const bool gradient = d_->problem.role == Role::toward_kernel;
    if (gradient || given_kernel_ != d_->packed())
      kernel_copy_ = gradient ? Reorder(d_->packed(), given_kernel_) : Reorder(given_kernel_, d_->packed());
    if (!constant_kernel || given_kernel_ == d_->packed()) return;
    constant_ = block_of(d_->packed().get_size());
    kernel_copy_.run(constant_kernel->data(), constant_.mutable_data());
  }

  void run(std::span<const void* const> in, std::span<void* const> out, ThreadPool& pool) const {
    const Role role = d_->problem.role;
    Memory at;
    for (size_t i = 0; i < 2; ++i) at.tensor[operands_of(role)[i]] = static_cast<float*>(const_cast<void*>(in[i]));
    at.tensor[made_by(role)] = static_cast<float*>(out[0]);
    if (bias_operand_) at.bias = in[*bias_operand_];
    if (added_operand_) at.added = static_cast<const float*>(in[*added_operand_]);
    const auto call = take_call();
    if (role == Role::toward_kernel) sum_shards(at, *call, pool);
    else run_forward(at, *call, pool);
    give_call(call);
  }

 private:
  struct Memory {
    std::array<float*, tensors> tensor{};
    const void* bias = nullptr;
    const float* added = nullptr;
  };
  // Where copies of what lies otherwise than the library wants it stand in the part's block.
  struct Layouts {
    std::array<bool, tensors> copied{};
    std::array<size_t, tensors> offset{};
    bool copies_added = false;
    size_t added = 0, scratch = 0, bytes = 0;
    std::array<Reorder, tensors> run;  // into the copy; of what is made, out of it
    Reorder run_added;
  };
  struct Part {
    size_t variant = 0;
    std::array<int64_t, tensors> from{};  // elements before the part, in image and result
    std::array<Desc, tensors> given;      // as the part lies in the arrays of a call
    int64_t added_from = 0;
    Desc added;
    Layouts copies = {};
  };

  // The library's handles of what the parts of one call touch; making them costs as much as a small convolution.
  using Call = std::vector<Arguments>;

  // A part of v: so many examples and rows from these on. from: the elements before it.
  static View part_of(View v, int64_t first, int64_t batch, int64_t row, int64_t rows, int64_t& from) {
    from += first * v.strides[0] + row * v.strides[2];
    v.dims[0] = batch, v.dims[2] = rows;
    return v;
  }

  void place(const Shard& s) {
    Part part{.variant = s.variant, .from = {}, .given = {}, .added = {}};
    const Variant& variant = d_->variants[s.variant];
    for (const Tensor t : {image, result}) {
      part.from[t] = s.repeat * layout_.repeat_steps[t];
      part.given[t] = normalized(part_of(layout_.views[t], s.first, s.batch, t == image ? s.image_row : s.result_row,
                                         t == image ? s.image_rows : s.result_rows, part.from[t]),
                                 variant.wanted[t]);
    }
    if (added_)
      part.added = normalized(part_of(*added_, s.first, s.batch, s.result_row, s.result_rows, part.added_from),
                              variant.wanted[result]);
    part.copies = layouts(part);
    parts_.push_back(part);
  }

  std::shared_ptr<Call> take_call() const {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto c = std::move(free_.back());
        free_.pop_back();
        return c;
      }
    }
    auto c = std::make_shared<Call>();
    for (const Part& part : parts_) {
      const Variant& v = d_->variants[part.variant];
      Arguments a{{DNNL_ARG_SCRATCHPAD, memory_at(v.scratch, nullptr)}};
      for (const Tensor t : {image, kernel, result})
        a.emplace(argument_names(d_->problem.role)[t], memory_at(v.wanted[t], nullptr));
      if (bias_operand_) {
        const Desc bias({d_->problem.out}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
        a.emplace(DNNL_ARG_BIAS, memory_at(bias, nullptr));
      }
      if (added_operand_) a.emplace(added_name(), memory_at(v.wanted[result], nullptr));
      c->push_back(std::move(a));
    }
    return c;
  }
  void give_call(std::shared_ptr<Call> c) const {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(c));
  }
  int added_name() const { return DNNL_ARG_ATTR_MULTIPLE_POST_OP(added_step_) | DNNL_ARG_SRC_1; }

  Layouts layouts(const Part& part) const {
    const Variant& v = d_->variants[part.variant];
    Layouts l;
    const auto take = [&](size_t bytes) { return std::exchange(l.bytes, l.bytes + whole_lines(bytes)); };
    for (const Tensor t : {image, result}) {
      l.copied[t] = part.given[t] != v.wanted[t];
      if (!l.copied[t]) continue;
      l.offset[t] = take(v.wanted[t].get_size());
      l.run[t] =
          t == made_by(d_->problem.role) ? Reorder(v.wanted[t], part.given[t]) : Reorder(part.given[t], v.wanted[t]);
    }
    l.copies_added = added_operand_ && part.added != v.wanted[result];
    if (l.copies_added) {
      l.added = take(v.wanted[result].get_size());
      l.run_added = Reorder(part.added, v.wanted[result]);
    }
    l.scratch = take(v.scratch.get_size());
    return l;
  }

  // Runs one part; where a tensor lies otherwise than the library wants it, through a copy.
  void run_part(const Part& part, Arguments& arguments, const Memory& at) const {
    const OneThread guard;
    const Variant& v = d_->variants[part.variant];
    const Role role = d_->problem.role;
    const Tensor made = made_by(role);
    const auto of = [&](int name) -> dnnl::memory& { return arguments.find(name)->second; };
    const Layouts& l = part.copies;
    Array memory = block_of(l.bytes);
    std::byte* block = memory.mutable_data();
    of(DNNL_ARG_SCRATCHPAD).set_data_handle(block + l.scratch);
    for (const Tensor t : {image, kernel, result}) {
      of(argument_names(role)[t]).set_data_handle(l.copied[t] ? block + l.offset[t] : static_cast<void*>(at.tensor[t]));
      if (l.copied[t] && t != made) l.run[t].run(at.tensor[t], block + l.offset[t]);
    }
    if (at.bias) of(DNNL_ARG_BIAS).set_data_handle(const_cast<void*>(at.bias));
    if (at.added) {
      of(added_name())
          .set_data_handle(l.copies_added ? static_cast<void*>(block + l.added) : const_cast<float*>(at.added));
      if (l.copies_added) l.run_added.run(at.added, block + l.added);
    }
    execute(v.run, arguments);
    if (l.copied[made]) l.run[made].run(block + l.offset[made], at.tensor[made]);
  }

  void run_forward(const Memory& at, Call& call, ThreadPool& pool) const {
    if (!constant_.empty()) return run_parts(at, call, constant_.data(), 0, pool);
    if (given_kernel_ == d_->packed()) return run_parts(at, call, at.tensor[kernel], 0, pool);
    Array packed = block_of(d_->packed().get_size());
    {
      const OneThread guard;
      kernel_copy_.run(at.tensor[kernel], packed.mutable_data());
    }
    run_parts(at, call, packed.data(), 0, pool);
  }

  // kernels: the packed kernel, or room for the gradients of the parts, so many bytes apart.
  void run_parts(const Memory& at, Call& call, const void* kernels, size_t step, ThreadPool& pool) const {
    pool.run(static_cast<int64_t>(parts_.size()), [&](int64_t i) {
      const auto p = static_cast<size_t>(i);
      Memory here = at;
      for (const Tensor t : {image, result}) here.tensor[t] += parts_[p].from[t];
      if (here.added) here.added += parts_[p].added_from;
      here.tensor[kernel] = reinterpret_cast<float*>(static_cast<std::byte*>(const_cast<void*>(kernels)) + step * p);
      run_part(parts_[p], call[p], here);
    });
  }

  // Each shard's gradient by itself, then neighbours by pairs.
  void sum_shards(const Memory& at, Call& call, ThreadPool& pool) const {
    const size_t bytes = whole_lines(d_->packed().get_size()), floats = d_->packed().get_size() / sizeof(float);
    Array sums = block_of(bytes * parts_.size());
    const auto of = [&](int64_t part) {
      return reinterpret_cast<float*>(sums.mutable_data() + bytes * static_cast<size_t>(part));
    };
    run_parts(at, call, sums.mutable_data(), bytes, pool);
    pool.run(d_->problem.repeats, [&](int64_t r) {
      const int64_t first = r * d_->per_repeat;
      for (int64_t step = 1; step < d_->per_repeat; step *= 2)
        for (int64_t s = 0; s + step < d_->per_repeat; s += 2 * step) {
          float* sum = of(first + s);
          const float* more = of(first + s + step);
          for (size_t k = 0; k < floats; ++k) sum[k] += more[k];
        }
      const OneThread guard;
      kernel_copy_.run(of(first), at.tensor[kernel] + r * layout_.repeat_steps[kernel]);
    });
  }

  std::shared_ptr<const Division> d_;
  Layout layout_;
  std::optional<View> added_;
  Desc given_kernel_;
  std::optional<size_t> bias_operand_, added_operand_;
  int added_step_ = 0;  // among the steps after the sums
  std::vector<Part> parts_;
  Reorder kernel_copy_;  // between the kernel as given and as packed
  Array constant_;       // the kernel, packed
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<Call>> free_;  // of calls that have ended
};

// What the library throws, as the error that callers know.
template <class F> decltype(auto) translated(F&& f) {
  try {
    return f();
  } catch (const dnnl::error& e) { throw internal_error("[onednn] {}", e.what()); }
}

class ConvolutionKernel final : public LibraryKernel {
 public:
  // operands: how many, those of the endings included. Throws dnnl::error where the library has no fast kernel.
  ConvolutionKernel(const Node& n, const Problem& p, std::vector<Ending> endings, size_t operands)
      : node_(&n), dims_(ConvDims::from(n.attrs)) {
    const OneThread guard;
    division_ = std::make_shared<Division>(p, std::move(endings));
    const auto any_above = [](const Ints& v, int64_t least) {
      return std::ranges::any_of(v, [least](int64_t x) { return x > least; });
    };
    zeros_meet_operand_1 =
        any_above(dims_.pad_low, 0) || any_above(dims_.pad_high, 0) || any_above(dims_.lhs_dilation, 1);
    const Order plain = iota_ints(n.in[1].rank());
    if (p.role == Role::toward_kernel) {
      operand_orders = {channels_innermost(dims_.lhs_spec, 1, 0), channels_innermost(dims_.rhs_spec, 1, 0)};
      result_order_ = plain;
      return;
    }
    operand_orders = {channels_innermost(dims_.lhs_spec, 0, 1), plain};
    result_order_ = channels_innermost(dims_.out_spec, 0, 1);
    operand_orders.resize(operands);
    for (const Ending& e : division_->endings)
      if (e.kind == Ending::Kind::add) operand_orders[e.operand] = result_order_;
  }

  Order result_order(std::span<const Order>) const override { return result_order_; }

  std::shared_ptr<const LibraryKernel> followed_by(const loops::Nest& next, int slot) const override {
    if (division_->problem.role != Role::forward) return nullptr;
    const auto channel = static_cast<size_t>(dims_.out_spec[1]);
    auto endings = endings_of(next, slot, division_->endings, operand_orders.size(), channel);
    if (!endings) return nullptr;
    try {
      return std::make_shared<ConvolutionKernel>(*node_, division_->problem, std::move(*endings),
                                                 operand_orders.size() + next.operands.size() - 1);
    } catch (const dnnl::error&) { return nullptr; }
  }

  loops::Host make(std::span<const Order> operands, const Order& out,
                   std::span<const Array* const> constants) const override {
    const Problem& problem = division_->problem;
    const Array* fixed = problem.role == Role::toward_kernel ? nullptr : constants[1];
    std::optional<View> added;
    for (const Ending& e : division_->endings)
      if (e.kind == Ending::Kind::add)
        added = layout_of(problem, *node_, operands.first(2), operands[e.operand]).views[result];
    const auto c = translated([&] {
      return std::make_shared<Convolution>(division_, layout_of(problem, *node_, operands.first(2), out),
                                           std::move(added), fixed);
    });
    return {"onednn convolution",
            [c](auto in, auto result, ThreadPool& pool) { translated([&] { c->run(in, result, pool); }); }};
  }

 private:
  const Node* node_;  // of the function that is compiled
  ConvDims dims_;
  Order result_order_;
  std::shared_ptr<const Division> division_;
};

constexpr double nest_costs = 4;  // times a matrix product's, for an equal count of FLOPs

}  // namespace
}  // namespace onednn

std::shared_ptr<const LibraryKernel> convolution_kernel(const Node& n, double smallest) {
  for (const Type& t : {n.in[0].type(), n.in[1].type(), n.types[0]})
    if (t.dtype != Dtype::float32) return nullptr;
  const std::optional<onednn::Problem> p = onednn::problem_of(n);
  if (!p || p->flops() < smallest / onednn::nest_costs) return nullptr;
  try {
    return std::make_shared<onednn::ConvolutionKernel>(n, *p, std::vector<onednn::Ending>{}, n.in.size());
  } catch (const dnnl::error&) { return nullptr; }
}

}  // namespace viva::cpu
