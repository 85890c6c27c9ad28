#include "loops/run.h"

#include <mutex>

#include "base/error.h"
#include "base/recycler.h"
#include "loops/program.h"

namespace viva::loops {

std::byte* Scratch::get(size_t bytes) {
  if (bytes > size_) {
    data_.reset();
    size_ = 0;
    std::byte* memory = take_block(bytes);
    if (!memory) throw input_error("out of memory: {} bytes of scratch", bytes);
    data_ = std::shared_ptr<std::byte>(memory, [bytes](std::byte* block) { give_block(block, bytes); });
    size_ = bytes;
  }
  return data_.get();
}

namespace {

// The largest loop that alone decides some target dimension of every scatter: updates of different values of it never
// meet, so parts may split it. -1 where there is none.
int apart(const Nest& nest) {
  std::vector<bool> splits(nest.extents.size(), true);
  bool scatters = false;
  for (const Store& s : nest.stores) {
    if (!s.scatter) continue;
    scatters = true;
    std::vector<bool> here(nest.extents.size(), false);
    for (const Index& i : s.scatter->at) {
      if (!i.terms.empty() || i.coefficients.empty()) continue;
      const auto used = std::ranges::count_if(i.coefficients, [](int64_t c) { return c != 0; });
      if (used != 1) continue;
      const auto at = std::ranges::find_if(i.coefficients, [](int64_t c) { return c != 0; });
      here[static_cast<size_t>(at - i.coefficients.begin())] = true;
    }
    for (size_t l = 0; l < here.size(); ++l) splits[l] = splits[l] && here[l];
  }
  int best = -1;
  for (size_t l = 0; scatters && l < splits.size(); ++l)
    if (splits[l] && nest.extents[l] > 1 && (best < 0 || nest.extents[l] > nest.extents[static_cast<size_t>(best)]))
      best = static_cast<int>(l);
  return best;
}

int64_t output_bytes(const Nest& nest, size_t i) {
  const Store& s = nest.stores[i];
  const int64_t element = size_of(nest.dtype(s.reg));
  if (s.scatter) return numel(s.scatter->target) * element;
  if (!s.strides.empty()) return s.size * element;
  int64_t n = 1;
  const bool scan = std::ranges::any_of(nest.body, [](const Instruction& b) { return b.kind == Kind::scan; });
  for (int l = 0; l < (scan ? nest.loops() : nest.parallel); ++l) n *= nest.extents[static_cast<size_t>(l)];
  return n * element;
}

}  // namespace

Prepared::Prepared(Nest nest) {
  verify(nest);
  auto program = std::make_shared<Program>();
  const Nest normal = normalised(nest);
  int loop = apart(normal);
  program->flat = flatten(normal, loop, &loop);
  program->contraction = plan_contraction(program->flat);
  if (!program->contraction) program->tiles = plan_tiles(program->flat, loop);
  for (size_t i = 0; i < nest.stores.size(); ++i) program->output_bytes.push_back(output_bytes(nest, i));
  for (const Type& t : nest.operands) program->operand_bytes.push_back(numel(t.shape) * size_of(t.dtype));
  program->nest = std::move(nest);
  program_ = std::move(program);
}

const Nest& Prepared::nest() const { return program_->nest; }

size_t Prepared::scratch_bytes(int threads) const {
  return program_->contraction ? contraction_scratch(*program_->contraction, threads)
                               : tile_scratch(program_->tiles, threads);
}

std::string Prepared::describe() const {
  if (program_->contraction) return loops::describe(*program_->contraction);
  const TilePlan& t = program_->tiles;
  const int64_t chains = t.main.chains() + t.epilogue.chains();
  return fmt::format("tiles of {} over {}{}, {} parts, {} shards{}", viva::to_string(t.box),
                     viva::to_string(program_->flat.extents),
                     t.reduction.empty() ? ""
                     : t.rows            ? ", rows"
                                         : ", columns",
                     t.parts, t.shards,
                     chains == 0   ? ""
                     : chains == 1 ? ", 1 chain"
                                   : fmt::format(", {} chains", chains));
}

void check_cancel(const Run& run) {
  if (run.cancel && run.cancel->load(std::memory_order_relaxed)) throw Error(ErrorKind::cancelled, "stopped");
}

void run_parts(const Run& run, int64_t parts, std::byte* slots, size_t slot_bytes,
               const std::function<void(int64_t, std::byte*)>& body) {
  const int64_t count = std::min<int64_t>(parts, run.pool->threads());
  std::mutex mutex;
  std::vector<std::byte*> free;
  for (int64_t s = 0; s < count; ++s) free.push_back(slots + static_cast<size_t>(s) * slot_bytes);
  struct Lease {
    std::mutex& mutex;
    std::vector<std::byte*>& free;
    std::byte* slot;
    Lease(std::mutex& m, std::vector<std::byte*>& f) : mutex(m), free(f) {
      const std::lock_guard lock(mutex);
      slot = free.back();
      free.pop_back();
    }
    ~Lease() {
      const std::lock_guard lock(mutex);
      free.push_back(slot);
    }
  };
  run.pool->run(parts, [&](int64_t p) {
    check_cancel(run);
    const Lease lease(mutex, free);
    body(p, lease.slot);
  });
}

namespace {

bool overlap(const void* a, int64_t a_bytes, const void* b, int64_t b_bytes) {
  const auto x = reinterpret_cast<uintptr_t>(a), y = reinterpret_cast<uintptr_t>(b);
  return a_bytes > 0 && b_bytes > 0 && x < y + static_cast<uintptr_t>(b_bytes) &&
         y < x + static_cast<uintptr_t>(a_bytes);
}

constexpr size_t bits = 64;

bool may_replace(const Program& p, size_t output, size_t operand) {
  return !p.contraction && operand < bits && (p.tiles.may_replace[output] >> operand & 1) != 0;
}

// The array a scatter starts from, copied in pieces fixed by its size.
void start_scatter(const Run& run, const void* from, void* to, int64_t bytes) {
  if (from == to || bytes == 0) return;
  constexpr int64_t piece = 1 << 20;
  run.pool->run((bytes + piece - 1) / piece, [&](int64_t p) {
    std::memcpy(static_cast<std::byte*>(to) + p * piece, static_cast<const std::byte*>(from) + p * piece,
                static_cast<size_t>(std::min(piece, bytes - p * piece)));
  });
}

}  // namespace

void run(const Prepared& prepared, std::span<const void* const> operands, std::span<void* const> outputs,
         ThreadPool& pool, Scratch& scratch, const Cancel* cancel) {
  const Program& program = prepared.program();
  const Nest& nest = program.nest;
  if (operands.size() != nest.operands.size() || outputs.size() != nest.stores.size())
    throw internal_error("a nest of {} operands and {} stores was given {} and {}", nest.operands.size(),
                         nest.stores.size(), operands.size(), outputs.size());
  Run run{.operands = operands, .outputs = outputs, .pool = &pool, .cancel = cancel, .scratch = nullptr, .staged = 0};
  check_cancel(run);
  for (size_t o = 0; o < outputs.size(); ++o) {
    for (size_t i = 0; i < operands.size(); ++i)
      if (overlap(outputs[o], program.output_bytes[o], operands[i], program.operand_bytes[i]) &&
          !(outputs[o] == operands[i] && may_replace(program, o, i)))
        run.staged |= o < bits ? uint64_t{1} << o : 0;
    if (const auto& s = nest.stores[o].scatter)
      start_scatter(run, operands[static_cast<size_t>(s->initial)], outputs[o], program.output_bytes[o]);
  }
  run.scratch = scratch.get(prepared.scratch_bytes(pool.threads()));
  program.contraction ? run_contraction(*program.contraction, run) : run_tiles(program, run);
}

}  // namespace viva::loops
