// Export of the sources, of movement and of the operations that only mark values.
#include <algorithm>
#include <array>
#include <numeric>

#include "base/threefry.h"
#include "onnx/exporter.h"

namespace viva {
namespace {

using enum Dtype;

bool single(const Out& x) { return numel(x.shape()) == 1; }

// A dimension of extent 1 in the operand is stretched by ONNX itself, so nothing is written but a reshape.
void write_broadcast(Exporter& e, const Node& n) {
  Out x = e.thin(n.in[0]);
  if (single(x)) return e.set(e.reshape(x, {}));
  Ints dims = n.attrs.ints("dims");
  Shape own = x.shape();
  own.insert(own.begin(), dims.size() - own.size(), 1);
  if (!std::ranges::is_sorted(dims)) {
    Ints order = iota_ints(static_cast<int64_t>(dims.size()));
    std::ranges::sort(order, {}, [&](int64_t i) { return dims[static_cast<size_t>(i)]; });
    x = e.transpose(e.reshape(x, own), order);
    own = x.shape();
    std::ranges::sort(dims);
  }
  Shape shape(n.types[0].shape.size(), 1);
  for (size_t i = 0; i < dims.size(); ++i) shape[static_cast<size_t>(dims[i])] = own[i];
  const auto first = std::ranges::find_if(shape, [](int64_t d) { return d != 1; });
  shape.erase(shape.begin(), first);
  e.set(e.reshape(x, shape));
}

void write_reshape(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  if (single(x) && numel(n.in[0].shape()) != 0) return e.set(e.reshape(x, {}));
  e.set(e.reshape(e.full(n.in[0]), n.types[0].shape));
}

void write_transpose(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  if (single(x)) return e.set(e.reshape(x, {}));
  Shape own = x.shape();
  own.insert(own.begin(), n.in[0].shape().size() - own.size(), 1);
  e.set(e.transpose(e.reshape(x, own), n.attrs.ints("permutation")));
}

void write_reverse(Exporter& e, const Node& n) { e.set(e.reverse(e.full(n.in[0]), n.attrs.ints("dims"))); }

void write_slice(Exporter& e, const Node& n) {
  const Out x = e.thin(n.in[0]);
  if (single(x) && numel(n.in[0].shape()) != 0) return e.set(e.reshape(x, {}));
  e.set(e.slice(e.full(n.in[0]), n.attrs.ints("start"), n.attrs.ints("limit"), n.attrs.ints("strides")));
}

void write_pad(Exporter& e, const Node& n) {
  const Out value = e.full(n.in[1]);
  Ints by = n.attrs.ints("interior");
  for (int64_t& b : by) ++b;
  const Out x = e.spread(e.full(n.in[0]), value, by);
  e.set(e.pad(x, value, n.attrs.ints("low"), n.attrs.ints("high")));
}

void write_concatenate(Exporter& e, const Node& n) {
  Outs all;
  for (const Value& v : n.in) all.push_back(e.full(v));
  e.set(e.concatenate(all, n.attrs.integer("dim")));
}

void write_identity(Exporter& e, const Node& n) {
  for (int i = 0; i < n.outputs(); ++i) e.set(e.thin(n.in[static_cast<size_t>(i)]), i);
}
// A node of its own carries the name.
void write_tap(Exporter& e, const Node& n) {
  const Out x = e.full(n.in[0]);
  e.set(e.emit("Identity", {x}, x.type));
}

void write_constant(Exporter& e, const Node& n) { e.set(e.constant(n.attrs.array("value"))); }

void write_iota(Exporter& e, const Node& n) {
  const Shape& shape = n.types[0].shape;
  const int64_t dim = n.attrs.integer("dim");
  const Out x = e.along(shape[static_cast<size_t>(dim)], 1, dim, n.types[0].rank());
  e.set(e.cast(x, n.types[0].dtype));
}

// Threefry-2x32 in int64: words of 32 bits stay below 2^32 by a mask, and a rotation is a product and a quotient by
// powers of two.
struct Words {
  Out x, y;
};
class Threefry {
 public:
  explicit Threefry(Exporter& e) : e_(e), mask_(e.integer(0xFFFFFFFF)) {}

