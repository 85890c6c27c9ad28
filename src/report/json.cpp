#include "report/json.h"

#include <cmath>

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"

namespace viva {
namespace {

using Json = nlohmann::ordered_json;

// As it is, whatever it does to a terminal: JSON has escapes of its own. Only what is no UTF-8 has none.
Json text(std::string_view s) {
  for (std::string_view rest = s; !rest.empty(); rest.remove_prefix(utf8_length(rest)))
    if (utf8_length(rest) == 0) return printable(s);
  return s;
}
Json number(double v) {
  if (!std::isfinite(v)) return nullptr;
  // A whole number is written without ".0".
  if (v == std::floor(v) && std::abs(v) < 9e15) return static_cast<int64_t>(v);
  return v;
}
Json number(const std::optional<double>& v) { return v ? number(*v) : Json(nullptr); }

template <class List, class F> Json each(const List& list, F&& f) {
  Json out = Json::array();
  for (const auto& item : list) out.push_back(f(item));
  return out;
}
Json texts(const std::vector<std::string>& list) {
  return each(list, [](const std::string& s) { return text(s); });
}

Json cell(const Cell& c) {
  if (const auto* i = std::get_if<int64_t>(&c)) return *i;
  if (const auto* d = std::get_if<double>(&c)) return number(*d);
  if (const auto* s = std::get_if<std::string>(&c)) return text(*s);
  return nullptr;
}

Json table(const Table& t) {
  Json rows = each(t.rows, [](const auto& row) { return each(row, cell); });
  return {{"id", text(t.id)}, {"title", text(t.title)}, {"columns", texts(t.columns)}, {"rows", std::move(rows)}};
}

Json series(const Series& s) {
  Json points = each(s.points, [](const Point& p) {
    return Json{{"label", text(p.label)},
                {"x", number(p.x)},
                {"y", number(p.y)},
                {"low", number(p.low)},
                {"high", number(p.high)}};
  });
  return {
      {"id", text(s.id)}, {"title", text(s.title)}, {"x", text(s.x)}, {"y", text(s.y)}, {"points", std::move(points)}};
}

Json examples(const Examples& e) {
  Json rows = each(e.rows, [](const auto& r) { return Json{{"row", r.first}, {"note", text(r.second)}}; });
  return {{"id", text(e.id)}, {"title", text(e.title)}, {"data", text(e.data)}, {"rows", std::move(rows)}};
}

Json evidence(const Evidence& e) {
  Json counts = Json::object();
  for (const Count& c : e.counts) counts[c.id] = c.count;
  return {{"counts", std::move(counts)},
          {"tables", each(e.tables, table)},
          {"series", each(e.series, series)},
          {"examples", each(e.examples, examples)}};
}

Json cost(const Cost& c) {
  return {{"seconds", number(c.seconds)}, {"evaluations", c.evaluations}, {"flops", number(c.flops)}};
}

Json interval(const Interval& i) {
  return {{"low", number(i.low)},     {"high", number(i.high)},      {"level", number(i.level)},
          {"method", text(i.method)}, {"sided", to_string(i.sided)}, {"coverage", text(i.coverage)}};
}

Json finding(const Finding& f, bool with_cost) {
  Json j;
  j["id"] = text(f.id);
  j["title"] = text(f.title);
  j["target"] = to_string(f.target);
  j["kind"] = to_string(f.kind);
  j["estimate"] = number(f.estimate);
  j["unit_of_estimate"] = text(f.unit_of_estimate);
  j["n"] = f.n ? Json(*f.n) : Json(nullptr);
  j["unit"] = f.unit.empty() ? Json(nullptr) : Json(f.unit);
  j["rows_used"] =
      f.rows_used
          ? Json{{"data", text(f.rows_used->data)}, {"which", text(f.rows_used->which)}, {"count", f.rows_used->count}}
          : Json(nullptr);
  j["interval"] = f.interval ? interval(*f.interval) : Json(nullptr);
  j["family"] =
      f.family ? Json{{"id", text(f.family->id)}, {"size", f.family->size}, {"adjustment", text(f.family->adjustment)}}
               : Json(nullptr);
  j["assumptions"] = texts(f.assumptions);
  j["check"] = f.check ? Json{{"what", text(f.check->what)}, {"passed", f.check->passed}} : Json(nullptr);
  j["verdict"] = to_string(f.verdict);
  j["status"] = to_string(f.status);
  j["why"] =
      f.why.empty() && f.estimate && !std::isfinite(*f.estimate) ? Json("the estimate is not finite") : text(f.why);
  j["evidence"] = evidence(f.evidence);
  if (with_cost) {
    j["cost"] = cost(f.cost);
    j["cost"]["shared_by"] = f.cost.shared_by;
  }
  j["limits"] = texts(f.limits);
  return j;
}

Json claim(const Claim& c) {
  Json key = nullptr;
  if (const auto* s = std::get_if<std::string>(&c.key.value)) key = text(*s);
  if (const auto* d = std::get_if<double>(&c.key.value)) key = *d;
  return {{"id", c.id},
          {"statement", text(c.statement)},
          {"quantity", text(c.quantity)},
          {"key", std::move(key)},
          {"op", to_string(c.op)},
          {"value", number(c.value)},
          {"finding", text(c.finding)},
          {"ruling", to_string(c.ruling)},
          {"would_decide", text(c.would_decide)}};
}

Json shown_row(const ShownRow& r) {
  return {{"data", text(r.data)},
          {"row", r.row},
          {"label", text(r.label)},
          {"predicted", text(r.predicted)},
          {"confidence", number(r.confidence)},
          {"loss", number(r.loss)}};
}

Json files(const std::vector<FileRecord>& list) {
  return each(list,
              [](const FileRecord& f) { return Json{{"id", text(f.path)}, {"sha256", f.sha256}, {"bytes", f.bytes}}; });
}

Json tensor(const std::string& name, const std::string& type) { return {{"id", text(name)}, {"type", text(type)}}; }

Json model(const ModelRecord& m) {
  Json j;
  j["id"] = text(m.id);
  j["path"] = text(m.path);
  j["sha256"] = m.sha256;
  j["files"] = files(m.files);
  j["producer"] = text(m.producer);
  j["ir_version"] = m.ir_version;
  j["opsets"] = each(m.opsets, [](const auto& o) { return Json{{"id", text(o.first)}, {"version", o.second}}; });
  j["operators"] =
      each(m.operators, [](const OperatorCount& o) { return Json{{"id", text(o.op)}, {"count", o.count}}; });
  j["parameters"] = m.parameters;
  j["flops"] = number(m.flops);
  j["input"] = tensor(m.input_name, m.input_type);
  j["output"] = tensor(m.output_name, m.output_type);
  j["output_why"] = text(m.output_why);
  j["outputs"] = each(m.outputs, [](const OutputRecord& o) {
    Json t = tensor(o.name, o.type);
    t["classes"] = o.classes > 0 ? Json(o.classes) : Json(nullptr);
    return t;
  });
  j["prepended"] = text(m.prepended);
  j["batch"] = {{"mode", to_string(m.batch)}, {"size", m.batch_size > 0 ? Json(m.batch_size) : Json(nullptr)}};
  j["training_operators"] = texts(m.training_operators);
  j["softmax_axis"] = m.softmax_axis ? Json(*m.softmax_axis) : Json(nullptr);
  j["coverage"] = each(m.coverage, [](const Coverage& c) {
    return Json{
        {"id", text(c.transformation)},
        {"missing", each(c.missing, [](const Missing& x) { return Json{{"id", text(x.op)}, {"why", text(x.why)}}; })}};
  });
  return j;
}

Json data(const DataRecord& d) {
  return {{"id", text(d.id)},
          {"spec", text(d.spec)},
          {"files", files(d.files)},
          {"rows", d.rows},
          {"row_type", text(d.row_type)},
          {"scaling", text(d.scaling)},
          {"layout", text(d.layout)},
          {"classes", texts(d.classes)},
          {"role", text(d.role)},
          {"groups", d.groups ? Json(*d.groups) : Json(nullptr)}};
}

}  // namespace

std::string visible_json(std::string_view json) {
  std::string r;
  while (!json.empty()) {
    const std::string_view c = json.substr(0, std::max<size_t>(utf8_length(json), 1));
    json.remove_prefix(c.size());
    if (c == "\n" || printable(c) == c) {
      r += c;
      continue;
    }
    uint32_t v = static_cast<unsigned char>(c[0]) & (c.size() == 1 ? 0x7fu : 0xffu >> (c.size() + 1));
    for (size_t i = 1; i < c.size(); ++i) v = v << 6 | (static_cast<unsigned char>(c[i]) & 0x3fu);
    if (v < 0x10000) r += fmt::format("\\u{:04x}", v);
    else r += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((v - 0x10000) >> 10), 0xdc00 + ((v - 0x10000) & 0x3ff));
  }
  return r;
}

nlohmann::ordered_json report_json(const Report& report, ReportOptions options) {
  Json j;
  j["schema"] = report_schema_id;
  j["viva"] = text(report.viva);
  j["command"] = text(report.command);
  j["models"] = each(report.models, model);
  j["data"] = each(report.data, data);
  j["claim_files"] = files(report.claim_files);
  j["claims"] = each(report.claims, claim);
  j["findings"] = each(report.findings, [&](const Finding& f) { return finding(f, options.cost); });
  j["diagnosis"] = each(report.diagnosis, [](const Diagnosis& d) {
    return Json{{"id", text(d.id)}, {"title", text(d.title)}, {"text", text(d.text)}};
  });
  j["limits"] = each(report.limits, [](const Limit& l) { return Json{{"id", text(l.id)}, {"text", text(l.text)}}; });
  j["rows"] = each(report.rows, shown_row);
  if (options.cost) {
    j["cost"] = cost(report.cost);
    j["cost"]["threads"] = report.threads;
  }
  return j;
}

std::string report_json_text(const Report& report, ReportOptions options) {
  return visible_json(report_json(report, options).dump(1)) + "\n";
}

}  // namespace viva
