// A convolution in shards that depend on its shape alone, with the primitives that run them.
#pragma once

#include "cpu/onednn/endings.h"
#include "cpu/onednn/tensors.h"

namespace viva::cpu::onednn {

// A primitive of one shape, and the layouts it works in.
struct Variant {
  dnnl::primitive run;
  std::array<Desc, tensors> wanted;
  Desc scratch;
};

// One shard: a variant over a part of the batch, or of the rows.
struct Shard {
  size_t variant = 0;
  int64_t repeat = 0, first = 0;          // in the batch
  int64_t image_row = 0, result_row = 0;  // where its rows begin
  int64_t batch = 0, image_rows = 0, result_rows = 0;
};

// Shards over the batch, and for a batch of one over the rows of the result. Endings: of a forward convolution alone.
class Division {
 public:
  // Throws dnnl::error where a shard has no fast kernel.
  Division(const Problem& p, std::vector<Ending> endings);
  const Desc& packed() const { return variants[0].wanted[kernel]; }

  Problem problem;
  std::vector<Ending> endings;
  std::vector<Variant> variants;
  std::vector<Shard> shards;  // those of a repeat side by side
  int64_t per_repeat = 1;

 private:
  void divide_batch(int64_t count);
  void divide_rows(int64_t count);
  void add(const Problem& p, Shard s);
  std::vector<Ints> keys_;  // of the variants
};

}  // namespace viva::cpu::onednn
