// Arrays, their element types and shapes, and the one exception type.
#pragma once

#include "base/array.h"
#include "base/exception.h"
