#include "cli/rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/sha256.h"
#include "base/without_ones.h"
#include "examine/layout.h"

namespace viva {
namespace {

Shape row_shape(const Array& a) { return {a.shape().begin() + 1, a.shape().end()}; }

// "x.transpose(0, 3, 1, 2)" where an order of the stored axes gives the network's; "" where none does. The orders that
// move one axis, as between channels last and channels first, come first.
std::string transposition(const Shape& stored, const Shape& wanted) {
  if (stored.size() != wanted.size() || stored.size() > 6) return "";
  const int64_t rank = static_cast<int64_t>(stored.size());
  const auto fits = [&](const Ints& order) {
    for (int64_t i = 0; i < rank; ++i)
      if (stored[static_cast<size_t>(order[static_cast<size_t>(i)])] != wanted[static_cast<size_t>(i)]) return false;
    return true;
  };
  std::vector<Ints> orders;
  Ints order(stored.size());
  std::iota(order.begin(), order.end(), 0);
  orders.push_back(order);
  std::ranges::rotate(orders.back(), orders.back().end() - 1);
  orders.push_back(order);
  std::ranges::rotate(orders.back(), orders.back().begin() + 1);
  do orders.push_back(order);
  while (std::ranges::next_permutation(order).found);
  const auto found = std::ranges::find_if(orders, fits);
  if (found == orders.end()) return "";
  for (int64_t& axis : *found) ++axis;
  return fmt::format("x.transpose(0, {})", fmt::join(*found, ", "));
}

// "--layout NAME" where that makes the network's rows of the stored ones.
std::string layout_option(const Shape& stored, const Shape& wanted) {
  for (const Layout l : {Layout::channels_last, Layout::channels_first, Layout::transpose})
    if (const auto steps = rearrangements({l}, wanted); steps && steps->front().given == stored)
      return fmt::format(", or give --layout {}", name_of(l));
  return "";
}

// Integers that do not come back are outside the narrower dtype.
void check_narrowed(const Dataset& data, const Array& from, const Array& to, int64_t first) {
  const int64_t width = from.size() / from.shape()[0];
  for (int64_t i = 0; i < from.size(); ++i)
    if (from.at(i) != to.at(i))
      throw input_error(
          "{}: row {} (counting from 0) holds {}, which the network's {} cannot hold: save numbers that it does",
          data.spec, first + i / width, from.at(i), name(to.dtype()));
}

// A finite number may be infinite in a narrower float.
void check_finite(const Dataset& data, const Array& from, const Array& to, int64_t first) {
  const int64_t width = from.size() / from.shape()[0];
  for (int64_t i = 0; i < from.size(); ++i)
    if (!std::isfinite(to.at(i)) && std::isfinite(from.at(i)))
      throw input_error(
          "{}: row {} (counting from 0) holds {:.6g}, too large for the network's {}: scale the data as in training",
          data.spec, first + i / width, from.at(i), name(to.dtype()));
}

// Numbers in an array of [n] or [n, 1], as text.
std::vector<std::string> labels_of(const Array& a, const std::string& shown) {
  if (a.shape().empty() || a.size() != a.shape()[0])
    throw input_error("{}: is {}: give one label of a group a row", shown, to_string(a.type()));
  std::vector<std::string> labels;
  if (!is_float(a.dtype()))  // whole numbers above 2^53 are no doubles
    for (const int64_t v : a.converted(Dtype::int64).as<int64_t>()) labels.push_back(fmt::format("{}", v));
  for (int64_t i = std::ssize(labels); i < a.size(); ++i) {
    if (std::isnan(a.at(i)))
      throw input_error("{}: row {} (counting from 0) has NaN as its group: give each row the label of a group", shown,
                        i);
    labels.push_back(fmt::format("{}", a.at(i)));
  }
  return labels;
}

std::vector<std::string> lines_of(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::vector<std::string> lines;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    lines.emplace_back(line);
    at = end + 1;
  }
  return lines;
}

}  // namespace

