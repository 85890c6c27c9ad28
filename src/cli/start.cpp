// Refuses a processor that Viva is not compiled for, before any constructor or other code of Viva runs.
#include <unistd.h>

#include <cstring>

#include "base/cpu.h"

namespace {

void check_processor(int, char**, char**) {
  if (viva::cpu_supported()) return;
  const char* text =
      "viva: this processor lacks the instructions that Viva is compiled for; build it with another VIVA_MARCH\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
  _exit(4);
}

[[gnu::used, gnu::section(".preinit_array")]] void (*const before_everything)(int, char**, char**) = check_processor;

}  // namespace
