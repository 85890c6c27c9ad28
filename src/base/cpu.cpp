#include "base/cpu.h"

namespace viva {

bool cpu_supported() {
#ifdef VIVA_CPU_LEVEL
  __builtin_cpu_init();  // the caller may run before the constructors that do this
  return __builtin_cpu_supports(VIVA_CPU_LEVEL);
#else
  return true;
#endif
}

}  // namespace viva
