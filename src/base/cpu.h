// What the processor must offer: every object but this one is compiled for the instruction set VIVA_MARCH.
#pragma once

namespace viva {

// Whether this processor and operating system run the instructions that Viva is compiled for. Safe on any x86-64
// machine before anything else of Viva has run. True where VIVA_MARCH names no level of x86-64 to compare with.
bool cpu_supported();

}  // namespace viva
