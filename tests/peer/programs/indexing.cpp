#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

Programs gathers() {
  return {
      {"take", [](In x, const Ints& axis) { return exp(take(x[0], x[1], axis[0])); }},
      {"take_along", [](In x, const Ints& axis) { return exp(take_along(x[0], x[1], axis[0])); }},
      {"index", [](In x) { return square(x[0](x[1])); }},
      {"index_pairs", [](In x) { return square(x[0](x[1], x[2])); }},
      {"index_mixed", [](In x) { return square(x[0](x[1], range(1, 3))); }},
      {"index_grid", [](In x) { return square(x[0](x[1](ellipsis, newaxis), x[2])); }},
      {"index_negative", [](In x) { return square(x[0](x[1] - 4)); }},
      {"vmap_take",
       [](In x) { return exp(vmap([](const Tensor& row, const Tensor& i) { return take(row, i, 0); })(x[0], x[1])); }},
      {"interp", [](In x) { return interp(x[0], x[1], x[2]); }},
      {"searchsorted", [](In x, const Ints& right) { return searchsorted(x[0], x[1], right[0] != 0); }},
      {"embedding_dot", [](In x) { return sum(take(x[0], x[1], 0) * take(x[0], x[2], 0), -1); }},
      {"label_loss", [](In x) { return -take_along(log_softmax(x[0]), expand_dims(x[1], 1), 1); }},
  };
}

Programs scatters() {
  return {
      {"set", [](In x) { return exp(x[0].at(x[1]).set(x[2])); }},
      {"set_range", [](In x) { return exp(x[0].at(range(1, 3), 2).set(x[1])); }},
      {"add_at", [](In x) { return exp(x[0].at(x[1]).add(x[2])); }},
      {"mul_at", [](In x) { return exp(x[0].at(x[1]).mul(x[2])); }},
      {"min_at", [](In x) { return exp(x[0].at(x[1]).min(x[2])); }},
      {"max_at", [](In x) { return exp(x[0].at(x[1]).max(x[2])); }},
      {"set_rows", [](In x) { return exp(x[0].at(x[1]).set(square(x[2]))); }},
      {"add_pairs", [](In x) { return exp(x[0].at(x[1], x[2]).add(x[3])); }},
      {"bincount", [](In x) { return exp(bincount(x[0], 5, x[1])); }},
      {"bincount_vmap",
       [](In x) { return exp(vmap([](const Tensor& i, const Tensor& w) { return bincount(i, 5, w); })(x[0], x[1])); }},
      {"histogram", histogram},
      {"segment_softmax",
       [](In x) {
         const Tensor e = exp(x[0]);
         return e / take(bincount(x[1], 4, e), x[1], 0);
       }},
      {"message_passing",
       [](In x) {
         const Tensor sent = tanh(take(x[0], x[1], 0) * x[3]);
         return square(zeros_like(x[0]).at(x[2]).add(sent));
       }},
  };
}

Programs orders() {
  return {
      {"sort", [](In x, const Ints& s) { return exp(sort(x[0], s[0], s[1] != 0)); }},
      {"argsort", [](In x, const Ints& s) { return argsort(x[0], s[0], s[1] != 0); }},
      {"top_k", [](In x, const Ints& s) { return square(top_k(x[0], s[0], s[1]).values); }},
      {"top_k_indices", [](In x) { return top_k(x[0], 3).indices; }},
      {"median", [](In x, const Ints& axis) { return square(median(x[0], axis[0])); }},
      {"quantile", [](In x) { return square(quantile(x[0], .3, 0)); }},
      {"sorted_dot", [](In x) { return sum(sort(x[0] * x[1]) * x[1]); }},
      {"rank_weighted", [](In x) { return sum(sin(sort(x[0], 0)) * arange(x[0].dim(0), x[0].dtype())); }},
      {"earth_mover", [](In x) { return sum(square(sort(x[0]) - sort(x[1]))); }},
      {"trimmed_mean", [](In x) { return mean(square(sort(x[0])(range(2, -2)))); }},
      {"spacing", [](In x) { return log(diff(sort(x[0]))); }},
      {"take_sorted", [](In x) { return x[1](argsort(x[0])) * sort(x[0]); }},
  };
}

}  // namespace

Programs index_programs() {
  Programs all = gathers();
  all.merge(scatters());
  all.merge(orders());
  return all;
}

}  // namespace viva::peer
