#include "onnx/export.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "graph/build.h"
#include "graph/opdef.h"
#include "interpret/interpret.h"
#include "onnx/export_cases.h"
#include "onnx/import.h"

namespace viva {
namespace {

// The model read back and run: its inputs are all parameters.
laws::Arrays round_trip(const laws::Case& c) {
  ExportOptions o;
  for (size_t i = 0; i < c.args.size(); ++i) o.parameters.push_back({fmt::format("x{}", i), std::nullopt, -1});
  const ExportedModel m = export_onnx([&](int64_t) { return c.f; }, o);
  const Imported f = import_onnx(parse_onnx(m.bytes, "exported.onnx", "."), {});
  laws::Arrays args;
  for (const std::string& name : f.input_names) args.push_back(c.args[static_cast<size_t>(std::stoi(name.substr(1)))]);
  args.insert(args.end(), f.weights.begin(), f.weights.end());
  return interpret(*f.function, args);
}

// What sums in another order, or is composed of other functions, differs by a few units in the last place.
double tolerance(const laws::Arrays& results) {
  double t = 1e-11;
  for (const Array& a : results)
    t = std::max(t, a.dtype() == Dtype::float32    ? 2e-5
                    : a.dtype() == Dtype::float16  ? 4e-3
                    : a.dtype() == Dtype::bfloat16 ? 3e-2
                                                   : t);
  return t;
}

void hold(const std::vector<ExportCase>& cases) {
  int exact = 0, refused = 0;
  for (const ExportCase& e : cases) {
    SCOPED_TRACE(e.name);
    try {
      const laws::Arrays want = interpret(*e.c.f, e.c.args), got = round_trip(e.c);
      EXPECT_EQ(laws::close(got, want, tolerance(want)), "");
      exact += laws::close(got, want, 0).empty();
    } catch (const Error& error) {
      // An operation may lack a row of the table, or a form; then it says so.
      if (error.message().find("no ONNX form is known") == std::string::npos) ADD_FAILURE() << error.what();
      refused += error.message().find("no ONNX form is known: ") == std::string::npos;
    }
  }
  EXPECT_LT(refused, static_cast<int>(cases.size()) / 10);
  testing::Test::RecordProperty("cases", static_cast<int>(cases.size()));
  testing::Test::RecordProperty("exact", exact);
}

TEST(Export, EverySampleComesBack) { hold(sample_cases()); }
TEST(Export, EveryTransformedSampleComesBack) { hold(transformed_cases()); }
TEST(Export, RandomProgramsComeBack) { hold(random_cases(40)); }
TEST(Export, EdgesComeBack) { hold(edge_cases()); }

}  // namespace
}  // namespace viva
