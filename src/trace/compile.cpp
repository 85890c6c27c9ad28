#include "viva/compile.h"

#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "cpu/executable.h"
#include "trace/eager.h"
#include "trace/graph.h"
#include "trace/operand.h"

namespace viva::tracing {

// Arguments

Arguments::Arguments(const void* type_tag) {
  key.reserve(256);
  key.append(reinterpret_cast<const char*>(&type_tag), sizeof type_tag);
}

namespace {

template <class T> void append(std::string& s, T v) { s.append(reinterpret_cast<const char*>(&v), sizeof v); }

}  // namespace

void Arguments::leaf(Tensor& t) {
  leaves.emplace_back(&t, moved_);
  if (t.empty()) {
    key += '\xff';
    return;
  }
  const Type& type = t.type();
  append(key, static_cast<char>(type.dtype));
  append(key, static_cast<char>(type.rank()));
  for (int64_t d : type.shape) append(key, d);
}

void Arguments::fixed(const tree::Static& value) {
  append(key, static_cast<char>(value.index()));
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    append(key, text->size());
    key += *text;
  } else std::visit([&](const auto& v) { append(key, v); }, value);
}

// Description

void Description::enter(std::string_view field) {
  lengths_.push_back(path_.size());
  if (!path_.empty()) path_ += '.';
  path_ += field;
}
void Description::enter(size_t index) { enter(std::to_string(index)); }
void Description::leave() {
  path_.resize(lengths_.back());
  lengths_.pop_back();
}

void Description::leaf(Tensor& t) {
  leaf_paths.push_back(path_);
  all.emplace_back(path_, t.empty() ? "empty" : to_string(t.type()));
}

void Description::fixed(const tree::Static& value) {
  all.emplace_back(path_, std::visit(
                              [](const auto& v) {
                                if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string_view>)
                                  return fmt::format("\"{}\"", v);
                                else return fmt::format("{}", v);
                              },
                              value));
}

// Cache

struct Compiled {
  Graph graph;
  std::vector<size_t> leaves;
  std::shared_ptr<const void> prototype;
  std::vector<std::pair<std::string, std::string>> description;
  mutable std::once_flag once;
  mutable std::optional<Executable> plan;
};

struct Cache::State {
  mutable std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<const Compiled>> traces;
  std::shared_ptr<const Compiled> last;
};

namespace {

using Words = std::vector<std::pair<std::string, std::string>>;

// "argument 1 from f32[7,784] to f32[8,784]", up to three.
std::string changes(const Words& before, const Words& now) {
  std::string out;
  int count = 0;
  for (size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
    if (i < before.size() && i < now.size() && before[i] == now[i]) continue;
    const auto& [path, text] = i < now.size() ? now[i] : before[i];
    const std::string from = i < before.size() && before[i].first == path ? before[i].second : "absent";
    if (count == 3) return out + ", and more";
    out +=
        fmt::format("{}argument {} from {} to {}", count++ ? ", " : "", path, from, i < now.size() ? text : "absent");
  }
  return count ? out : "the types of the arguments";
}

Graph traced(Site site, const Fn& f, const Tensors& args, const Description& d) {
  Inputs in = inputs_of(args);
  in.names = d.leaf_paths;
  return trace(site, Mode::frozen, f, in);
}

Tensors tensors_of(const Arguments& a) {
  Tensors r;
  for (const auto& [t, moved] : a.leaves) r.push_back(*t);
  return r;
}

bool same_function(const Function& a, const Function& b, Where& where);

bool same_node(const Node& a, const Node& b) {
  if (a.op != b.op || a.types != b.types || a.in.size() != b.in.size() || a.bodies.size() != b.bodies.size() ||
      !same(a.attrs, b.attrs))
    return false;
  for (size_t i = 0; i < a.in.size(); ++i)
    if (a.in[i].node()->id != b.in[i].node()->id || a.in[i].port() != b.in[i].port()) return false;
  Where inside;
  for (size_t i = 0; i < a.bodies.size(); ++i)
    if (!same_function(*a.bodies[i], *b.bodies[i], inside)) return false;
  return true;
}

// where: the line of the first node that differs.
bool same_function(const Function& a, const Function& b, Where& where) {
  auto x = a.nodes().begin(), y = b.nodes().begin();
  for (; x != a.nodes().end() && y != b.nodes().end(); ++x, ++y)
    if (!same_node(*x, *y)) {
      where = y->where;
      return false;
    }
  if (x != a.nodes().end() || y != b.nodes().end() || a.outputs().size() != b.outputs().size()) return false;
  for (size_t i = 0; i < a.outputs().size(); ++i)
    if (a.outputs()[i].node()->id != b.outputs()[i].node()->id || a.outputs()[i].port() != b.outputs()[i].port())
      return false;
  return true;
}

}  // namespace

