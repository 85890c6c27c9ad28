// Choosing tiles: which loops a tile spans, in which order, and how the work is cut into parts. Only the nest decides.
#include "base/recycler.h"
#include "loops/program.h"

namespace viva::loops {
namespace {

constexpr int64_t cache_bytes = 24 << 10;  // of all buffers of a tile, to stay in the first cache
constexpr int64_t part_work = 1 << 18;     // element steps worth a part
constexpr int64_t most_parts = 64;

// The largest even cut of extent into pieces of at most `most`.
int64_t even(int64_t extent, int64_t most) {
  if (extent <= most) return std::max<int64_t>(extent, 1);
  const int64_t pieces = (extent + most - 1) / most;
  return (extent + pieces - 1) / pieces;
}

class Planner {
 public:
  Planner(const Flat& flat, int shard_loop) : flat_(flat) {
    plan_.shard_loop = shard_loop;
    for (int l = 0; l < flat.loops(); ++l) (l < flat.parallel ? plan_.parallel : plan_.reduction).push_back(l);
    if (!flat.scans && !flat.reduces) plan_.reduction.clear();
  }

  TilePlan run() {
    for (const FlatStore& s : flat_.stores) scatters_ = scatters_ || s.scatter;
    plan_.rows = rows_form();
    for (int64_t capacity = 4096; capacity >= 256; capacity /= 2) {
      choose_box(capacity);
      compile();
      if (plan_.main.buffers() <= cache_bytes) break;
    }
    cut();
    lay_out();
    find_replaceable();
    return std::move(plan_);
  }

 private:
  int64_t extent(int l) const { return flat_.extents[static_cast<size_t>(l)]; }

  // The reductions, with their arguments as roots of the main stage; in columns of one row each, an argument of a dot
  // that is the same for the whole tile stays a scalar.
  void find_foldings() {
    plan_.foldings.clear();
    roots_.clear();
    scalars_.clear();
    for (size_t r = 0; r < flat_.body.size(); ++r) {
      const Instruction& i = flat_.body[r].in;
      if (i.kind != Kind::reduce && i.kind != Kind::scan) continue;
      Folding f{.reg = static_cast<Register>(r)};
      const Dtype acc = flat_.body[static_cast<size_t>(i.args[0])].in.dtype;
      f.reducer = reducer(i.reduction, acc);
      if (i.kind == Kind::scan) f.scanner = scanner(i.reduction, acc);
      f.element = size_of(i.dtype);
      std::vector<Register> args = i.args;
      if (i.reduction == Reduction::dot && i.mask == no_register && single_rows()) {
        if (Stage::uniform(flat_, plan_.box, args[0])) std::swap(args[0], args[1]);
        if (Stage::uniform(flat_, plan_.box, args[1])) {
          f.factor = static_cast<int>(scalars_.size());
          scalars_.push_back(args[1]);
          args.pop_back();
        }
      }
      f.x = root(args[0]);
      if (args.size() == 2) f.y = root(args[1]);
      if (i.mask != no_register) f.mask = root(i.mask);
      plan_.foldings.push_back(f);
    }
  }

  bool single_rows() const {
    return !plan_.rows &&
           std::ranges::all_of(plan_.reduction, [&](int l) { return plan_.box[static_cast<size_t>(l)] == 1; });
  }

  int root(Register r) {
    const auto known = std::ranges::find(roots_, r);
    if (known != roots_.end()) return static_cast<int>(known - roots_.begin());
    roots_.push_back(r);
    return static_cast<int>(roots_.size()) - 1;
  }

  // Rows where operands run along the reduction, columns where along the results.
  bool rows_form() const {
    if (plan_.reduction.empty()) return false;
    if (plan_.parallel.empty() || flat_.points() == 1) return true;
    const int64_t inner = extent(plan_.reduction.back()), across = extent(plan_.parallel.back());
    if (flat_.reduction_points() <= 32 && across >= 16) return false;
    int64_t along_rows = 0, along_columns = 0;
    for (const FlatInstruction& f : flat_.body) {
      if (f.in.kind != Kind::load) continue;
      const auto stride = [&](int l) {
        int64_t s = f.access.strides[static_cast<size_t>(l)];
        for (const Guard& g : f.access.guards) s += g.stride * g.coefficients[static_cast<size_t>(l)] / g.divisor;
        return std::abs(s);
      };
      const int64_t size = numel(flat_.operands[static_cast<size_t>(f.in.slot)].shape);
      if (stride(plan_.reduction.back()) == 1) along_rows = std::max(along_rows, size);
      if (stride(plan_.parallel.back()) == 1) along_columns = std::max(along_columns, size);
    }
    if (along_rows != along_columns) return along_rows > along_columns;
    return inner > across;
  }