RowConversion conversion_of(const Dataset& data, const Type& row) {
  const Shape stored = row_shape(data.inputs);
  const Dtype d = data.inputs.dtype();
  const Type stored_row{d, stored};
  if (numel(stored) != numel(row.shape))
    throw input_error("{}: a row is {}, but the network takes {}: give data of that size", data.spec,
                      to_string(stored_row), to_string(row));
  if (is_float(d) && !is_float(row.dtype))
    throw input_error("{}: the rows are {}, but the network takes {}: save x.astype of that", data.spec, name(d),
                      to_string(row));
  RowConversion c;
  if (is_float(row.dtype) && d == Dtype::uint8) c.values = "uint8 divided by 255";
  else if (is_float(row.dtype) && d != row.dtype)
    c.values = fmt::format("{} taken as {}, not scaled", name(d), name(row.dtype));
  const Shape from = without_ones(stored), to = without_ones(row.shape);
  if (from == to) return c;
  if (from.size() > 1 && to.size() > 1) {
    const std::string order = transposition(stored, row.shape);
    throw input_error("{}: a row is {}, but the network takes {}: {}", data.spec, to_string(stored_row), to_string(row),
                      order.empty()
                          ? "give data of that shape"
                          : "another order of the axes? Then save " + order + layout_option(stored, row.shape));
  }
  c.layout = fmt::format("{} read as {}, last index fastest", to_string(stored_row), to_string(row.shape));
  return c;
}

Array converted_rows(const Dataset& data, const Type& row, int64_t first, int64_t count) {
  const Array& inputs = data.inputs;
  const int64_t bytes = inputs.bytes() / inputs.shape()[0];
  Shape shape = row.shape;
  shape.insert(shape.begin(), count);
  Array stored = Array::make({inputs.dtype(), shape});
  std::memcpy(stored.mutable_data(), inputs.data() + first * bytes, static_cast<size_t>(count * bytes));
  if (inputs.dtype() == row.dtype) return stored;
  if (!is_float(row.dtype)) {
    Array whole = stored.converted(row.dtype);
    check_narrowed(data, stored, whole, first);
    return whole;
  }
  if (inputs.dtype() != Dtype::uint8) {
    Array taken = stored.converted(row.dtype);
    if (size_of(row.dtype) < size_of(inputs.dtype()) || !is_float(inputs.dtype()))
      check_finite(data, stored, taken, first);
    return taken;
  }
  Array scaled = stored.converted(Dtype::float32);
  for (float& v : scaled.as_mutable<float>()) v /= 255.0F;
  return scaled.converted(row.dtype);
}

std::vector<int64_t> read_groups(const std::string& path, int64_t rows, DataFile& file) {
  const Bytes bytes = read_file(path);
  const std::string shown = printable(path);
  file = {shown, sha256_hex(bytes), static_cast<int64_t>(bytes.size())};
  const std::vector<std::string> labels =
      is_npy(bytes) ? labels_of(parse_npy(bytes, shown), shown) : lines_of(bytes.text());
  if (std::ssize(labels) != rows)
    throw input_error("{}: holds {} labels of groups, but the data have {} rows: write one a row", shown, labels.size(),
                      rows);
  std::map<std::string_view, int64_t> known;
  std::vector<int64_t> groups;
  for (const std::string& l : labels) {
    if (l.empty())
      throw input_error("{}: line {} is empty: write the label of a group a row", shown, groups.size() + 1);
    groups.push_back(known.try_emplace(l, std::ssize(known)).first->second);
  }
  return groups;
}

std::vector<std::string> read_class_names(const std::string& path, int64_t classes, DataFile& file) {
  const Bytes bytes = read_file(path, uint64_t{1} << 24);
  const std::string shown = printable(path);
  file = {shown, sha256_hex(bytes), static_cast<int64_t>(bytes.size())};
  std::vector<std::string> names;
  for (std::string& line : lines_of(bytes.text())) {
    if (line.empty()) throw input_error("{}: line {} is empty: write one class name a line", shown, names.size() + 1);
    constexpr size_t longest = 200;  // a report repeats them
    if (line.size() > longest)
      throw input_error("{}: line {} has {} bytes: names of classes have at most {}", shown, names.size() + 1,
                        line.size(), longest);
    if (const auto before = std::ranges::find(names, line); before != names.end())
      throw input_error("{}: line {} repeats the name of line {}: give each class its own", shown, names.size() + 1,
                        before - names.begin() + 1);
    names.push_back(std::move(line));
  }
  if (static_cast<int64_t>(names.size()) != classes)
    throw input_error("{}: holds {} names, but the network has {} classes: write one a line, in their order", shown,
                      names.size(), classes);
  return names;
}

}  // namespace viva
