// Bounds of factorizations: of eigenvalues and singular values by the distance of matrices, of orthonormal columns by
// their length; of other factors nothing is known.
#include <array>
#include <cmath>

#include "ops/bounds.h"

namespace viva::bounds {

Enclosures eigh(BoundSite& s) { return all_whole(s.b, s.node); }
Enclosures svd(BoundSite& s) { return all_whole(s.b, s.node); }
Enclosures qr(BoundSite& s) { return all_whole(s.b, s.node); }

}  // namespace viva::bounds
