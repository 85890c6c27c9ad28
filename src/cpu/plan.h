// The inside of an Executable: units (kernels in the making), then steps over buffers.
#pragma once

#include "cpu/executable.h"
#include "cpu/library.h"
#include "graph/opdef.h"
#include "loops/lowered.h"
#include "loops/run.h"

namespace viva::cpu {

// A kernel in the making: a nest or a host function over values of the graph.
struct Unit {
  loops::Lowering form;
  Values operands;             // one for each slot
  Values results;              // one for each store
  const Node* node = nullptr;  // the last node that went in; its place in the order and its line
  bool alive = true;
  // Then the kernel is made once the orders are known; where it must not run, the form does, and what follows in turn.
  std::shared_ptr<const LibraryKernel> library = nullptr;
  struct Ending {
    loops::Nest nest;
    int slot;  // of the value so far
  };
  std::vector<Ending> endings = {};
  bool product = false;  // a product of matrices that the library takes
  const loops::Nest* nest() const { return std::get_if<loops::Nest>(&form); }
};

// An operation that runs functions: its eval rule, over their plans.
class Control {
 public:
  Control(const Node& n, const PlanOptions& options);
  std::string describe() const;
  void run(std::span<const void* const> in, std::span<void* const> out, ThreadPool& pool, const Cancel* cancel) const;

 private:
  Node node_;  // its operands' nodes may be gone
  std::vector<Type> operands_;
  std::vector<std::pair<const Function*, Executable>> plans_;
};
using Kernel = std::variant<loops::Prepared, loops::Host, std::shared_ptr<const Control>>;
// Whether plans run the operation as a Control.
bool runs_functions(const Node& n);

// Lowers every node of f and fuses units; without fusion each node is a unit of its own, and a nest. The library takes
// nodes of at least so many FLOPs.
std::vector<Unit> make_units(const Function& f, bool fuse, double library_flops);

// Chooses for each value the order of its dimensions in memory: row-major for what leaves the function or is read by
// its flat position, else what the library asks for, and what follows from operands. Rewrites the nests for it and
// makes the kernels of the library.
void lay_out(std::vector<Unit>& units, const Function& f);

// Where a value lives.
struct Buffer {
  enum class Kind : uint8_t { argument, constant, arena, result } kind = Kind::arena;
  int64_t index = 0;   // argument or result number
  int64_t offset = 0;  // in the arena, bytes
  Type type;
  Array constant;
};

struct Step {
  Kernel kernel;
  std::vector<int> operands, outputs;  // buffers
  std::string name;                    // operation, or operations joined by "+"
  Where where;
};

// Offsets for buffers alive from step `first` to step `last`, so that no two alive at once overlap. Returns the arena's
// size.
struct Lifetime {
  int buffer;
  int64_t first, last, bytes;
};
int64_t place(std::vector<Lifetime> lifetimes, std::vector<Buffer>& buffers);

}  // namespace viva::cpu

namespace viva {

struct Executable::Plan {
  std::vector<Type> parameters;  // of the arguments of a call
  std::vector<cpu::Buffer> buffers;
  std::vector<cpu::Step> steps;
  std::vector<int> results;  // the buffer of each result
  std::vector<Type> result_types;
  std::vector<int64_t> donated_from;  // for each result, the argument whose memory it may take, or -1
  int64_t arena_bytes = 0, nodes = 0;
  bool check_nan = false, check_infinity = false;
};

}  // namespace viva
