// Export of the operations that read and write at places that are data.
#include <algorithm>
#include <array>

#include "graph/dims.h"
#include "onnx/exporter.h"
#include "ops/indexing.h"
#include "ops/window.h"

namespace viva {
namespace {

using enum Dtype;

// Indices of any dtype in int64; those beyond it stay beyond every extent.
Out indices_of(Exporter& e, Out x) {
  if (x.dtype() == uint64) x = e.pointwise("Min", {x, e.constant(Array::scalar<uint64_t>(uint64_t{1} << 62))});
  return e.cast(x, int64);
}
Out clipped(Exporter& e, Out x, int64_t last) {
  return e.pointwise("Min", {e.pointwise("Max", {x, e.integer(0)}), e.integer(last)});
}

// The dimensions `of` a tensor at places `to` of a tensor of this rank, extents of 1 elsewhere.
Out at_dims(Exporter& e, Out x, const Ints& to, int64_t rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  for (size_t i = 0; i < to.size(); ++i) shape[static_cast<size_t>(to[i])] = x.shape()[i];
  return e.reshape(x, shape);
}

// Where in the flattened operand each element of the result of a gather lies, as int64 that broadcasts to the result,
// and where the slice fits (id -1: everywhere).
struct Places {
  Out at, fits;
};
Places places_of(Exporter& e, const IndexMap& m, Out indices) {
  const auto rank = static_cast<int64_t>(m.result.size());
  const Ints strides = row_major(m.operand);
  const auto stride = [&](int64_t d) { return strides[static_cast<size_t>(d)]; };
  indices = indices_of(e, indices);
  Places p{e.integer(0), {}};
  const auto add = [&](Out v) { p.at = e.pointwise("Add", {p.at, v}); };
  for (size_t c = 0; c < m.dims.start_map.size(); ++c) {
    const Out all = e.gather(indices, e.integer(static_cast<int64_t>(c)), indices.rank() - 1);
    const Out start = at_dims(e, all, m.batch_dims, rank);
    const int64_t last = m.last_start(c);
    if (m.dims.mode == OutOfBounds::fill) {
      const Out here = e.both(e.pointwise("GreaterOrEqual", {start, e.integer(0)}, boolean),
                              e.pointwise("LessOrEqual", {start, e.integer(last)}, boolean));
      p.fits = p.fits.id < 0 ? here : e.both(p.fits, here);
    }
    add(e.pointwise("Mul", {clipped(e, start, last), e.integer(stride(m.dims.start_map[c]))}));
  }
  for (size_t i = 0; i < m.dims.operand_batch.size(); ++i) {
    const int64_t d = m.dims.operand_batch[i], to = m.batch_dims[static_cast<size_t>(m.dims.indices_batch[i])];
    add(e.along(m.operand[static_cast<size_t>(d)], stride(d), to, rank));
  }
  for (size_t d = 0; d < m.offset_dim.size(); ++d)
    if (m.offset_dim[d] >= 0) add(e.along(m.dims.slice_sizes[d], strides[d], m.offset_dim[d], rank));
  return p;
}

Out flat(Exporter& e, Out x) { return e.reshape(x, {numel(x.shape())}); }

// Whole slices along one dimension, as an embedding reads them: Gather.
bool write_take(Exporter& e, const IndexMap& m, Out x, Out indices, Out fill) {
  const GatherDims& d = m.dims;
  if (!d.operand_batch.empty() || d.start_map.size() != 1 || d.collapsed != d.start_map) return false;
  const int64_t axis = d.start_map[0];
  for (size_t i = 0; i < m.operand.size(); ++i)
    if (static_cast<int64_t>(i) != axis && d.slice_sizes[i] != m.operand[i]) return false;
  Shape rows(indices.shape().begin(), indices.shape().end() - 1);
  const int64_t last = m.last_start(0);
  const Out start = e.reshape(indices_of(e, indices), rows);
  const Out read = e.gather(x, clipped(e, start, last), axis);
  // Gather puts the dimensions of the indices in place of the axis.
  Ints here = m.offset_dim;
  here.erase(here.begin() + axis);
  Ints stands(here.begin(), here.begin() + axis);
  stands.insert(stands.end(), m.batch_dims.begin(), m.batch_dims.end());
  stands.insert(stands.end(), here.begin() + axis, here.end());
  Out r = e.transpose(read, inverse_permutation(stands));
  if (d.mode == OutOfBounds::fill) {
    const Out fits = e.both(e.pointwise("GreaterOrEqual", {start, e.integer(0)}, boolean),
                            e.pointwise("LessOrEqual", {start, e.integer(last)}, boolean));
    r = e.where(at_dims(e, fits, m.batch_dims, r.rank()), r, fill);
  }
  e.set(r);
  return true;
}

void write_gather(Exporter& e, const Node& n) {
  const IndexMap m(n);
  const Out x = e.full(n.in[0]), fill = e.full(n.in[2]);
  if (contains(m.result, 0)) return e.set(e.expand(fill, m.result));
  if (contains(m.operand, 0)) return e.set(fill);
  if (write_take(e, m, x, e.full(n.in[1]), fill)) return;
  const Places p = places_of(e, m, e.full(n.in[1]));
  const Out read = e.gather(flat(e, x), e.expand(p.at, m.result), 0);
  e.set(p.fits.id < 0 ? read : e.where(p.fits, read, fill));
}

// Into one element more than there are, where what is dropped goes.
Out scattered(Exporter& e, Out x, const Places& p, Out updates, const std::string& combine) {
  const int64_t n = numel(x.shape());
  Out at = p.at, target = flat(e, x);
  const Dtype given = x.dtype();
  const Dtype wide = is_bool(given) ? int32 : size_of(given) == 2 && is_float(given) ? float32 : given;
  const Dtype d = combine == "none" ? given : wide;
  target = e.cast(target, d);
  if (p.fits.id >= 0) {
    at = e.where(p.fits, at, e.integer(n));
    const Out spare = e.expand(e.scalar(d, 0), {1});
    target = e.concatenate(std::array{target, spare}, 0);
  }
  at = flat(e, e.expand(at, updates.shape()));
  DraftAttrs attrs{{"axis", int64_t{0}}};
  if (combine != "none") attrs.emplace_back("reduction", combine);
  Out r = e.emit("ScatterElements", {target, at, e.cast(flat(e, updates), d)}, target.type, std::move(attrs));
  if (p.fits.id >= 0) r = e.slice(r, {0}, {n}, {1});
  return e.reshape(e.cast(r, given), x.shape());
}

void write_scatter(Exporter& e, const Node& n) {
  const IndexMap m(n);
  const Out x = e.full(n.in[0]);
  if (contains(m.result, 0) || contains(m.operand, 0)) return e.set(x);
  const Combine c = combine_from(n.attrs.text("combine"));
  const Places p = places_of(e, m, e.full(n.in[1]));
  e.set(scattered(e, x, p, e.full(n.in[2]), c == Combine::set ? "none" : std::string(to_string(c))));
}

Out start_in(Exporter& e, Value start, int64_t extent, int64_t size) {
  return clipped(e, indices_of(e, e.full(start)), extent - size);
}

// A Gather for each dimension: its shape is known where that of a Slice with computed starts is not.
void write_dynamic_slice(Exporter& e, const Node& n) {
  Out x = e.full(n.in[0]);
  const Shape& sizes = n.types[0].shape;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == n.in[0].shape()[d]) continue;
    const Out start = start_in(e, n.in[d + 1], n.in[0].shape()[d], sizes[d]);
    x = e.gather(x, e.pointwise("Add", {start, e.range(sizes[d])}), static_cast<int64_t>(d));
  }
  e.set(x);
}

