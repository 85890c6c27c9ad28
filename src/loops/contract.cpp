// Planning a contraction: result = Σ_k left[outer, m, k] · right[outer, n, k], with right in the lanes of the kernel.
#include "loops/contract.h"
#include "base/recycler.h"

#include "loops/contraction.h"

namespace viva::loops {
namespace {

constexpr int64_t most_rows = 240, most_lanes = 480,
                  most_k = 256;  // of a block: a panel of lanes stays in the first cache

struct Roles {
  Register left = no_register, right = no_register;
  std::vector<int> outer, m, n, k;
};

// The only reduction, if it is a plain dot.
Register only_dot(const Flat& flat) {
  Register dot = no_register;
  for (size_t r = 0; r < flat.body.size(); ++r) {
    const Instruction& i = flat.body[r].in;
    if (i.kind != Kind::reduce && i.kind != Kind::scan) continue;
    if (dot != no_register || i.kind == Kind::scan || i.reduction != Reduction::dot || i.mask != no_register)
      return no_register;
    dot = static_cast<Register>(r);
  }
  return dot;
}

int64_t product(const Flat& flat, const std::vector<int>& loops) {
  int64_t n = 1;
  for (int l : loops) n *= flat.extents[static_cast<size_t>(l)];
  return n;
}

Roles classify(const Flat& flat, const Instruction& dot) {
  Roles r{.left = dot.args[0], .right = dot.args[1], .outer = {}, .m = {}, .n = {}, .k = {}};
  const uint64_t a = flat.varies[static_cast<size_t>(r.left)], b = flat.varies[static_cast<size_t>(r.right)];
  for (int l = 0; l < flat.loops(); ++l) {
    const bool in_a = (a >> l & 1) != 0, in_b = (b >> l & 1) != 0;
    (l >= flat.parallel ? r.k : in_a == in_b ? r.outer : in_a ? r.m : r.n).push_back(l);
  }
  // The side with the innermost loop of the result goes to the lanes, unless it is too narrow to fill them.
  const int64_t wide = product(flat, r.n), high = product(flat, r.m);
  const bool last_is_m = !r.m.empty() && (r.n.empty() || r.m.back() > r.n.back());
  const bool turn = last_is_m ? high >= 8 || high >= wide : wide < 8 && high > wide;
  if (turn) std::swap(r.left, r.right), std::swap(r.m, r.n);
  return r;
}

// The innermost loops that together give at least `enough`; the others become outer loops.
void limit(const Flat& flat, std::vector<int>& loops, std::vector<int>& outer, int64_t enough) {
  int64_t n = 1;
  size_t keep = loops.size();
  while (keep > 0 && n < enough) n *= flat.extents[static_cast<size_t>(loops[--keep])];
  outer.insert(outer.end(), loops.begin(), loops.begin() + static_cast<long>(keep));
  loops.erase(loops.begin(), loops.begin() + static_cast<long>(keep));
}

int64_t up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
// An even cut into pieces of at most `most`, rounded up to `step`.
int64_t cut(int64_t n, int64_t most, int64_t step) {
  const int64_t pieces = (n + most - 1) / most;
  return up((n + pieces - 1) / pieces, step);
}

void choose_blocks(Contraction& c) {
  c.k_block = cut(c.k_size, most_k, 1);
  c.m_block = cut(c.m_size, most_rows, c.kernel.mr);
  c.n_block = cut(c.n_size, most_lanes, c.kernel.nr);
  const auto blocks = [](int64_t n, int64_t block) { return (n + block - 1) / block; };
  const auto tasks = [&] { return c.outer_size * blocks(c.m_size, c.m_block) * blocks(c.n_size, c.n_block); };
  const int64_t work = c.outer_size * c.m_size * c.n_size * c.k_size;
  while (tasks() < 8 && work > int64_t{1} << 21 && (c.m_block > 48 || c.n_block > 96)) {
    if (c.m_block * 2 > c.n_block && c.m_block > 48) c.m_block = cut(c.m_block, c.m_block / 2, c.kernel.mr);
    else c.n_block = cut(c.n_block, c.n_block / 2, c.kernel.nr);
  }
  c.m_blocks = blocks(c.m_size, c.m_block);
  c.n_blocks = blocks(c.n_size, c.n_block);
  const int64_t block_work = c.m_block * c.n_block * c.k_size;
  c.parts = std::clamp<int64_t>(tasks() * block_work >> 19, 1, std::min<int64_t>(tasks(), 1024));
}

// Beside the dot only a dense or strided store: rows are copied straight out.
bool plain_stores(const Flat& flat, Register dot) {
  return std::ranges::all_of(flat.stores, [&](const FlatStore& s) { return s.reg == dot && !s.scatter; });
}

void plan_epilogue(Contraction& c, const Flat& flat) {
  c.plain = plain_stores(flat, c.dot);
  if (c.plain) return;
  StageSpec spec{.roots = {}, .inputs = {c.dot}, .order = {}, .box = Ints(flat.extents.size(), 1), .addresses = {}};
  const auto take = [&](const std::vector<int>& loops, int64_t most) {
    if (loops.empty()) return -1;
    const auto l = static_cast<size_t>(loops.back());
    spec.order.push_back(loops.back());
    spec.box[l] = std::min(most, flat.extents[l]);
    return loops.back();
  };
  int64_t wide = c.n.empty() ? 1 : std::min<int64_t>(c.n_block, flat.extents[static_cast<size_t>(c.n.back())]);
  c.epilogue_m = take(c.m, std::max<int64_t>(2048 / wide, 1));
  c.epilogue_n = take(c.n, wide);
  for (const FlatStore& s : flat.stores) spec.roots.push_back(s.reg);
  c.epilogue = Stage(flat, std::move(spec));
}

void lay_out(Contraction& c) {
  const auto element = static_cast<size_t>(c.kernel.element);
  const auto take = [&](size_t bytes) { return std::exchange(c.slot_bytes, c.slot_bytes + whole_lines(bytes)); };
  const auto k = static_cast<size_t>(c.k_block);
  c.left_at = take(k * static_cast<size_t>(up(c.m_block, c.kernel.mr)) * element);
  c.right_at = take(k * static_cast<size_t>(c.n_block) * element);
  c.total_at = take(static_cast<size_t>(up(c.m_block, c.kernel.mr) * c.n_block) * element);
  c.left_work_at = take(c.left.work_bytes(c.k_block));
  c.right_work_at = take(c.right.work_bytes(c.k_block));
  c.epilogue_at = take(c.epilogue.frame_bytes());
  c.dense_at = take(c.plain ? 0 : static_cast<size_t>(c.epilogue.capacity()) * element);
}

}  // namespace

void ContractionDelete::operator()(Contraction* c) const { delete c; }

ContractionPtr plan_contraction(const Flat& flat) {
  const Register dot = only_dot(flat);
  if (dot == no_register || flat.points() == 0 || flat.reduction_points() < 4) return nullptr;
  for (const FlatStore& s : flat.stores)
    if (s.scatter) return nullptr;
  Roles r = classify(flat, flat.body[static_cast<size_t>(dot)].in);
  if (product(flat, r.m) < 2 || product(flat, r.n) < 2) return nullptr;
  ContractionPtr c(new Contraction{.flat = &flat, .dot = dot});
  c->dtype = flat.body[static_cast<size_t>(dot)].in.dtype;
  c->kernel = micro(c->dtype);
  limit(flat, r.n, r.outer, 128);
  limit(flat, r.m, r.outer, 96);
  std::ranges::sort(r.outer);
  c->outer = r.outer, c->m = r.m, c->n = r.n, c->k = r.k;
  c->outer_size = product(flat, r.outer);
  c->m_size = product(flat, r.m);
  c->n_size = product(flat, r.n);
  c->k_size = product(flat, r.k);
  choose_blocks(*c);
  c->left = Packer(flat, r.left, r.m, r.k, c->kernel.mr);
  c->right = Packer(flat, r.right, r.n, r.k, c->kernel.nr);
  plan_epilogue(*c, flat);
  lay_out(*c);
  return c;
}

size_t contraction_scratch(const Contraction& c, int threads) {
  return c.slot_bytes * static_cast<size_t>(std::min<int64_t>(std::max(threads, 1), c.parts));
}

std::string describe(const Contraction& c) {
  return fmt::format("{} kernel {}x{}, {} x {} x {} x {} in blocks of {} x {} x {}, {} parts", name(c.dtype),
                     c.kernel.mr, c.kernel.nr, c.outer_size, c.m_size, c.n_size, c.k_size, c.m_block, c.n_block,
                     c.k_block, c.parts);
}

}  // namespace viva::loops
