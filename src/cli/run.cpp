// viva run: a model's outputs for given arrays.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>

#include "base/bytes.h"
#include "base/error.h"
#include "base/npy.h"
#include "base/output_directory.h"
#include "cli/chunks.h"
#include "cli/feed.h"
#include "cli/output_files.h"
#include "cli/verb.h"
#include "cpu/executable.h"

namespace viva {
namespace {

struct Arguments {
  std::string model, out, precision = "f32";
  std::vector<std::string> inputs;
  std::optional<int> threads;
};

std::vector<Array> results_of(const FedModel& m, const std::string& path, int threads, const Cancel& cancel) {
  PlanOptions options;
  for (size_t i = 0; i < m.weights.size(); ++i)
    options.constants.emplace_back(static_cast<int64_t>(m.inputs.size() + i), m.weights[i]);
  ThreadPool pool(threads);
  const Executable compiled = compile(m.function, options);
  if (m.chunk == 0) return compiled.call(m.inputs, pool, &cancel).take();
  const FixedBatch f{m.chunk, m.batched, [&](std::vector<Array> arguments) {
                       return compiled.call(std::move(arguments), pool, &cancel).take();
                     }};
  const Company company = in_other_company(f, m.inputs, m.rows);
  if (!company.independent())
    throw unsupported(
        "{}: fixes its batch at {}, and rows of one batch influence one another ({}); give arrays of {} examples", path,
        m.chunk, company.measure, m.chunk);
  return in_chunks(f, m.inputs, m.rows);
}

int run(const Arguments& a, Session& s) {
  const int threads = thread_count(a.threads);
  const OpenModel model = open_model(a.model);
  std::vector<std::string> outputs;
  for (const ValueDef& v : model.file.graph.outputs) outputs.push_back(v.name);
  const std::map<std::string, std::string> files = output_files(outputs);
  OutputDirectory directory(a.out, [&](const std::string& d) { return holds_only(d, files); });
  std::vector<GivenInput> given;
  for (const std::string& spec : a.inputs) {
    const auto [input, file] = input_and_file(model.file, spec);
    given.push_back({input, file, read_npy(file)});
  }
  const FedModel fed = feed(model, given, a.precision == "f64");
  const std::vector<Array> results = results_of(fed, a.model, threads, s.cancel);
  std::string text;
  size_t width = 0;
  for (const auto& [name, file] : files) width = std::max(width, printable(name).size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& file = files.at(outputs[i]);
    if (std::ranges::find(outputs, outputs[i]) - outputs.begin() < static_cast<std::ptrdiff_t>(i)) continue;
    directory.write(file, npy_bytes(results.at(i)));
    text += fmt::format("{:{}}  {}  {}\n", printable(outputs[i]), width, to_string(results[i].type()),
                        printable((std::filesystem::path(a.out) / file).string()));
  }
  if (s.cancel) throw Error(ErrorKind::cancelled, "interrupted; nothing was written");
  directory.commit();
  for (const std::string& note : fed.notes) s.err << "viva: " << printable(note) << '\n';
  s.out << text;
  return 0;
}

std::function<int(Session&)> declare(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("model", a->model, "ONNX file (.onnx, .onnx.gz)")->required()->type_name("MODEL");
  app.add_option(
         "--input", a->inputs,
         "array of an input, once for each; NAME= may be left out for a single one. Its extents decide those "
         "that the file leaves open, and a file for one or a fixed number of examples runs as many as the array "
         "holds")
      ->required()
      ->allow_extra_args(false)
      ->type_name("NAME=X.npy");
  app.add_option("--out", a->out, "directory of the outputs, a .npy for each; replaces only the same outputs")
      ->required()
      ->type_name("DIR");
  app.add_option("--precision", a->precision, "f32: as the file says (default); f64: every float32 as float64")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->type_name("P");
  app.add_option("--threads", a->threads, "threads (VIVA_THREADS, else the processors); no result depends on it")
      ->type_name("N");
  return [a](Session& s) { return run(*a, s); };
}

}  // namespace

extern const Verb run_verb;
const Verb run_verb = {
    .name = "run",
    .summary = "compute a model's outputs for given arrays",
    .example = "viva run demo/fashion.onnx --input images.npy --out scores",
    .declare = declare,
};

}  // namespace viva
