#include "peer/programs/programs.h"
namespace viva::peer {
Programs thread_programs() { return {}; }
}  // namespace viva::peer
