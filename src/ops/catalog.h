// The records, each defined in the file of its family. catalog.cpp lists them.
#pragma once

#include "graph/opdef.h"

namespace viva::ops {

extern const OpDef constant, iota, rng_bits;
extern const OpDef neg, abs, sign, floor, ceil, round, exp, expm1, log, log1p, softplus, sqrt, rsqrt, square, sin, cos,
    tanh, logistic, erf, not_, is_finite;
extern const OpDef add, sub, mul, div, rem, pow, max, min, atan2, and_, or_, xor_, shift_left, shift_right;
extern const OpDef compare, select, convert, bitcast;
extern const OpDef dot_general, conv_general;
extern const OpDef broadcast, reshape, transpose, reverse, slice, pad, concatenate;
extern const OpDef dynamic_slice, dynamic_update_slice, gather, scatter;
extern const OpDef reduce_sum, reduce_max, reduce_prod, reduce_and, reduce_or, argmax, cumsum;
extern const OpDef window_sum, window_argmax;
extern const OpDef call, barrier, tap;

}  // namespace viva::ops