void write_dynamic_update_slice(Exporter& e, const Node& n) {
  const Out x = e.full(n.in[0]), update = e.full(n.in[1]);
  const int64_t rank = x.rank();
  if (rank == 0 || contains(update.shape(), 0)) return e.set(rank == 0 ? update : x);
  const Ints strides = row_major(x.shape());
  Places p{e.integer(0), {}};
  for (int64_t d = 0; d < rank; ++d) {
    const auto i = static_cast<size_t>(d);
    const Out start = start_in(e, n.in[i + 2], x.shape()[i], update.shape()[i]);
    p.at = e.pointwise("Add", {p.at, e.pointwise("Mul", {start, e.integer(strides[i])})});
    p.at = e.pointwise("Add", {p.at, e.along(update.shape()[i], strides[i], d, rank)});
  }
  e.set(scattered(e, x, p, update, "none"));
}

// Where in the flattened operand the element at the offset of each window lies.
Places places_in_windows(Exporter& e, const std::vector<WindowAxis>& axes, const Shape& operand, Out offset) {
  const auto rank = static_cast<int64_t>(axes.size());
  const Ints strides = row_major(operand);
  int64_t count = 1;
  for (const WindowAxis& a : axes) count *= a.size;
  offset = indices_of(e, offset);
  const auto no_less = [&](Out x, int64_t v) { return e.pointwise("GreaterOrEqual", {x, e.integer(v)}, boolean); };
  Places p{e.integer(0), e.both(no_less(offset, 0), e.less(offset, e.integer(count)))};
  offset = clipped(e, offset, count - 1);
  for (int64_t i = 0; i < rank; ++i) {
    const WindowAxis& a = axes[static_cast<size_t>(i)];
    count /= a.size;
    Out at = e.along(a.positions(), a.stride, i, rank);
    if (a.size > 1) {
      const Out k = e.pointwise("Mod", {e.pointwise("Div", {offset, e.integer(count)}), e.integer(a.size)});
      at = e.pointwise("Add", {at, e.pointwise("Mul", {k, e.integer(a.dilation)})});
    }
    at = e.pointwise("Sub", {at, e.integer(a.low)});
    if (a.has_holes()) {
      p.fits = e.both(p.fits, e.both(no_less(at, 0), e.less(at, e.integer(a.spread()))));
      at = clipped(e, at, std::max<int64_t>(a.spread() - 1, 0));
    }
    if (a.base_dilation > 1) {
      const Out by = e.integer(a.base_dilation);
      p.fits = e.both(p.fits, e.equal(e.pointwise("Mod", {at, by}), e.integer(0)));
      at = e.pointwise("Div", {at, by});
    }
    p.at = e.pointwise("Add", {p.at, e.pointwise("Mul", {at, e.integer(strides[static_cast<size_t>(i)])})});
  }
  return p;
}

