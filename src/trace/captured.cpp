#include "trace/captured.h"

#include <algorithm>

#include "trace/operand.h"

namespace viva::tracing {
namespace {

size_t place_in(const Tensors& all, const Tensor& t) {
  return static_cast<size_t>(std::ranges::find_if(all, [&](const Tensor& u) { return same(t, u); }) - all.begin());
}

Body arranged(const Graph& g, size_t first, const Tensors& all, const std::vector<size_t>& places) {
  Build b(g.body->name());
  b.at({});
  const auto& params = g.body->params();
  Values args, captured;
  for (size_t i = 0; i < first; ++i) args.push_back(b.parameter_like(params[i]));
  for (const Tensor& t : all) captured.push_back(b.parameter(t.type()));
  for (size_t i = first; i < g.leaves.size(); ++i) args.push_back(b.parameter_like(params[i]));
  for (const size_t p : places) args.push_back(captured[p]);
  return b.finish(b.inline_call(*g.body, args), g.body->output_names());
}

}  // namespace

void Captured::add(const Graph& g) {
  std::vector<size_t> places;
  for (const Tensor& t : g.hidden) {
    places.push_back(place_in(all, t));
    if (places.back() == all.size()) all.push_back(t);
  }
  places_.push_back(std::move(places));
}

Body Captured::over(const Graph& g, size_t which, size_t first) const {
  return arranged(g, first, all, places_[which]);
}

Body Captured::over(const Graph& g, size_t first, Site site) const {
  std::vector<size_t> places;
  for (const Tensor& t : g.hidden) {
    places.push_back(place_in(all, t));
    if (places.back() == all.size())
      throw usage_at(
          site.where,
          fmt::format("[{}] the rule captures {} now, and did not where the function was applied: pass it as "
                      "an argument",
                      site.what, to_string(t.type())));
  }
  return arranged(g, first, all, places);
}

}  // namespace viva::tracing
