// Operators against results computed elsewhere: tests/onnx/cases.bin.gz holds models that carry inputs and expected
// outputs as initializers named "?input NAME" and "?output NAME" (made by make_cases.py). Each entry of the file is a
// 32-bit little-endian length and a model. VIVA_ONNX_CASES names another such file to try, VIVA_ONNX_CASE one case.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "interpret/interpret.h"
#include "onnx/import.h"

namespace viva {
namespace {

struct Case {
  ModelFile model;
  std::map<std::string, Array> inputs;
  std::vector<std::pair<std::string, Array>> outputs;
  double rtol = 1e-5, atol = 1e-6;
};

Case unpack(std::string_view bytes) {
  Case c{parse_onnx(bytes, "case", "/nonexistent"), {}, {}, 1e-5, 1e-6};
  auto& g = c.model.graph;
  for (const TensorDef& t : g.initializers) {
    if (t.name.starts_with("?input ")) {
      if (!t.unsupported.empty()) throw unsupported("{}", t.unsupported);
      c.inputs.emplace(t.name.substr(7), t.value);
    } else if (t.name.starts_with("?output ")) {
      if (!t.unsupported.empty()) throw unsupported("{}", t.unsupported);
      c.outputs.emplace_back(t.name.substr(8), t.value);
    }
  }
  std::erase_if(g.initializers, [](const TensorDef& t) { return t.name.starts_with("?"); });
  for (const auto& [key, value] : c.model.metadata) {
    if (key == "rtol") c.rtol = std::stod(value);
    if (key == "atol") c.atol = std::stod(value);
  }
  return c;
}

// First every input is fed at run time; where that leaves a shape open, the inputs are known at import.
Imported import_case(const Case& c) {
  Binding binding;
  for (const auto& [name, value] : c.inputs) binding.shapes.emplace(name, value.shape());
  try {
    return import_onnx(c.model, binding);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
  }
  for (const auto& [name, value] : c.inputs)
    if (!is_float(value.dtype())) binding.inputs.emplace(name, value);
  try {
    return import_onnx(c.model, binding);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
  }
  binding.inputs = c.inputs;
  return import_onnx(c.model, binding);
}

std::string difference(const Array& got, const Array& want, const Case& c) {
  if (got.type() != want.type()) return fmt::format("{} instead of {}", to_string(got.type()), to_string(want.type()));
  if (!is_float(got.dtype())) return same_bits(got, want) ? "" : "other elements";
  const double eps = got.dtype() == Dtype::float16 ? 2e-3 : got.dtype() == Dtype::bfloat16 ? 2e-2 : 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    const double x = got.at(i), y = want.at(i);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x == y) continue;
    if (!(std::abs(x - y) <= c.atol + std::max(c.rtol, eps) * std::abs(y)))
      return fmt::format("element {} is {} instead of {}", i, x, y);
  }
  return "";
}

std::string run(const Case& c) {
  const Imported m = import_case(c);
  std::vector<Array> arguments;
  for (const std::string& name : m.input_names) arguments.push_back(c.inputs.at(name));
  arguments.insert(arguments.end(), m.weights.begin(), m.weights.end());
  const std::vector<Array> results = interpret(*m.function, arguments);
  for (size_t i = 0; i < c.outputs.size(); ++i)
    for (size_t k = 0; k < results.size(); ++k)
      if (m.output_names[k] == c.outputs[i].first)
        if (const std::string d = difference(results[k], c.outputs[i].second, c); !d.empty())
          return m.output_names[k] + ": " + d;
  return "";
}

struct Tally {
  int passed = 0, unsupported = 0, failed = 0;
};

Tally run_file(const std::string& path, bool print) {
  const Bytes all = read_file(path);
  const char* only = std::getenv("VIVA_ONNX_CASE");
  Tally t;
  for (size_t at = 0; at + 4 <= all.size();) {
    const auto n = read_little<uint32_t>(all.data() + at);
    const std::string_view bytes = all.text().substr(at + 4, n);
    at += 4 + n;
    std::string name = "?";
    try {
      Case c = unpack(bytes);
      name = c.model.graph.name;
      if (only && name != only) continue;
      const std::string problem = run(c);
      if (problem.empty()) ++t.passed;
      else ++t.failed, ADD_FAILURE() << name << ": " << problem;
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::unsupported && print)
        ++t.unsupported, std::printf("unsupported %s: %s\n", name.c_str(), e.what());
      else ++t.failed, ADD_FAILURE() << name << ": " << e.what();
    }
  }
  return t;
}

TEST(OnnxCases, GiveTheExpectedResults) {
  const char* other = std::getenv("VIVA_ONNX_CASES");
  const Tally t = run_file(other ? other : std::string(VIVA_SOURCE_DIR) + "/tests/onnx/cases.bin.gz", other != nullptr);
  if (other) std::printf("%d passed, %d unsupported, %d failed\n", t.passed, t.unsupported, t.failed);
  EXPECT_GT(t.passed, 0);
}

}  // namespace
}  // namespace viva
