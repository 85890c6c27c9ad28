// Export of reductions, positions and windows.
#include <algorithm>
#include <array>

#include "graph/dims.h"
#include "onnx/exporter.h"
#include "ops/record.h"
#include "ops/window.h"

namespace viva {
namespace {

using enum Dtype;

Out number(Exporter& e, const Out& like, double v) { return e.scalar(like.dtype(), v); }

void write_sum(Exporter& e, const Node& n) {
  const Out x = e.full(n.in[0]);
  const Dtype to = n.types[0].dtype;
  Dtype d = to;
  if (is_float(x.dtype()) && size_of(x.dtype()) > size_of(to)) d = x.dtype();
  e.set(e.cast(e.reduce("ReduceSum", e.cast(x, computed_in("ReduceSum", d)), n.attrs.ints("dims")), to));
}

// An integer whose order is that of x, in a dtype that orders are taken in.
Out ordered(Exporter& e, Out x) {
  if (x.dtype() != uint64) return x;
  const Out top = e.constant(Array::scalar<uint64_t>(uint64_t{1} << 63));
  return e.cast(e.pointwise("BitwiseXor", {x, top}), int64);
}

// ReduceMax of runtimes passes over NaN.
Out maximum(Exporter& e, Out x, const Ints& dims, bool keep = false) {
  if (!is_float(x.dtype())) return e.reduce("ReduceMax", x, dims, keep);
  if (size_of(x.dtype()) == 2) x = e.cast(x, float32);
  const Out greatest = e.reduce("ReduceMax", x, dims, keep);
  const Out lost = e.reduce("ReduceMax", e.pointwise("IsNaN", {x}, boolean), dims, keep);
  return e.where(lost, number(e, x, NAN), greatest);
}

void write_max(Exporter& e, const Node& n) {
  const Out x = e.full(n.in[0]);
  const Ints& dims = n.attrs.ints("dims");
  if (x.dtype() != uint64) return e.set(e.cast(maximum(e, x, dims), x.dtype()));
  const Out top = e.constant(Array::scalar<uint64_t>(uint64_t{1} << 63));
  e.set(e.pointwise("BitwiseXor", {e.cast(maximum(e, ordered(e, x), dims), uint64), top}));
}

// Of integers by halves: runtimes saturate where products wrap.
void write_prod(Exporter& e, const Node& n) {
  const Ints& dims = n.attrs.ints("dims");
  Out x = e.full(n.in[0]);
  if (is_float(x.dtype()) || dims.empty() || contains(x.shape(), 0)) return e.set(e.reduce("ReduceProd", x, dims));
  const Ints kept = without(iota_ints(x.rank()), dims);
  x = e.transpose(x, joined(dims, kept));
  Shape flat = n.types[0].shape;
  flat.insert(flat.begin(), numel(x.shape()) / numel(flat));
  x = e.reshape(x, flat);
  for (int64_t count = flat[0]; count > 1; count = count / 2 + count % 2) {
    const auto rows = [&](int64_t from, int64_t to) {
      Ints start(flat.size(), 0), limit = x.shape();
      start[0] = from, limit[0] = to;
      return e.slice(x, start, limit, Ints(flat.size(), 1));
    };
    const Out product = e.pointwise("Mul", {rows(0, count / 2), rows(count / 2, count / 2 * 2)});
    x = count % 2 ? e.concatenate(std::array{product, rows(count - 1, count)}, 0) : product;
  }
  e.set(e.reshape(x, n.types[0].shape));
}
void write_all(Exporter& e, const Node& n) { e.set(e.reduce("ReduceMin", e.full(n.in[0]), n.attrs.ints("dims"))); }
void write_any(Exporter& e, const Node& n) { e.set(e.reduce("ReduceMax", e.full(n.in[0]), n.attrs.ints("dims"))); }

Out first_greatest(Exporter& e, Out x, int64_t dim) {
  const Dtype d = computed_in("ArgMax", x.dtype());
  const DraftAttrs attrs{{"axis", dim}, {"keepdims", int64_t{0}}, {"select_last_index", int64_t{0}}};
  return e.emit("ArgMax", {e.cast(x, d)}, {int64, without(x.shape(), std::array{dim})}, attrs);
}

// ArgMax of runtimes passes over NaN, and has no answer over nothing.
void write_argmax(Exporter& e, const Node& n) {
  Out x = ordered(e, e.full(n.in[0]));
  const int64_t dim = n.attrs.integer("dim");
  const Type& type = n.types[0];
  if (x.shape()[static_cast<size_t>(dim)] == 0) return e.set(number(e, {-1, type}, 0));
  Out at = first_greatest(e, x, dim);
  if (is_float(x.dtype())) {
    if (size_of(x.dtype()) == 2) x = e.cast(x, float32);
    const Out nan = e.pointwise("IsNaN", {x}, boolean);
    at = e.where(e.reduce("ReduceMax", nan, {dim}), first_greatest(e, nan, dim), at);
  }
  e.set(e.cast(at, type.dtype));
}

void write_cumsum(Exporter& e, const Node& n) {
  const Out x = e.full(n.in[0]);
  const Dtype d = computed_in("CumSum", x.dtype());
  const DraftAttrs attrs{{"reverse", int64_t{n.attrs.flag("reverse")}}};
  if (contains(x.shape(), 0)) return e.set(x);
  e.set(e.cast(e.emit("CumSum", {e.cast(x, d), e.integer(n.attrs.integer("dim"))}, {d, x.shape()}, attrs), x.dtype()));
}

// Order

// The places of a row's elements in ascending order, equal ones in theirs.
Out ascending(Exporter& e, Out key, int64_t dim) {
  key = e.cast(key, computed_in("TopK", key.dtype()));
  const std::array in{key, e.ints({key.shape()[static_cast<size_t>(dim)]})};
  const std::array types{key.type, Type{int64, key.shape()}};
  return e.emit("TopK", in, types, {{"axis", dim}, {"largest", int64_t{0}}, {"sorted", int64_t{1}}})[1];
}

Out taken(Exporter& e, Out x, Out places, int64_t dim) {
  return e.emit("GatherElements", {x, places}, x.type, {{"axis", dim}});
}

// TopK leaves open where NaN goes: it stands as an infinity first, then goes last by a second, stable sort.
void write_sort(Exporter& e, const Node& n) {
  const int64_t dim = n.attrs.integer("dim");
  Outs xs;
  for (const Value& v : n.in) xs.push_back(e.full(v));
  if (!contains(xs[0].shape(), 0)) {
    Out key = ordered(e, xs[0]), places;
    if (is_float(key.dtype())) {
      if (size_of(key.dtype()) == 2) key = e.cast(key, float32);
      const Out nan = e.pointwise("IsNaN", {key}, boolean);
      places = ascending(e, e.where(nan, number(e, key, INFINITY), key), dim);
      const Out late = e.cast(taken(e, nan, places, dim), int32);
      places = taken(e, places, ascending(e, late, dim), dim);
    } else {
      places = ascending(e, key, dim);
    }
    for (Out& x : xs) x = taken(e, x, places, dim);
  }
  for (size_t i = 0; i < xs.size(); ++i) e.set(xs[i], static_cast<int>(i));
}

// Windows

std::vector<WindowAxis> axes_of(const Node& n) { return viva::axes_of(WindowDims::from(n.attrs), n.in[0].shape()); }

void write_window_sum(Exporter& e, const Node& n) {
  Out x = e.full(n.in[0]);
  const Dtype d = computed_in("ReduceSum", x.dtype());
  Seen seen = windows_of(e, e.cast(x, d), axes_of(n));
  if (seen.inside.id >= 0) seen.elements = e.where(seen.inside, seen.elements, e.scalar(d, 0));
  e.set(e.cast(e.reduce("ReduceSum", seen.elements, seen.window), x.dtype()));
}

// The first place in the window that attains its maximum, or is NaN.
void write_window_argmax(Exporter& e, const Node& n) {
  Out x = ordered(e, e.full(n.in[0]));
  if (is_float(x.dtype()) && size_of(x.dtype()) == 2) x = e.cast(x, float32);
  if (is_bool(x.dtype())) x = e.cast(x, int32);
  const Type& type = n.types[0];
  Seen seen = windows_of(e, x, axes_of(n));
  if (seen.window.empty() || contains(seen.elements.shape(), 0)) return e.set(number(e, {-1, type}, 0));
  const double lowest = is_float(x.dtype()) ? -INFINITY : 0;
  const Out least = is_float(x.dtype()) ? e.scalar(x.dtype(), lowest) : dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T>) return e.constant(Array::scalar(std::numeric_limits<T>::min()));
    else return Out{};
  });
  Out elements = seen.inside.id < 0 ? seen.elements : e.where(seen.inside, seen.elements, least);
  Out hit = e.equal(elements, maximum(e, elements, seen.window, true));
  if (is_float(x.dtype())) hit = e.either(hit, e.pointwise("IsNaN", {elements}, boolean));
  // A maximum that is NaN equals nothing, so the NaN elements alone are left; what lies outside never wins.
  if (seen.inside.id >= 0) hit = e.both(hit, seen.inside);
  Shape flat(hit.shape().begin(), hit.shape().end() - static_cast<int64_t>(seen.window.size()));
  const auto last = static_cast<int64_t>(flat.size());
  int64_t places = 1;
  for (int64_t w : seen.window) places *= hit.shape()[static_cast<size_t>(w)];
  flat.push_back(places);
  e.set(e.cast(first_greatest(e, e.reshape(e.cast(hit, int32), flat), last), type.dtype));
}

