#include "cpu/onednn/tensors.h"

namespace viva::cpu::onednn {
namespace {

class LayoutOf {
 public:
  LayoutOf(const Problem& p, const Node& n, std::span<const Order> operands, const Order& out)
      : p_(p), d_(ConvDims::from(n.attrs)) {
    const Ints lhs = strides_of(n.in[0].shape(), operands[0]), rhs = strides_of(n.in[1].shape(), operands[1]),
               res = strides_of(n.types[0].shape, out);
    switch (p.role) {
      case Role::forward:
        images(image, lhs, d_.lhs_spec, 0, 1), images(result, res, d_.out_spec, 0, 1);
        kernels(rhs, d_.rhs_spec, 0, 1, 0);
        break;
      case Role::toward_image:
        images(result, lhs, d_.lhs_spec, 0, 1), images(image, res, d_.out_spec, 0, 1);
        kernels(rhs, d_.rhs_spec, 1, 0, 0);
        break;
      case Role::toward_kernel:
        images(image, lhs, d_.lhs_spec, 1, 0), images(result, rhs, d_.rhs_spec, 1, 0);
        kernels(res, d_.out_spec, 1, 0, 1);
        layout.repeat_steps = {p.batch * at(lhs, d_.lhs_spec, 1), p.out * at(res, d_.out_spec, 1),
                               p.out * at(rhs, d_.rhs_spec, 0)};
    }
  }
  Layout layout;

 private:
  static int64_t at(const Ints& strides, const Ints& spec, size_t role) {
    return strides[static_cast<size_t>(spec[role])];
  }
  static void space(View& v, const Ints& extents, const Ints& strides, const Ints& spec) {
    for (size_t i = 0; i < extents.size(); ++i)
      v.dims.push_back(extents[i]), v.strides.push_back(at(strides, spec, i + 2));
  }
  void images(Tensor t, const Ints& strides, const Ints& spec, size_t batch, size_t channels) {
    View v{{p_.batch, t == image ? p_.in : p_.out}, {at(strides, spec, batch), at(strides, spec, channels)}};
    space(v, t == image ? p_.image : p_.result, strides, spec);
    layout.views[t] = std::move(v);
  }
  // outer: the one of out and in whose dimension the groups divide.
  void kernels(const Ints& strides, const Ints& spec, size_t out, size_t in, size_t outer) {
    const int64_t outs = p_.out / p_.groups, ins = p_.in / p_.groups;
    View v{{outs, ins}, {at(strides, spec, out), at(strides, spec, in)}};
    space(v, p_.kernel, strides, spec);
    if (p_.groups > 1) {
      v.dims.insert(v.dims.begin(), p_.groups);
      v.strides.insert(v.strides.begin(), (outer == out ? outs : ins) * at(strides, spec, outer));
    }
    layout.views[kernel] = std::move(v);
  }

  const Problem& p_;
  ConvDims d_;
};

}  // namespace

Desc strided(const View& v) { return {v.dims, dnnl::memory::data_type::f32, v.strides}; }

Order channels_innermost(const Ints& spec, size_t batch, size_t channels) {
  Order o{spec[batch]};
  o.insert(o.end(), spec.begin() + 2, spec.end());
  o.push_back(spec[channels]);
  return o;
}

Desc channels_last(const Dims& dims) {
  const Ints own = iota_ints(static_cast<int64_t>(dims.size()));
  return strided({dims, strides_of(dims, channels_innermost(own, 0, 1))});
}

Desc normalized(View v, const Desc& like) {
  for (size_t d = 0; d < v.dims.size(); ++d)
    if (v.dims[d] == 1) v.strides[d] = like.data.format_desc.blocking.strides[d];
  return strided(v);
}

Layout layout_of(const Problem& p, const Node& n, std::span<const Order> operands, const Order& result) {
  return LayoutOf(p, n, operands, result).layout;
}

}  // namespace viva::cpu::onednn
