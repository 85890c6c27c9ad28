// viva run, show and bench on model files, and what they share.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/npy.h"
#include "cli/feed.h"
#include "cli/output_files.h"
#include "cli/verb.h"
#include "graph/text.h"
#include "interpret/interpret.h"
#include "support/temp_dir.h"

namespace viva {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome call(std::vector<std::string> words) {
  words.insert(words.begin(), "viva");
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  std::ostringstream out, err;
  const Cancel cancel{false};
  Session session{out, err, cancel, false, {}};
  const int code = run_cli(static_cast<int>(argv.size()), argv.data(), session);
  return {code, out.str(), err.str()};
}

std::string fixture(const std::string& name) { return VIVA_SOURCE_DIR "/tests/onnx/fixtures/" + name + ".onnx"; }

ValueDef value(std::string name, std::vector<DimDef> dims, Dtype d = Dtype::float32) {
  ValueDef v;
  v.name = std::move(name);
  v.dtype = d;
  v.has_shape = true;
  v.dims = std::move(dims);
  return v;
}

// z = x + y, of these shapes.
OpenModel sum_model(std::vector<DimDef> x, std::vector<DimDef> y) {
  OpenModel m;
  m.file.ir_version = 8;
  m.file.opsets[""] = 17;
  m.file.files.push_back({"sum.onnx", 0, ""});
  m.file.graph.inputs = {value("x", x), value("y", std::move(y))};
  m.file.graph.outputs = {value("z", {})};
  m.file.graph.outputs[0].has_shape = false;
  NodeDef n;
  n.op_type = "Add";
  n.inputs = {"x", "y"};
  n.outputs = {"z"};
  m.file.graph.nodes = {n};
  const int64_t first = x.empty() ? 1 : x[0].value.value_or(0);
  m.batching = first == 0 ? Batching::open : first == 1 ? Batching::single : Batching::fixed;
  m.fixed_batch = first > 1 ? first : 0;
  m.leading_one = first == 1 && !x.empty();
  return m;
}

Array ones(Shape s, Dtype d = Dtype::float32) { return Array::full({d, std::move(s)}, 1); }

Array sum_of(const OpenModel& m, Array x, Array y, bool float64 = false) {
  const FedModel f = feed(m, {{"y", "y.npy", std::move(y)}, {"x", "x.npy", std::move(x)}}, float64);
  std::vector<Array> args = f.inputs;
  args.insert(args.end(), f.weights.begin(), f.weights.end());
  return interpret(*f.function, args).at(0);
}

TEST(Feed, OpenExtentsComeFromTheArrays) {
  const OpenModel m = sum_model({{{}, "N"}, {{}, "T"}}, {{{}, "N"}, {{}, "T"}});
  EXPECT_EQ(sum_of(m, ones({3, 5}), ones({3, 5})).shape(), (Shape{3, 5}));
  VIVA_EXPECT_HAS(error_of([&] { sum_of(m, ones({3, 5}), ones({3, 1})); }), "give arrays that agree");
  VIVA_EXPECT_HAS(error_of([&] { sum_of(m, ones({3}), ones({3})); }), "input \"x\" is f32[N,T]");
}

TEST(Feed, OneExampleBecomesAsManyAsThereAre) {
  const OpenModel leading = sum_model({{1, ""}, {2, ""}}, {{1, ""}, {2, ""}});
  EXPECT_EQ(sum_of(leading, ones({1, 2}), ones({1, 2})).shape(), (Shape{1, 2}));
  EXPECT_EQ(sum_of(leading, ones({7, 2}), ones({7, 2})).shape(), (Shape{7, 2}));
  EXPECT_EQ(sum_of(leading, ones({7, 2}), ones({7, 2})).at(13), 2);
  VIVA_EXPECT_HAS(error_of([&] { sum_of(leading, ones({7, 2}), ones({6, 2})); }), "give as many of each input");
  VIVA_EXPECT_HAS(error_of([&] { sum_of(leading, ones({7, 3}), ones({7, 3})); }), "along its first extent");
  VIVA_EXPECT_HAS(error_of([&] { sum_of(leading, ones({0, 2}), ones({0, 2})); }), "no example");
}

TEST(Feed, AFixedBatchTakesAnyNumberInChunks) {
  const OpenModel m = sum_model({{4, ""}}, {{4, ""}});
  EXPECT_EQ(sum_of(m, ones({4}), ones({4})).shape(), (Shape{4}));
  const FedModel f = feed(m, {{"y", "y.npy", ones({5})}, {"x", "x.npy", ones({5})}}, false);
  EXPECT_EQ(f.chunk, 4);
  EXPECT_EQ(f.rows, 5);
  EXPECT_EQ(f.batched, (Mask{true, true}));
  VIVA_EXPECT_HAS(f.notes.back(), "5 examples went in 2 chunks, filled up with copies");
  VIVA_EXPECT_HAS(error_of([&] { sum_of(m, ones({5}), ones({6})); }), "give as many of each input");
  VIVA_EXPECT_HAS(error_of([&] { sum_of(m, ones({0}), ones({0})); }), "no example");
  VIVA_EXPECT_HAS(error_of([&] { sum_of(m, ones({5, 1}), ones({5, 1})); }), "of any number of examples");
}

TEST(Feed, Dtypes) {
  const OpenModel m = sum_model({{2, ""}}, {{2, ""}});
  const std::string text = error_of([&] { sum_of(m, ones({2}, Dtype::float64), ones({2})); });
  VIVA_EXPECT_HAS(text, "x.npy: holds f64[2], but input \"x\" is f32[2]");
  VIVA_EXPECT_HAS(text, "--precision f64");
  EXPECT_EQ(sum_of(m, ones({2}, Dtype::float64), ones({2}), true).dtype(), Dtype::float64);
  VIVA_EXPECT_HAS(error_of([&] { sum_of(m, ones({2}, Dtype::int32), ones({2}), true); }), "holds i32[2]");
}

TEST(Feed, EachInputOnce) {
  const OpenModel m = sum_model({{2, ""}}, {{2, ""}});
  const GivenInput x{"x", "x.npy", ones({2})}, y{"y", "y.npy", ones({2})}, z{"z", "z.npy", ones({2})};
  VIVA_EXPECT_HAS(error_of([&] { feed(m, {x}, false); }, ErrorKind::usage), "\"y\" is given no array");
  VIVA_EXPECT_HAS(error_of([&] { feed(m, {x, y, x}, false); }, ErrorKind::usage), "more than one");
  VIVA_EXPECT_HAS(error_of([&] { feed(m, {x, y, z}, false); }, ErrorKind::usage), "no input \"z\"");
}

TEST(Feed, NamesOfInputs) {
  ModelFile m = sum_model({}, {}).file;
  EXPECT_EQ(input_and_file(m, "x=a=b.npy"), (std::pair<std::string, std::string>("x", "a=b.npy")));
  VIVA_EXPECT_HAS(error_of([&] { input_and_file(m, "w=a.npy"); }, ErrorKind::usage), "there is no input \"w\"");
  VIVA_EXPECT_HAS(error_of([&] { input_and_file(m, "a.npy"); }, ErrorKind::usage), "write NAME=FILE.npy");
  m.graph.inputs[1].name = "x=a";
  EXPECT_EQ(input_and_file(m, "x=a=b.npy").first, "x=a");
  m.graph.inputs.pop_back();
  EXPECT_EQ(input_and_file(m, "a.npy"), (std::pair<std::string, std::string>("x", "a.npy")));
}

TEST(OutputFiles, PlainAndDistinct) {
  const std::string longer(300, 'a');
  const auto files = output_files({"y", "a/b", "a%2Fb", "..", "", "\n", "é", longer, longer + "a", "scores.1"});
  EXPECT_EQ(files.at("y"), "y.npy");
  EXPECT_EQ(files.at("a/b"), "a%2Fb.npy");
  EXPECT_EQ(files.at("a%2Fb"), "a%252Fb.npy");
  EXPECT_EQ(files.at(".."), "%2E..npy");
  EXPECT_EQ(files.at(""), "%empty.npy");
  EXPECT_EQ(files.at("\n"), "%0A.npy");
  EXPECT_EQ(files.at("scores.1"), "scores.1.npy");
  std::set<std::string> distinct;
  for (const auto& [name, file] : files) {
    EXPECT_LE(file.size(), 255u);
    distinct.insert(file);
  }
  EXPECT_EQ(distinct.size(), files.size());
}

TEST(OutputFiles, OnlyTheSameAreReplaced) {
  const TempDir dir;
  const auto files = output_files({"y", "z"});
  EXPECT_TRUE(holds_only(dir.path(), files));
  put(dir / "y.npy", "");
  EXPECT_TRUE(holds_only(dir.path(), files));
  put(dir / "thesis.tex", "");
  EXPECT_FALSE(holds_only(dir.path(), files));
  EXPECT_FALSE(holds_only(dir / "missing", files));
}

// y = relu(x · w) with w = [[0, 1, 2], [3, 4, 5]].
TEST(RunVerb, WritesTheOutputs) {
  const TempDir dir;
  write_npy(dir / "x.npy", Array::of(std::vector<float>{1, 2, -1, 0}, {2, 2}));
  const std::vector<std::string> words = {"run", fixture("small"), "--input", dir / "x.npy", "--out", dir / "out"};
  const Outcome o = call(words);
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.out, "y  f32[2,3]  " + (dir / "out") + "/y.npy\n");
  const Array y = read_npy(dir / "out/y.npy");
  EXPECT_TRUE(same_bits(y, Array::of(std::vector<float>{6, 9, 12, 0, 0, 0}, {2, 3})));
  EXPECT_EQ(call(words).code, 0);  // again, over its own output
  put(dir / "out/notes.txt", "mine");
  EXPECT_EQ(call(words).code, 3);
  EXPECT_EQ(get(dir / "out/notes.txt"), "mine");
  const Outcome f64 = call({"run", fixture("small"), "--input", "x=" + (dir / "x.npy"), "--out", dir / "wide",
                            "--precision", "f64", "--threads", "2"});
  EXPECT_EQ(f64.out, "y  f64[2,3]  " + (dir / "wide") + "/y.npy\n") << f64.err;
}

