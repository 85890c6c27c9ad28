// Convolutions of float32 by oneDNN: images with channels innermost, kernels in the blocked layout it asks for.
// Shards are fixed by the shape: over the batch, and for a batch of one over the rows of the result. A gradient in the
// kernel is the sum of its shards in a fixed order.
#include <algorithm>

#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/library.h"
#include "cpu/onednn/engine.h"
#include "cpu/onednn/tensors.h"
#include "graph/opdef.h"

namespace viva::cpu {
namespace onednn {
namespace {

constexpr double smallest_shard = 1e6;  // FLOPs
constexpr int64_t most_shards = 16, most_partial_sums = 4;

// A primitive of one shape, and the layouts it works in.
struct Variant {
  dnnl::primitive run;
  std::array<Desc, tensors> wanted;
  Desc scratch;
};

// Only kernels generated for the shape: the general ones are slower than a nest, and pad with zeros that meet
// infinities.
bool generated(const std::string& implementation) {
  return implementation.find("jit") != std::string::npos && implementation.find("gemm") == std::string::npos;
}

template <class PrimitiveDesc> PrimitiveDesc checked(PrimitiveDesc d) {
  while (!generated(d.impl_info_str()))
    if (!d.next_impl()) throw dnnl::error(dnnl_unimplemented, "no generated kernel");
  return d;
}

// Throws dnnl::error where the library has no fast kernel.
Variant variant_of(const Problem& p) {
  const auto dims_of = [&](int64_t channels, const Ints& space) {
    Dims d{p.batch, channels};
    d.insert(d.end(), space.begin(), space.end());
    return d;
  };
  Dims kernel_dims{p.out / p.groups, p.in / p.groups};
  if (p.groups > 1) kernel_dims.insert(kernel_dims.begin(), p.groups);
  kernel_dims.insert(kernel_dims.end(), p.kernel.begin(), p.kernel.end());
  const Desc x = channels_last(dims_of(p.in, p.image)), y = channels_last(dims_of(p.out, p.result)),
             w(kernel_dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
  Dims dilation = p.dilation;
  for (auto& d : dilation) --d;
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  using Forward = dnnl::convolution_forward;
  using TowardImage = dnnl::convolution_backward_data;
  using TowardKernel = dnnl::convolution_backward_weights;
  const Forward::primitive_desc forward(
      Forward::desc(dnnl::prop_kind::forward_training, direct, x, w, y, p.strides, dilation, p.low, p.high), attr,
      engine());
  switch (p.role) {
    case Role::forward: {
      const auto d = checked(forward);
      return {Forward(d), {d.src_desc(), d.weights_desc(), d.dst_desc()}, d.scratchpad_desc()};
    }
    case Role::toward_image: {
      const auto d = checked(TowardImage::primitive_desc(
          TowardImage::desc(direct, x, w, y, p.strides, dilation, p.low, p.high), attr, engine(), forward));
      return {TowardImage(d), {d.diff_src_desc(), d.weights_desc(), d.diff_dst_desc()}, d.scratchpad_desc()};
    }
    case Role::toward_kernel:
      break;
  }
  const auto d = checked(TowardKernel::primitive_desc(
      TowardKernel::desc(direct, x, w, y, p.strides, dilation, p.low, p.high), attr, engine(), forward));
  return {TowardKernel(d), {d.src_desc(), d.diff_weights_desc(), d.diff_dst_desc()}, d.scratchpad_desc()};
}

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

void reorder(const Desc& from, const void* in, const Desc& to, void* out) {
  const dnnl::reorder::primitive_desc d(engine(), from, engine(), to);
  execute(dnnl::reorder(d), {{DNNL_ARG_FROM, memory_at(from, in)}, {DNNL_ARG_TO, memory_at(to, out)}});
}

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

// One shard: a variant over a part of the batch, or of the rows.
struct Shard {
  size_t variant = 0;
  int64_t repeat = 0, first = 0;          // in the batch
  int64_t image_row = 0, result_row = 0;  // where its rows begin
  int64_t batch = 0, image_rows = 0, result_rows = 0;
};

// A problem in shards that depend on its shape alone.
class Division {
 public:
  // Throws dnnl::error where a shard has no fast kernel.
  explicit Division(const Problem& p) : problem(p) {
    const double work = p.flops() / static_cast<double>(p.repeats);
    const int64_t most = p.role == Role::toward_kernel ? most_partial_sums : most_shards;
    const int64_t worth = std::clamp<int64_t>(static_cast<int64_t>(work / smallest_shard), 1, most);
    if (p.batch == 1 && p.role == Role::forward) divide_rows(std::min(worth, p.result[0]));
    else divide_batch(std::min(worth, p.batch));
    for (const Variant& v : variants)
      if (v.wanted[kernel] != packed()) throw dnnl::error(dnnl_unimplemented, "kernels packed in several ways");
  }
  const Desc& packed() const { return variants[0].wanted[kernel]; }

  Problem problem;
  std::vector<Variant> variants;
  std::vector<Shard> shards;  // those of a repeat side by side
  int64_t per_repeat = 1;

 private:
  void divide_batch(int64_t count) {
    per_repeat = count;
    for (int64_t r = 0; r < problem.repeats; ++r)
      for (int64_t s = 0; s < count; ++s) {
        const int64_t begin = problem.batch * s / count, end = problem.batch * (s + 1) / count;
        Problem part = problem;
        part.repeats = 1, part.batch = end - begin;
        add(part, {.repeat = r, .first = begin});
      }
  }

  // Rows of the result; each shard sees the rows of the image under its windows.
  void divide_rows(int64_t count) {
    per_repeat = count;
    const Problem& p = problem;
    const int64_t window = (p.kernel[0] - 1) * p.dilation[0] + 1;
    for (int64_t s = 0; s < count; ++s) {
      const int64_t begin = p.result[0] * s / count, end = p.result[0] * (s + 1) / count;
      const int64_t first = begin * p.strides[0] - p.low[0], last = (end - 1) * p.strides[0] - p.low[0] + window;
      const int64_t from = std::clamp<int64_t>(first, 0, p.image[0]), to = std::clamp<int64_t>(last, from, p.image[0]);
      if (to == from) throw dnnl::error(dnnl_unimplemented, "windows over padding alone");
      Problem part = p;
      part.image[0] = to - from, part.result[0] = end - begin;
      part.low[0] = from - first, part.high[0] = last - to;
      add(part, {.image_row = from, .result_row = begin});
    }
  }

  void add(const Problem& p, Shard s) {
    s.batch = p.batch, s.image_rows = p.image[0], s.result_rows = p.result[0];
    const Ints key{p.batch, p.image[0], p.result[0], p.low[0], p.high[0]};
    const auto known = std::ranges::find(keys_, key);
    s.variant = static_cast<size_t>(known - keys_.begin());
    if (known == keys_.end()) keys_.push_back(key), variants.push_back(variant_of(p));
    shards.push_back(s);
  }
  std::vector<Ints> keys_;  // of the variants
};

// Everything a call needs, made once.
class Convolution {
 public:
  Convolution(std::shared_ptr<const Division> division, const Layout& l, const Array* constant_kernel)
      : d_(std::move(division)), layout_(l), given_kernel_(strided(l.views[kernel])) {
    for (const Shard& s : d_->shards) place(s);
    if (!constant_kernel) return;
    const OneThread guard;
    constant_ = Array::make({Dtype::uint8, {static_cast<int64_t>(d_->packed().get_size())}});
    reorder(given_kernel_, constant_kernel->data(), d_->packed(), constant_.mutable_data());
  }

  void run(std::span<const void* const> in, std::span<void* const> out, ThreadPool& pool) const {
    const Role role = d_->problem.role;
    std::array<float*, tensors> at{};
    for (size_t i = 0; i < 2; ++i) at[operands_of(role)[i]] = static_cast<float*>(const_cast<void*>(in[i]));
    at[made_by(role)] = static_cast<float*>(out[0]);
    if (role == Role::toward_kernel) return sum_shards(at, pool);
    if (!constant_.empty()) return run_parts(at, constant_.data(), 0, pool);
    if (given_kernel_ == d_->packed()) return run_parts(at, at[kernel], 0, pool);
    Recycler::Lease packed = recycler_.take(d_->packed().get_size());
    {
      const OneThread guard;
      reorder(given_kernel_, at[kernel], d_->packed(), packed.data());
    }
    run_parts(at, packed.data(), 0, pool);
  }

 private:
  struct Part {
    size_t variant = 0;
    std::array<int64_t, tensors> from{};  // elements before the part, in image and result
    std::array<Desc, tensors> given;      // as the part lies in the arrays of a call
  };

  void place(const Shard& s) {
    Part part{.variant = s.variant, .from = {}, .given = {}};
    for (const Tensor t : {image, result}) {
      View v = layout_.views[t];
      part.from[t] = s.repeat * layout_.repeat_steps[t] + s.first * v.strides[0] +
                     (t == image ? s.image_row : s.result_row) * v.strides[2];
      v.dims[0] = s.batch;
      v.dims[2] = t == image ? s.image_rows : s.result_rows;
      part.given[t] = normalized(std::move(v), d_->variants[s.variant].wanted[t]);
    }
    parts_.push_back(part);
  }

  // Runs one part; where a tensor lies otherwise than the library wants it, through a copy.
  void run_part(const Part& part, std::array<float*, tensors> at) const {
    const OneThread guard;
    const Variant& v = d_->variants[part.variant];
    const Role role = d_->problem.role;
    const Tensor made = made_by(role);
    std::array<size_t, tensors + 1> offset{};
    for (const Tensor t : {image, kernel, result})
      offset[t + 1] = offset[t] + (t != kernel && part.given[t] != v.wanted[t] ? aligned(v.wanted[t].get_size()) : 0);
    Recycler::Lease temporary = recycler_.take(offset[tensors] + v.scratch.get_size());
    Arguments arguments{{DNNL_ARG_SCRATCHPAD, memory_at(v.scratch, temporary.data() + offset[tensors])}};
    const auto copied = [&](Tensor t) { return offset[t + 1] != offset[t]; };
    for (const Tensor t : {image, kernel, result}) {
      void* data = copied(t) ? static_cast<void*>(temporary.data() + offset[t]) : at[t];
      if (copied(t) && t != made) reorder(part.given[t], at[t], v.wanted[t], data);
      arguments.emplace(argument_names(role)[t], memory_at(v.wanted[t], data));
    }
    execute(v.run, arguments);
    if (copied(made)) reorder(v.wanted[made], temporary.data() + offset[made], part.given[made], at[made]);
  }

  // kernels: the packed kernel, or room for the gradients of the parts, so many bytes apart.
  void run_parts(const std::array<float*, tensors>& at, const void* kernels, size_t step, ThreadPool& pool) const {
    pool.run(static_cast<int64_t>(parts_.size()), [&](int64_t i) {
      const Part& part = parts_[static_cast<size_t>(i)];
      std::array<float*, tensors> here = at;
      for (const Tensor t : {image, result}) here[t] += part.from[t];
      here[kernel] =
          reinterpret_cast<float*>(static_cast<std::byte*>(const_cast<void*>(kernels)) + step * static_cast<size_t>(i));
      run_part(part, here);
    });
  }

  // Each shard's gradient by itself, then neighbours by pairs.
  void sum_shards(const std::array<float*, tensors>& at, ThreadPool& pool) const {
    const size_t bytes = aligned(d_->packed().get_size()), floats = d_->packed().get_size() / sizeof(float);
    Recycler::Lease sums = recycler_.take(bytes * parts_.size());
    const auto of = [&](int64_t part) {
      return reinterpret_cast<float*>(sums.data() + bytes * static_cast<size_t>(part));
    };
    run_parts(at, sums.data(), bytes, pool);
    pool.run(d_->problem.repeats, [&](int64_t r) {
      const int64_t first = r * d_->per_repeat;
      for (int64_t step = 1; step < d_->per_repeat; step *= 2)
        for (int64_t s = 0; s + step < d_->per_repeat; s += 2 * step) {
          float* sum = of(first + s);
          const float* more = of(first + s + step);
          for (size_t k = 0; k < floats; ++k) sum[k] += more[k];
        }
      const OneThread guard;
      reorder(d_->packed(), of(first), given_kernel_, at[kernel] + r * layout_.repeat_steps[kernel]);
    });
  }

  std::shared_ptr<const Division> d_;
  Layout layout_;
  Desc given_kernel_;
  std::vector<Part> parts_;
  Array constant_;  // the kernel, packed
  mutable Recycler recycler_;
};

}  // namespace

std::optional<LibraryKernel> convolution(const Node& n, double smallest) {
  for (const Type& t : {n.in[0].type(), n.in[1].type(), n.types[0]})
    if (t.dtype != Dtype::float32) return std::nullopt;
  const std::optional<Problem> p = problem_of(n);
  if (!p || p->flops() < smallest) return std::nullopt;
  std::shared_ptr<const Division> division;
  try {
    const OneThread guard;
    division = std::make_shared<Division>(*p);
  } catch (const dnnl::error&) { return std::nullopt; }
  const ConvDims d = ConvDims::from(n.attrs);
  LibraryKernel k;
  const auto any_above = [](const Ints& v, int64_t least) {
    return std::ranges::any_of(v, [least](int64_t x) { return x > least; });
  };
  k.zeros_meet_operand_1 = any_above(d.pad_low, 0) || any_above(d.pad_high, 0) || any_above(d.lhs_dilation, 1);
  const Order plain = iota_ints(n.in[1].rank());
  if (p->role == Role::toward_kernel) {
    k.operand_orders = {channels_innermost(d.lhs_spec, 1, 0), channels_innermost(d.rhs_spec, 1, 0)};
    k.result_order = plain;
  } else {
    k.operand_orders = {channels_innermost(d.lhs_spec, 0, 1), plain};
    k.result_order = channels_innermost(d.out_spec, 0, 1);
  }
  k.make = [division, &n](std::span<const Order> operands, const Order& out, std::span<const Array* const> constants) {
    const Problem& problem = division->problem;
    const Array* fixed = problem.role == Role::toward_kernel ? nullptr : constants[1];
    const auto c = std::make_shared<Convolution>(division, layout_of(problem, n, operands, out), fixed);
    return loops::Host{"onednn convolution", [c](auto in, auto result, ThreadPool& pool) { c->run(in, result, pool); }};
  };
  return k;
}

}  // namespace onednn

std::optional<LibraryKernel> library_kernel(const Node& n, double smallest) {
  if (n.op->name == "conv_general") return onednn::convolution(n, smallest);
  return std::nullopt;
}

}  // namespace viva::cpu
