#pragma once

#include "ops/catalog.h"

namespace viva::ops {
extern const OpList axis;
}
