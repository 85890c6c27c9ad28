// viva show: what a model file holds.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/layers.h"
#include "cli/verb.h"
#include "examine/words.h"
#include "graph/text.h"

namespace viva {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model;
  std::optional<int64_t> batch;
  std::vector<std::string> extents;
  bool json = false, graph = false;
};

struct Shown {
  const ModelFile& file;
  const Imported& model;
  std::vector<Layer> layers;
  int64_t parameters = 0;
  double flops = 0;
};

std::string declared(const ValueDef& v) {
  if (!v.dtype) return printable(v.unsupported);
  if (!v.has_shape) return std::string(name(*v.dtype)) + " of any shape";
  std::string s;
  for (const DimDef& d : v.dims) {
    s += s.empty() ? "" : ",";
    s += d.value ? std::to_string(*d.value) : d.symbol.empty() ? "?" : printable(d.symbol);
  }
  return fmt::format("{}[{}]", name(*v.dtype), s);
}

std::string shape_words(const Layer& l) {
  std::string s;
  for (const LayerOutput& o : l.outputs) s += (s.empty() ? "" : " ") + (o.type ? to_string(*o.type) : "-");
  return s;
}

std::string output_words(const Layer& l) {
  std::string s;
  for (const LayerOutput& o : l.outputs) s += (s.empty() ? "" : " ") + printable(o.name);
  return s;
}

std::string whole(double flops) { return flops > 0 ? grouped(static_cast<int64_t>(flops)) : ""; }

std::string opsets(const ModelFile& f) {
  std::string s;
  for (const auto& [domain, version] : f.opsets)
    s += fmt::format("{}{}{}", s.empty() ? "" : ", ", domain.empty() ? "" : printable(domain) + " ", version);
  return s;
}

void print_head(std::ostream& out, const Shown& m) {
  for (const FileRead& f : m.file.files)
    out << fmt::format("file       {}, {} bytes, SHA-256 {}\n", printable(f.path), grouped(f.bytes), f.sha256);
  const std::string producer = m.file.producer + (m.file.producer_version.empty() ? "" : " " + m.file.producer_version);
  out << fmt::format("producer   {}\n", producer.empty() ? "not given" : printable(producer));
  out << fmt::format("opset      {}, IR version {}\n", opsets(m.file), m.file.ir_version);
  for (const ValueDef& v : m.file.graph.inputs)
    out << fmt::format("input      {} {}\n", printable(v.name), declared(v));
  for (size_t i = 0; i < m.file.graph.outputs.size(); ++i)
    out << fmt::format("output     {} {}\n", printable(m.file.graph.outputs[i].name),
                       declared(m.file.graph.outputs[i]));
  for (const std::string& t : m.model.training) out << "training   " << printable(t) << '\n';
  for (const std::string& n : m.model.notes) out << "note       " << printable(n) << '\n';
}

void print_table(std::ostream& out, const Shown& m) {
  std::vector<std::vector<std::string>> rows = {{"", "operator", "value", "type", "parameters", "FLOPs"}};
  for (const Layer& l : m.layers)
    rows.push_back({std::to_string(rows.size()), printable(l.op), output_words(l), shape_words(l),
                    l.parameters > 0 ? grouped(l.parameters) : "", whole(l.flops)});
  rows.push_back({"", "total", "", "", grouped(m.parameters), whole(m.flops)});
  std::vector<size_t> width(rows[0].size(), 0);
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const bool number = c == 0 || c >= 4;
      line += fmt::format(fmt::runtime(number ? "{:>{}}  " : "{:<{}}  "), row[c], width[c]);
    }
    const size_t last = line.find_last_not_of(' ');
    out << line.substr(0, last == std::string::npos ? 0 : last + 1) << '\n';
  }
}

void print_shown(std::ostream& out, const Shown& m) {
  print_head(out, m);
  out << '\n';
  print_table(out, m);
  std::string taken;
  for (size_t i = 0; i < m.model.input_names.size(); ++i)
    taken +=
        fmt::format("{}{} {}", i > 0 ? ", " : "", printable(m.model.input_names[i]), to_string(m.model.input_types[i]));
  out << fmt::format("\nTypes and FLOPs (2 a multiply-add, of contractions) are those for {}.\n", taken);
}

Json type_json(const std::optional<Type>& t) {
  return t ? Json{{"dtype", name(t->dtype)}, {"shape", t->shape}} : Json();
}

Json value_json(const ValueDef& v, const std::optional<Type>& type) {
  Json dims;
  if (v.has_shape) {
    dims = Json::array();
    for (const DimDef& d : v.dims)
      dims.push_back(d.value ? Json(*d.value) : d.symbol.empty() ? Json() : Json(printable(d.symbol)));
  }
  return {{"name", printable(v.name)},
          {"dtype", v.dtype ? Json(name(*v.dtype)) : Json()},
          {"declared_shape", std::move(dims)},
          {"type", type_json(type)}};
}

Json layer_json(const Layer& l) {
  Json outputs = Json::array();
  for (const LayerOutput& o : l.outputs) outputs.push_back({{"name", printable(o.name)}, {"type", type_json(o.type)}});
  return {{"name", printable(l.name)},
          {"operator", printable(l.op)},
          {"outputs", std::move(outputs)},
          {"parameters", l.parameters},
          {"flops", l.flops}};
}

