// The operations, family by family. Each list stands in the family's file, below its records.
#pragma once

#include "graph/opdef.h"

namespace viva {

using OpList = std::span<const OpDef* const>;

namespace ops {
extern const OpList source, unary, special, binary, complex, elementwise, contraction, convolution, movement, slicing,
    joining, indexing, gather, scatter, reduction, position, sorting, window, window_element, factorization, spectral,
    fourier, quantization, structure, tapping, conditional, scanning, repetition;
}  // namespace ops

}  // namespace viva
