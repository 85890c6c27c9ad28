// How near does the tile evaluator come to the machine? Prints GFLOP/s or GB/s beside the limits measured here, by
// code that does not use Viva: fused multiply-adds in registers, and a triad over memory. bench_loops [THREADS] [NAME]
#include <fmt/format.h>

#if defined(__FMA__)
#include <immintrin.h>
#endif

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/array.h"
#include "loops/run.h"

namespace {

using namespace viva;
using namespace viva::loops;

constexpr Dtype f32 = Dtype::float32;

double wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
// On one thread its own time, which other programs disturb less.
bool alone = true;
double now() {
  timespec t{};
  if (!alone || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return wall();
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Seconds of the fastest repetition within about a second.
template <class F> double fastest(F&& f) {
  f();
  double best = 1e9;
  const double end = wall() + 1.0;
  for (int i = 0; i < 5 || (wall() < end && i < 20000); ++i) {
    const double start = now();
    f();
    best = std::min(best, now() - start);
  }
  return best;
}

typedef float V __attribute__((vector_size(32)));
volatile float sink;

V multiply_add(V a, V b, V c) {
#if defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

double peak(ThreadPool& pool) {
  constexpr int64_t n = 2'000'000;
  const double s = fastest([&] {
    pool.run(pool.threads(), [&](int64_t) {
      V a[12], x = V{} + 1.0000001F, y = V{} + 1e-9F;
      for (V& e : a) e = V{} + 1.0F;
      for (int64_t i = 0; i < n; ++i) {
        for (V& e : a) e = multiply_add(e, x, y);
        asm volatile("");
      }
      V total = a[0];
      for (const V& e : a) total += e;
      sink = total[0];
    });
  });
  return 2.0 * 8 * 12 * n * pool.threads() / s / 1e9;
}

double bandwidth(ThreadPool& pool) {
  const int64_t n = 1 << 24;
  std::vector<float> x(n), y(n, 1), z(n, 1);
  const double s = fastest([&] {
    pool.run(16, [&](int64_t p) {
      for (int64_t i = n / 16 * p; i < n / 16 * (p + 1); ++i)
        x[static_cast<size_t>(i)] = y[static_cast<size_t>(i)] * 1.5F + z[static_cast<size_t>(i)];
    });
  });
  return 12.0 * n / s / 1e9;
}

class Bench {
 public:
  Bench(int threads, std::string only) : pool_(threads), only_(std::move(only)) {}
  ThreadPool& pool() { return pool_; }

  void run(const std::string& name, const Nest& nest, double flops, double bytes) {
    if (name.find(only_) == std::string::npos) return;
    const Prepared prepared(nest);
    std::vector<Array> arrays;
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const Type& t : nest.operands) arrays.push_back(Array::full(t, 0.5)), in.push_back(arrays.back().data());
    for (const Store& s : nest.stores) {
      const Shape shape(nest.extents.begin(), nest.extents.begin() + nest.parallel);
      arrays.push_back(Array::zeros({nest.dtype(s.reg), s.scatter ? s.scatter->target : shape}));
      out.push_back(arrays.back().mutable_data());
    }
    const double s = fastest([&] { loops::run(prepared, in, out, pool_, scratch_); });
    const std::string rate =
        flops > 0 ? fmt::format("{:7.1f} GFLOP/s", flops / s / 1e9) : fmt::format("{:7.1f} GB/s   ", bytes / s / 1e9);
    fmt::print("{:<34} {:>10.2f} us {}   {}\n", name, s * 1e6, rate, prepared.describe());
  }

 private:
  ThreadPool pool_;
  Scratch scratch_;
  std::string only_;
};

void add_tile(void* out, const void* const* in, int64_t n) {
  auto* __restrict o = static_cast<float*>(out);
  const auto *a = static_cast<const float*>(in[0]), *b = static_cast<const float*>(in[1]);
  for (int64_t i = 0; i < n; ++i) o[i] = a[i] + b[i];
}

void add(Bench& bench, const std::string& name, const Shape& s) {
  Nest n = elementwise(s, {{f32, s}, {f32, s}});
  n.store(n.apply(add_tile, f32, {n.load(0), n.load(1)}, "add"));
  bench.run(name, n, 0, 12.0 * static_cast<double>(numel(s)));
}

void bias(Bench& bench, const std::string& name, const Shape& s, int dim) {
  Nest n = elementwise(s, {{f32, s}, {f32, {s[static_cast<size_t>(dim)]}}});
  n.store(n.apply(add_tile, f32, {n.load(0), n.load(1, {n.at(dim)})}, "add"));
  bench.run(name, n, 0, 8.0 * static_cast<double>(numel(s)));
}

void sum(Bench& bench, const std::string& name, const Ints& e, int keep, const Ints& layout,
         Reduction r = Reduction::sum) {
  Nest n{.extents = e, .parallel = keep, .operands = {{f32, permute(e, layout)}}};
  std::vector<Index> at;
  for (int64_t l : layout) at.push_back(n.at(static_cast<int>(l)));
  n.store(n.reduce(r, {n.load(0, at)}, r == Reduction::argmax ? Dtype::int64 : f32));
  bench.run(name, n, 0, 4.0 * static_cast<double>(numel(e)));
}

void transpose(Bench& bench, const std::string& name, const Shape& s) {
  Nest n = elementwise({s[1], s[0]}, {{f32, s}});
  n.store(n.load(0, {n.at(1), n.at(0)}));
  bench.run(name, n, 0, 8.0 * static_cast<double>(numel(s)));
}

void gather(Bench& bench) {
  Nest n = elementwise({4096, 512}, {{f32, {30000, 512}}, {Dtype::int64, {4096}}});
  const Register at = n.clip(n.load(1, {n.at(0)}), 0, 29999);
  n.store(n.load(0, {{.terms = {{at, 1}}}, n.at(1)}));
  bench.run("gather 4096 rows of 512", n, 0, 8.0 * 4096 * 512);
}

void gemm(Bench& bench, const std::string& name, Dtype d, int64_t m, int64_t n, int64_t k, bool left_turned,
          bool right_turned, double bytes = 0) {
  Nest nest{.extents = {m, n, k},
            .parallel = 2,
            .operands = {{d, left_turned ? Shape{k, m} : Shape{m, k}}, {d, right_turned ? Shape{n, k} : Shape{k, n}}}};
  const auto at = [&](int a, int b, bool turned) {
    return turned ? std::vector<Index>{nest.at(b), nest.at(a)} : std::vector<Index>{nest.at(a), nest.at(b)};
  };
  nest.store(
      nest.reduce(Reduction::dot, {nest.load(0, at(0, 2, left_turned)), nest.load(1, at(2, 1, right_turned))}, d));
  bench.run(name, nest, bytes > 0 ? 0 : 2.0 * static_cast<double>(m * n * k), bytes);
}

void conv(Bench& bench, const std::string& name, int64_t batch, int64_t groups, int64_t in, int64_t out, int64_t size,
          int64_t window, int64_t stride) {
  const int64_t pad = window / 2, rows = (size + 2 * pad - window) / stride + 1;
  Nest n{.extents = {batch, groups, out, rows, rows, in, window, window}, .parallel = 5};
  n.operands = {{f32, {batch, groups * in, size, size}}, {f32, {groups * out, in, window, window}}};
  Index channel = n.at(1, in), feature = n.at(1, out), row = n.at(3, stride, -pad), column = n.at(4, stride, -pad);
  channel.coefficients[5] = feature.coefficients[2] = row.coefficients[6] = column.coefficients[7] = 1;
  const Register x = n.load(0, {n.at(0), channel, row, column}), w = n.load(1, {feature, n.at(5), n.at(6), n.at(7)});
  n.store(n.reduce(Reduction::dot, {x, w}, f32));
  bench.run(name, n, 2.0 * static_cast<double>(numel(n.extents)), 0);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  alone = threads <= 1;
  Bench bench(std::max(threads, 1), argc > 2 ? argv[2] : "");
  fmt::print("limits on {} threads: {:.1f} GFLOP/s float32, {:.1f} GB/s triad\n", threads, peak(bench.pool()),
             bandwidth(bench.pool()));
  add(bench, "add 16", {16});
  add(bench, "add 1024", {1024});
  add(bench, "add 1M", {1 << 20});
  add(bench, "add 16M", {1 << 24});
  bias(bench, "add row [4096,1000]", {4096, 1000}, 1);
  bias(bench, "add column [4096,1000]", {4096, 1000}, 0);
  bias(bench, "add channel [8,64,56,56]", {8, 64, 56, 56}, 1);
  transpose(bench, "transpose 2048x2048", {2048, 2048});
  gather(bench);
  sum(bench, "sum 16M", {1 << 24}, 0, {0});
  sum(bench, "sum rows [4096,1000]", {4096, 1000}, 1, {0, 1});
  sum(bench, "sum columns [4096,1000]", {1000, 4096}, 1, {1, 0});
  sum(bench, "sum rows [1M,10]", {1 << 20, 10}, 1, {0, 1});
  sum(bench, "max rows [4096,1000]", {4096, 1000}, 1, {0, 1}, Reduction::max);
  sum(bench, "argmax rows [10000,10]", {10000, 10}, 1, {0, 1}, Reduction::argmax);
  for (int64_t s : {32, 128, 512, 1024}) gemm(bench, fmt::format("gemm {0}", s), f32, s, s, s, false, false);
  gemm(bench, "gemm 1024 transposed right", f32, 1024, 1024, 1024, false, true);
  gemm(bench, "gemm 1024 transposed left", f32, 1024, 1024, 1024, true, false);
  gemm(bench, "gemm 1024 float64", Dtype::float64, 1024, 1024, 1024, false, false);
  gemm(bench, "gemm 1024 int32", Dtype::int32, 1024, 1024, 1024, false, false);
  gemm(bench, "gemm 512 bf16", Dtype::bfloat16, 512, 512, 512, false, false);
  gemm(bench, "dense [64,784]x[784,256]", f32, 64, 256, 784, false, false);
  gemm(bench, "gemv rows [4096,4096]", f32, 1, 4096, 4096, false, true, 4.0 * 4096 * 4096);
  gemm(bench, "gemv columns [4096,4096]", f32, 1, 4096, 4096, false, false, 4.0 * 4096 * 4096);
  conv(bench, "conv 3x3 64->64 56x56", 1, 1, 64, 64, 56, 3, 1);
  conv(bench, "conv 3x3 64->64 56x56 batch 8", 8, 1, 64, 64, 56, 3, 1);
  conv(bench, "conv 3x3 256->256 14x14", 1, 1, 256, 256, 14, 3, 1);
  conv(bench, "conv 7x7/2 3->64 224x224", 1, 1, 3, 64, 224, 7, 2);
  conv(bench, "conv 1x1 64->256 56x56", 1, 1, 64, 256, 56, 1, 1);
  conv(bench, "depthwise 3x3 x64 56x56", 1, 64, 1, 1, 56, 3, 1);
  conv(bench, "grouped 3x3 32x(4->4) 56x56", 1, 32, 4, 4, 56, 3, 1);
}
