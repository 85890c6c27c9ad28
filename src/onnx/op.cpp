#include "onnx/op.h"

#include <set>

namespace viva {

using Kind = AttributeDef::Kind;

const Item& OnnxOp::item(size_t i) const {
  if (!has(i)) throw malformed("input {} is missing", i);
  return *in_[i];
}

Value OnnxOp::in(size_t i) {
  item(i);
  Item& x = *in_[i];
  if (!x.value) x.value = b.constant(*x.known);
  return x.value;
}

Value OnnxOp::in_or(size_t i, double value, Dtype d) { return has(i) ? in(i) : b.scalar(d, value); }

const Array& OnnxOp::known(size_t i) const {
  const Item& x = item(i);
  if (!x.known) throw unsupported("data-dependent shape: input {} must be known at import", in_quotes(node_.inputs[i]));
  return *x.known;
}

Ints OnnxOp::known_ints(size_t i) const {
  const Array& a = known(i);
  if (!is_integer(a.dtype()) || a.type().rank() > 1)
    throw malformed("input {} must be a vector of integers, not {}", i, to_string(a.type()));
  const Array wide = a.converted(Dtype::int64);
  const auto v = wide.as<int64_t>();
  return {v.begin(), v.end()};
}

double OnnxOp::known_number(size_t i) const {
  const Array& a = known(i);
  if (a.size() != 1 || is_complex(a.dtype()))
    throw malformed("input {} must be one number, not {}", i, to_string(a.type()));
  return a.at(0);
}

const AttributeDef& OnnxOp::attribute(std::string_view name, Kind kind) const {
  const AttributeDef* a = node_.find(name);
  if (!a) throw malformed("attribute {} is missing", in_quotes(name));
  if (a->kind != kind) throw malformed("attribute {} has the wrong kind", in_quotes(name));
  return *a;
}

int64_t OnnxOp::integer(std::string_view name) const { return attribute(name, Kind::int_value).i; }
double OnnxOp::number(std::string_view name) const { return attribute(name, Kind::float_value).f; }
std::string OnnxOp::text(std::string_view name) const { return attribute(name, Kind::string).s; }
Ints OnnxOp::ints(std::string_view name) const {
  // An empty list carries no sign of its kind.
  const AttributeDef* a = node_.find(name);
  if (a && a->kind == Kind::floats && a->floats.empty()) return {};
  return attribute(name, Kind::ints).ints;
}
const GraphDef& OnnxOp::graph(std::string_view name) const { return *attribute(name, Kind::graph).graphs.front(); }

Array OnnxOp::tensor(std::string_view name) const {
  const TensorDef& t = attribute(name, Kind::tensor).tensors.front();
  if (!t.unsupported.empty()) throw unsupported("{}", t.unsupported);
  return in_precision(t.value);
}

Dtype OnnxOp::dtype(int64_t number) const {
  std::string why;
  const auto d = number >= 0 && number < 1000 ? dtype_of_proto(static_cast<int>(number), why) : std::nullopt;
  if (number <= 0 || number >= 1000) throw malformed("there is no element type {}", number);
  if (!d) throw unsupported("{}", why);
  return in_precision(*d);
}

Array OnnxOp::in_precision(Array a) const {
  const Dtype d = in_precision(a.dtype());
  return d == a.dtype() ? a : a.converted(d);
}
Dtype OnnxOp::in_precision(Dtype d) const { return d == Dtype::float32 ? context_.float32_as.value_or(d) : d; }

int64_t OnnxOp::axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) throw malformed("axis {} is outside of {} dimensions", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

Ints OnnxOp::axes(Ints axes, int64_t rank) const {
  std::set<int64_t> seen;
  for (int64_t& a : axes) {
    a = axis(a, rank);
    if (!seen.insert(a).second) throw malformed("axis {} is given twice", a);
  }
  return axes;
}

Values OnnxOp::named(const std::string& name, const std::string& key, Values arguments, const Maker& make) {
  std::string full = fmt::format("{}|{}", name, key);
  for (const Value& v : arguments) full += fmt::format("|{}", to_string(v.type()));
  Body& f = context_.functions[full];
  if (!f) {
    Build inner(name);
    Values params;
    for (const Value& v : arguments) params.push_back(inner.parameter(v.type()));
    f = inner.finish(make(inner, params));
  }
  return b.call(f, std::move(arguments));
}

}  // namespace viva
