// Names of classes in the metadata of a model file.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace viva {

// Under the first key of "class_names", "classes", "labels" and "names" that holds `classes` different names: a list or
// a dictionary by index, as JSON or Python print them ({0: 'cat', 1: 'dog'}), or names by lines or commas. Empty where
// there is none.
std::vector<std::string> class_names_in(const std::vector<std::pair<std::string, std::string>>& metadata,
                                        int64_t classes);

}  // namespace viva
