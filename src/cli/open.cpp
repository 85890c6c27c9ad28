#include "cli/open.h"

#include <memory>

#include "base/error.h"
#include "cli/rows.h"
#include "cli/verb.h"

namespace viva {

RowSource open_rows(const std::string& spec, const std::string& id, const Subject& subject) {
  const auto data = std::make_shared<const Dataset>(load_dataset(spec));
  const Type row = subject.row_type();
  const RowConversion conversion = conversion_of(*data, row);
  const Shape out = subject.output_row_shape();
  if (numel(out) > 1) check_labels(*data, numel(out));
  const Shape stored(data->inputs.shape().begin() + 1, data->inputs.shape().end());
  RowSource source;
  source.record = {.id = id,
                   .spec = spec,
                   .files = {},
                   .rows = data->rows(),
                   .row_type = to_string(Type{data->inputs.dtype(), stored}),
                   .scaling = conversion.values,
                   .layout = conversion.layout,
                   .classes = data->class_names};
  for (const DataFile& f : data->files) source.record.files.push_back({f.path, f.sha256, f.bytes});
  const auto labels = data->labels.as<int64_t>();
  source.labels.assign(labels.begin(), labels.end());
  source.stored = data->inputs;
  source.rows = [data, row](int64_t first, int64_t count) { return converted_rows(*data, row, first, count); };
  return source;
}

Openers file_openers() { return {.subject = open_subject, .data = open_rows}; }

}  // namespace viva
