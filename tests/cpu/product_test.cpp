// Matrix products by the library against the interpreter: every order of dimensions, batches, vectors, sums over
// several dimensions, transposes read in place; values that are not finite; the same bits on any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "cpu/executable.h"
#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "transform/transform.h"

namespace viva {
namespace {

using namespace laws;

struct Dot {
  std::string name;
  Shape lhs, rhs;
  DotDims dims;  // lhs_batch, rhs_batch, lhs_contract, rhs_contract
};

std::vector<Dot> products() {
  return {{"plain", {13, 17}, {17, 19}, {{}, {}, {1}, {0}}},
          {"transposed_left", {17, 13}, {17, 19}, {{}, {}, {0}, {0}}},
          {"transposed_right", {13, 17}, {19, 17}, {{}, {}, {1}, {1}}},
          {"both_transposed", {17, 13}, {19, 17}, {{}, {}, {0}, {1}}},
          {"vector_left", {40}, {40, 30}, {{}, {}, {0}, {0}}},
          {"vector_right", {30, 40}, {40}, {{}, {}, {1}, {0}}},
          {"outer", {30}, {40}, {{}, {}, {}, {}}},
          {"batches", {5, 6, 7, 8}, {5, 6, 8, 9}, {{0, 1}, {0, 1}, {3}, {2}}},
          {"heads", {2, 9, 4, 8}, {2, 7, 4, 8}, {{0, 2}, {0, 2}, {3}, {3}}},
          {"two_sums", {6, 5, 7}, {5, 7, 8}, {{}, {}, {1, 2}, {0, 1}}},
          {"two_sums_apart", {5, 6, 7}, {7, 8, 5}, {{}, {}, {0, 2}, {2, 0}}},
          {"many_rows", {700, 20}, {20, 300}, {{}, {}, {1}, {0}}},
          {"whole_vectors", {45, 32}, {32, 24}, {{}, {}, {1}, {0}}},
          {"whole_vectors_turned", {4, 3, 64}, {40, 64}, {{}, {}, {2}, {1}}},
          {"whole_vectors_many", {700, 128}, {128, 72}, {{}, {}, {1}, {0}}}};
}

Case case_of(const Dot& d) {
  Build b(d.name);
  const Value x = b.parameter({Dtype::float32, d.lhs}), y = b.parameter({Dtype::float32, d.rhs});
  return {b.finish({b.dot_general(x, y, d.dims)}),
          {direction({Dtype::float32, d.lhs}, 1), direction({Dtype::float32, d.rhs}, 2)}};
}

Executable with_library(const Body& f) {
  PlanOptions options;
  options.library_flops = 0;
  return compile(f, options);
}

bool uses_library(const Body& f) {
  return std::ranges::any_of(with_library(f).summary().lines,
                             [](const std::string& l) { return l.find("onednn matrix product") != std::string::npos; });
}

void expect_interpreted(const Case& c) {
  const Arrays expected = interpret(*c.f, c.args);
  const Executable compiled = with_library(c.f);
  ThreadPool one(1), three(3);
  const Arrays got = compiled.call(c.args, one).take(), again = compiled.call(c.args, three).take();
  EXPECT_EQ(close(expected, got, 2e-5), "");
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same_bits(got[i], again[i]));
}

class Products : public testing::TestWithParam<Dot> {};

TEST_P(Products, AreInterpreted) {
  Case c = case_of(GetParam());
  EXPECT_TRUE(uses_library(c.f));
  expect_interpreted(c);
  c.args[0].as_mutable<float>()[1] = std::numeric_limits<float>::infinity();
  c.args[1].as_mutable<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  expect_interpreted(c);
}

// A constant right operand is packed where the library's vectors come out even.
TEST_P(Products, WithAConstantOperand) {
  Case c = case_of(GetParam());
  c.args[0].as_mutable<float>()[1] = std::numeric_limits<float>::infinity();
  c.args[1].as_mutable<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  const Arrays expected = interpret(*c.f, c.args);
  PlanOptions options;
  options.library_flops = 0;
  options.constants = {{1, c.args[1]}};
  const Executable compiled = compile(c.f, options);
  // Which weights oneDNN wants packed depends on the processor; those of other forms it never gets so.
  const bool packed = compiled.summary().lines[0].find("packed") != std::string::npos;
  EXPECT_TRUE(!packed || GetParam().name.starts_with("whole")) << compiled.summary().lines[0];
  ThreadPool one(1), three(3);
  const Arrays got = compiled.call({c.args[0]}, one).take(), again = compiled.call({c.args[0]}, three).take();
  EXPECT_EQ(close(expected, got, 2e-5), "");
  EXPECT_TRUE(same_bits(got[0], again[0]));
}

TEST_P(Products, TheirAdjointsToo) {
  const Case c = case_of(GetParam());
  Case pulled{vjp(c.f, {true, true}), c.args};
  EXPECT_TRUE(uses_library(pulled.f));
  pulled.args.push_back(direction(pulled.f->params()[2].type(), 3));
  expect_interpreted(pulled);
}

INSTANTIATE_TEST_SUITE_P(Forms, Products, testing::ValuesIn(products()),
                         [](const auto& info) { return info.param.name; });

TEST(Product, ReadsTransposedAndReshapedOperandsInPlace) {
  Build b("f");
  const Value x = b.parameter({Dtype::float32, {4, 6, 5}}), y = b.parameter({Dtype::float32, {7, 30}});
  const Value z = b.dot_general(b.reshape(x, {4, 30}), b.transpose(y, {1, 0}), {{}, {}, {1}, {0}});
  const Case c{b.finish({b.transpose(z, {1, 0})}),
               {direction({Dtype::float32, {4, 6, 5}}, 1), direction({Dtype::float32, {7, 30}}, 2)}};
  EXPECT_TRUE(uses_library(c.f));
  EXPECT_EQ(with_library(c.f).summary().kernels, 1);
  expect_interpreted(c);
}

TEST(Product, SingleNumbersAndOddStridesStayOutOfTheLibrary) {
  const std::vector<Dot> forms = {{"all", {5}, {5}, {{}, {}, {0}, {0}}},
                                  {"matrices", {3, 4}, {3, 4}, {{}, {}, {0, 1}, {0, 1}}},
                                  {"diagonals", {4, 4}, {4, 4}, {{0}, {0}, {1}, {1}}}};
  for (const Dot& d : forms) expect_interpreted(case_of(d));
}

TEST(Product, OfNothingIsZero) {
  for (const auto& [lhs, rhs] : {std::pair<Shape, Shape>{{3, 0}, {0, 4}}, {{0, 3}, {3, 4}}, {{3, 4}, {4, 0}}}) {
    Build b("f");
    const Value x = b.parameter({Dtype::float32, lhs}), y = b.parameter({Dtype::float32, rhs});
    expect_interpreted({b.finish({b.dot_general(x, y, {{}, {}, {1}, {0}})}),
                        {Array::zeros({Dtype::float32, lhs}), Array::zeros({Dtype::float32, rhs})}});
  }
}

}  // namespace
}  // namespace viva
