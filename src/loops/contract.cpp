#include "loops/contract.h"
namespace viva::loops {
struct Contraction {};
void ContractionDelete::operator()(Contraction* c) const { delete c; }
ContractionPtr plan_contraction(const Flat&) { return nullptr; }
size_t contraction_scratch(const Contraction&, int) { return 0; }
void run_contraction(const Contraction&, const Run&) {}
std::string describe(const Contraction&) { return {}; }
}  // namespace viva::loops
