#include "base/cpu.h"

#include <gtest/gtest.h>

namespace viva {
namespace {

TEST(Cpu, TheMachineThatRunsTheTestsIsSupported) { EXPECT_TRUE(cpu_supported()); }

}  // namespace
}  // namespace viva
