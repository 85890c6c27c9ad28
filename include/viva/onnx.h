// Models in and out as ONNX files.
//   save_onnx("mlp.onnx", model, shape(any("N"), 784));          the weights are named by the fields of the model
//   save_onnx({"step.onnx", {.outputs = {"loss"}}}, loss, model, shape(32, 784), shape(32).of(Dtype::int32));
//   OnnxModel net = load_onnx("net.onnx");  net(x);  grad(loss)(net, x);
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "viva/compile.h"

namespace viva {

// An extent that the file leaves open, under a name. One model has one of them; it may occur in several inputs.
struct Any {
  std::string name;
};
inline Any any(std::string_view name) { return {std::string(name)}; }

// An input of a model: its extents, dtype and name.
struct ModelInput {
  struct Extent {
    Extent(int64_t n) : size(n) {}
    Extent(int n) : size(n) {}
    Extent(Any a) : symbol(std::move(a.name)) {}
    int64_t size = -1;
    std::string symbol;  // of an open one
  };
  std::vector<Extent> extents;
  Dtype dtype = Dtype::float32;
  std::string name;  // "": "input", or "input_1" where there are several

  ModelInput of(Dtype d) const;
  ModelInput named(std::string_view n) const;
};
template <class... E> ModelInput shape(E&&... extents) {
  return {{ModelInput::Extent(extents)...}, Dtype::float32, ""};
}

struct OnnxOptions {
  std::vector<std::string> outputs = {};  // names, in order; else the paths of the result, "output" for a single one
};

// Where a model goes.
struct OnnxFile {
  OnnxFile(const char* path, Loc l = Loc::current()) : path(path), where(l) {}
  OnnxFile(std::string path, Loc l = Loc::current()) : path(std::move(path)), where(l) {}
  OnnxFile(std::string path, OnnxOptions o, Loc l = Loc::current())
      : path(std::move(path)), options(std::move(o)), where(l) {}
  std::string path;
  OnnxOptions options;
  Where where;
};

class OnnxModel;

namespace tracing {

// A leaf of the traced function's arguments: a weight or a buffer, or an input with the axes of the open extent.
struct ModelLeaf {
  std::string name;
  Array weight;
  std::vector<int64_t> open;
  bool buffer = false;
};
class ModelLeaves {
 public:
  explicit ModelLeaves(size_t arguments) : arguments_(arguments) {}
  template <class T> void add_weights(const T& model) { add_weights(tree::paths(model), tree::Leaves(model)); }
  template <class T> void add(const T& argument) {
    if constexpr (std::is_same_v<T, ModelInput>) input(argument);
    else {
      tree::for_each(argument, [&](const std::string& path, const Tensor&) { example(path); });
      ++next_;
    }
  }
  std::vector<ModelLeaf> all;
  std::string symbol;
  std::string second_symbol;  // one too many

 private:
  void add_weights(const std::vector<std::string>& paths, const tree::Leaves& leaves);
  void input(const ModelInput& i);
  void example(const std::string& path);
  std::string name(const std::string& path) const;
  size_t arguments_, next_ = 0;
};

Tensor stand_in(const ModelInput& i, int64_t open, Where where);
template <class T> auto stand_in(const T& argument, int64_t, Where) { return argument; }
inline Tensor stand_in(const Tensor& t, int64_t, Where) { return t; }

void save(const OnnxFile& to, const ModelLeaves& leaves, const std::function<Body(int64_t)>& at_size,
          const std::vector<std::string>& outputs);

// A model with fields; not a lambda or a function of a transformation, which capture what they hold.
template <class F>
inline constexpr bool has_weights =
    tree::HasFields<F> || (std::is_aggregate_v<F> && !std::is_empty_v<F> && !requires(const F& f) { f.site; });

}  // namespace tracing

// f for arguments args as an ONNX model. An argument is a ModelInput, or a tree of tensors whose types alone count. The
// tensors in the fields of f become weights named by their paths; what a lambda captures becomes constants. Everything
// is written in standard operators (docs/onnx-operators.md), Softmax, Conv, Gemm, MaxPool and the like where f's body
// says what they do. The file appears whole or not at all; above 1.9 GB weights go to a file beside it. Throws an
// unsupported error with the line of each operation that ONNX cannot say, or that an open extent does not allow.
template <class F, class... A>
  requires(!std::is_same_v<F, Body>)
void save_onnx(const OnnxFile& to, const F& f, const A&... args) {
  tracing::ModelLeaves leaves(sizeof...(A));
  if constexpr (std::is_same_v<F, OnnxModel>) leaves.add_weights(f.weights);
  else if constexpr (tracing::has_weights<F>) leaves.add_weights(f);
  (leaves.add(args), ...);
  std::vector<std::string> outputs;
  const auto traced = [&](const auto& function, const auto&... all) {
    const auto named = [&](const auto&... a) {
      auto result = function(a...);
      outputs.clear();
      tree::for_each(result, [&](const std::string& path, const Tensor&) { outputs.push_back(path); });
      return result;
    };
    tracing::Call<decltype(named), std::remove_cvref_t<decltype(all)>...> call(named, all...);
    return tracing::trace_body({"save_onnx", to.where}, call.function(), call.given, {});
  };
  tracing::save(
      to, leaves,
      [&](int64_t open) {
        if constexpr (tracing::has_weights<F>)
          return traced([](const F& m, const auto&... a) { return m(a...); }, f,
                        tracing::stand_in(args, open, to.where)...);
        else return traced(f, tracing::stand_in(args, open, to.where)...);
      },
      outputs);
}
// A graph, such as what a transformation of graphs gives; its parameters become inputs.
void save_onnx(const OnnxFile& to, const Body& f);

// A network of a file, as a function and as a tree of its floating-point weights, by their names in the file. A file of
// save_onnx says which of the model's fields are weights and which are buffers. In other files numbers without
// dimensions (epsilons, divisors) and running statistics are no weights. What is none stays as the file has it.
class OnnxModel {
 public:
  std::map<std::string, Tensor> weights;

  // The outputs for inputs in the order of the file. The network is specialised to their shapes when they are first
  // seen. Throws an unsupported error with every operator that has no form in Viva, a usage error where inputs do not
  // fit.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, Loc = Loc::current()) const;
  // The same where there is one output.
  Tensor operator()(const Arg& input) const;
  Tensor operator()(const Arg& first, const Arg& second) const;
  const std::vector<std::string>& inputs() const;
  const std::vector<std::string>& outputs() const;

  static constexpr auto fields() {
    return std::tuple{tree::field("weights", &OnnxModel::weights), tree::field("file", &OnnxModel::digest_)};
  }

 private:
  friend OnnxModel load_onnx(const std::string& path);
  struct State;
  std::shared_ptr<State> state_;
  std::string digest_;  // of the file: another network is another program
};

// Reads path (.onnx, or .onnx.gz) and the weights beside it. Throws an input error where the file is malformed.
OnnxModel load_onnx(const std::string& path);

}  // namespace viva
