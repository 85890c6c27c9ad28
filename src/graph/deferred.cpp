#include "graph/deferred.h"

#include <mutex>

#include "graph/build.h"

namespace viva {
namespace {

class Deferral {
 public:
  Deferral(Later from, std::function<Body()> make) : from(from), make_(std::move(make)) {}
  explicit Deferral(BatchRule rule) : from(Later::traced), batch(std::move(rule)) {}

  Body get() {
    const std::lock_guard lock(mutex_);
    if (!made_) {
      if (!make_) throw internal_error("[deferred] a batch rule is no function");
      made_ = make_();
      make_ = nullptr;  // what it holds is needed no more
    }
    return made_;
  }
  const Later from;
  const BatchRule batch;

 private:
  std::mutex mutex_;
  std::function<Body()> make_;
  Body made_;
};

// The deleter of the shared pointer to an empty function: the address is the identity, the rest is kept beside it.
struct Holder {
  Body empty;
  std::shared_ptr<Deferral> deferral;
  void operator()(const Function*) const {}
};

Body holding(std::string name, std::shared_ptr<Deferral> deferral) {
  const Body empty = Build(std::move(name)).finish({});
  return Body(empty.get(), Holder{empty, std::move(deferral)});
}

const Holder* holder(const Body& f) { return std::get_deleter<Holder>(f); }

}  // namespace

Body deferred(std::string name, Later from, std::function<Body()> make) {
  return holding(std::move(name), std::make_shared<Deferral>(from, std::move(make)));
}

Body deferred(std::string name, BatchRule make) {
  return holding(std::move(name), std::make_shared<Deferral>(std::move(make)));
}

bool is_deferred(const Body& f) { return holder(f) != nullptr; }

const BatchRule* batch_rule(const Body& f) {
  const Holder* h = holder(f);
  return h && h->deferral->batch ? &h->deferral->batch : nullptr;
}

Body resolved(const Body& f) {
  const Holder* h = holder(f);
  return h ? h->deferral->get() : f;
}

Body written(const Body& f) {
  const Holder* h = holder(f);
  if (!h || h->deferral->from == Later::traced) return f;
  try {
    return h->deferral->get();
  } catch (const Error&) { return f; }
}

Later origin(const Body& f) {
  const Holder* h = holder(f);
  return h ? h->deferral->from : Later::derived;
}

Body later(const Body& f, std::function<Body(const Body&)> step) {
  if (batch_rule(f))
    return deferred(f->name(), [f, step = std::move(step)](int64_t size, const Mask& batched) {
      return step((*batch_rule(f))(size, batched));
    });
  return deferred(f->name(), origin(f), [f, step = std::move(step)] { return step(resolved(f)); });
}

}  // namespace viva