  // Whole loops from the innermost outwards while they fit, then a part of the next.
  int64_t greedy(const std::vector<int>& loops, int64_t capacity) {
    int64_t used = 1;
    for (size_t i = loops.size(); i-- > 0;) {
      const auto l = static_cast<size_t>(loops[i]);
      plan_.box[l] = even(flat_.extents[l], capacity / used);
      used *= plan_.box[l];
      if (plan_.box[l] < flat_.extents[l]) break;
    }
    return used;
  }

  // A parallel loop along which some operand or output is contiguous while it is not along the innermost one.
  int turned_loop() const {
    if (plan_.parallel.size() < 2 || scatters_ || !plan_.reduction.empty()) return -1;
    const int inner = plan_.parallel.back();
    int best = -1;
    const auto look = [&](const Ints& strides) {
      if (std::abs(strides[static_cast<size_t>(inner)]) <= 1) return;
      for (int l : plan_.parallel)
        if (std::abs(strides[static_cast<size_t>(l)]) == 1 && extent(l) >= 4) best = l;
    };
    for (const FlatInstruction& f : flat_.body)
      if (f.in.kind == Kind::load) look(f.access.strides);
    for (const FlatStore& s : flat_.stores) look(s.strides);
    return best;
  }

  void choose_box(int64_t capacity) {
    plan_.box = Ints(flat_.extents.size(), 1);
    const int turned = turned_loop();
    if (turned >= 0) {
      const int inner = plan_.parallel.back();
      constexpr int64_t side = 32;
      int64_t wide = even(extent(inner), side);
      const int64_t high = even(extent(turned), std::max<int64_t>(capacity / wide, 1));
      if (high < side) wide = even(extent(inner), capacity / high);
      plan_.box[static_cast<size_t>(inner)] = wide;
      plan_.box[static_cast<size_t>(turned)] = high;
      return;
    }
    if (plan_.reduction.empty()) {
      greedy(plan_.parallel, capacity);
    } else if (plan_.rows) {
      const int64_t used = greedy(plan_.reduction, capacity);
      if (used >= flat_.reduction_points()) greedy(plan_.parallel, std::max<int64_t>(capacity / used, 1));
    } else {
      columns_box(capacity);
    }
  }

  // Many results and few rows; where operands run along a short reduction, all of it, so that they are read once.
  void columns_box(int64_t capacity) {
    if (flat_.reduction_points() <= 64 && along_reduction()) {
      const int64_t used = greedy(plan_.reduction, 64);
      greedy(plan_.parallel, capacity / used);
      return;
    }
    const int64_t used = greedy(plan_.parallel, std::min<int64_t>(capacity, 2048));
    if (used >= 256 && scales()) return;
    greedy(plan_.reduction, std::max<int64_t>(capacity / used, 1));
  }

  bool along_reduction() const {
    const auto r = static_cast<size_t>(plan_.reduction.back()), p = static_cast<size_t>(plan_.parallel.back());
    return std::ranges::any_of(flat_.body, [&](const FlatInstruction& f) {
      return f.in.kind == Kind::load && f.access.plain() && std::abs(f.access.strides[r]) == 1 &&
             std::abs(f.access.strides[p]) > 1;
    });
  }

  // Whether some dot has an argument that is one value for the results of a tile.
  bool scales() const {
    return std::ranges::any_of(flat_.body, [&](const FlatInstruction& f) {
      return f.in.kind == Kind::reduce && f.in.reduction == Reduction::dot &&
             (Stage::uniform(flat_, plan_.box, f.in.args[0]) || Stage::uniform(flat_, plan_.box, f.in.args[1]));
    });
  }

  void compile() {
    find_foldings();
    std::vector<int> order = plan_.rows ? plan_.parallel : plan_.reduction;
    const std::vector<int>& rest = plan_.rows ? plan_.reduction : plan_.parallel;
    order.insert(order.end(), rest.begin(), rest.end());
    StageSpec main{.roots = roots_, .inputs = {}, .order = order, .box = plan_.box, .scalars = scalars_};
    if (plan_.foldings.empty()) {
      add_stores(main);
      plan_.main = Stage(flat_, std::move(main));
      return;
    }
    plan_.main = Stage(flat_, std::move(main));
    StageSpec last{.roots = {}, .inputs = {}, .order = flat_.scans ? order : plan_.parallel, .box = plan_.box};
    if (!flat_.scans)
      for (int l : plan_.reduction) last.box[static_cast<size_t>(l)] = 1;
    for (const Folding& f : plan_.foldings) last.inputs.push_back(f.reg);
    add_stores(last);
    plan_.epilogue = Stage(flat_, std::move(last));
  }

