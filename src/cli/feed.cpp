#include "cli/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "graph/text.h"

namespace viva {
namespace {

const std::string& path_of(const OpenModel& m) { return m.file.files.at(0).path; }

std::string names_of(const ModelFile& m) {
  std::string s;
  for (const ValueDef& v : m.graph.inputs) s += (s.empty() ? "" : ", ") + double_quoted(v.name);
  return s;
}

// "f32[N,3,32,32]"; an extent without number or symbol is "?".
std::string declared(const ValueDef& v, Dtype d) {
  if (!v.has_shape) return fmt::format("{} of any shape", name(d));
  std::string s;
  for (const DimDef& e : v.dims) {
    s += s.empty() ? "" : ",";
    s += e.value ? std::to_string(*e.value) : e.symbol.empty() ? "?" : printable(e.symbol);
  }
  return fmt::format("{}[{}]", name(d), s);
}

bool fits(const ValueDef& v, std::span<const int64_t> shape) {
  if (!v.has_shape) return true;
  if (v.dims.size() != shape.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i)
    if (v.dims[i].value && *v.dims[i].value != shape[i]) return false;
  return true;
}

std::string numpy_name(Dtype d) {
  constexpr std::string_view names[dtype_count] = {"bool",     "int8",    "int16",   "int32",     "int64",
                                                   "uint8",    "uint16",  "uint32",  "uint64",    "float16",
                                                   "bfloat16", "float32", "float64", "complex64", "complex128"};
  return std::string(names[static_cast<size_t>(d)]);
}

// The value in the dtype that the run takes.
Array in_dtype(const OpenModel& m, const ValueDef& v, const GivenInput& g, bool float64) {
  if (!v.dtype) throw unsupported("{}: input {}: {}", path_of(m), double_quoted(v.name), v.unsupported);
  const bool widened = float64 && *v.dtype == Dtype::float32;
  const Dtype want = widened ? Dtype::float64 : *v.dtype;
  if (g.value.dtype() == want) return g.value;
  if (widened && g.value.dtype() == Dtype::float32) return g.value.converted(Dtype::float64);
  throw input_error("{}: holds {}, but input {} is {}: save x.astype(numpy.{}){}", printable(g.source),
                    to_string(g.value.type()), double_quoted(v.name), declared(v, want), numpy_name(*v.dtype),
                    g.value.dtype() == Dtype::float64 && want == Dtype::float32 ? ", or run with --precision f64" : "");
}

// The arrays in the order of the graph's inputs.
std::vector<GivenInput> in_order(const OpenModel& m, const std::vector<GivenInput>& given, bool float64) {
  std::vector<GivenInput> ordered;
  for (const ValueDef& v : m.file.graph.inputs) {
    std::vector<const GivenInput*> found;
    for (const GivenInput& g : given)
      if (g.input == v.name) found.push_back(&g);
    if (found.size() != 1)
      throw usage_error("{}: input {} is given {}: pass --input NAME=FILE.npy once for each of {}", path_of(m),
                        double_quoted(v.name), found.empty() ? "no array" : "more than one array", names_of(m.file));
    ordered.push_back({v.name, found[0]->source, in_dtype(m, v, *found[0], float64)});
  }
  for (const GivenInput& g : given)
    if (std::ranges::none_of(ordered, [&](const GivenInput& o) { return o.input == g.input; }))
      throw usage_error("{}: there is no input {}; it has {}", path_of(m), double_quoted(g.input), names_of(m.file));
  return ordered;
}

// Shapes and symbols from the shape of each input in the file's own graph.
Binding bound(const OpenModel& m, const std::vector<GivenInput>& given, const std::vector<Shape>& shapes,
              bool float64) {
  Binding b;
  if (float64) b.float32_as = Dtype::float64;
  for (size_t k = 0; k < given.size(); ++k) {
    const ValueDef& v = m.file.graph.inputs[k];
    b.shapes[v.name] = shapes[k];
    for (size_t i = 0; i < v.dims.size(); ++i) {
      const DimDef& d = v.dims[i];
      if (d.value || d.symbol.empty()) continue;
      const auto [at, fresh] = b.symbols.emplace(d.symbol, shapes[k][i]);
      if (!fresh && at->second != shapes[k][i])
        throw input_error("{}: extent {} is {}, but elsewhere {} is {}: give arrays that agree",
                          printable(given[k].source), i, shapes[k][i], double_quoted(d.symbol), at->second);
    }
  }
  return b;
}

FedModel fed(BatchedModel m, std::vector<Array> inputs) {
  FedModel f;
  f.function = std::move(m.function);
  f.inputs = std::move(inputs);
  f.weights = std::move(m.imported.weights);
  f.output_names = std::move(m.imported.output_names);
  f.notes = std::move(m.imported.notes);
  return f;
}

// The file's graph as it stands.
FedModel fed_as_is(const OpenModel& m, const std::vector<GivenInput>& given, Binding binding) {
  std::vector<Array> all;
  for (const GivenInput& g : given) all.push_back(g.value);
  const auto imported = [&](const Binding& b) {
    BatchedModel r{import_onnx(m.file, b), {}};
    r.function = r.imported.function;
    return r;
  };
  try {
    return fed(imported(binding), all);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    // An integer or bool input may decide a shape or a branch.
    std::vector<Array> others;
    for (const GivenInput& g : given) {
      if (has_tangent(g.value.dtype())) others.push_back(g.value);
      else binding.inputs.emplace(g.input, g.value);
    }
    if (binding.inputs.empty()) throw;
    std::optional<BatchedModel> folded;
    try {
      folded = imported(binding);
    } catch (const Error&) {}
    if (!folded) throw;
    return fed(std::move(*folded), std::move(others));
  }
}

// The graph of one example, for as many as the arrays hold.
FedModel fed_by_vmap(const OpenModel& m, const std::vector<GivenInput>& given, bool float64) {
  std::vector<Shape> shapes;
  std::vector<Array> all;
  for (size_t k = 0; k < given.size(); ++k) {
    const GivenInput& g = given[k];
    const ValueDef& v = m.file.graph.inputs[k];
    Shape one = g.value.shape();
    const bool has_batch = !one.empty();
    const int64_t n = has_batch ? one[0] : 0;
    if (has_batch && m.leading_one) one[0] = 1;
    else if (has_batch) one.erase(one.begin());
    if (!has_batch || !fits(v, one))
      throw input_error("{}: holds {}, but input {} is {}, or more than one of that{}", printable(g.source),
                        to_string(g.value.type()), double_quoted(v.name), declared(v, g.value.dtype()),
                        m.leading_one ? " along its first extent" : " along a new first extent");
    if (n < 1) throw input_error("{}: holds no example: give at least one", printable(g.source));
    if (n != given[0].value.shape()[0])
      throw input_error("{}: holds {} examples, but {} holds {}: give as many of each input", printable(g.source), n,
                        printable(given[0].source), given[0].value.shape()[0]);
    shapes.push_back(std::move(one));
    all.push_back(g.value);
  }
  return fed(with_batch(m, given[0].value.shape()[0], bound(m, given, shapes, float64)), std::move(all));
}

// The shape with the batch that the file fixes in place of the rows that are there.
Shape with_batch_extent(const Shape& given, int64_t batch) {
  Shape s = given;
  if (!s.empty()) s[0] = batch;
  return s;
}

// Whether the arrays fit a file of a fixed batch but for the number of rows.
bool fits_in_chunks(const OpenModel& m, const std::vector<GivenInput>& given) {
  if (m.batching != Batching::fixed) return false;
  for (size_t k = 0; k < given.size(); ++k) {
    const Shape& shape = given[k].value.shape();
    const ValueDef& v = m.file.graph.inputs[k];
    if (!fits(v, shape) && !fits(v, with_batch_extent(shape, m.fixed_batch))) return false;
  }
  return true;
}

FedModel fed_in_chunks(const OpenModel& m, const std::vector<GivenInput>& given, bool float64) {
  std::vector<Shape> shapes;
  std::vector<Array> all;
  Mask batched;
  const GivenInput* first = nullptr;
  for (size_t k = 0; k < given.size(); ++k) {
    const GivenInput& g = given[k];
    const std::vector<DimDef>& dims = m.file.graph.inputs[k].dims;
    batched.push_back(!dims.empty() && dims[0].value == m.fixed_batch);
    shapes.push_back(batched[k] ? with_batch_extent(g.value.shape(), m.fixed_batch) : g.value.shape());
    all.push_back(g.value);
    if (!batched[k]) continue;
    if (!first) first = &g;
    const int64_t n = g.value.shape()[0], others = first->value.shape()[0];
    if (n < 1) throw input_error("{}: holds no example: give at least one", printable(g.source));
    if (n != others)
      throw input_error("{}: holds {} examples, but {} holds {}: give as many of each input", printable(g.source), n,
                        printable(first->source), others);
  }
  FedModel f = fed(with_batch(m, m.fixed_batch, bound(m, given, shapes, float64)), std::move(all));
  f.chunk = m.fixed_batch;
  f.rows = first->value.shape()[0];
  f.batched = std::move(batched);
  for (size_t i = 0; i < f.output_names.size(); ++i) {
    const Type t = f.function->outputs()[i].type();
    if (t.shape.empty() || t.shape[0] != f.chunk)
      throw unsupported("{}: output {} is {}, which does not lead with the batch of {}: give arrays of {} examples",
                        path_of(m), double_quoted(f.output_names[i]), to_string(t), f.chunk, f.chunk);
  }
  f.notes.push_back(fmt::format("{}: fixes its batch at {}: {} in {}{}", path_of(m), f.chunk,
                                f.rows == 1 ? "1 example went" : fmt::format("{} examples went", f.rows),
                                f.rows <= f.chunk ? "one chunk" : fmt::format("{} chunks", (f.rows - 1) / f.chunk + 1),
                                f.rows % f.chunk == 0 ? "" : ", filled up with copies of the last one"));
  return f;
}

}  // namespace

std::pair<std::string, std::string> input_and_file(const ModelFile& m, const std::string& spec) {
  const ValueDef* best = nullptr;  // the longest name that fits: names may hold '='
  for (const ValueDef& v : m.graph.inputs)
    if (spec.starts_with(v.name + "=") && (!best || v.name.size() > best->name.size())) best = &v;
  if (best) return {best->name, spec.substr(best->name.size() + 1)};
  const size_t equals = spec.find('=');
  std::error_code ignored;
  if (equals != std::string::npos && !std::filesystem::exists(spec, ignored))
    throw usage_error("--input {}: there is no input {}; the model has {}", spec, double_quoted(spec.substr(0, equals)),
                      names_of(m));
  if (m.graph.inputs.size() != 1)
    throw usage_error("--input {}: write NAME=FILE.npy; the model has the inputs {}", spec, names_of(m));
  return {m.graph.inputs[0].name, spec};
}

FedModel feed(const OpenModel& m, const std::vector<GivenInput>& given, bool float64) {
  const std::vector<GivenInput> ordered = in_order(m, given, float64);
  bool as_is = true;
  std::vector<Shape> shapes;
  for (size_t k = 0; k < ordered.size(); ++k) {
    shapes.push_back(ordered[k].value.shape());
    as_is = as_is && fits(m.file.graph.inputs[k], shapes[k]);
  }
  if (as_is) return fed_as_is(m, ordered, bound(m, ordered, shapes, float64));
  if (m.batching == Batching::single) return fed_by_vmap(m, ordered, float64);
  if (fits_in_chunks(m, ordered)) return fed_in_chunks(m, ordered, float64);
  for (size_t k = 0; k < ordered.size(); ++k) {
    const ValueDef& v = m.file.graph.inputs[k];
    if (fits(v, shapes[k])) continue;
    throw input_error("{}: holds {}, but input {} is {}{}", printable(ordered[k].source),
                      to_string(ordered[k].value.type()), double_quoted(v.name), declared(v, ordered[k].value.dtype()),
                      m.batching == Batching::fixed ? ": give arrays of that shape, of any number of examples"
                                                    : ": give an array of that shape");
  }
  throw internal_error("feed: no input that does not fit");
}

}  // namespace viva