constexpr std::string_view nan_free = "of −0 and +0 runtimes may give either";
constexpr std::array rows = {
    ExportRow{"reduce_sum", write_sum, "Cast, ReduceSum"},
    ExportRow{"reduce_max", write_max, "ReduceMax; of floats with IsNaN, Where, to hand NaN on", nan_free},
    ExportRow{"reduce_prod", write_prod, "ReduceProd; of integers Slice, Mul, because runtimes do not wrap"},
    ExportRow{"reduce_and", write_all, "ReduceMin of bool"},
    ExportRow{"reduce_or", write_any, "ReduceMax of bool"},
    ExportRow{"argmax", write_argmax, "ArgMax; of floats with IsNaN, Where, to find the first NaN"},
    ExportRow{"cumsum", write_cumsum, "CumSum"},
    ExportRow{"sort", write_sort, "TopK, GatherElements; of floats twice, to bring NaN to the end"},
    ExportRow{"window_sum", write_window_sum, "Gather of the windows, ReduceSum; see AveragePool below"},
    ExportRow{"window_argmax", write_window_argmax, "Gather of the windows, ReduceMax, ArgMax; see MaxPool below"},
};

}  // namespace

// One Gather for each dimension in which the window does more than pass: [n] becomes [positions, size].
Seen windows_of(Exporter& e, Out x, const std::vector<WindowAxis>& axes) {
  Seen seen{x, {}, {}};
  const auto rank = static_cast<int64_t>(axes.size());
  int64_t windows = 0;
  for (const WindowAxis& a : axes) windows += a.size > 1;
  int64_t next = rank;
  for (int64_t i = 0; i < rank; ++i) {
    const WindowAxis& a = axes[static_cast<size_t>(i)];
    if (a.plain()) continue;
    const int64_t positions = a.positions();
    Array from = Array::make({int64, {positions, a.size}}), inside = Array::make({boolean, {positions, a.size}});
    bool holes = false;
    for (int64_t y = 0; y < positions; ++y)
      for (int64_t k = 0; k < a.size; ++k) {
        const auto at = static_cast<size_t>(y * a.size + k);
        const int64_t p = a.source(y, k);
        from.as_mutable<int64_t>()[at] = std::max<int64_t>(p, 0);
        inside.as_mutable<bool>()[at] = p >= 0;
        holes = holes || p < 0;
      }
    if (a.extent == 0 && positions > 0) {  // something to gather, never seen
      Ints low(seen.elements.shape().size(), 0), high = low;
      high[static_cast<size_t>(i)] = 1;
      seen.elements = e.pad(seen.elements, e.scalar(x.dtype(), 0), low, high);
    }
    const bool window = a.size > 1;
    Shape mask(static_cast<size_t>(rank + windows), 1);
    mask[static_cast<size_t>(i)] = positions;
    if (window) mask[static_cast<size_t>(next)] = a.size;
    const Out indices = e.constant(window ? from : from.reshaped({positions}));
    seen.elements = e.gather(seen.elements, indices, i);
    if (window) {
      // The new dimension stands behind its own; it goes to the end.
      Ints order = without(iota_ints(seen.elements.rank()), std::array{i + 1});
      order.push_back(i + 1);
      seen.elements = e.transpose(seen.elements, order);
      seen.window.push_back(next++);
    }
    if (holes) {
      const Out here = e.constant(inside.reshaped(mask));
      seen.inside = seen.inside.id < 0 ? here : e.both(seen.inside, here);
    }
  }
  return seen;
}

std::span<const ExportRow> onnx_export::reduction() { return rows; }

}  // namespace viva
