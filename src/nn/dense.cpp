// Dense layers and embeddings.
#include "nn/layer.h"

namespace viva {

using tracing::Line;
using tracing::usage_at;

Dense Dense::make(const Key& k, int64_t in, int64_t out, const DenseOptions& o, Loc l) {
  const Line line(l);
  tracing::positive(in, "dense", "inputs", l), tracing::positive(out, "dense", "outputs", l);
  const Fans fans{in, out};
  Dense r;
  r.weight = tracing::parameter(o.weight, init::lecun_normal(), k.fold(0), {in, out}, fans, o.dtype, l);
  if (o.bias) r.bias = tracing::parameter(o.bias_init, init::zeros(), k.fold(1), {out}, fans, o.dtype, l);
  return r;
}

Tensor Dense::operator()(const Arg& x) const {
  const Line line(x.where);
  const Tensor t = tracing::floats(x, "dense");
  tracing::check_not_empty(weight, x.where);
  if (weight.rank() != 2)
    throw usage_at(x.where, fmt::format("[dense] the weight is {}: give one of [in, out]", to_string(weight.type())));
  if (t.rank() == 0 || t.dim(-1) != weight.dim(0))
    throw usage_at(x.where, fmt::format("[dense] {} into a layer of {} inputs: its last extent must be {}",
                                        to_string(t.type()), weight.dim(0), weight.dim(0)));
  const Tensor y = matmul(t, weight);
  return tracing::with_bias(y, bias, y.rank() - 1, x.where);
}

Embedding Embedding::make(const Key& k, int64_t count, int64_t width, const Initializer& weight, Dtype d, Loc l) {
  const Line line(l);
  tracing::positive(count, "embedding", "rows", l), tracing::positive(width, "embedding", "features", l);
  const Initializer own = init::variance_scaling(1, init::Fan::out, init::Law::normal);
  return {tracing::parameter(weight, own, k, {count, width}, {count, width}, d, l)};
}

Tensor Embedding::operator()(const Arg& indices) const {
  const Line line(indices.where);
  const Tensor i = tracing::as_tensor(indices);
  if (!is_integer(i.dtype()))
    throw usage_at(indices.where, fmt::format("[embedding] indices are {}, not integers: use convert(x, Dtype::int32)",
                                              to_string(i.type())));
  return take(weight, i, 0);
}

Tensor Embedding::attend(const Arg& x) const {
  const Line line(x.where);
  const Tensor t = tracing::floats(x, "embedding");
  if (t.rank() == 0 || t.dim(-1) != weight.dim(1))
    throw usage_at(x.where, fmt::format("[embedding] {} against rows of {}: its last extent must be {}",
                                        to_string(t.type()), weight.dim(1), weight.dim(1)));
  return matmul(t, transpose(weight));
}

}  // namespace viva
