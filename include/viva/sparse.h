// Sparse derivatives: which elements are not zero is found from the program, and their values from as many products as
// the pattern needs colours.
//   sparsity(f)(x, …)            which elements of f's result depend on which of x, as a SparseMatrix of ones
//   sparse_jacobian(f)(x, …)     the Jacobian of f from a tensor to a tensor
//   sparse_hessian(f)(x, …)      the Hessian of a scalar function
#pragma once

#include "viva/transform.h"

namespace viva {

// A matrix over the elements of two tensors, each counted row by row: entry k stands at (row[k], column[k]), each place
// once, in order.
struct SparseMatrix {
  int64_t rows = 0, columns = 0;
  Tensor row, column, values;  // int64[n], int64[n] and floats
  int64_t products = 0;        // derivatives taken together: the colours of the pattern
  bool forward = true;         // by forward mode; else by reverse mode
};
Tensor dense(const SparseMatrix& m, Loc = Loc::current());  // [rows, columns]

namespace tracing {

enum class Sparse : uint8_t { pattern, jacobian, hessian };
SparseMatrix sparse(Site, const Fn&, const Tensors& args, const Marks&, Sparse what);

template <class F, Sparse What, size_t... I> struct SparseDerivative {
  F f;
  Site site;
  template <class... A> SparseMatrix operator()(const A&... args) const {
    using C = Call<F, A...>;
    static_assert(sizeof...(I) <= 1, "viva: a sparse derivative is taken with respect to one argument");
    using T = std::tuple_element_t<(0 + ... + I), std::tuple<A...>>;
    static_assert(std::is_same_v<T, Tensor> && std::is_same_v<typename C::Result, Tensor>,
                  "viva: a sparse derivative is one of a Tensor by a Tensor: see ravel");
    C call(f, args...);
    return tracing::sparse(site, call.function(), call.given, call.template marks<I...>(), What);
  }
};

}  // namespace tracing

// Exact where f moves elements, works on them one by one, contracts or convolves; elsewhere all that could be. What f
// captures is taken as it is: a product with zeros that are captured is none. Under compile the pattern is found once.
template <class F, size_t... I> auto sparsity(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::SparseDerivative<F, tracing::Sparse::pattern, I...>{std::move(f), {"sparsity", l}};
}
// By columns of the Jacobian in forward mode or by rows in reverse mode, whichever takes fewer products.
template <class F, size_t... I> auto sparse_jacobian(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::SparseDerivative<F, tracing::Sparse::jacobian, I...>{std::move(f), {"sparse_jacobian", l}};
}
template <class F, size_t... I> auto sparse_hessian(F f, Select<false, I...> = {}, Loc l = Loc::current()) {
  return tracing::SparseDerivative<F, tracing::Sparse::hessian, I...>{std::move(f), {"sparse_hessian", l}};
}

}  // namespace viva
