#include "ops/linalg.h"

#include <fmt/format.h>

#include <algorithm>
#include <complex>

#include "base/thread_pool.h"

namespace viva::linalg {
namespace {

// Bytes of one matrix (or vector) of a value, the batch left out.
int64_t stride_of(const Type& t, size_t batch_rank) {
  return numel(Shape(t.shape.begin() + static_cast<int64_t>(batch_rank), t.shape.end())) * size_of(t.dtype);
}

struct Batched {
  host::Function f = nullptr;
  host::Call call;
  int64_t count = 1;
  Ints in_strides, out_strides;

  Batched(host::Function function, const Node& n) : f(function) {
    const Type& a = n.in[0].type();
    call = {.dtype = a.dtype, .m = rows(a), .n = columns(a), .k = columns(n.in.back().type())};
    const auto flag = [&](std::string_view name) { return n.attrs.find(name) && n.attrs.flag(name); };
    call.lower = flag("lower"), call.transpose = flag("transpose"), call.conjugate = flag("conjugate");
    call.unit = flag("unit");
    count = numel(batch_shape(a));
    const size_t batch_rank = a.shape.size() - 2;
    for (const Value& v : n.in) in_strides.push_back(stride_of(v.type(), batch_rank));
    for (const Type& t : n.types) out_strides.push_back(stride_of(t, batch_rank));
  }

  void run(int64_t begin, int64_t end, std::span<const void* const> in, std::span<void* const> out) const {
    std::vector<const void*> from(in.size());
    std::vector<void*> to(out.size());
    for (int64_t i = begin; i < end; ++i) {
      for (size_t k = 0; k < in.size(); ++k) from[k] = static_cast<const std::byte*>(in[k]) + i * in_strides[k];
      for (size_t k = 0; k < out.size(); ++k) to[k] = static_cast<std::byte*>(out[k]) + i * out_strides[k];
      f(call, from.data(), to.data());
    }
  }
};

Value index(Build& b, Value x, int64_t from_end) { return b.iota({Dtype::int64, x.shape()}, x.rank() - from_end); }

}  // namespace

void require_matrix(const Infer::Site& s, size_t i) {
  const Type& t = s.in[i];
  require((is_float(t.dtype) && size_of(t.dtype) > 2) || is_complex(t.dtype),
          "takes f32, f64, c64 or c128, not {}: convert it first", spelled(t));
  require(t.rank() >= 2, "{} is no matrix: the last two dimensions are one", spelled(t));
}

Shape batch_shape(const Type& t) { return Shape(t.shape.begin(), t.shape.end() - 2); }

Shape with(Shape batch, std::initializer_list<int64_t> dims) {
  batch.insert(batch.end(), dims);
  return batch;
}

std::vector<Array> eval(host::Function f, const Node& n, std::span<const Array> in) {
  std::vector<Array> results;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Type& t : n.types) results.push_back(Array::make(t));
  for (const Array& a : in) from.push_back(a.data());
  for (Array& a : results) to.push_back(a.mutable_data());
  const Batched all(f, n);
  all.run(0, all.count, from, to);
  return results;
}

Lowered lower(host::Function f, const Node& n) {
  return {loops::Host{n.op->name, [all = Batched(f, n)](auto in, auto out, ThreadPool& pool) {
                        constexpr int64_t most_parts = 64;
                        const int64_t parts = std::min(most_parts, all.count);
                        pool.run(parts, [&](int64_t p) {
                          all.run(all.count * p / parts, all.count * (p + 1) / parts, in, out);
                        });
                      }}};
}

Values batch(Build& b, const Node& n, Ins in, std::span<const int> axis, int64_t size, std::span<int> out_axis,
             Transforms&) {
  Values all;
  for (size_t i = 0; i < in.size(); ++i) all.push_back(batched_front(b, in[i], axis[i], size));
  std::ranges::fill(out_axis, 0);
  return b.repeat(n, std::move(all));
}

