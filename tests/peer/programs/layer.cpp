#include "peer/programs/programs.h"
namespace viva::peer {
Programs layer_programs() { return {}; }
}  // namespace viva::peer
