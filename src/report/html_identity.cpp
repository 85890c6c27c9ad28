// The network and the rows: files, hashes, shapes, coverage.
#include <fmt/format.h>

#include <algorithm>

#include "examine/digits.h"
#include "examine/words.h"
#include "report/html_sections.h"
#include "report/markup.h"

namespace viva {
namespace {

using markup::element;
using markup::escape;

constexpr size_t most_rows = 60;

std::string pair(std::string_view name, const std::string& inner) {
  return "<dt>" + escape(name) + "</dt><dd>" + inner + "</dd>\n";
}

std::string files(const std::vector<FileRecord>& list) {
  std::string s;
  for (size_t i = 0; i < std::min<size_t>(list.size(), 20); ++i)
    s += fmt::format("{}{} <small>({} bytes)</small><br><code class=\"hash\">{}</code>", i > 0 ? "<br>" : "",
                     escape(list[i].path), grouped(list[i].bytes), escape(list[i].sha256));
  return s;
}

std::string batch(const ModelRecord& m) {
  switch (m.batch) {
    case BatchMode::symbolic:
      return "free batch dimension";
    case BatchMode::vectorised:
      return m.batch_size == 1 ? "batch fixed at 1, vectorised over rows" : "no batch dimension, vectorised over rows";
    case BatchMode::padded:
      break;
  }
  return fmt::format("batch fixed at {}: chunks of that size, the last one padded", m.batch_size);
}

std::string coverage(const ModelRecord& m) {
  std::string s;
  for (const Coverage& c : m.coverage) {
    s += s.empty() ? "" : " · ";
    s += escape(c.transformation) + " " +
         (c.missing.empty()
              ? "complete"
              : fmt::format("lacks {}", counted(static_cast<int64_t>(c.missing.size()), "operator", "operators")));
  }
  return s.empty() ? "not asked" : s;
}

std::string operators(const ModelRecord& m) {
  std::string s;
  for (size_t i = 0; i < std::min(m.operators.size(), most_rows); ++i)
    s += fmt::format("{}{} {}", i > 0 ? ", " : "", m.operators[i].count, escape(m.operators[i].op));
  return s + (m.operators.size() > most_rows ? ", …" : "");
}

std::string outputs(const ModelRecord& m) {
  std::string s;
  for (size_t i = 0; i < std::min(m.outputs.size(), most_rows); ++i)
    s += (i > 0 ? ", " : "") + escape(m.outputs[i].name) + " <code>" + escape(m.outputs[i].type) + "</code>";
  return s + (m.outputs.size() > most_rows ? ", …" : "");
}

std::string opsets(const ModelRecord& m) {
  std::string s;
  for (const auto& [domain, version] : m.opsets)
    s += fmt::format("{}{}{}", s.empty() ? "" : ", ", domain.empty() ? "" : escape(domain) + " ", version);
  return s;
}

std::string model(const ModelRecord& m) {
  std::string s = "<div><h3>The network</h3>\n<dl>\n" + pair("File", files(m.files));
  s += pair("Written by",
            escape(m.producer) + fmt::format(" <small>(opset {}, IR version {})</small>", opsets(m), m.ir_version));
  s += pair("Size", fmt::format("{} parameters, {} FLOP an example", grouped(m.parameters), number(m.flops)));
  s += pair("Operators", operators(m));
  s += pair("Input", escape(m.input_name) + " <code>" + escape(m.input_type) + "</code>");
  s += pair("Output", escape(m.output_name) + " <code>" + escape(m.output_type) + "</code>");
  if (m.outputs.size() > 1) s += pair("Outputs", outputs(m));
  if (!m.prepended.empty()) s += pair("Before it", escape(m.prepended));
  s += pair("Rows", batch(m)) + pair("Coverage", coverage(m));
  if (!m.training_operators.empty())
    s += pair("In training mode", fmt::format("<b>{}</b>", counted(static_cast<int64_t>(m.training_operators.size()),
                                                                   "operator", "operators")));
  return s + "</dl></div>\n";
}

std::string data(const DataRecord& d) {
  std::string s = "<div><h3>" + std::string(d.id == "train" ? "The training rows" : "The rows") + "</h3>\n<dl>\n" +
                  pair("Source", escape(d.spec));
  if (!d.files.empty()) s += pair("Files", files(d.files));
  s += pair("Rows", fmt::format("{} of <code>{}</code>", grouped(d.rows), escape(d.row_type)));
  s += pair("Role", escape(d.role));
  if (!d.scaling.empty()) s += pair("Values", escape(d.scaling));
  if (!d.layout.empty()) s += pair("Layout", escape(d.layout));
  return s + "</dl></div>\n";
}

}  // namespace

std::string identity_section(const Report& r) {
  std::string s = "<section id=\"identity\">\n<h2>What was examined</h2>\n<div class=\"columns\">\n";
  for (const ModelRecord& m : r.models) s += model(m);
  s += "<div>";
  for (const DataRecord& d : r.data) s += data(d);
  for (const FileRecord& f : r.claim_files) s += "<h3>The claims</h3>\n<dl>\n" + pair("File", files({f})) + "</dl>\n";
  return s + "</div>\n</div>\n</section>\n";
}

}  // namespace viva