Value transposed(Build& b, Value x) {
  Ints order = iota_ints(x.rank());
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return b.transpose(x, std::move(order));
}

Value adjoint(Build& b, Value x) {
  const Value t = transposed(b, x);
  return is_complex(x.dtype()) ? b.conj(t) : t;
}

Value matmul(Build& b, Value x, Value y) {
  const int64_t r = x.rank();
  return b.dot_general(x, y, {iota_ints(r - 2), iota_ints(r - 2), {r - 1}, {r - 2}});
}

Value kept(Build& b, Value x, Direction row_to_column) {
  return b.select(b.compare(row_to_column, index(b, x, 2), index(b, x, 1)), x, b.zero(x));
}

Value diagonal(Build& b, Value x) { return b.reduce_sum(kept(b, x, Direction::eq), {x.rank() - 1}); }

Value of_lower(Build& b, Value x) {
  const Value below = kept(b, x, Direction::gt), on = kept(b, x, Direction::eq);
  return b.add(b.add(below, adjoint(b, below)), is_complex(x.dtype()) ? b.convert(b.real(on), x.dtype()) : on);
}

Value along_rows(Build& b, Value v, Value like) {
  Ints dims = iota_ints(v.rank());
  dims.back() += 1;
  return b.broadcast(b.convert(v, like.dtype()), like.shape(), std::move(dims));
}

Value along_columns(Build& b, Value v, Value like) {
  return b.broadcast(b.convert(v, like.dtype()), like.shape(), iota_ints(v.rank()));
}

Values with_real_pivots(Build& b, const Values& x, Values dx) {
  if (!is_complex(x[0].dtype()) || numel(x[0].shape()) == 0) return dx;
  const Value first = x[0];
  const int64_t row = first.rank() - 2;
  const Value at = b.argmax(b.abs(first), row);
  const Value pivot = b.compare(Direction::eq, index(b, first, 2), along_rows(b, at, index(b, first, 2)));
  const auto picked = [&](Value v) { return b.reduce_sum(b.select(pivot, v, b.zero(v)), {row}); };
  const Value angle = b.div(b.imag(picked(dx[0])), b.real(picked(first)));
  const Value turn = b.complex(b.zero(angle), angle);
  for (size_t i = 0; i < dx.size(); ++i) dx[i] = b.sub(dx[i], b.mul(x[i], along_rows(b, turn, x[i])));
  return dx;
}

Value safe_recip(Build& b, Value d) {
  const Value none = b.compare(Direction::eq, d, b.zero(d));
  return b.select(none, b.zero(d), b.recip(b.select(none, b.one(d), d)));
}

Array sample_matrix(const Shape& shape, int seed, Dtype d, double (*diagonal)(int64_t column)) {
  Array a = Array::make({Dtype::complex128, shape});
  const Array re = sample_floats(shape, -1, 1, seed), im = sample_floats(shape, -0.5, 0.5, seed + 20);
  const int64_t m = shape[shape.size() - 2], n = shape.back();
  for (int64_t i = 0; i < a.size(); ++i) {
    const bool on = m > 0 && n > 0 && i / n % m == i % n;
    a.as_mutable<std::complex<double>>()[static_cast<size_t>(i)] = {re.at(i) + (on ? diagonal(i % n) : 0),
                                                                    is_complex(d) ? im.at(i) : 0};
  }
  return is_complex(d) ? a.converted(d) : a.converted(Dtype::float64).converted(d);
}

std::vector<Sample> matrix_samples(double (*diagonal)(int64_t column), std::initializer_list<Shape> shapes) {
  std::vector<Sample> all;
  for (const Shape& shape : shapes)
    for (const Dtype d : {Dtype::float64, Dtype::complex128, Dtype::float32})
      if (d != Dtype::float32 || all.size() < 3)
        all.push_back({fmt::format("{}{}", name(d), to_string(shape)),
                       {sample_matrix(shape, static_cast<int>(all.size()), d, diagonal)},
                       {},
                       {}});
  return all;
}

}  // namespace viva::linalg