Cache::Cache(Site site, CompileOptions options) : site_(site), options_(options), state_(std::make_unique<State>()) {
  const char* text = std::getenv("VIVA_CHECK_TRACES");
  checks_ = text && std::strcmp(text, "0") != 0;
}
Cache::~Cache() = default;

std::shared_ptr<const Compiled> Cache::find(const Arguments& a) const {
  const std::lock_guard lock(state_->mutex);
  const auto it = state_->traces.find(a.key);
  return it == state_->traces.end() ? nullptr : it->second;
}

std::shared_ptr<const Compiled> Cache::trace(const Arguments& a, Description d, const Fn& f,
                                             const std::function<std::shared_ptr<const void>()>& prototype) {
  {
    const std::lock_guard lock(state_->mutex);
    if (static_cast<int64_t>(state_->traces.size()) > options_.recompilations)
      throw usage_at(
          site_.where,
          fmt::format("[compile] recompilation {}: {} changed; keep it fixed, make a changing number a Tensor, "
                      "or raise CompileOptions::recompilations",
                      state_->traces.size(), changes(state_->last->description, d.all)));
  }
  auto made = std::make_shared<Compiled>();
  made->graph = traced(site_, f, tensors_of(a), d);
  made->prototype = prototype();
  made->description = std::move(d.all);
  if (!made->graph.hidden.empty()) return made;  // it holds for this enclosing scope only
  const std::lock_guard lock(state_->mutex);
  const auto kept = state_->traces.emplace(a.key, made).first->second;
  state_->last = kept;
  return kept;
}

void Cache::check(const Compiled& c, const Arguments& a, Description d, const Fn& f) const {
  const Graph again = traced(site_, f, tensors_of(a), d);
  Where where;
  if (!same_function(*c.graph.body, *again.body, where))
    throw usage_at(where ? where : site_.where,
                   fmt::format("[compile] the function compiled at {} has changed since it was first traced: pass what "
                               "it captures as an argument",
                               to_string(site_.where)));
}

Tensors Cache::run(const Compiled& c, const Arguments& a) const {
  const Graph& g = c.graph;
  bool inside = current() != nullptr;
  for (const auto& [t, moved] : a.leaves) inside = inside || t->traced();
  if (inside) return g.outputs(call(g.body, g.arguments(tensors_of(a)), "save", site_.where));
  std::call_once(c.once, [&] {
    PlanOptions options;
    options.donated.assign(g.leaves.size(), true);  // takes effect where the caller moved the only reference in
    options.check_nan = options_.check_nan;
    options.check_infinity = options_.check_infinity;
    c.plan = viva::compile(g.body, options);
  });
  std::vector<Array> in;
  in.reserve(g.leaves.size());
  for (size_t i : g.leaves) in.push_back(Access::array(*a.leaves[i].first));
  // Given away afterwards: a tensor that was moved into two arguments is shared by them, and stays.
  for (size_t i : g.leaves)
    if (auto [t, moved] = a.leaves[i]; moved) Access::take(*t);
  const auto threads = pool();
  std::vector<Array> out = c.plan->call(std::move(in), *threads).take();
  Tensors all(g.present.size());
  for (size_t i = 0, k = 0; i < all.size(); ++i)
    if (g.present[i]) all[i] = Tensor(std::move(out[k++]));
  return all;
}

const void* Cache::prototype(const Compiled& c) const { return c.prototype.get(); }

Body trace_body(Site site, const Fn& f, const Tensors& args, Description d) {
  const Graph g = traced(site, f, args, d);
  if (!g.hidden.empty())
    throw usage_at(site.where, "[trace] the function uses a tensor of an enclosing transformation");
  return g.body;
}

}  // namespace viva::tracing
