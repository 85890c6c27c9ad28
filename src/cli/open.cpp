#include "base/error.h"
#include "cli/verb.h"

namespace viva {

Openers file_openers() {
  return {
      .subject = [](const std::string& path) -> std::unique_ptr<Subject> {
        throw unsupported("{}: this build reads no model files", path);
      },
      .data = [](const std::string& spec, const std::string&, const Subject&) -> RowSource {
        throw unsupported("{}: this build reads no data sets", spec);
      },
  };
}

}  // namespace viva
