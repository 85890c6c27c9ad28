#include "examine/subject.h"

#include "base/error.h"

namespace viva {

NetworkFunction Subject::network(int64_t) {
  throw unsupported("{}: there is no graph to differentiate", record().path);
}

Compiled Subject::compiled(const Body&, std::vector<std::pair<int64_t, Array>>) {
  throw unsupported("{}: there is no engine for functions of the graph", record().path);
}

}  // namespace viva
