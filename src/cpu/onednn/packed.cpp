#include "cpu/onednn/packed.h"

#include <algorithm>
#include <string>

namespace viva::cpu::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::convolution_forward;
constexpr auto f32 = dnnl::memory::data_type::f32;

// Of so many rows; throws dnnl::error where there is no kernel generated for it.
Forward::primitive_desc described(int64_t rows, int64_t k, int64_t n) {
  const auto image = [rows](int64_t channels) {
    return Desc({1, channels, rows, 1}, f32, dnnl::memory::format_tag::nhwc);
  };
  const Desc kernel({n, k, 1, 1}, f32, dnnl::memory::format_tag::any);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const Forward::desc d(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, image(k), kernel,
                        image(n), {1, 1}, {0, 0}, {0, 0});
  const Forward::primitive_desc made(d, attributes, engine());
  if (std::string(made.impl_info_str()).find("jit_1x1") == std::string::npos)
    throw dnnl::error(dnnl_unimplemented, "no generated kernel");
  return made;
}

// Zeros of padding would meet what lies behind a row.
bool padded(const Desc& d) {
  const dnnl_memory_desc_t& raw = d.data;
  return !std::equal(raw.dims, raw.dims + raw.ndims, raw.padded_dims);
}

}  // namespace

std::optional<PackedMatrix> PackedMatrix::of(const float* data, int64_t k, int64_t n, int64_t k_stride,
                                             int64_t n_stride, std::span<const int64_t> row_counts) {
  constexpr int64_t vector = 8;  // of the narrowest kernels; wider ones pad
  if (k % vector != 0 || n % vector != 0) return std::nullopt;
  const OneThread guard;
  PackedMatrix m;
  try {
    for (const int64_t rows : row_counts) {
      const auto made = described(rows, k, n);
      if (m.variants_.empty()) m.layout_ = made.weights_desc();
      if (made.weights_desc() != m.layout_ || padded(m.layout_)) return std::nullopt;
      m.variants_[rows] = {Forward(made), made.src_desc(), made.dst_desc(), made.scratchpad_desc()};
    }
    m.packed_ = block_of(m.layout_.get_size());
    const Desc given({n, k, 1, 1}, f32, dnnl::memory::dims{n_stride, k_stride, 1, 1});
    Reorder(given, m.layout_).run(data, m.packed_.mutable_data());
  } catch (const dnnl::error&) { return std::nullopt; }
  return m;
}

void PackedMatrix::multiply(const float* x, float* result, int64_t rows) const {
  const OneThread guard;
  const Variant& v = variants_.at(rows);
  const Array scratch = block_of(v.scratch.get_size());
  execute(v.run, {{DNNL_ARG_SRC, memory_at(v.x, x)},
                  {DNNL_ARG_WEIGHTS, memory_at(layout_, packed_.data())},
                  {DNNL_ARG_DST, memory_at(v.result, result)},
                  {DNNL_ARG_SCRATCHPAD, memory_at(v.scratch, scratch.data())}});
}

}  // namespace viva::cpu::onednn
