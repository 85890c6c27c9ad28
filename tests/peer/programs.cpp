// Programs and their derivatives for tests/peer/programs_test.py. programs DIR reads each DIR/PROGRAM@….npz: operands
// "0", "1", …, a direction "v0", "v1", … for each that is no integer, weights "c" of the result, and "settings". It
// writes what the program gives and its derivatives to order 3: PROGRAM@….RESULT.npy. "orders" 0 asks for the value.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "base/npy.h"
#include "peer/files.h"
#include "peer/programs/programs.h"

namespace viva::peer {
namespace {

using Trees = std::vector<Tensor>;

Programs all_programs() {
  Programs all;
  for (Programs part : {pointwise_programs(), reduction_programs(), matrix_programs(), window_programs(),
                        movement_programs(), index_programs(), control_programs(), nested_programs(), layer_programs(),
                        safe_programs(), thread_programs()}) {
    const size_t before = all.size(), added = part.size();
    all.merge(part);
    if (all.size() != before + added) throw std::runtime_error("two programs are named " + part.begin()->first);
  }
  return all;
}

// Σ Re(a·b) over the leaves that both have: of a gradient and a direction the derivative along it.
Tensor pair_of(const Trees& a, const Trees& b) {
  Tensor total;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].empty() || b[i].empty()) continue;
    const Tensor one = sum(real(a[i] * b[i]));
    total = total.empty() ? one : total + one;
  }
  return total;
}

// name: the leaves of a result.
std::vector<std::pair<std::string, Trees>> derivatives(const Program& program, const Ints& settings, const Trees& x,
                                                       const Trees& v, const Tensor& c) {
  const auto f = [&](const Trees& t) { return program.run(t, settings); };
  const auto s = [&](const Trees& t) { return sum(real(f(t) * c)); };
  const auto along = [&](auto g) { return [g, &v](const Trees& t) { return jvp(g)(t, v).second; }; };
  const auto slope = [&](auto g) { return [g, &v](const Trees& t) { return pair_of(grad(g)(t), v); }; };
  const auto [y, dy] = jvp(f)(x, v);
  return {{"value", {y}},
          {"jvp", {dy}},
          {"jvp3", {along(along(along(f)))(x)}},
          {"jet3", {jet(f)(x, std::vector<Trees>{v, Trees(v.size()), Trees(v.size())}).second[2]}},
          {"grad", grad(s)(x)},
          {"hvp", along(grad(s))(x)},
          {"reverse2", grad(slope(s))(x)},
          {"third", along(along(grad(s)))(x)},
          {"reverse3", grad(slope(slope(s)))(x)}};
}

Ints integers(const Npz& npz, const std::string& key) {
  const Tensor t(npz.read(key));
  Ints r;
  for (int64_t i = 0; i < t.size(); ++i) r.push_back(static_cast<int64_t>(t(i).item()));
  return r;
}

void run(const Programs& programs, const std::filesystem::path& file) {
  const std::string stem = file.parent_path() / file.stem(), name = file.stem().string();
  const auto found = programs.find(name.substr(0, name.find('@')));
  if (found == programs.end()) throw std::runtime_error("no such program");
  const Npz npz(read_file(file), file);
  Trees x, v;
  for (size_t i = 0; npz.has(std::to_string(i)); ++i) {
    x.emplace_back(npz.read(std::to_string(i)));
    v.push_back(npz.has("v" + std::to_string(i)) ? Tensor(npz.read("v" + std::to_string(i))) : Tensor());
  }
  const Ints settings = integers(npz, "settings");
  if (!npz.has("c")) {
    const auto value = compile([&](const Trees& t) { return found->second.run(t, settings); });
    return write_npy(stem + ".value.0.npy", value(x).array());
  }
  std::vector<std::pair<std::string, size_t>> names;
  const auto everything = compile([&](const Trees& t, const Trees& d, const Tensor& c) {
    Trees flat;
    names.clear();
    for (const auto& [result, leaves] : derivatives(found->second, settings, t, d, c))
      for (size_t i = 0; i < leaves.size(); ++i)
        if (!leaves[i].empty()) names.emplace_back(result, i), flat.push_back(leaves[i]);
    return flat;
  });
  const Trees results = everything(x, v, Tensor(npz.read("c")));
  for (size_t k = 0; k < results.size(); ++k)
    write_npy(stem + "." + names[k].first + "." + std::to_string(names[k].second) + ".npy", results[k].array());
}

}  // namespace
}  // namespace viva::peer

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: programs DIR\n", 2;
  int failed = 0;
  try {
    const viva::peer::Programs programs = viva::peer::all_programs();
    for (const auto& file : viva::peer::npz_files(argv[1])) {
      try {
        viva::peer::run(programs, file);
      } catch (const std::exception& e) {
        std::cerr << file.stem().string() << ": " << e.what() << "\n";
        failed = 1;
      }
    }
  } catch (const std::exception& e) { return std::cerr << e.what() << "\n", 1; }
  return failed;
}
