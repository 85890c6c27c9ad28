// The bound rules by name, for the records; ops/enclosure.h has those that operations share.
#pragma once

#include "ops/enclosure.h"

namespace viva::bounds {

// Floats, or real and imaginary parts.
Enclosure negated(BoundSite& s, std::span<const Enclosure> in);
Enclosure negated_parts(BoundSite& s, std::span<const Enclosure> in);
Enclosure added(BoundSite& s, std::span<const Enclosure> in);
Enclosure added_parts(BoundSite& s, std::span<const Enclosure> in);
Enclosure subtracted(BoundSite& s, std::span<const Enclosure> in);
Enclosure subtracted_parts(BoundSite& s, std::span<const Enclosure> in);
Enclosure multiplied(BoundSite& s, std::span<const Enclosure> in);
Enclosure multiplied_parts(BoundSite& s, std::span<const Enclosure> in);
Enclosure squared(BoundSite& s, std::span<const Enclosure> in);
Enclosure squared_parts(BoundSite& s, std::span<const Enclosure> in);

// Unary and special.
Enclosures abs(BoundSite& s);
Enclosures sign(BoundSite& s);
Enclosures sin(BoundSite& s);
Enclosures cos(BoundSite& s);
Enclosures logical_not(BoundSite& s);
Enclosures is_finite(BoundSite& s);
Enclosures lgamma(BoundSite& s);
Enclosures polygamma(BoundSite& s);
Enclosures widen(BoundSite& s);

// Binary.
Enclosures mul_no_nan(BoundSite& s);
Enclosures div(BoundSite& s);
Enclosures rem(BoundSite& s);
Enclosures pow(BoundSite& s);
Enclosures extreme(BoundSite& s);  // max, min
Enclosures atan2(BoundSite& s);
Enclosures bits_and(BoundSite& s);
Enclosures bits_or(BoundSite& s);
Enclosures bits_xor(BoundSite& s);
Enclosures shift_left(BoundSite& s);
Enclosures shift_right(BoundSite& s);

// Elementwise, complex, quantize.
Enclosures compare(BoundSite& s);
Enclosures select(BoundSite& s);
Enclosures convert(BoundSite& s);
Enclosures bitcast(BoundSite& s);
Enclosures quantize(BoundSite& s);
Enclosures conj(BoundSite& s);
Enclosures constant(BoundSite& s);

// Sums and contractions.
Enclosures reduce_sum(BoundSite& s);
Enclosures cumsum(BoundSite& s);
Enclosures window_sum(BoundSite& s);
Enclosures axis_sum(BoundSite& s);
Enclosures reduce_prod(BoundSite& s);
Enclosures dot_general(BoundSite& s);
Enclosures conv_general(BoundSite& s);
Enclosures fft(BoundSite& s);

// Positions and order.
Enclosures reduce_max(BoundSite& s);
Enclosures argmax(BoundSite& s);
Enclosures sort(BoundSite& s);
Enclosures window_argmax(BoundSite& s);
Enclosures window_gather(BoundSite& s);
Enclosures window_scatter(BoundSite& s);

// Indices that are data.
Enclosures dynamic_slice(BoundSite& s);
Enclosures dynamic_update_slice(BoundSite& s);
Enclosures gather(BoundSite& s);
Enclosures scatter(BoundSite& s);

// Matrices.
Enclosures cholesky(BoundSite& s);
Enclosures triangular_solve(BoundSite& s);
Enclosures eigh(BoundSite& s);
Enclosures svd(BoundSite& s);
Enclosures qr(BoundSite& s);

// Functions inside.
Enclosures call(BoundSite& s);
Enclosures barrier(BoundSite& s);
Enclosures tap(BoundSite& s);
Enclosures cond(BoundSite& s);
Enclosures scan(BoundSite& s);
Enclosures loop(BoundSite& s);  // while
Enclosures custom_rule(BoundSite& s);
Enclosures linear_call(BoundSite& s);

}  // namespace viva::bounds
