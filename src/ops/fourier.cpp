// fft: the discrete Fourier transform along one dimension. Its matrix is symmetric, so it is its own transpose.
#include <algorithm>
#include <array>
#include <numbers>

#include "base/thread_pool.h"
#include "loops/lowered.h"
#include "ops/bounds.h"
#include "ops/catalog.h"
#include "ops/linalg_host.h"
#include "ops/record.h"

namespace viva {
namespace {

std::vector<Type> infer(const Infer::Site& s) {
  require_operands(s, 1);
  const Type& t = s.in[0];
  require(is_complex(t.dtype), "takes c64 or c128, not {}: make it complex first", spelled(t));
  require_dims({s.attrs.integer("dim")}, t.rank(), "dimension");
  s.attrs.flag("inverse");
  return {t};
}

// Rows [begin, end) along the dimension: `extent` numbers `step` apart, computed in double.
struct Rows {
  int64_t extent = 0, step = 1, count = 0;
  Dtype dtype;
  bool inverse;

  explicit Rows(const Node& n) : dtype(n.types[0].dtype), inverse(n.attrs.flag("inverse")) {
    const Shape& shape = n.types[0].shape;
    const auto dim = static_cast<size_t>(n.attrs.integer("dim"));
    extent = shape[dim], step = row_major(shape)[dim];
    count = extent == 0 ? 0 : numel(shape) / extent;
  }

  template <class T> void run_as(int64_t begin, int64_t end, const T* in, T* out) const {
    host::Fourier fourier;
    std::vector<std::complex<double>> row(static_cast<size_t>(extent));
    for (int64_t r = begin; r < end; ++r) {
      const int64_t first = r / step * step * extent + r % step;
      for (int64_t i = 0; i < extent; ++i)
        row[static_cast<size_t>(i)] = convert_element<std::complex<double>>(in[first + i * step]);
      fourier.run(row.data(), extent, inverse);
      for (int64_t i = 0; i < extent; ++i) out[first + i * step] = convert_element<T>(row[static_cast<size_t>(i)]);
    }
  }
  void run(int64_t begin, int64_t end, const void* in, void* out) const {
    if (dtype == Dtype::complex64)
      run_as(begin, end, static_cast<const std::complex<float>*>(in), static_cast<std::complex<float>*>(out));
    else run_as(begin, end, static_cast<const std::complex<double>*>(in), static_cast<std::complex<double>*>(out));
  }
};

std::vector<Array> eval(const Node& n, std::span<const Array> in, Evaluator&) {
  Array out = Array::make(n.types[0]);
  const Rows rows(n);
  rows.run(0, rows.count, in[0].data(), out.mutable_data());
  return {out};
}

Lowered lower(const Node& n) {
  constexpr double part_work = 1 << 12;  // numbers worth a part
  constexpr int64_t most_parts = 64;
  const Rows rows(n);
  const int64_t parts = std::min(even_parts(static_cast<double>(numel(n.types[0].shape)) / part_work, most_parts),
                                 std::max<int64_t>(rows.count, 1));
  return {loops::Host{"fft", [rows, parts](auto in, auto out, ThreadPool& pool) {
                        pool.run(parts, [&](int64_t p) {
                          rows.run(rows.count * p / parts, rows.count * (p + 1) / parts, in[0], out[0]);
                        });
                      }}};
}

Values jvp(Build& b, const Node& n, Ins, Ins, Ins t, Transforms&) { return b.repeat(n, {t[0]}); }

void transpose_fft(Build& b, const Node& n, Ins, Ins ct, std::span<Value> r, Transforms&) {
  r[0] = b.repeat(n, {ct[0]}).front();
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t, std::span<int> out_axis,
             Transforms&) {
  const int64_t dim = n.attrs.integer("dim");
  out_axis[0] = axis[0];
  return {b.fft(in[0], dim + (dim >= axis[0]), n.attrs.flag("inverse"))};
}

std::vector<Sample> samples() {
  const auto sample = [](std::string label, Array x, int64_t dim, bool inverse) {
    Sample s{std::move(label), {std::move(x)}, {{"dim", dim}, {"inverse", inverse}}, {}};
    if (s.in[0].dtype() == Dtype::complex128) s.linear = {{true}};
    return s;
  };
  return {sample("rows", sample_complex({2, 4}, -2, 2, 0), 1, false),
          sample("columns", sample_complex({5, 2}, -2, 2, 1), 0, true),
          sample("middle", sample_complex({2, 3, 2}, -2, 2, 2), 1, false),
          sample("one", sample_complex({1}, -2, 2, 3), 0, true),
          sample("empty", sample_complex({0, 3}, -2, 2, 3), 0, false),
          sample("no rows", sample_complex({0, 3}, -2, 2, 3), 1, true),
          sample("c64", sample_complex({6}, -2, 2, 4, Dtype::complex64), 0, false)};
}

constexpr OpDef record = {.name = "fft",
                          .family = "linear algebra",
                          .doc = "Σ x_k e^(-2πi jk/n) along a dimension; the inverse with +i, divided by n",
                          .attributes = "dim inverse",
                          .infer = infer,
                          .eval = eval,
                          .jvp = jvp,
                          .split = plain_split,
                          .transpose = transpose_fft,
                          .batch = batch,
                          .lower = lower,
                          .prune = plain_prune,
                          .bound = bounds::fft,
                          .samples = samples};

constexpr std::array records = {&record};

}  // namespace

constinit const OpList ops::fourier = records;

}  // namespace viva
