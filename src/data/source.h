// From the text that names a data set to arrays as the files hold them, not yet checked against each other.
#pragma once

#include <string>
#include <vector>

#include "data/check.h"
#include "data/dataset.h"

namespace viva {

struct DataSource {
  std::string name;
  std::vector<std::string> paths;  // inputs and labels, or one npz file
  std::vector<std::string> class_names;
};
// Decides which files a spec means (see load_dataset); opens none of them.
DataSource find_source(const std::string& spec);

struct RawData {
  std::vector<DataFile> files;
  NamedArray inputs, labels;
};
RawData read_source(const DataSource& source);

}  // namespace viva
