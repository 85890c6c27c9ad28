#include "cli/open_extents.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"
#include "base/without_ones.h"
#include "graph/text.h"

namespace viva {
namespace {

std::string spelled(std::span<const DimDef> dims) {
  std::string s;
  for (const DimDef& d : dims) {
    s += s.empty() ? "" : ",";
    s += d.value ? std::to_string(*d.value) : d.symbol.empty() ? "?" : printable(d.symbol);
  }
  return "[" + s + "]";
}

bool fits(std::span<const DimDef> dims, const Shape& row) {
  return std::ranges::equal(dims, row, [](const DimDef& d, int64_t n) { return !d.value || *d.value == n; });
}

// The row with the extents of 1 that the file states and without those that it does not; empty-handed where the others
// do not pair up.
std::optional<Shape> aligned(std::span<const DimDef> dims, const Shape& row) {
  if (fits(dims, row)) return row;
  const Shape wide = without_ones(row);
  Shape out;
  size_t next = 0;
  for (const DimDef& d : dims) {
    if (d.value == 1) out.push_back(1);
    else if (next == wide.size()) return std::nullopt;
    else out.push_back(wide[next++]);
  }
  if (next != wide.size() || !fits(dims, out)) return std::nullopt;
  return out;
}

Error does_not_fit(const OpenModel& m, std::span<const DimDef> dims, const Shape& row) {
  Shape turned = row;
  if (!turned.empty()) std::ranges::rotate(turned, turned.end() - 1);
  const bool channels_last = row.size() == 3 && fits(dims, turned);
  return input_error("{}: input {} takes rows of {}, but the data's are {}: {}", m.file.files.at(0).path,
                     double_quoted(m.file.graph.inputs[0].name), spelled(dims), to_string(row),
                     channels_last ? "channels last? Then save x.transpose(0, 3, 1, 2)" : "give rows of that shape");
}

}  // namespace

bool leaves_rows_open(const OpenModel& m) {
  const ValueDef& x = m.file.graph.inputs[0];
  if (!x.has_shape) return true;
  return std::any_of(x.dims.begin() + (x.dims.empty() ? 0 : 1), x.dims.end(), [](const DimDef& d) { return !d.value; });
}

Binding bound_to_rows(const OpenModel& m, const Shape& row, int64_t batch) {
  const ValueDef& x = m.file.graph.inputs[0];
  Binding b;
  Shape shape = row;
  if (x.has_shape) {
    const std::span<const DimDef> dims(x.dims.data() + 1, x.dims.size() - 1);
    const auto taken = aligned(dims, row);
    if (!taken) throw does_not_fit(m, dims, row);
    shape = *taken;
    for (size_t i = 0; i < dims.size(); ++i) {
      const std::string& symbol = dims[i].symbol;
      if (dims[i].value || symbol.empty()) continue;
      if (symbol == x.dims[0].symbol && !x.dims[0].value)
        throw unsupported("{}: input {} has {} rows of as many: rows cannot be fed in parts", m.file.files.at(0).path,
                          double_quoted(x.name), double_quoted(symbol));
      const auto [at, fresh] = b.symbols.emplace(symbol, shape[i]);
      if (!fresh && at->second != shape[i]) throw does_not_fit(m, dims, row);
    }
  }
  shape.insert(shape.begin(), m.batching == Batching::single ? 1 : batch);
  b.shapes[x.name] = std::move(shape);
  return b;
}

}  // namespace viva
