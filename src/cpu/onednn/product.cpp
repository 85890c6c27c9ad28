// Matrix products of float32 by oneDNN; a constant right operand is packed once. One call takes a loop each for rows,
// columns and the sum; the other loops call it again. Shards are fixed by the shape: over the outer loops, else over
// rows or columns.
#include <algorithm>

#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/library.h"
#include "cpu/onednn/packed.h"
#include "loops/product.h"

namespace viva::cpu {
namespace onednn {
namespace {

using loops::Product;

constexpr double smallest_shard = 8e6;  // FLOPs
constexpr double smallest_read = 4e5;   // bytes
constexpr int64_t smallest_piece = 64;  // rows or columns: every piece packs the other operand anew
constexpr int64_t most_shards = 16;
constexpr double smallest_call = .1;  // of the least FLOPs of the whole

// A matrix in memory: 'N' where the second index has stride 1, 'T' where the first has.
struct Matrix {
  char form = 'N';
  int64_t leading = 1;
};

std::optional<Matrix> matrix(int64_t rows, int64_t row_stride, int64_t columns, int64_t column_stride) {
  if ((column_stride == 1 || columns == 1) && (row_stride >= columns || rows == 1))
    return Matrix{'N', rows == 1 ? columns : row_stride};
  if ((row_stride == 1 || rows == 1) && (column_stride >= rows || columns == 1))
    return Matrix{'T', columns == 1 ? rows : column_stride};
  return std::nullopt;
}

// The loops of one call; -1 stands for an extent of 1.
struct Roles {
  int m = -1, n = -1, k = -1;
};

struct Call {
  int64_t m = 1, n = 1, k = 1;
  Matrix a, b;
  int64_t c_leading = 1;
  int64_t steps = 0;  // m · n · k
};

int64_t extent(const Product& p, int loop) { return loop < 0 ? 1 : p.extents[static_cast<size_t>(loop)]; }
int64_t stride(const Product::Tensor& t, int loop) { return loop < 0 ? 0 : t.strides[static_cast<size_t>(loop)]; }

std::optional<Call> call_of(const Product& p, const Roles& r) {
  Call c{.m = extent(p, r.m), .n = extent(p, r.n), .k = extent(p, r.k), .a = {}, .b = {}};
  if (c.m * c.n == 1) return std::nullopt;
  const auto a = matrix(c.m, stride(p.left, r.m), c.k, stride(p.left, r.k));
  const auto b = matrix(c.k, stride(p.right, r.k), c.n, stride(p.right, r.n));
  const auto result = matrix(c.m, stride(p.result, r.m), c.n, stride(p.result, r.n));
  if (!a || !b || !result || result->form != 'N') return std::nullopt;
  c.a = *a, c.b = *b, c.c_leading = result->leading, c.steps = c.m * c.n * c.k;
  return c;
}

class MatrixProduct {
 public:
  // Nothing where no choice of loops gives calls of at least so many FLOPs. constants: by slots, null where not known.
  static std::optional<MatrixProduct> of(Product p, double smallest_call, std::span<const Array* const> constants) {
    // A result whose rows have stride 1 is the transposed one: the operands change places.
    MatrixProduct best;
    for (int turn = 0; turn < 2; ++turn) {
      best.consider(p);
      std::swap(p.left, p.right);
    }
    if (best.call_.steps == 0 || 2.0 * static_cast<double>(best.call_.steps) < smallest_call) return std::nullopt;
    best.divide();
    const auto slot = static_cast<size_t>(best.p_.right.slot);
    if (slot < constants.size() && constants[slot]) best.pack(*constants[slot]);
    return best;
  }

  bool packed() const { return packed_.has_value(); }

  void run(std::span<const void* const> in, std::span<void* const> out, ThreadPool& pool) const {
    const auto* a = static_cast<const float*>(in[static_cast<size_t>(p_.left.slot)]) + p_.left.base;
    const auto* b = static_cast<const float*>(in[static_cast<size_t>(p_.right.slot)]) + p_.right.base;
    float* c = static_cast<float*>(out[0]) + p_.result.base;
    if (packed_)
      return pool.run(shards_, [&](int64_t s) {
        const int64_t low = cut(s), rows = cut(s + 1) - low;
        packed_->multiply(a + low * call_.k, c + low * call_.n, rows);
      });
    pool.run(shards_, [&](int64_t s) {
      const OneThread guard;
      const int64_t first = outer_size_ * (s / pieces_) / (shards_ / pieces_),
                    end = outer_size_ * (s / pieces_ + 1) / (shards_ / pieces_);
      const int64_t low = cut(s % pieces_), high = cut(s % pieces_ + 1);
      for (int64_t o = first; o < end; ++o) {
        const Offsets at = offsets(outer_, o, low);
        for (int64_t i = 0; i < sums_size_; ++i) {
          const Offsets more = offsets(sums_, i, 0);
          multiply(a + at.a + more.a, b + at.b + more.b, c + at.c, high - low, i > 0);
        }
      }
    });
  }

 private:
  struct Offsets {
    int64_t a = 0, b = 0, c = 0;
  };

