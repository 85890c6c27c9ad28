// The walk over a function that writes it with ONNX operators. Internal to src/onnx.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "onnx/draft.h"

namespace viva {

// A tensor of the model.
struct Out {
  int id = -1;
  Type type;
  Dtype dtype() const { return type.dtype; }
  const Shape& shape() const { return type.shape; }
  int64_t rank() const { return type.rank(); }
};
using Outs = std::vector<Out>;

class Exporter {
 public:
  explicit Exporter(const Body& f);
  Draft run();

  // What stands for a value: of its own shape, or of any shape that broadcasts to it.
  Out full(Value v);
  Out thin(Value v);
  // What stands for output port of the node being written; a shape that broadcasts to the output's will do.
  void set(Out out, int port = 0);
  const Node& node() const { return *node_; }

  // Nodes of ONNX. The general form, of operators that have kernels for these operands:
  Out emit(std::string_view op, std::span<const Out> in, Type type, DraftAttrs attrs = {});
  Out emit(std::string_view op, std::initializer_list<Out> in, Type type, DraftAttrs attrs = {}) {
    return emit(op, std::span<const Out>(in.begin(), in.size()), std::move(type), std::move(attrs));
  }
  Outs emit(std::string_view op, std::span<const Out> in, std::span<const Type> types, DraftAttrs attrs);
  // Broadcast together; in a wider dtype and back where runtimes have no kernel for the operands'. result: where the
  // operator has a dtype of its own.
  Out pointwise(std::string_view op, std::initializer_list<Out> in, std::optional<Dtype> result = {},
                DraftAttrs attrs = {});
  Out where(Out predicate, Out yes, Out no);
  Out both(Out p, Out q) { return pointwise("And", {p, q}); }
  Out either(Out p, Out q) { return pointwise("Or", {p, q}); }
  Out negation(Out p) { return pointwise("Not", {p}); }
  Out equal(Out x, Out y) { return pointwise("Equal", {x, y}, Dtype::boolean); }
  Out less(Out x, Out y) { return pointwise("Less", {x, y}, Dtype::boolean); }
  Out cast(Out x, Dtype to);  // as C++ converts what the dtype holds; integers wrap
  Out bits(Out x, Dtype to);  // BitCast

  Out constant(Array value);
  Out scalar(Dtype d, double value) { return constant(Array::full({d, {}}, value)); }
  Out integer(int64_t v) { return constant(Array::scalar<int64_t>(v)); }
  Out ints(const Ints& v) { return constant(Array::of<int64_t>(v, {static_cast<int64_t>(v.size())})); }
  // The elements where they are part of the file, and not a weight.
  const Array& known(const Out& x) const { return draft_.tensor(x.id).constant; }

  // Movement.
  Out reshape(Out x, const Shape& shape);
  Out transpose(Out x, const Ints& permutation);
  Out expand(Out x, const Shape& shape);
  // Strided from start to before limit; negative strides run down to -1.
  Out slice(Out x, const Ints& start, const Ints& limit, const Ints& strides);
  Out reverse(Out x, const Ints& dims);
  Out pad(Out x, Out value, const Ints& low, const Ints& high);  // negative: crops
  Out spread(Out x, Out value, const Ints& by);                  // by - 1 elements of value between neighbours
  Out concatenate(std::span<const Out> xs, int64_t dim);
  Out gather(Out x, Out indices, int64_t axis);
  Out range(int64_t n, int64_t step = 1);  // int64: 0, step, …
  // 0, step, … along dimension dim of `rank`, extents of 1 elsewhere.
  Out along(int64_t n, int64_t step, int64_t dim, int64_t rank);
  Out reduce(std::string_view op, Out x, const Ints& dims, bool keep = false);

  // The node cannot be written: kept, and thrown with all others at the end.
  struct Refused {
    std::string reason;
  };
  template <class... A> [[noreturn]] void refuse(fmt::format_string<A...> f, A&&... a) const {
    throw Refused{fmt::format(f, std::forward<A>(a)...)};
  }

 private:
  void write(const Node& n);
  void finish();
  bool is_constant(const Out& x) const { return !known(x).empty(); }

  Draft draft_;
  const Node* node_ = nullptr;
  std::unordered_map<Value, Out, ValueHash> thin_, full_;
  std::vector<std::string> refused_;
  Where first_refused_;
};

// An operator's name as an argument of a template.
template <size_t n> struct OperatorName {
  char text[n]{};
  constexpr OperatorName(const char (&s)[n]) { std::copy_n(s, n, text); }
};

// One row for each operation of the graph.
struct ExportRow {
  std::string_view name;
  void (*write)(Exporter&, const Node&);  // null: refused
  std::string_view as;                    // the ONNX operators, or the reason of the refusal
  std::string_view differs = "";          // where runtimes may give something else
};
namespace onnx_export {
std::span<const ExportRow> unary();
std::span<const ExportRow> binary();
std::span<const ExportRow> movement();
std::span<const ExportRow> contraction();
std::span<const ExportRow> reduction();
std::span<const ExportRow> indexing();
std::span<const ExportRow> source();
}  // namespace onnx_export
const ExportRow* find_export_row(std::string_view name);

// A part of the graph that one ONNX operator says: what it needs, and how it is written.
struct Fused {
  std::string_view as;
  Values in;
  std::function<void(Exporter&)> write;
};
// What ends in this node, if an operator says it. uses: of each value.
std::optional<Fused> fuse_for_export(const Node& n, const std::unordered_map<Value, int, ValueHash>& uses);

// Conv of a conv_general node with a bias (id -1: none), in the order of the node's output.
Out convolution(Exporter& e, const Node& n, Out bias);

// The dtype in which an operator is written for operands of d: itself where runtimes have a kernel.
Dtype computed_in(std::string_view op, Dtype d);
int64_t onnx_number(Dtype d);  // of TensorProto.DataType
Shape broadcast_of(const Shape& a, const Shape& b);

// The elements that a window sees: for each windowed dimension of x (size, …; see ops/window.h) one more dimension, all
// of those at the end, in order. outside: what padding and holes read.
struct WindowAxis;
struct Seen {
  Out elements;  // [positions…, window…]
  Out inside;    // bool, broadcasts to elements; id -1 where nothing is outside
  Ints window;   // the dimensions of the window
};
Seen windows_of(Exporter& e, Out x, const std::vector<WindowAxis>& axes);

}  // namespace viva
