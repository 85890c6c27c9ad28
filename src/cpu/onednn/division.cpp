#include "cpu/onednn/division.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace viva::cpu::onednn {
namespace {

constexpr double smallest_shard = 1.5e6;  // FLOPs
constexpr int64_t most_shards = 16, most_partial_sums = 4;

// Kernels generated for the shape, and toward an image a matrix product whose columns are added where they belong. The
// other general ones are slower than a nest, and pad with zeros that meet infinities.
template <class Primitive> bool is_fast(const std::string& implementation) {
  if (implementation.find("jit") == std::string::npos) return false;
  return std::is_same_v<Primitive, dnnl::convolution_backward_data> || implementation.find("gemm") == std::string::npos;
}

// The library looks at desc and hint again for each implementation that it offers, so both must still be there.
template <class Primitive, class... Hint>
typename Primitive::primitive_desc checked(const typename Primitive::desc& desc, const dnnl::primitive_attr& attributes,
                                           const Hint&... hint) {
  typename Primitive::primitive_desc d(desc, attributes, engine(), hint...);
  while (!is_fast<Primitive>(d.impl_info_str()))
    if (!d.next_impl()) throw dnnl::error(dnnl_unimplemented, "no fast kernel");
  return d;
}

constexpr auto direct = dnnl::algorithm::convolution_direct;
using Forward = dnnl::convolution_forward;
using TowardImage = dnnl::convolution_backward_data;
using TowardKernel = dnnl::convolution_backward_weights;

// The library's description of a problem, each tensor as it takes it.
struct Description {
  Desc x, w, y;
  Dims strides, dilation, low, high;
  dnnl::primitive_attr attributes;

  explicit Description(const Problem& p) : strides(p.strides), dilation(p.dilation), low(p.low), high(p.high) {
    const auto dims_of = [&](int64_t channels, const Ints& space) {
      Dims d{p.batch, channels};
      d.insert(d.end(), space.begin(), space.end());
      return d;
    };
    Dims kernel_dims{p.out / p.groups, p.in / p.groups};
    if (p.groups > 1) kernel_dims.insert(kernel_dims.begin(), p.groups);
    kernel_dims.insert(kernel_dims.end(), p.kernel.begin(), p.kernel.end());
    x = channels_last(dims_of(p.in, p.image));
    y = channels_last(dims_of(p.out, p.result));
    w = Desc(kernel_dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    for (auto& d : dilation) --d;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  }

  dnnl::primitive_attr with(const std::vector<Ending>& endings) const {
    dnnl::post_ops after;
    for (const Ending& e : endings)
      if (e.kind == Ending::Kind::add) after.append_binary(dnnl::algorithm::binary_add, y);
      else if (e.kind == Ending::Kind::relu) after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    dnnl::primitive_attr a = attributes;
    a.set_post_ops(after);
    return a;
  }

  Forward::desc forward(bool biased) const {
    constexpr auto kind = dnnl::prop_kind::forward_training;
    if (!biased) return {kind, direct, x, w, y, strides, dilation, low, high};
    const Desc bias({y.dims()[1]}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
    return {kind, direct, x, w, bias, y, strides, dilation, low, high};
  }
  // Of what an adjoint is the adjoint.
  Forward::primitive_desc hint() const { return {forward(false), attributes, engine()}; }
};

// Kernels of one element with strides copy the image first, in whole vectors of channels: where these do not come out
// even, oneDNN 2.6 writes beyond its copy.
bool overruns(const Problem& p) {
  constexpr int64_t vector = 8;
  const auto above_1 = [](const Ints& v) { return std::ranges::any_of(v, [](int64_t x) { return x > 1; }); };
  return !above_1(p.kernel) && above_1(p.strides) && (p.in / p.groups % vector != 0 || p.out / p.groups % vector != 0);
}

// Throws dnnl::error where the library has no fast kernel.
Variant variant_of(const Problem& p, const std::vector<Ending>& endings) {
  if (overruns(p)) throw dnnl::error(dnnl_unimplemented, "a copy that overruns");
  const Description d(p);
  switch (p.role) {
    case Role::forward: {
      const bool biased = std::ranges::any_of(endings, [](const Ending& e) { return e.kind == Ending::Kind::bias; });
      const auto made = checked<Forward>(d.forward(biased), d.with(endings));
      return {Forward(made), {made.src_desc(), made.weights_desc(), made.dst_desc()}, made.scratchpad_desc()};
    }
    case Role::toward_image: {
      const auto made =
          checked<TowardImage>({direct, d.x, d.w, d.y, d.strides, d.dilation, d.low, d.high}, d.attributes, d.hint());
      return {
          TowardImage(made), {made.diff_src_desc(), made.weights_desc(), made.diff_dst_desc()}, made.scratchpad_desc()};
    }
    case Role::toward_kernel:
      break;
  }
  const auto made =
      checked<TowardKernel>({direct, d.x, d.w, d.y, d.strides, d.dilation, d.low, d.high}, d.attributes, d.hint());
  return {
      TowardKernel(made), {made.src_desc(), made.diff_weights_desc(), made.diff_dst_desc()}, made.scratchpad_desc()};
}

}  // namespace

Division::Division(const Problem& p, std::vector<Ending> e) : problem(p), endings(std::move(e)) {
  const double work = p.flops() / static_cast<double>(p.repeats);
  const int64_t most = p.role == Role::toward_kernel ? most_partial_sums : most_shards;
  const int64_t worth = even_parts(work / smallest_shard, most);
  if (p.batch == 1 && p.role == Role::forward) divide_rows(std::min(worth, p.result[0]));
  else divide_batch(std::min(worth, p.batch));
  for (const Variant& v : variants)
    if (v.wanted[kernel] != packed()) throw dnnl::error(dnnl_unimplemented, "kernels packed in several ways");
}

void Division::divide_batch(int64_t count) {
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
void Division::divide_rows(int64_t count) {
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

void Division::add(const Problem& p, Shard s) {
  s.batch = p.batch, s.image_rows = p.image[0], s.result_rows = p.result[0];
  const Ints key{p.batch, p.image[0], p.result[0], p.low[0], p.high[0]};
  const auto known = std::ranges::find(keys_, key);
  s.variant = static_cast<size_t>(known - keys_.begin());
  if (known == keys_.end()) keys_.push_back(key), variants.push_back(variant_of(p, endings));
  shards.push_back(s);
}

}  // namespace viva::cpu::onednn