TEST(RunVerb, AFixedBatchTakesAnyNumber) {
  const TempDir dir;
  for (const int64_t n : {1, 3, 4, 9}) {
    std::vector<float> x;
    for (int64_t i = 0; i < 2 * n; ++i) x.push_back(static_cast<float>(i % 7));
    write_npy(dir / "x.npy", Array::of(x, {n, 2}));
    const Outcome o = call({"run", fixture("fixed_batch"), "--input", dir / "x.npy", "--out", dir / "out"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(o.err.find("fixes its batch at 4") != std::string::npos, n != 4) << o.err;
    const Array y = read_npy(dir / "out/y.npy");
    ASSERT_EQ(y.shape(), (Shape{n, 3}));
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(y.at(3 * i + 2), x.at(2 * i) * 2 + x.at(2 * i + 1) * 5) << i;
  }
}

TEST(RunVerb, RowsThatInfluenceOneAnotherNeedTheirBatch) {
  const TempDir dir;
  write_npy(dir / "x.npy", Array::of(std::vector<float>{1, 2, 3, 5, 8, 13}, {3, 2}));
  const Outcome mixed = call({"run", fixture("training"), "--input", dir / "x.npy", "--out", dir / "out"});
  EXPECT_EQ(mixed.code, 4);
  VIVA_EXPECT_HAS(mixed.err, "rows of one batch influence one another");
  const Outcome summed = call({"run", fixture("fixed_sum"), "--input", dir / "x.npy", "--out", dir / "out"});
  EXPECT_EQ(summed.code, 4);
  VIVA_EXPECT_HAS(summed.err, "does not lead with the batch of 4");
  EXPECT_EQ(names_in(dir.path()).size(), 1u);
}

TEST(RunVerb, ClaimedSizesAreRefused) {
  const TempDir dir;
  write_npy(dir / "x.npy", Array::of(std::vector<float>{1, 2}, {1, 2}));
  for (const char* name : {"huge_input", "huge_value"}) {
    EXPECT_EQ(call({"run", fixture(name), "--input", dir / "x.npy", "--out", dir / "out"}).code, 3) << name;
    EXPECT_EQ(call({"show", fixture(name)}).code, 3) << name;
  }
}

TEST(RunVerb, BadUsage) {
  const TempDir dir;
  EXPECT_EQ(call({"run", fixture("open_batch")}).code, 2);
  EXPECT_EQ(call({"run", dir / "no.onnx", "--input", "x.npy", "--out", dir / "out"}).code, 3);
  EXPECT_EQ(call({"run", fixture("open_batch"), "--input", dir / "no.npy", "--out", dir / "out"}).code, 3);
  EXPECT_TRUE(names_in(dir.path()).empty());
  EXPECT_EQ(call({"run", fixture("small"), "--input", "x.npy", "--out", dir / "out", "--threads", "0"}).code, 2);
  EXPECT_EQ(call({"run", "--help"}).code, 0);
}

TEST(ShowVerb, GraphParsesBack) {
  const Outcome o = call({"show", fixture("open_batch"), "--graph"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(print(parse(o.out)), o.out);
}

TEST(ShowVerb, TableAndJsonAgree) {
  const Outcome table = call({"show", fixture("open_batch"), "--batch", "3"});
  ASSERT_EQ(table.code, 0) << table.err;
  VIVA_EXPECT_HAS(table.out, "total");
  const Outcome o = call({"show", fixture("open_batch"), "--batch", "3", "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto j = nlohmann::json::parse(o.out);
  for (const auto& layer : j["layers"]) VIVA_EXPECT_HAS(table.out, layer["operator"].get<std::string>());
  double flops = 0;
  int64_t parameters = 0;
  for (const auto& layer : j["layers"])
    flops += layer["flops"].get<double>(), parameters += layer["parameters"].get<int64_t>();
  EXPECT_EQ(flops, j["flops"].get<double>());
  EXPECT_EQ(parameters, j["parameters"].get<int64_t>());
  EXPECT_EQ(flops, 36);
  EXPECT_EQ(parameters, 6);
  EXPECT_EQ(j["inputs"][0]["type"]["shape"][0], 3);
  EXPECT_EQ(j["layers"][1]["outputs"][0]["type"]["shape"], (std::vector<int>{3, 3}));
  EXPECT_EQ(call({"show", fixture("open_batch"), "--extent", "N"}).code, 2);
  EXPECT_EQ(call({"show", fixture("small"), "--extent", "N=3"}).code, 0);
  VIVA_EXPECT_HAS(call({"show", fixture("small"), "--extent", "M=3"}).err,
                  "has no such extent: the open extents are \"N\"");
  VIVA_EXPECT_HAS(call({"show", fixture("open_batch"), "--batch", "-3"}).err, "write a number from 1");
  const Outcome fixed = call({"show", fixture("fixed_batch"), "--batch", "3"});
  EXPECT_EQ(fixed.code, 2);
  VIVA_EXPECT_HAS(fixed.err, "leaves no leading extent open: no extent has a symbol");
  EXPECT_EQ(call({"show", fixture("open_batch"), "--json", "--graph"}).code, 2);
  EXPECT_EQ(call({"show", fixture("bad_text")}).code, 3);
}

TEST(BenchVerb, OneLineAQuestion) {
  const TempDir dir;
  write_npy(dir / "x.npy", Array::of(std::vector<float>{1, 2, -1, 0}, {2, 2}));
  const Outcome o = call({"bench", fixture("small"), "--batch", "2", "--seconds", "0", "--threads", "1", "--what",
                          "forward,adam-step,input-jacobian", "--input", dir / "x.npy"});
  ASSERT_EQ(o.code, 0) << o.err;
  std::istringstream lines(o.out);
  std::vector<nlohmann::json> all;
  for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(all.size(), 3u);
  for (const auto& j : all) {
    EXPECT_EQ(j["model"], "small.onnx");
    EXPECT_EQ(j["batch"], 2);
    EXPECT_EQ(j["threads"], 1);
    EXPECT_GE(j["calls"], 5);
    EXPECT_LE(j["min_us"], j["median_us"]);
    EXPECT_GE(j["first_s"], 0);
  }
  EXPECT_EQ(all[0]["check"], 4.5);  // of [6, 9, 12, 0, 0, 0]
  EXPECT_EQ(all[2]["what"], "input-jacobian");
  EXPECT_EQ(all[2]["check"], 1.25);  // the weights, whose mean is 2.5, for one row of two
}

TEST(BenchVerb, AQuestionThatCannotBeAsked) {
  const Outcome o = call({"bench", fixture("function"), "--batch", "2", "--seconds", "0", "--what", "grad,forward"});
  EXPECT_EQ(o.code, 0) << o.err;
  const size_t end = o.out.find('\n');
  const auto refused = nlohmann::json::parse(o.out.substr(0, end));
  EXPECT_EQ(refused["what"], "grad");
  VIVA_EXPECT_HAS(refused["error"].get<std::string>(), "no float weight");
  EXPECT_TRUE(nlohmann::json::parse(o.out.substr(end + 1)).contains("check"));
}

TEST(BenchVerb, BadUsage) {
  EXPECT_EQ(call({"bench", fixture("open_batch"), "--what", "hessian"}).code, 2);
  EXPECT_EQ(call({"bench", fixture("open_batch"), "--batch", "0"}).code, 2);
  EXPECT_EQ(call({"bench", fixture("open_batch"), "--seconds", "nan"}).code, 2);
  EXPECT_EQ(call({"bench", fixture("bad_text")}).code, 3);
}

}  // namespace
}  // namespace viva
