#include "trace/eager.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "graph/build.h"
#include "graph/constant.h"
#include "graph/opdef.h"
#include "loops/lowered.h"
#include "loops/run.h"
#include "viva/tensor.h"

namespace viva {
namespace {

struct Pool {
  std::mutex mutex;
  std::shared_ptr<ThreadPool> pool;
};
Pool& shared_pool() {
  static Pool p;
  return p;
}

int first_threads() {
  const char* text = std::getenv("VIVA_THREADS");
  const int asked = text ? std::atoi(text) : 0;
  return asked >= 1 ? asked : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

void set_threads(int threads) {
  if (threads < 1) throw usage_error("[set_threads] {} threads: at least 1", threads);
  auto next = std::make_shared<ThreadPool>(threads);
  Pool& p = shared_pool();
  const std::lock_guard lock(p.mutex);
  p.pool.swap(next);
}

namespace tracing {

std::shared_ptr<ThreadPool> pool() {
  Pool& p = shared_pool();
  const std::lock_guard lock(p.mutex);
  if (!p.pool) p.pool = std::make_shared<ThreadPool>(first_threads());
  return p.pool;
}

namespace {

struct Kernel {
  Body body;
  const Node* node;  // of body
  std::variant<loops::Prepared, loops::Host> run;
};

struct Key {
  const OpDef* op;
  std::vector<Type> in;
  Attrs attrs;
  bool operator==(const Key& o) const { return op == o.op && in == o.in && same(attrs, o.attrs); }
};
struct KeyHash {
  size_t operator()(const Key& k) const {
    size_t h = std::hash<const void*>()(k.op) * 31 + hash(k.attrs);
    for (const Type& t : k.in) {
      h = h * 31 + static_cast<size_t>(t.dtype);
      for (int64_t d : t.shape) h = h * 1000003 + static_cast<size_t>(d);
    }
    return h;
  }
};

// Prepared kernels by operation, types and attributes. Emptied when full: shapes that keep changing must not pile up.
class Kernels {
 public:
  std::shared_ptr<const Kernel> find(const OpDef& op, std::span<const Array> in, const Attrs& attrs, Where where) {
    Key key{&op, {}, attrs};
    for (const Array& a : in) key.in.push_back(a.type());
    {
      const std::lock_guard lock(mutex_);
      if (const auto it = kernels_.find(key); it != kernels_.end()) return it->second;
    }
    auto made = make(key, where);
    const std::lock_guard lock(mutex_);
    if (kernels_.size() >= most) kernels_.clear();
    return kernels_.emplace(std::move(key), std::move(made)).first->second;
  }

 private:
  static constexpr size_t most = 4096;

  static std::shared_ptr<const Kernel> make(const Key& key, Where where) {
    Build b(std::string(key.op->name));
    Values params;
    for (const Type& t : key.in) params.push_back(b.parameter(t));
    const Values out = b.emit(*key.op, params, key.attrs, {}, where);
    const Body body = b.finish(out);
    const Node& n = *out[0].node();
    if (!n.op->lower) throw unsupported("[{}] does not run outside compile: {}", n.op->name, n.op->lower.absent().why);
    const loops::Lowering form = (*n.op->lower)(n).form;
    if (const auto* nest = std::get_if<loops::Nest>(&form))
      return std::make_shared<const Kernel>(Kernel{body, &n, loops::Prepared(*nest)});
    return std::make_shared<const Kernel>(Kernel{body, &n, std::get<loops::Host>(form)});
  }

  std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<const Kernel>, KeyHash> kernels_;
};

Kernels& kernels() {
  static Kernels k;
  return k;
}

}  // namespace

namespace {

class Functions final : public Evaluator {
 public:
  std::vector<Array> call(const Function& f, std::span<const Array> args) override {
    return evaluate(f, {args.begin(), args.end()});
  }
};

std::vector<Array> run(const OpDef& op, std::span<const Array> in, const Attrs& attrs, Where where) {
  const auto kernel = kernels().find(op, in, attrs, where);
  std::vector<Array> out;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Type& t : kernel->node->types) out.push_back(Array::make(t));
  for (const Array& a : in) from.push_back(a.data());
  for (Array& a : out) to.push_back(a.mutable_data());
  const auto threads = pool();
  thread_local loops::Scratch scratch;
  if (const auto* nest = std::get_if<loops::Prepared>(&kernel->run)) loops::run(*nest, from, to, *threads, scratch);
  else std::get<loops::Host>(kernel->run).fn(from, to, *threads);
  return out;
}

}  // namespace

std::vector<Array> evaluate(std::string_view name, std::span<const Array> in, Attrs attrs, Where where) {
  return run(op(name), in, attrs, where);
}

std::vector<Array> evaluate(const Node& n, std::span<const Array> in) {
  if (const Array* value = constant_of(n)) return {*value};
  if (n.bodies.empty()) return run(*n.op, in, n.attrs, n.where);
  if (!n.op->eval) throw unsupported("[{}] has no value outside compile: {}", n.op->name, n.op->eval.absent().why);
  Functions functions;
  return (*n.op->eval)(n, in, functions);
}

std::vector<Array> evaluate(const Function& f, std::vector<Array> args) {
  std::vector<int64_t> last(f.nodes().size(), -1);
  for (const Node& n : f.nodes())
    for (const Value& v : n.in) last[static_cast<size_t>(v.node()->id)] = n.id;
  for (const Value& v : f.outputs()) last[static_cast<size_t>(v.node()->id)] = static_cast<int64_t>(f.nodes().size());
  std::vector<std::vector<Array>> values(f.nodes().size());
  for (size_t i = 0; i < args.size(); ++i) values[static_cast<size_t>(f.params()[i].node()->id)] = {std::move(args[i])};
  std::vector<Array> in;
  for (const Node& n : f.nodes()) {
    if (!n.op) continue;
    in.clear();
    for (const Value& v : n.in) in.push_back(values[static_cast<size_t>(v.node()->id)][static_cast<size_t>(v.port())]);
    values[static_cast<size_t>(n.id)] = evaluate(n, in);
    for (const Value& v : n.in)
      if (last[static_cast<size_t>(v.node()->id)] == n.id)
        values[static_cast<size_t>(v.node()->id)].assign(v.node()->types.size(), Array());
  }
  std::vector<Array> out;
  for (const Value& v : f.outputs())
    out.push_back(values[static_cast<size_t>(v.node()->id)][static_cast<size_t>(v.port())]);
  return out;
}

}  // namespace tracing
}  // namespace viva
