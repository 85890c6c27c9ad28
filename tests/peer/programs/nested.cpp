#include "peer/programs/programs.h"
namespace viva::peer {
Programs nested_programs() { return {}; }
}  // namespace viva::peer
