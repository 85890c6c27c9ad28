#include "cli/open.h"

#include <cstring>

#include "base/error.h"
#include "cli/verb.h"
#include "data/dataset.h"

namespace viva {
namespace {

// Rows first … first + count as the network takes them.
Array rows_of(const Array& inputs, const Type& row, int64_t first, int64_t count) {
  const int64_t bytes = inputs.bytes() / inputs.shape()[0];
  Shape shape = row.shape;
  shape.insert(shape.begin(), count);
  Array stored = Array::make({inputs.dtype(), shape});
  std::memcpy(stored.mutable_data(), inputs.data() + first * bytes, static_cast<size_t>(count * bytes));
  if (inputs.dtype() != Dtype::uint8 || !is_float(row.dtype)) return stored.converted(row.dtype);
  // Divided in float32, as training scripts do it.
  Array scaled = stored.converted(Dtype::float32);
  for (float& v : scaled.as_mutable<float>()) v /= 255.0F;
  return scaled.converted(row.dtype);
}

}  // namespace

RowSource open_rows(const std::string& spec, const std::string& id, const Subject& subject) {
  const Dataset data = load_dataset(spec);
  const Type row = subject.row_type();
  const Shape stored(data.inputs.shape().begin() + 1, data.inputs.shape().end());
  if (numel(stored) != numel(row.shape))
    throw input_error("{}: a row is {}, but the network takes {}: give data of that size", spec,
                      to_string(Type{data.inputs.dtype(), stored}), to_string(row));
  if (is_float(data.inputs.dtype()) && !is_float(row.dtype))
    throw input_error("{}: the rows are {}, but the network takes {}", spec, name(data.inputs.dtype()), to_string(row));
  const Shape out = subject.output_row_shape();
  if (numel(out) > 1) check_labels(data, numel(out));
  RowSource source;
  source.record = {.id = id,
                   .spec = spec,
                   .files = {},
                   .rows = data.rows(),
                   .row_type = to_string(Type{data.inputs.dtype(), stored}),
                   .scaling = {},
                   .classes = data.class_names};
  for (const DataFile& f : data.files) source.record.files.push_back({f.path, f.sha256, f.bytes});
  if (data.inputs.dtype() == Dtype::uint8 && is_float(row.dtype)) source.record.scaling = "uint8 divided by 255";
  const auto labels = data.labels.as<int64_t>();
  source.labels.assign(labels.begin(), labels.end());
  source.stored = data.inputs;
  source.rows = [inputs = data.inputs, row](int64_t first, int64_t count) {
    return rows_of(inputs, row, first, count);
  };
  return source;
}

Openers file_openers() { return {.subject = open_subject, .data = open_rows}; }

}  // namespace viva