  void consider(const Product& p) {
    const auto depends = [&](const Product::Tensor& t, int l) { return t.strides[static_cast<size_t>(l)] != 0; };
    std::vector<int> sums;
    for (int l = p.parallel; l < static_cast<int>(p.extents.size()); ++l) sums.push_back(l);
    if (sums.empty()) sums.push_back(-1);
    for (int m = -1; m < p.parallel; ++m) {
      if (m >= 0 && (!depends(p.left, m) || depends(p.right, m))) continue;
      for (int n = -1; n < p.parallel; ++n) {
        if (n >= 0 && (depends(p.left, n) || !depends(p.right, n))) continue;
        for (const int k : sums) {
          const auto c = call_of(p, {m, n, k});
          if (c && c->steps > call_.steps) call_ = *c, roles_ = {m, n, k}, p_ = p;
        }
      }
    }
  }

  void divide() {
    for (int l = 0; l < static_cast<int>(p_.extents.size()); ++l)
      if (l != roles_.m && l != roles_.n && l != roles_.k) (l < p_.parallel ? outer_ : sums_).push_back(l);
    for (const int l : outer_) outer_size_ *= extent(p_, l);
    for (const int l : sums_) sums_size_ *= extent(p_, l);
    const double work = 2.0 * static_cast<double>(call_.steps) * static_cast<double>(outer_size_ * sums_size_);
    // A vector times a matrix takes as long as reading the matrix.
    const double read = call_.m == 1 || call_.n == 1 ? static_cast<double>(call_.steps) * sizeof(float) : 0;
    const int64_t worth = even_parts(std::max(work / smallest_shard, read / smallest_read), most_shards);
    by_rows_ = call_.m >= call_.n;
    if (outer_size_ < worth)
      pieces_ = std::clamp<int64_t>(worth / outer_size_, 1, std::max<int64_t>(cut_extent() / smallest_piece, 1));
    shards_ = std::min(worth, outer_size_) * pieces_;
  }

  // One product alone, of dense rows; of fewer the library's vector products are as fast.
  void pack(const Array& right) {
    constexpr int64_t fewest_rows = 4;
    if (outer_size_ * sums_size_ != 1 || call_.m < fewest_rows || call_.a.form != 'N' || call_.a.leading != call_.k ||
        call_.c_leading != call_.n)
      return;
    // A piece packs nothing, so that small ones pay; below 32 rows the kernels are a little slower.
    const double work = 2.0 * static_cast<double>(call_.steps);
    const auto pieces = [&](double smallest, int64_t fewest) {
      return std::min(even_parts(work / smallest, most_shards), std::max<int64_t>(call_.m / fewest, 1));
    };
    MatrixProduct divided = *this;
    divided.by_rows_ = true;
    divided.shards_ = divided.pieces_ = std::max(pieces(1e6, 32), pieces(smallest_shard, 16));
    std::vector<int64_t> rows;
    for (int64_t s = 0; s < divided.pieces_; ++s) rows.push_back(divided.cut(s + 1) - divided.cut(s));
    divided.packed_ = PackedMatrix::of(right.as<float>().data() + p_.right.base, call_.k, call_.n,
                                       stride(p_.right, roles_.k), stride(p_.right, roles_.n), rows);
    if (divided.packed_) *this = std::move(divided);
  }

  int64_t cut_extent() const { return by_rows_ ? call_.m : call_.n; }
  // Where piece i begins: at multiples of the width of the library's kernels.
  int64_t cut(int64_t i) const {
    constexpr int64_t width = 8;
    return i == pieces_ ? cut_extent() : cut_extent() * i / pieces_ / width * width;
  }

  Offsets offsets(const std::vector<int>& loops, int64_t index, int64_t low) const {
    const int along = by_rows_ ? roles_.m : roles_.n;
    Offsets o{low * stride(p_.left, along), low * stride(p_.right, along), low * stride(p_.result, along)};
    for (size_t i = loops.size(); i-- > 0; index /= extent(p_, loops[i])) {
      const int64_t at = index % extent(p_, loops[i]);
      o.a += at * stride(p_.left, loops[i]);
      o.b += at * stride(p_.right, loops[i]);
      o.c += at * stride(p_.result, loops[i]);
    }
    return o;
  }

  void multiply(const float* a, const float* b, float* c, int64_t count, bool add) const {
    const auto status = dnnl_sgemm(call_.a.form, call_.b.form, by_rows_ ? count : call_.m, by_rows_ ? call_.n : count,
                                   call_.k, 1, a, call_.a.leading, b, call_.b.leading, add ? 1 : 0, c, call_.c_leading);
    if (status != dnnl_success) throw internal_error("[onednn] a matrix product failed ({})", int{status});
  }

  Product p_;
  Roles roles_;
  Call call_;
  std::vector<int> outer_, sums_;  // loops around a call
  int64_t outer_size_ = 1, sums_size_ = 1;
  bool by_rows_ = true;
  int64_t pieces_ = 1, shards_ = 1;  // pieces of one matrix
  std::optional<PackedMatrix> packed_;
};

double flops(const Product& p) {
  double f = 2;
  for (const int64_t e : p.extents) f *= static_cast<double>(e);
  return f;
}

}  // namespace
}  // namespace onednn

std::optional<loops::Host> library_product(const loops::Nest& nest, double smallest,
                                           std::span<const Array* const> constants) {
  const auto product = loops::product_of(nest);
  if (!product || onednn::flops(*product) < smallest) return std::nullopt;
  auto made = onednn::MatrixProduct::of(*product, smallest * onednn::smallest_call, constants);
  if (!made) return std::nullopt;
  return loops::Host{made->packed() ? "onednn matrix product, packed" : "onednn matrix product",
                     [m = std::move(*made)](auto in, auto out, ThreadPool& pool) { m.run(in, out, pool); }};
}

}  // namespace viva::cpu