  void add_stores(StageSpec& spec) {
    plan_.store_roots.clear();
    plan_.store_masks.clear();
    plan_.store_addresses.clear();
    const auto add = [&](Register r) {
      spec.roots.push_back(r);
      return spec.roots.size() - 1;
    };
    for (const FlatStore& s : flat_.stores) {
      plan_.store_roots.push_back(add(s.reg));
      const bool masked = s.scatter && s.scatter->mask != no_register;
      plan_.store_masks.push_back(masked ? static_cast<int>(add(s.scatter->mask)) : -1);
      plan_.store_addresses.push_back(s.scatter ? static_cast<int>(spec.addresses.size()) : -1);
      if (s.scatter) spec.addresses.push_back(&s.target);
    }
  }

  int64_t tiles(const std::vector<int>& loops) const {
    int64_t n = 1;
    for (int l : loops) {
      const int64_t box = plan_.box[static_cast<size_t>(l)];
      n *= (extent(l) + box - 1) / box;
    }
    return n;
  }

  void cut() {
    plan_.parallel_tiles = tiles(plan_.parallel);
    plan_.reduction_tiles = tiles(plan_.reduction);
    for (int l : plan_.parallel) plan_.results *= plan_.box[static_cast<size_t>(l)];
    const auto steps = static_cast<int64_t>(flat_.body.size());
    const int64_t tile_work = plan_.main.capacity() * steps;
    const int64_t all_tiles = plan_.parallel_tiles * plan_.reduction_tiles;
    const double tiles_worth = static_cast<double>(part_work) / static_cast<double>(std::max<int64_t>(tile_work, 1));
    const int64_t wanted = even_parts(static_cast<double>(all_tiles) / std::max(tiles_worth, 1.), most_parts);
    if (scatters_) {
      plan_.parts =
          plan_.shard_loop < 0 ? 1 : std::clamp<int64_t>(extent(plan_.shard_loop), 1, std::min<int64_t>(wanted, 16));
      return;
    }
    plan_.parts = std::clamp<int64_t>(plan_.parallel_tiles, 1, wanted);
    if (!flat_.scans && plan_.parts < 8 && wanted >= 4 * plan_.parts)
      plan_.shards = std::clamp<int64_t>(wanted / plan_.parts, 1, plan_.reduction_tiles);
    if (plan_.shards > 1) plan_.parts = plan_.parallel_tiles;
    int64_t rows = 1;
    for (int l : plan_.reduction) rows *= plan_.box[static_cast<size_t>(l)];
    plan_.block_tiles = plan_.rows ? 1 : std::max<int64_t>(64 / std::max<int64_t>(rows, 1), 1);
    plan_.levels = 2;
    for (int64_t blocks = plan_.reduction_tiles / plan_.block_tiles; blocks > 0; blocks /= 2) ++plan_.levels;
  }

  // Where each tile of a store lies exactly where its only reads of an operand do, and these come first.
  void find_replaceable() {
    for (size_t i = 0; i < flat_.stores.size(); ++i) {
      const FlatStore& s = flat_.stores[i];
      uint64_t may = plan_.foldings.empty() && !s.scatter ? plan_.main.read_before(plan_.store_roots[i]) : 0;
      for (const FlatInstruction& f : flat_.body) {
        if (f.in.kind != Kind::load) continue;
        const Dtype d = flat_.body[static_cast<size_t>(s.reg)].in.dtype;
        const bool same = f.access.plain() && f.access.base == s.offset && f.access.strides == s.strides &&
                          size_of(f.in.dtype) == size_of(d);
        if (!same && f.in.slot < 64) may &= ~(uint64_t{1} << f.in.slot);
      }
      plan_.may_replace.push_back(may);
    }
  }

  void lay_out() {
    plan_.epilogue_at = whole_lines(plan_.main.frame_bytes());
    plan_.states_at = plan_.epilogue_at + whole_lines(plan_.epilogue.frame_bytes());
    size_t bytes = plan_.states_at;
    for (const Folding& f : plan_.foldings) {
      const size_t state = whole_lines(static_cast<size_t>(f.reducer.bytes(plan_.results)));
      plan_.state_bytes += state;
      bytes += f.scanner.rows ? state + whole_lines(static_cast<size_t>(plan_.main.capacity() * f.element))
                              : state * static_cast<size_t>(3 + plan_.levels);
    }
    plan_.slot_bytes = whole_lines(bytes);
  }

  const Flat& flat_;
  TilePlan plan_;
  std::vector<Register> roots_, scalars_;
  bool scatters_ = false;
};

}  // namespace

TilePlan plan_tiles(const Flat& flat, int shard_loop) { return Planner(flat, shard_loop).run(); }

size_t tile_scratch(const TilePlan& plan, int threads) {
  const int64_t slots = std::min<int64_t>(std::max(threads, 1), plan.parts * plan.shards);
  const size_t partial =
      plan.shards > 1 ? plan.state_bytes * static_cast<size_t>(plan.parallel_tiles * plan.shards) : 0;
  return plan.slot_bytes * static_cast<size_t>(slots) + partial;
}

}  // namespace viva::loops