  Words block(Words key, Words counter) {
    constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const Out parity = op("BitwiseXor", op("BitwiseXor", key.x, key.y), e_.integer(0x1BD11BDA));
    const Out schedule[3] = {key.x, key.y, parity};
    Out x = word(op("Add", counter.x, key.x)), y = word(op("Add", counter.y, key.y));
    for (size_t four = 0; four < 5; ++four) {
      for (size_t r = 0; r < 4; ++r) {
        x = word(op("Add", x, y));
        y = op("BitwiseXor", rotated(y, rotations[4 * (four % 2) + r]), x);
      }
      x = word(op("Add", x, schedule[(four + 1) % 3]));
      const Out round = e_.integer(static_cast<int64_t>(four) + 1);
      y = word(op("Add", op("Add", y, schedule[(four + 2) % 3]), round));
    }
    return {x, y};
  }
  Out op(std::string_view name, Out a, Out b) { return e_.pointwise(name, {a, b}); }
  Out word(Out v) { return op("BitwiseAnd", v, mask_); }

 private:
  Out rotated(Out v, int by) {
    const Out up = word(op("Mul", v, e_.integer(int64_t{1} << by)));
    return op("BitwiseOr", up, op("Div", v, e_.integer(int64_t{1} << (32 - by))));
  }
  Exporter& e_;
  Out mask_;
};

// Element i of a key: word i mod 2 of block i / 2, cut to the dtype; of uint64 both words of block i.
void write_rng_bits(Exporter& e, const Node& n) {
  const Out key = e.cast(e.full(n.in[0]), int64);
  const Type& type = n.types[0];
  const int64_t batch = key.rank() - 1, rank = type.rank();
  const auto key_word = [&](int64_t i) {
    Shape shape = key.shape();
    shape.pop_back();
    shape.resize(static_cast<size_t>(rank), 1);
    return e.reshape(e.gather(key, e.integer(i), batch), shape);
  };
  const Ints& own = n.attrs.ints("shape");
  const Ints strides = row_major(own);
  Out place = e.integer(0);
  for (size_t d = 0; d < own.size(); ++d)
    place = e.pointwise("Add", {place, e.along(own[d], strides[d], batch + static_cast<int64_t>(d), rank)});
  Threefry t(e);
  const bool both = size_of(type.dtype) == 8;
  const Out block = both ? place : t.op("Div", place, e.integer(2));
  const Out high = t.op("Div", block, e.integer(int64_t{1} << 32));
  const Words w = t.block({key_word(0), key_word(1)}, {t.word(block), high});
  if (both) {
    const DraftAttrs left{{"direction", std::string("LEFT")}};
    const Out up = e.pointwise("BitShift", {e.cast(w.y, uint64), e.constant(Array::scalar<uint64_t>(32))}, {}, left);
    return e.set(e.pointwise("BitwiseOr", {up, e.cast(w.x, uint64)}));
  }
  const Out even = e.equal(t.op("BitwiseAnd", place, e.integer(1)), e.integer(0));
  e.set(e.cast(e.where(even, w.x, w.y), type.dtype));
}

constexpr std::array rows = {
    ExportRow{"broadcast", write_broadcast, "left to ONNX's broadcasting; Unsqueeze, Expand where the shape is needed"},
    ExportRow{"reshape", write_reshape, "Reshape, Unsqueeze, Squeeze"},
    ExportRow{"transpose", write_transpose, "Transpose"},
    ExportRow{"reverse", write_reverse, "Slice"},
    ExportRow{"slice", write_slice, "Slice"},
    ExportRow{"pad", write_pad, "Slice for crops, Pad; interior padding: Unsqueeze, Pad, Reshape, Slice"},
    ExportRow{"concatenate", write_concatenate, "Concat"},
    ExportRow{"barrier", write_identity, "nothing"},
    ExportRow{"tap", write_tap, "Identity"},
};
constexpr std::array sources = {
    ExportRow{"constant", write_constant, "initializer; a scalar where all elements are equal"},
    ExportRow{"iota", write_iota, "Range, Unsqueeze, Cast"},
    ExportRow{"rng_bits", write_rng_bits, "Threefry-2x32 in int64: Add, Mul, Div, BitwiseAnd, BitwiseOr, BitwiseXor"},
    ExportRow{"call", nullptr, "calls are inlined before"},
};

}  // namespace

std::span<const ExportRow> onnx_export::movement() { return rows; }
std::span<const ExportRow> onnx_export::source() { return sources; }

}  // namespace viva
