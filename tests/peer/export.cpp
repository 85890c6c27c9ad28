// Writes models with arguments and results, for tests/peer/export_test.py: FOLDER/N/model.onnx, name.txt, xI.npy,
// yI.npy.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/npy.h"
#include "interpret/interpret.h"
#include "onnx/export.h"
#include "onnx/export_cases.h"
#include "viva/viva.h"

namespace {

using namespace viva;

// Halves as float32: numpy has no bfloat16.
void write(const std::filesystem::path& path, const Array& a) {
  write_npy(path.string(), a.dtype() == Dtype::bfloat16 ? a.converted(Dtype::float32) : a);
}

void write_case(const std::filesystem::path& folder, const ExportCase& e) {
  std::filesystem::create_directories(folder);
  write_file((folder / "name.txt").string(), std::string_view(e.name));
  ExportOptions o;
  for (size_t i = 0; i < e.c.args.size(); ++i) o.parameters.push_back({fmt::format("x{}", i), std::nullopt, -1});
  write_file((folder / "model.onnx").string(), std::string_view(export_onnx([&](int64_t) { return e.c.f; }, o).bytes));
  for (size_t i = 0; i < e.c.args.size(); ++i) write(folder / fmt::format("x{}.npy", i), e.c.args[i]);
  const auto results = interpret(*e.c.f, e.c.args);
  for (size_t i = 0; i < results.size(); ++i) write(folder / fmt::format("y{}.npy", i), results[i]);
}

struct Cnn {
  Conv first, second;
  LayerNorm norm;
  Dense out;
  static Cnn make(const Key& k) {
    return {Conv::make(k.fold(0), 2, 4, {3, 3}), Conv::make(k.fold(1), 4, 6, {3, 3}), LayerNorm::make(24),
            Dense::make(k.fold(2), 24, 3)};
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor h = max_pool(relu(first(x)), {.size = {2, 2}}),
                 g = mean_pool(gelu(second(h)), {.size = {2, 2}, .strides = {1, 1}});
    return out(norm(reshape(g, {x.dim(0), 24})));
  }
};
struct Transformer {
  Embedding tokens;
  MultiHeadAttention attention;
  LayerNorm norm;
  Dense out;
  static Transformer make(const Key& k) {
    return {Embedding::make(k.fold(0), 11, 8), MultiHeadAttention::make(k.fold(1), 8, 2), LayerNorm::make(8),
            Dense::make(k.fold(2), 8, 11)};
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor h = tokens(x);
    return log_softmax(out(norm(h + attention(h))));
  }
};

// Traced with an open batch or not, run at one that was not traced. The inputs are named as the files of their
// elements.
template <class F, class... X>
void write_network(const std::filesystem::path& folder, const std::string& name, bool open, const F& f,
                   const X&... xs) {
  std::filesystem::create_directories(folder);
  write_file((folder / "name.txt").string(), std::string_view("network " + name));
  int at = 0;
  const auto input = [&](const Tensor& x) {
    ModelInput i{{}, x.dtype(), fmt::format("x{}", at++)};
    if (open) i.extents.emplace_back(any("N"));
    else i.extents.emplace_back(x.dim(0));
    for (int64_t d = 1; d < x.rank(); ++d) i.extents.emplace_back(x.dim(d));
    return i;
  };
  const std::tuple inputs{input(xs)...};
  std::apply([&](const auto&... i) { save_onnx((folder / "model.onnx").string(), f, i...); }, inputs);
  at = 0;
  (write(folder / fmt::format("x{}.npy", at++), xs.array()), ...);
  at = 0;
  for (const Tensor& y : tree::flatten(f(xs...))) write(folder / fmt::format("y{}.npy", at++), y.array());
}

// Each network, its gradient, its Hessian times itself, its tangent and its per-example gradients.
template <class M>
int write_questions(const std::filesystem::path& folder, int next, const std::string& name, const M& m, const Tensor& x,
                    const Tensor& y) {
  const auto put = [&](const std::string& what, const auto& f, const auto&... xs) {
    // The groups of a convolution that gives per-example gradients depend on the batch.
    const bool open = !(name == "cnn" && what.starts_with("per-example"));
    write_network(folder / std::to_string(next++), fmt::format("{} of {}", what, name), open, f, xs...);
  };
  const auto loss = [](const M& n, const Tensor& a, const Tensor& b) {
    const Tensor p = log_softmax(n(a));
    return -mean(sum(p * one_hot(b, p.dim(-1)), -1));
  };
  put("outputs", m, x);
  put("gradient", [&](const Tensor& a, const Tensor& b) { return grad(loss)(m, a, b); }, x, y);
  put("hvp", [&](const Tensor& a, const Tensor& b) { return hvp(loss, wrt<0>)(m, a, b, m); }, x, y);
  put("tangent", [&](const Tensor& a) { return jvp([&](const M& n) { return n(a); })(m, m).second; }, x);
  put(
      "per-example gradient",
      [&](const Tensor& a, const Tensor& b) {
        return vmap(grad(loss), in_axes(none, 0, 0))(m, expand_dims(a, 1), expand_dims(b, 1));
      },
      x, y);
  return next;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: peer_export FOLDER\n", stderr), 2;
  int refused = 0, written = 0;
  for (const auto& cases : {sample_cases(), edge_cases(), random_cases(60), transformed_cases()})
    for (const ExportCase& e : cases) try {
        write_case(std::filesystem::path(argv[1]) / std::to_string(written), e);
        ++written;
      } catch (const Error& error) {
        std::printf("refused: %s: %s\n", e.name.c_str(), error.what());
        ++refused;
      }
  const std::filesystem::path folder = argv[1];
  const Tensor images = normal(key(5), {4, 2, 12, 12}), classes = randint(key(6), {4}, 0, 3);
  written = write_questions(folder, written, "cnn", Cnn::make(key(1)), images, classes);
  const Tensor text = randint(key(7), {4, 5}, 0, 11), next = randint(key(8), {4, 5}, 0, 11);
  written = write_questions(folder, written, "transformer", Transformer::make(key(2)), text, next);
  std::printf("%d written, %d refused\n", written, refused);
}
