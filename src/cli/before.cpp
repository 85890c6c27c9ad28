#include "cli/before.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/without_ones.h"
#include "cli/examine_options.h"
#include "examine/input_space.h"
#include "graph/build.h"

namespace viva {
namespace {

Shape with_rows(int64_t n, const Shape& row) {
  Shape s = row;
  s.insert(s.begin(), n);
  return s;
}

std::string no_such(Layout l, const Shape& row) {
  const auto image = image_of(row);
  if (!image) return "no images";
  if (image->channels == 1) return "images of one channel";
  return fmt::format("channels {} themselves", l == Layout::channels_last ? "last" : "first");
}

std::vector<Rearrangement> steps_to(const Before& before, const Shape& row) {
  for (const Layout l : before.layout)
    if (!rearrangements({l}, row))
      throw input_error("--layout {}: the network takes rows of {}, which are {}: leave {} out",
                        to_string(before.layout), to_string(row), no_such(l, row), name_of(l));
  return *rearrangements(before.layout, row);
}

Value rearranged(Build& b, Value rows, const std::vector<Rearrangement>& steps) {
  const int64_t n = rows.shape()[0];
  for (const Rearrangement& step : steps) {
    Ints order = {0};
    for (const int64_t axis : step.order) order.push_back(axis + 1);
    rows = b.transpose(b.reshape(rows, with_rows(n, step.view)), order);
    if (step.reversed >= 0) rows = b.reverse(rows, {step.reversed + 1});
  }
  return rows;
}

Value inverted(Build& b, Value rows, const std::vector<double>& sums) {
  const Array each = Array::of(sums, Shape(rows.shape().begin() + 1, rows.shape().end())).converted(rows.dtype());
  std::vector<int64_t> axes;
  for (int64_t d = 1; d < rows.rank(); ++d) axes.push_back(d);
  return b.sub(b.broadcast(b.constant(each), rows.shape(), axes), rows);
}

Value normalized(Build& b, Value rows, const Normalization& n) {
  const int64_t axis = channel_axis(Shape(rows.shape().begin() + 1, rows.shape().end()), n.mean.size(), "--normalize");
  const auto each = [&](const std::vector<double>& v) {
    if (axis < 0) return b.full(rows.type(), v[0]);
    return b.broadcast(b.constant(Array::of(v, {std::ssize(v)}).converted(rows.dtype())), rows.shape(), {axis + 1});
  };
  return b.div(b.sub(rows, each(n.mean)), each(n.deviation));
}

void check_floats(const Before& before, const Type& rows) {
  if (is_float(rows.dtype)) return;
  if (before.normalize)
    throw usage_error("--normalize: the network takes {}: only floats are normalised", name(rows.dtype));
  if (contains(before.layout, Layout::invert))
    throw input_error("--layout {}: the network takes {}, and only floats are inverted: leave invert out",
                      to_string(before.layout), name(rows.dtype));
}

}  // namespace

Shape given_row(const Before& before, const Shape& row, const Shape& stored) {
  const std::vector<Rearrangement> steps = steps_to(before, row);
  if (steps.empty() || without_ones(stored) == without_ones(row)) return row;
  return steps.front().given;
}

Body with_before(const Body& f, const Before& before, const Shape& given) {
  const Type x = f->params()[0].type();
  check_floats(before, x);
  const int64_t n = x.shape[0];
  Build b(f->name());
  Values args;
  for (const Value& p : f->params())
    args.push_back(args.empty() ? b.parameter({x.dtype, with_rows(n, given)}, p.name()) : b.parameter_like(p));
  Value rows = args[0];
  if (contains(before.layout, Layout::invert)) rows = inverted(b, rows, before.sums(given));
  rows = b.reshape(rearranged(b, rows, steps_to(before, Shape(x.shape.begin() + 1, x.shape.end()))), x.shape);
  if (before.normalize) rows = normalized(b, rows, *before.normalize);
  args[0] = rows;
  return b.finish(b.inline_call(*f, args), f->output_names());
}

std::string in_words(const Before& before) {
  std::string s = in_words(before.layout);
  if (before.normalize) s += (s.empty() ? "" : ", then ") + in_words(*before.normalize);
  return s;
}

}  // namespace viva
