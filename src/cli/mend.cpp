#include "cli/mend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "examine/groups.h"
#include "examine/measure.h"
#include "examine/programs.h"
#include "examine/words.h"
#include "graph/build.h"
#include "graph/dims.h"
#include "onnx/export.h"

namespace viva {
namespace {

// The columns from[0], from[1], … of x [batch, elements].
Value taken(Build& b, Value x, const std::vector<int64_t>& from) {
  bool same = true;
  for (size_t k = 0; k < from.size(); ++k) same = same && from[k] == static_cast<int64_t>(k);
  if (same) return x;
  GatherDims d;
  d.offset_dims = {0};
  d.collapsed = {1};
  d.start_map = {1};
  d.slice_sizes = {x.shape()[0], 1};
  d.mode = OutOfBounds::clip;
  const Value index = b.constant(Array::of(from, {std::ssize(from), 1}));
  return b.gather(x, index, b.scalar(x.dtype(), 0), d);
}

Value mapped(Build& b, Value rows, const InputMap& m) {
  if (m.from.empty()) return rows;
  const int64_t batch = rows.shape()[0], elements = std::ssize(m.from);
  Value x = taken(b, b.reshape(rows, {batch, elements}), m.from);
  const auto each = [&](const std::vector<double>& v) {
    return b.broadcast(b.constant(Array::of(v, {elements}).converted(x.dtype())), x.shape(), {1});
  };
  if (!m.slope.empty()) x = b.add(b.mul(x, each(m.slope)), each(m.offset));
  return b.reshape(x, rows.shape());
}

// exp(z - shift) over its sum, along each row.
Value shares(Build& b, Value z, Value shift) {
  const auto along = [&](Value v) { return b.broadcast(v, z.shape(), {0}); };
  const Value e = b.exp(b.sub(z, along(shift)));
  return b.div(e, along(b.reduce_sum(e, {1})));
}

// In the form that is written as one Softmax, whose input is then read as logits.
Value softmax(Build& b, Value z) {
  const Value top = b.reduce_max(z, {1});
  return shares(b, z, b.select(b.is_finite(top), top, b.zero(top)));
}

Value cooled(Build& b, Value scores, const Mend& m) {
  if (!m.temperature) return scores;
  const Value z = m.logarithms ? b.log(scores) : scores;
  const Value cool = b.div(z, b.full(z.type(), *m.temperature));
  // Not as a Softmax: logarithms of probabilities that are 0 are no logits to differentiate.
  return m.logarithms ? shares(b, cool, b.reduce_max(cool, {1})) : cool;
}

// (rows [n, …], weights …) -> the mended network's output.
Body mended(const NetworkFunction& n, const ModelRecord& record, const std::vector<Mend>& mends) {
  Build b("mended");
  Values args;
  for (const Value& p : n.function->params()) args.push_back(b.parameter_like(p));
  for (const Mend& m : mends) args[0] = mapped(b, args[0], m.map);
  Value scores = b.inline_call(*n.function, args).front();
  for (const Mend& m : mends) scores = cooled(b, scores, m);
  return b.finish({record.softmax_axis ? softmax(b, scores) : scores}, {record.output_name});
}

Cell cell(const std::optional<double>& v) {
  if (v) return *v;
  return std::monostate{};
}

std::vector<Cell> measured_row(const std::string& what, const Finding* given, const Finding* mended) {
  std::vector<Cell> row = {what};
  for (const Finding* f : {given, mended}) {
    row.push_back(f ? cell(f->estimate) : Cell(std::monostate{}));
    row.push_back(f && f->interval ? cell(f->interval->low) : Cell(std::monostate{}));
    row.push_back(f && f->interval ? cell(f->interval->high) : Cell(std::monostate{}));
  }
  return row;
}

}  // namespace

void write_mended(const std::string& path, Subject& subject, const std::vector<Mend>& mends) {
  const ModelRecord& record = subject.record();
  const NetworkFunction own = subject.network(program_rows);
  const bool open = record.batch != BatchMode::padded;
  ExportOptions o;
  o.symbol = open ? "N" : "";
  o.output_names = {record.output_name};
  for (const auto& [key, value] : record.metadata)
    if (!key.starts_with(export_leaf)) o.metadata.emplace_back(key, value);  // weights are named anew
  o.parameters.push_back({record.input_name, std::nullopt, open ? 0 : -1, false});
  for (const Array& w : own.weights) o.parameters.push_back({"", w, -1, false});
  write_onnx(
      path,
      [&](int64_t size) {
        const NetworkFunction n = open ? subject.network(size) : own;
        if (open && n.batch != size)
          throw unsupported("{}: values of one row are too large to write the mended network", record.path);
        return mended(n, record, mends);
      },
      o);
}

RowSource half_b(const RowSource& data, uint64_t seed) {
  const std::vector<int64_t> rows = halves_of(seed, data).b;
  RowSource half;
  half.record = data.record;
  half.record.spec += ", half B";
  half.record.rows = std::ssize(rows);
  for (const int64_t r : rows) half.labels.push_back(data.labels[static_cast<size_t>(r)]);
  if (!data.groups.empty()) {
    for (const int64_t r : rows) half.groups.push_back(data.unit(r));
    half.record.groups = groups_among(half.groups);
  }
  half.stored = picked_rows(data.stored, rows);
  half.rows = [whole = data.rows, rows](int64_t first, int64_t count) {
    Array all;
    for (int64_t i = 0; i < count; ++i) {
      const Array one = whole(rows[static_cast<size_t>(first + i)], 1);
      if (all.empty()) {
        Type t = one.type();
        t.shape[0] = count;
        all = Array::make(t);
      }
      std::memcpy(all.mutable_data() + i * one.bytes(), one.data(), static_cast<size_t>(one.bytes()));
    }
    return all;
  };
  return half;
}

Report ruled_again(const std::string& path, const Report& given, const Session& s, const ExamineOptions& options,
                   Subject& subject, const RowSource& data, const RowSource* train, ThreadPool& pool,
                   const Progress& progress) {
  write_mended(path, subject, given.mends);
  const auto mended = s.open.subject(path, {.output = "", .row_shape = [&] { return subject.row_type().shape; }});
  ExamineOptions own = options;
  own.layout.clear();  // it stands in the file now
  return examine(own, *mended, half_b(data, options.seed), train, pool, s.cancel, progress);
}

Finding mend_finding(const Report& given, const Report& mended) {
  Finding f;
  f.id = "mend.rulings";
  f.title = "What the mend did";
  f.target = Target::these_rows;
  f.kind = Kind::exact;
  f.unit = "row";
  f.n = mended.data.at(0).rows;
  f.rows_used = RowsUsed{mended.data[0].id, "half B", *f.n};
  f.estimate = static_cast<double>(given.mends.size());
  f.unit_of_estimate = "mends";
  for (const Mend& m : given.mends) f.why += (f.why.empty() ? "" : "; ") + m.what;
  Table rulings{"rulings", "Claims before and after", {"claim", "as given, all rows", "mended, half B"}, {}};
  for (size_t i = 0; i < given.claims.size(); ++i)
    rulings.rows.push_back({given.claims[i].statement, std::string(to_string(given.claims[i].ruling)),
                            std::string(to_string(mended.claims.at(i).ruling))});
  Table measured{"measured",
                 "Measured before (all rows) and after (half B)",
                 {"quantity", "given", "low", "high", "mended", "mended low", "mended high"},
                 {},
                 {{1, 2, 3}, {4, 5, 6}}};
  for (const char* id : {"risk.accuracy", "risk.log_loss", "risk.brier", "calibration.gap", "calibration.ece"})
    if (const Finding *a = given.find(id), *b = mended.find(id); a || b)
      measured.rows.push_back(measured_row(id, a, b));
  f.evidence.tables = {std::move(rulings), std::move(measured)};
  f.limits.emplace_back("mends were chosen on half A; the mended network was examined on half B alone");
  return f;
}

}  // namespace viva