Json head_json(const ModelFile& f) {
  Json files = Json::array(), metadata = Json::array(), opsets = Json::object();
  for (const FileRead& r : f.files)
    files.push_back({{"path", printable(r.path)}, {"bytes", r.bytes}, {"sha256", r.sha256}});
  for (const auto& [domain, version] : f.opsets) opsets[printable(domain)] = version;
  for (const auto& [key, value] : f.metadata)
    metadata.push_back({{"key", printable(key)}, {"value", printable(value)}});
  return {{"files", std::move(files)},         {"ir_version", f.ir_version},
          {"producer", printable(f.producer)}, {"producer_version", printable(f.producer_version)},
          {"domain", printable(f.domain)},     {"model_version", f.model_version},
          {"opsets", std::move(opsets)},       {"metadata", std::move(metadata)}};
}

void print_json(std::ostream& out, const Shown& m) {
  Json j = head_json(m.file);
  const auto values = [&](const std::vector<ValueDef>& list, const std::vector<std::string>& names,
                          const std::vector<Type>& types) {
    Json all = Json::array();
    for (const ValueDef& v : list) {
      const auto at = std::ranges::find(names, v.name);
      all.push_back(value_json(
          v, at == names.end() ? std::nullopt : std::optional(types.at(static_cast<size_t>(at - names.begin())))));
    }
    return all;
  };
  j["inputs"] = values(m.file.graph.inputs, m.model.input_names, m.model.input_types);
  j["outputs"] = values(m.file.graph.outputs, m.model.output_names, m.model.output_types);
  j["layers"] = Json::array();
  for (const Layer& l : m.layers) j["layers"].push_back(layer_json(l));
  j["parameters"] = m.parameters;
  j["flops"] = m.flops;
  j["operators"] = Json::object();
  for (const auto& [op, count] : m.model.operators) j["operators"][printable(op)] = count;
  j["softmax"] = Json::array();
  for (const FinalSoftmax& s : m.model.softmax)
    j["softmax"].push_back({{"output", printable(s.output)}, {"logits", printable(s.logits)}, {"axis", s.axis}});
  for (const auto& [key, list] : {std::pair("training", &m.model.training), std::pair("notes", &m.model.notes)}) {
    j[key] = Json::array();
    for (const std::string& s : *list) j[key].push_back(printable(s));
  }
  j["graph"] = print(m.model.function);
  out << j.dump(2) << '\n';
}

Binding binding_of(const Arguments& a) {
  if (a.batch.value_or(1) < 1) throw usage_error("--batch {}: write a number from 1", *a.batch);
  Binding b;
  b.batch = a.batch.value_or(1);
  for (const std::string& e : a.extents) {
    const size_t equals = e.rfind('=');
    int64_t n = -1;
    if (equals != std::string::npos) {
      const char* end = e.data() + e.size();
      const auto [at, error] = std::from_chars(e.data() + equals + 1, end, n);
      if (error != std::errc() || at != end) n = -1;
    }
    if (n < 0) throw usage_error("--extent {}: write SYMBOL=NUMBER", e);
    b.symbols[e.substr(0, equals)] = n;
  }
  return b;
}

// An option that binds nothing is a mistake.
void check_bound(const Arguments& a, const Binding& b, const ModelFile& file) {
  const std::vector<OpenExtent> open = open_extents(file);
  std::vector<std::string> symbols;
  bool leading = false;
  for (const OpenExtent& e : open) {
    leading = leading || (e.axis == 0 && !b.symbols.contains(e.symbol));
    const std::string shown = double_quoted(e.symbol);
    if (!e.symbol.empty() && !std::ranges::count(symbols, shown)) symbols.push_back(shown);
  }
  const std::string are =
      symbols.empty() ? "no extent has a symbol" : fmt::format("the open extents are {}", fmt::join(symbols, ", "));
  for (const auto& [symbol, n] : b.symbols)
    if (!std::ranges::count(symbols, double_quoted(symbol)))
      throw usage_error("--extent {}={}: {} has no such extent: {}", symbol, n, a.model, are);
  if (a.batch && !leading)
    throw usage_error("--batch {}: {} leaves no leading extent open: {}", *a.batch, a.model, are);
}

int run(const Arguments& a, Session& s) {
  const Binding binding = binding_of(a);
  const ModelFile file = read_onnx(a.model);
  check_bound(a, binding, file);
  const Imported model = import_onnx(file, binding);
  if (a.graph) {
    s.out << print(model.function);
    return 0;
  }
  const Shown shown{file, model, layers_of(file, model, binding), parameter_count(model),
                    contraction_flops(*model.function)};
  if (a.json) print_json(s.out, shown);
  else print_shown(s.out, shown);
  return 0;
}

std::function<int(Session&)> declare(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("model", a->model, "ONNX file (.onnx, .onnx.gz)")->required()->type_name("MODEL");
  app.add_option("--batch", a->batch, "value of open leading extents (1)")->type_name("N");
  app.add_option("--extent", a->extents, "value of another open extent; repeat for more")
      ->allow_extra_args(false)
      ->type_name("SYMBOL=N");
  auto* json = app.add_flag("--json", a->json, "everything as JSON, the graph included");
  app.add_flag("--graph", a->graph, "the graph over Viva's operations, as text that parses back")->excludes(json);
  return [a](Session& s) { return run(*a, s); };
}

}  // namespace

extern const Verb show_verb;
const Verb show_verb = {
    .name = "show",
    .summary = "show a model: layers, shapes, parameters, FLOPs, graph",
    .example = "viva show demo/fashion.onnx",
    .declare = declare,
};

}  // namespace viva
