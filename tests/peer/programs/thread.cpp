// Programs after reports of what other engines got wrong, refused or were slow at; thread.py names them.
#include "peer/programs/programs.h"

namespace viva::peer {

namespace {

using Two = std::pair<Tensor, Tensor>;

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) { return attention(q, k, v, {.causal = true}); }

Programs compilers() {
  return {
      {"unrolled_15",
       [](In x) {
         Tensor y = x[0];
         for (int i = 0; i < 15; ++i) y = tanh(matmul(x[1], y)) + .1 * y;
         return y;
       }},
      {"unrolled_doubling",
       [](In x) {
         Tensor y = x[0];
         for (int i = 0; i < 8; ++i) y = .4 * (y * y + sin(y));
         return y;
       }},
      {"kepler",
       [](In x) {
         const Tensor e = x[1] / 2;
         Tensor a = x[0];
         for (int i = 0; i < 4; ++i) a = a - (a - e * sin(a) - x[0]) / (1 - e * cos(a));
         return a;
       }},
      {"cable_equation",
       [](In x) {
         const auto step = [&](const Tensor& v, const std::tuple<>&) {
           const Tensor flow = pad(diff(v), {1}, {0}) - pad(diff(v), {0}, {1});
           return Two(v + .1 * (x[1] * tanh(v) - flow - v), v(0));
         };
         return scan(step, x[0], std::tuple<>(), {.length = 8}).second;
       }},
      {"many_scalars",
       [](In x) {
         std::vector<Tensor> carry;
         for (int i = 0; i < 60; ++i) carry.push_back(x[0](i));
         const auto step = [](const std::vector<Tensor>& c, const Tensor& t) {
           std::vector<Tensor> n;
           for (size_t i = 0; i < c.size(); ++i) n.push_back(.5 * sin(c[i] + t) + .3 * c[(i + 1) % c.size()]);
           return std::pair(n, c[0]);
         };
         const auto [last, all] = scan(step, carry, x[1]);
         return all_of({stack(last), all});
       }},
      {"small_matrix_carry",
       [](In x) {
         const auto step = [&](const Tensor& p, const Tensor& t) {
           const Tensor n = matmul(x[1], matmul(p, transpose(x[1]))) + t * eye(3, p.dtype());
           return Two(n / trace(n), p(0, 0));
         };
         return scan(step, eye(3, x[0].dtype()), square(x[0])).second;
       }},
      {"tiny_dots", [](In x) { return matmul(matmul(x[0], x[1]), matmul(x[0], x[1])); }},
      {"dot_without_effect",
       [](In x) {
         const auto f = [&](const Tensor& y) {
           const Tensor d = y - x[0];
           return dot(d, x[1]) + dot(dot(d, zeros({3, 3}, d.dtype())), d);
         };
         return mean(vmap(f)(x[2]));
       }},
      {"rank_eight", [](In x) { return sum(x[0] * x[1], {1, 3, 5}); }},
      {"rows_squared",
       [](In x) {
         return vmap([&](const Tensor& row) { return sum(square(matmul(eye(3, row.dtype()), row))); })(x[0]);
       }},
      {"slice_of_product", [](In x) { return sum(matmul(x[0], x[1])(range(1, 5, 2)), 1) * x[2]; }},
      {"conv_transpose_1d", [](In x) { return conv_transpose(x[0], x[1], {.strides = {4}, .low = {2}, .high = {2}}); }},
      {"depthwise", [](In x) { return conv(x[0], x[1], {.low = {1, 1}, .high = {1, 1}, .groups = 6}); }},
      {"double_dot", [](In x) { return matmul(x[0], x[1]); }},
      {"bounded_while",
       [](In x) {
         return while_loop([](const Tensor& t) { return sum(t) < 50; },
                           [&](const Tensor& t) { return t * (1 + sigmoid(x[0])); }, square(x[0]) + .1,
                           {.max_steps = 100});
       }},
      {"taylor_missing", [](In x) { return tan(x[0]) + atan(x[0]) + exp2(x[0]) * prod(x[0]); }},
      {"pool_gradient",
       [](In x) {
         return grad([](const Tensor& t) { return sum(exp(max_pool(t, {.size = {2, 2}, .strides = {1, 1}}))); })(x[0]);
       }},
  };
}

Programs array_engines() {
  return {
      {"conv_tangent",
       [](In x) { return jvp([&](const Tensor& t) { return conv(sin(t), x[1]); })(x[0], square(x[0])).second; }},
      {"scatter_tangent",
       [](In x) { return jvp([&](const Tensor& t) { return square(x[0].at(x[1]).set(t)); })(x[2], sin(x[2])).second; }},
      {"cumprod_tangent",
       [](In x) { return jvp([](const Tensor& t) { return cumprod(t, 0); })(x[0], sin(x[0])).second; }},
      {"cummax_tangent",
       [](In x) { return jvp([](const Tensor& t) { return cummax(t, 0); })(x[0], sin(x[0])).second; }},
      {"vmap_slice_starts",
       [](In x) {
         const auto part = [](const Tensor& row, const Tensor& i) { return take(row, i + arange(3), 0); };
         return square(vmap(part)(x[0], x[1]));
       }},
      {"poisson_residual",
       [](In x) {
         const auto u = [&](const Tensor& p) { return sum(matmul(tanh(matmul(p, x[1])), x[2])); };
         return vmap([&](const Tensor& p) { return square(trace(hessian(u)(p)) + sin(sum(p))); })(x[0]);
       }},
      {"grouped_attention_vmap", [](In x) { return vmap(attend)(x[0], x[1], x[2]); }},
      {"attention_hessian",
       [](In x) { return grad([&](const Tensor& q) { return sum(square(attend(q, x[1], x[2]))); })(x[0]); }},
      {"attention_tangent",
       [](In x) { return jvp([&](const Tensor& q) { return attend(q, x[1], x[2]); })(x[0], sin(x[0])).second; }},
      {"grid_sample",
       [](In x) {
         const Tensor at = 3 * sigmoid(x[1]), low = floor(at), part = at - low;
         const auto pick = [&](int dy, int dx) {
           const Tensor i = convert(low, Dtype::int32);
           return x[0](i(ellipsis, 0) + dy, i(ellipsis, 1) + dx);
         };
         const Tensor v = part(ellipsis, 0), u = part(ellipsis, 1);
         return (1 - v) * (1 - u) * pick(0, 0) + (1 - v) * u * pick(0, 1) + v * (1 - u) * pick(1, 0) +
                v * u * pick(1, 1);
       }},
      {"lstm_penalty",
       [](In x) {
         const auto run = [&](const Tensor& data) {
           const LstmCell cell{{x[1], x[2]}, {x[3], x[4]}};
           const auto step = [&](const LstmCell::State& s, const Tensor& t) {
             const LstmCell::State n = cell(s, t);
             return std::pair(n, std::tuple<>());
           };
           const Tensor zero = zeros({2, 3}, data.dtype());
           return sum(square(scan(step, LstmCell::State{zero, zero}, data).first.output));
         };
         return grad(run)(x[0]);
       }},
      {"fifth_power", [](In x) { return grad([](const Tensor& t) { return sum(t * t * t * t * t); })(x[0]); }},
      {"dropout_vmap",
       [](In x) {
         return vmap([](const Tensor& t, const Tensor& keep) {
           return grad([&](const Tensor& u) { return sum(square(where(keep > 0, u / .8, 0)) * u); })(t);
         })(x[0], x[1]);
       }},
      {"scan_closure",
       [](In x) {
         const auto step = [&](const Tensor& c, const Tensor& t) { return Two(tanh(c * x[1] + t), c * x[2]); };
         return vmap([&](const Tensor& row) { return scan(step, x[1], row).second; })(x[0]);
       }},
      {"train_steps",
       [](In x) {
         const auto loss = [&](const Tensor& w) { return mean(square(matmul(x[1], tanh(w)) - x[2])); };
         return fori_loop(3, [&](const Tensor&, const Tensor& w) { return w - sigmoid(x[3]) * grad(loss)(w); }, x[0]);
       }},
      {"gather_region", [](In x) { return square(x[0](x[1], range(1, 3))) * sum(take(x[0], x[1], 0)); }},
      {"product_reduce", [](In x) { return prod(x[0], 0); }},
      {"scatter_add_reverse", [](In x) { return square(zeros({5, 2}, x[0].dtype()).at(x[1]).add(sin(x[0]))); }},
      {"gemm", [](In x) { return 1.5 * matmul(x[0], transpose(x[1])) + .5 * x[2]; }},
      {"transformer_parts",
       [](In x) {
         const Tensor h = gelu(matmul(LayerNorm{x[1], x[2]}(x[0]), x[3]));
         return conv(reshape(h, {1, 1, 4, 6}), x[4]);
       }},
  };
}

// What bounds of the box x ± r² are, and their derivatives.
Tensor ends(Tensor (*f)(In, const Tensor&), In x) {
  const auto box = bound([&](const Tensor& t) { return f(x, t); })(x[0] - square(x[2]), x[0] + square(x[2]));
  return all_of({box.first, box.second});
}

Programs bounds() {
  return {
      {"bound_vector_matrix", [](In x) { return ends([](In a, const Tensor& t) { return matmul(t, a[1]); }, x); }},
      {"bound_conv_transpose",
       [](In x) { return ends([](In a, const Tensor& t) { return conv_transpose(t, a[1], {.strides = {2}}); }, x); }},
      {"bound_transpose",
       [](In x) { return ends([](In a, const Tensor& t) { return matmul(transpose(t), a[1]); }, x); }},
  };
}

}  // namespace

Programs thread_programs() {
  Programs all = compilers();
  all.merge(array_engines());
  all.merge(bounds());
  return all;
}

}  // namespace viva::peer
