// What the operations that hold functions share.
#pragma once

#include <algorithm>

#include "graph/dependence.h"
#include "ops/record.h"

namespace viva {

Mask present(Ins values);
Values only_present(Ins values);
inline Mask inverted(Mask m) {
  m.flip();
  return m;
}
inline bool any(const Mask& m) { return std::ranges::find(m, true) != m.end(); }
inline bool all(const Mask& m) { return std::ranges::find(m, false) == m.end(); }
Mask part(const Mask& m, size_t from, size_t count);
size_t marked(const Mask& m, size_t from, size_t count);  // how many of these are true
template <class T> void append(std::vector<T>& to, std::span<const T> more) {
  to.insert(to.end(), more.begin(), more.end());
}
// Adds first, first + 1, … to places.
void add_places(std::vector<size_t>& to, size_t first, size_t count);

// Throws a usage error where a function takes other types than these.
void require_parameters(const Function& f, std::span<const Type> in);
// Throws a usage error where two functions give other types.
void require_same_outputs(const Function& f, const Function& g);

// Throws an unsupported error, at its line, where a function sums over the examples of a vmap: of examples that go
// different ways some take no part. op: what holds the function.
void refuse_sums(const Function& f, std::string_view op);

// The function with parameters and outputs in another order: params[i] is the place of the new parameter i in f,
// outputs[i] that of the new output i. A parameter of f that is not listed must be unused.
Body rearranged(const Body& f, const std::vector<size_t>& params, const std::vector<size_t>& outputs);

// For each residual of a split the parameter of its known function that it is, or -1.
std::vector<int64_t> forwarded(const SplitBody& parts);

// x, batched at the front, with the rows of examples that do not take part replaced by that of one that does; taken:
// bool[n], row: the place of that example, an integer.
Value masked_rows(Build& b, Value x, Value taken, Value row, int64_t n);

bool call_jet(JetSite& s);
bool cond_jet(JetSite& s);
bool scan_jet(JetSite& s);
bool while_jet(JetSite& s);

inline constexpr Absent runs_functions{Reason::no_sound_form,
                                       "no single loop nest: plans run its functions, each with a plan of its own"};

}  // namespace viva
