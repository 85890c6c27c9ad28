// What the lower rule of an operation returns.
#pragma once

#include "loops/nest.h"

namespace viva {

struct Lowered {
  loops::Lowering form;
};

}  // namespace viva
