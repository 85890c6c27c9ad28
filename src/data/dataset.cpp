#include "data/dataset.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/check.h"
#include "data/source.h"

namespace viva {

Dataset load_dataset(const std::string& spec) {
  DataSource source = find_source(spec);
  RawData raw = read_source(source);
  check_inputs(raw.inputs);
  check_rows(raw.inputs, raw.labels);
  Dataset data;
  data.labels = whole_labels(raw.labels);
  data.inputs = std::move(raw.inputs.array);
  data.name = std::move(source.name);
  data.spec = printable(spec);
  data.files = std::move(raw.files);
  data.class_names = std::move(source.class_names);
  return data;
}

void check_labels(const Dataset& data, int64_t classes) {
  const auto labels = data.labels.as<int64_t>();
  const auto bad = std::ranges::find_if(labels, [&](int64_t v) { return v >= classes; });
  if (bad == labels.end()) return;
  const auto [low, high] = std::ranges::minmax(labels);
  const char* mend = low >= 1 && high == classes ? "labels from 1? Then subtract 1 from each"
                                                 : "is this the data set of this network?";
  throw input_error("{}: row {} (counting from 0) has label {}, but the network has {} classes, 0 to {}: {}",
                    data.files.empty() ? data.name : data.files.back().path, bad - labels.begin(), *bad, classes,
                    classes - 1, mend);
}

}  // namespace viva
