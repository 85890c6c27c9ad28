// Contractions on register-tiled kernels. Internal to loops/.
#pragma once

#include <memory>

#include "loops/stage.h"

namespace viva::loops {

struct Run;
struct Contraction;
struct ContractionDelete {
  void operator()(Contraction* c) const;
};
using ContractionPtr = std::unique_ptr<Contraction, ContractionDelete>;

// Null where the nest is not a sum of products of two operands, or is better run by tiles.
ContractionPtr plan_contraction(const Flat& flat);
size_t contraction_scratch(const Contraction& c, int threads);
void run_contraction(const Contraction& c, const Run& run);
std::string describe(const Contraction& c);

}  // namespace viva::loops
