// Functions with names on their values, for the laws of probe and intervene.
#pragma once

#include "laws/laws.h"

namespace viva::laws {

// f with a tap on every third output of a node, at any depth; edited: with y·factor in the place of those of float64.
Body tapped(const Body& f, uint32_t seed);
Body edited(const Body& f, uint32_t seed, double factor);

// The same by intervene, of a factor that is an argument more.
Case scaled_case(const Case& c, uint32_t seed, double factor);
// All names read; and an edit of them, by an argument more, that changes no value.
Case probe_case(const Case& c, uint32_t seed);
Case intervene_case(const Case& c, uint32_t seed);

}  // namespace viva::laws
