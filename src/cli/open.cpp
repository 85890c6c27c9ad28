#include "cli/open.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "cli/rows.h"
#include "cli/verb.h"
#include "examine/evaluation.h"

namespace viva {

namespace {

Shape stored_row(const Dataset& data) { return {data.inputs.shape().begin() + 1, data.inputs.shape().end()}; }

int64_t label_count(const Dataset& data) {
  const auto labels = data.labels.as<int64_t>();
  return labels.empty() ? 0 : *std::ranges::max_element(labels) + 1;
}

// One number a row tells two classes apart, if anything; of maps of numbers nothing is known.
void check_range(const Dataset& data, const Shape& out) {
  if (const int64_t classes = classes_of(out); classes > 0) return check_labels(data, classes);
  if (numel(out) != 1) return;
  const auto labels = data.labels.as<int64_t>();
  const auto bad = std::ranges::find_if(labels, [](int64_t v) { return v > 1; });
  if (bad != labels.end())
    throw input_error(
        "{}: row {} (counting from 0) has label {}, but the network gives one number, which tells two "
        "classes apart at most: export a column for each class",
        data.spec, bad - labels.begin(), *bad);
}

}  // namespace

RowSource open_rows(std::shared_ptr<const Dataset> data, const std::string& spec, const std::string& id,
                    const Subject& subject) {
  const Type row = subject.row_type();
  const RowConversion conversion = conversion_of(*data, row);
  check_range(*data, subject.output_row_shape());
  RowSource source;
  source.record = {.id = id,
                   .spec = spec,
                   .files = {},
                   .rows = data->rows(),
                   .row_type = to_string(Type{data->inputs.dtype(), stored_row(*data)}),
                   .scaling = conversion.values,
                   .layout = conversion.layout,
                   .classes = data->class_names,
                   .groups = {}};
  for (const DataFile& f : data->files) source.record.files.push_back({f.path, f.sha256, f.bytes});
  const auto labels = data->labels.as<int64_t>();
  source.labels.assign(labels.begin(), labels.end());
  source.stored = data->inputs;
  source.rows = [data, row](int64_t first, int64_t count) { return converted_rows(*data, row, first, count); };
  return source;
}

Openers file_openers() {
  // Read once, though its rows' shape may be wanted before the rows.
  const auto read = std::make_shared<std::map<std::string, std::shared_ptr<const Dataset>>>();
  const auto dataset = [read](const std::string& spec) {
    std::shared_ptr<const Dataset>& data = (*read)[spec];
    if (!data) data = std::make_shared<const Dataset>(load_dataset(spec));
    return data;
  };
  return {.subject = open_subject,
          .row_shape = [dataset](const std::string& spec) { return stored_row(*dataset(spec)); },
          .label_count = [dataset](const std::string& spec) { return label_count(*dataset(spec)); },
          .data = [dataset](const std::string& spec, const std::string& id,
                            const Subject& subject) { return open_rows(dataset(spec), spec, id, subject); }};
}

}  // namespace viva
