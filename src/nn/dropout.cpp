#include "nn/layer.h"

namespace viva {

Tensor dropout(const Key& k, const Arg& x, double rate) {
  const tracing::Line line(x.where);
  const Tensor t = tracing::as_float(x);
  if (!(rate >= 0 && rate <= 1))
    throw tracing::usage_at(x.where, fmt::format("[dropout] rate {}: between 0 and 1", rate));
  if (rate == 0) return t;
  if (rate == 1) return zeros_like(t);
  return where(bernoulli(k, 1 - rate, t.shape()), t * (1 / (1 - rate)), 0);
}

}  // namespace viva