void write_window_gather(Exporter& e, const Node& n) {
  const Out x = e.full(n.in[0]), zero = e.scalar(x.dtype(), 0);
  const Shape& result = n.types[0].shape;
  if (contains(result, 0) || contains(x.shape(), 0)) return e.set(e.expand(zero, result));
  const Places p = places_in_windows(e, axes_of(WindowDims::from(n.attrs), x.shape()), x.shape(), e.full(n.in[1]));
  e.set(e.where(p.fits, e.gather(flat(e, x), e.expand(p.at, result), 0), zero));
}

void write_window_scatter(Exporter& e, const Node& n) {
  const Type& type = n.types[0];
  const Out zeros = e.expand(e.scalar(type.dtype, 0), type.shape);
  if (contains(type.shape, 0) || contains(n.in[0].shape(), 0)) return e.set(zeros);
  const Places p = places_in_windows(e, axes_of(WindowDims::from(n.attrs), type.shape), type.shape, e.full(n.in[1]));
  e.set(scattered(e, zeros, p, e.full(n.in[0]), "add"));
}

constexpr std::array rows = {
    ExportRow{"window_gather", write_window_gather,
              "places by Range, Div, Mod, Mul, Add; Gather of the flattened operand; see MaxPool below"},
    ExportRow{"window_scatter", write_window_scatter, "the same places; ScatterElements"},
    ExportRow{"dynamic_slice", write_dynamic_slice, "Max, Min on the starts, Range, Gather"},
    ExportRow{"dynamic_update_slice", write_dynamic_update_slice, "places by Range, Mul, Add; ScatterElements"},
    ExportRow{"gather", write_gather,
              "Gather of clipped indices along one dimension; else places by Range, Mul, Add and Gather of the "
              "flattened operand; Where for what is filled"},
    ExportRow{"scatter", write_scatter,
              "places by Range, Mul, Add; ScatterElements of the flattened operand, with one place more for what is "
              "dropped",
              "ONNX leaves the order of updates of one place open; onnxruntime takes them in order"},
};

}  // namespace

std::span<const ExportRow> onnx_export::indexing() { return rows; }

}  // namespace viva
