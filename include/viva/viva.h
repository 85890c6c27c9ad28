// The public interface of Viva.
#pragma once

#include "viva/array.h"
#include "viva/compile.h"
#include "viva/control.h"
#include "viva/data.h"
#include "viva/functions.h"
#include "viva/indexing.h"
#include "viva/losses.h"
#include "viva/nn.h"
#include "viva/numpy.h"
#include "viva/onnx.h"
#include "viva/optim.h"
#include "viva/random.h"
#include "viva/tensor.h"
#include "viva/train.h"
#include "viva/transform.h"
#include "viva/tree.h"
