#include "graph/text.h"

#include <gtest/gtest.h>

#include <bit>
#include <complex>
#include <cstring>

#include "graph/lexer.h"
#include "graph/literal.h"
#include "graph/verify.h"
#include "support/programs.h"

namespace viva {
namespace {

// print and parse are inverse on f; gives the text.
std::string round_trip(const Body& f) {
  const std::string text = print(f);
  const Body again = parse(text, "again");
  verify(*again);
  expect_same(f, again);
  EXPECT_EQ(print(again), text);
  return text;
}

Attr round_trip(const Attr& a) {
  const std::string text = to_string(a);
  Lexer lexer(text, "");
  Attr again = Literals(lexer).attribute();
  EXPECT_EQ(lexer.token().kind, Lexer::Kind::end) << text;
  EXPECT_EQ(to_string(again), text);
  return again;
}

std::string one_constant(const Array& a) {
  round_trip(Attr(a));
  return to_string(Attr(a));
}

std::string error_of(std::string_view text, std::string_view file = "") {
  try {
    parse(text, file);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::input);
    EXPECT_EQ(e.message().find('\n'), std::string::npos);
    return e.what();
  }
  return "parsed";
}

TEST(Text, LooksLikeThis) {
  Build b("main");
  const Value x = b.parameter({Dtype::float32, {2, 3}}, "x"), w = b.parameter({Dtype::float32, {3, 4}});
  const Value y = b.dot(x, w);
  b.set_name(y, "y");
  EXPECT_EQ(print(b.finish({y})),
            "func \"main\"(%0 \"x\": f32[2,3], %1: f32[3,4]) -> (\"y\") {\n"
            "  %2 \"y\": f32[2,4] = dot_general(%0, %1) {dtype=f32, lhs_batch=[], lhs_contract=[1], rhs_batch=[], "
            "rhs_contract=[0]}\n"
            "  return %2\n"
            "}\n");
}

TEST(Text, EverySampleOfTheCatalogueRoundTrips) {
  int samples = 0;
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples())
      for (const bool constants : {false, true}) {
        SCOPED_TRACE(fmt::format("{}: {}", op->name, s.label));
        round_trip(sample_function(*op, s, constants));
        ++samples;
      }
  EXPECT_GT(samples, 200);
}

TEST(Text, RandomProgramsRoundTrip) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const Body f = random_program(seed);
    verify(Program(f));
    round_trip(f);
  }
}

TEST(Text, DoublesKeepEveryBit) {
  for (const uint64_t bits :
       {uint64_t{0}, uint64_t{1} << 63, std::bit_cast<uint64_t>(1.0), std::bit_cast<uint64_t>(0.1),
        std::bit_cast<uint64_t>(1e300), std::bit_cast<uint64_t>(5e-324), std::bit_cast<uint64_t>(-1e23),
        std::bit_cast<uint64_t>(2.2250738585072009e-308), uint64_t{0x7fefffffffffffff}, uint64_t{0x7ff0000000000000},
        uint64_t{0xfff0000000000000}, uint64_t{0x7ff8000000000000}, uint64_t{0xfff8000000000000},
        uint64_t{0x7ff0000000000001}, uint64_t{0x7ff8000000abcdef}}) {
    const auto v = std::bit_cast<double>(bits);
    EXPECT_TRUE(same(round_trip(Attr(v)), Attr(v))) << to_string(Attr(v));
  }
  EXPECT_EQ(to_string(Attr(1.0)), "1.0");
  EXPECT_EQ(to_string(Attr(-0.0)), "-0.0");
  EXPECT_EQ(to_string(Attr(1e20)), "1e+20");
  EXPECT_EQ(to_string(Attr(std::bit_cast<double>(uint64_t{0xfff8000000000001}))), "nan(0xfff8000000000001)");
  std::mt19937_64 random(7);
  for (int i = 0; i < 300; ++i) {
    const auto v = std::bit_cast<double>(static_cast<uint64_t>(random()));
    EXPECT_TRUE(same(round_trip(Attr(v)), Attr(v)));
  }
}

TEST(Text, OtherAttributesRoundTrip) {
  const Attr attrs[] = {true,
                        false,
                        int64_t{0},
                        std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max(),
                        Ints{},
                        Ints{1, -2, 3},
                        Dtype::boolean,
                        Dtype::complex128,
                        std::string()};
  for (const Attr& a : attrs) EXPECT_TRUE(same(round_trip(a), a)) << to_string(a);
}

TEST(Text, StringsOfAnyBytesRoundTrip) {
  std::string every, random;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  std::mt19937 bits(1);
  for (int i = 0; i < 5000; ++i) random += static_cast<char>(bits() >> 5);
  for (const std::string& s : {every, random, std::string("a\0b", 3), std::string("größe 猫 𝛼")}) {
    EXPECT_TRUE(same(round_trip(Attr(s)), Attr(s)));
    EXPECT_EQ(double_quoted(s).find_first_of(std::string("\0\n\x1b\x7f", 4)), std::string::npos);
  }
  EXPECT_EQ(double_quoted("größe 猫 𝛼"), "\"größe 猫 𝛼\"");
  EXPECT_EQ(double_quoted("\"\\\n\t\r\x1b"), R"("\"\\\n\t\r\x1b")");
  EXPECT_EQ(double_quoted("\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\xe2\x82"),
            R"("\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\xe2\x82")");
  EXPECT_EQ(double_quoted("\u202e\u0085\ufeff"), R"("\xe2\x80\xae\xc2\x85\xef\xbb\xbf")");
}

TEST(Text, ArraysOfEveryDtypeRoundTrip) {
  std::mt19937 random(3);
  for (int d = 0; d < dtype_count; ++d)
    for (const Shape& shape : {Shape{}, {0}, {2, 0, 3}, {1}, {2, 2}, {5}, {64}, {65}, {7, 11}})
      for (const bool splat : {false, true}) {
        Array a = Array::zeros({static_cast<Dtype>(d), shape});
        const auto width = static_cast<size_t>(size_of(a.dtype())), bytes = static_cast<size_t>(a.bytes());
        for (size_t i = 0; i < bytes; ++i)
          a.mutable_data()[i] = splat && i >= width  ? a.data()[i - width]
                                : is_bool(a.dtype()) ? std::byte(random() % 2)
                                                     : std::byte(random());
        SCOPED_TRACE(to_string(a.type()));
        EXPECT_TRUE(same(round_trip(Attr(a)), Attr(a)));
      }
}

// Every value of 16 bits, 64 at a time, so that each is printed as a number.
TEST(Text, EveryHalfRoundTrips) {
  for (const Dtype d : {Dtype::float16, Dtype::bfloat16})
    for (uint32_t first = 0; first < 65536; first += 64) {
      Array a = Array::make({d, {64}});
      for (uint32_t i = 0; i < 64; ++i) {
        const auto bits = static_cast<uint16_t>(first + i);
        std::memcpy(a.mutable_data() + 2 * i, &bits, 2);
      }
      const Attr again =
          parse(fmt::format("func \"f\"() -> (\"\") {{ %0: {}[64] = constant() {{value={}}} return %0 }}", name(d),
                            to_string(Attr(a))))
              ->nodes()
              .back()
              .attrs.items()[0]
              .second;
      ASSERT_TRUE(same(again, Attr(a))) << to_string(Attr(a));
    }
}

TEST(Text, ArraysAreShort) {
  EXPECT_EQ(one_constant(Array::of<float>({1, -0.0f, 0.1f, INFINITY}, {2, 2})), "f32[2,2](1, -0, 0.1, inf)");
  EXPECT_EQ(one_constant(Array::scalar(std::complex<double>(1, -2.5))), "c128[]((1, -2.5))");
  EXPECT_EQ(one_constant(Array::of<bool>({true, false}, {2})), "bool[2](true, false)");
  EXPECT_EQ(one_constant(Array::of<uint8_t>({65, 255}, {2})), "u8[2](65, 255)");
  EXPECT_EQ(one_constant(Array::scalar(std::bit_cast<float>(0x7fc00001u))), "f32[](nan(0x7fc00001))");
  EXPECT_EQ(one_constant(Array::scalar(std::numeric_limits<float>::quiet_NaN())), "f32[](nan)");
  EXPECT_EQ(one_constant(Array::full({Dtype::float64, {1000, 1000}}, 0.5)), "f64[1000,1000](splat 0.5)");
  EXPECT_EQ(one_constant(Array::zeros({Dtype::int8, {0, 4}})), "i8[0,4]()");
  std::vector<uint16_t> many(65);
  many[0] = 0x1234;
  EXPECT_TRUE(one_constant(Array::of(many, {65})).starts_with("u16[65](hex \"341200"));
}

TEST(Text, CutsLongArraysForPeople) {
  Build b("f");
  const Body f = b.finish({b.iota({Dtype::int32, {3}}, 0), b.constant(Array::of<int32_t>({1, 2, 3}, {3}))});
  const std::string text = print(f, {.most_elements = 2});
  EXPECT_NE(text.find("value=i32[3](...)"), std::string::npos) << text;
  EXPECT_NE(error_of(text), "parsed");
}

TEST(Text, FunctionsStayShared) {
  Build leaf("layer"), other("layer");
  const Body f = leaf.finish({leaf.neg(leaf.parameter({Dtype::float32, {2}}, "x"))}, {"y"});
  const Body g = other.finish({other.exp(other.parameter({Dtype::float32, {2}}))});
  Build b("main");
  Value x = b.parameter({Dtype::float32, {2}});
  for (const Body& body : {f, g, f}) x = b.call(body, {x}, body == g ? "recompute" : "save")[0];
  const std::string text = round_trip(b.finish({x}));
  EXPECT_NE(text.find("call(%1) {policy=\"recompute\"} [@\"layer.2\"]"), std::string::npos) << text;
}

TEST(Text, NothingToSayIsFine) {
  Build leaf("none"), b("main");
  const Body none = leaf.finish({});
  b.call(none, {});
  EXPECT_EQ(round_trip(b.finish({})),
            "func \"none\"() -> () {\n  return\n}\n\n"
            "func \"main\"() -> () {\n  () = call() {policy=\"save\"} [@\"none\"]\n  return\n}\n");
}

TEST(Text, ReadsWhatPeopleWrite) {
  const Body f = parse(
      "// a comment\nfunc \"f\"(%x:f32[2]) -> (\"\") {\r\n"
      "%y: f32[2] = add(%x,%x) // twice\n%z: f32[] = constant() {value=f32[](0.50)} return %y }");
  EXPECT_EQ(f->nodes().size(), 3u);
}

struct Malformed {
  std::string_view text, error;
};

TEST(Text, ErrorsNameThePlace) {
  const std::string_view f = "func \"f\"(%0: f32[2]) -> (\"\") {\n  ";
  const Malformed cases[] = {
      {"%1: f32[2] = nag(%0)", "2:16: there is no operation 'nag'; viva ops lists them"},
      {"%1: f32[3] = neg(%0)", "2:3: neg gives f32[2] here, not f32[3]"},
      {"%1: f32[2] = neg(%2)", "2:20: %2 is not defined here"},
      {"%1: f32[2] = neg(%1)", "2:20: %1 is not defined here"},
      {"%0: f32[2] = neg(%0)", "2:3: %0 is defined twice"},
      {"%: f32[2] = neg(%0)", "2:3: a value needs a number after %"},
      {"%1: f32[2], %2: f32[2] = neg(%0)", "2:28: neg gives 1 results, not 2"},
      {"%1: f32[2] = add(%0)", "2:16: [add] takes 2 operands, not 1"},
      {"%1: f23[2] = neg(%0)", "2:7: 'f23' is not a dtype"},
      {"%1: f32[-2] = neg(%0)", "2:10: shape [-2] has a negative extent"},
      {"%1: f32[9223372036854775808] = neg(%0)", "2:11: not an integer of 64 bits"},
      {"%1: f32[99999999999,99999999999] = neg(%0)", "2:10: shape [99999999999,99999999999] has too many elements"},
      {"%1: f32[2] = neg(%0) {a=1, a=2}", "2:30: the attribute \"a\" stands twice"},
      {"%1: f32[2] = neg(%0) {a=f32[2](1)}", "2:34: f32[2] has 2 elements, not 1"},
      {"%1: f32[2] = neg(%0) {a=f32[1](1, 2)}", "2:37: f32[1] has only 1 elements"},
      {"%1: f32[2] = neg(%0) {a=u8[](256)}", "2:32: not an integer of u8"},
      {"%1: f32[2] = neg(%0) {a=u8[](-1)}", "2:32: not an integer of u8"},
      {"%1: f32[2] = neg(%0) {a=f32[](1e39)}", "2:33: outside the range of f32"},
      {"%1: f32[2] = neg(%0) {a=f16[](65520)}", "2:33: outside the range of f16"},
      {"%1: f32[2] = neg(%0) {a=f32[](1.5.2)}", "2:33: not a number"},
      {"%1: f32[2] = neg(%0) {a=nan(0x3ff0000000000000)}", "2:30: these bits are not a NaN"},
      {"%1: f32[2] = neg(%0) {a=nan(0x7ff80000000000001)}", "2:31: not 0x and 16 hexadecimal digits at most"},
      {"%1: f32[2] = neg(%0) {a=f32[1](hex \"000000\")}", "2:38: f32[1] is 4 bytes, not 6 hexadecimal digits"},
      {"%1: f32[2] = neg(%0) {a=f32[1](hex \"0000000x\")}", "2:38: byte 3 is not hexadecimal"},
      {"%1: f32[2] = neg(%0) {a=bool[1](hex \"02\")}", "2:39: byte 0 is neither true nor false"},
      {"%1: f32[2] = neg(%0) {a=u8[2000000000](splat 0)}", "2:42: the splats exceed 1073741824 bytes"},
      {"%1: f32[2] = neg(%0) {a=yes}", "2:27: 'yes' is not a value"},
      {"%1: f32[2] = neg(%0) {a=\"\\q\"}", "2:28: unknown escape: \\\" \\\\ \\n \\r \\t and \\xHH are known"},
      {"%1: f32[2] = neg(%0) {a=\"\\x1", "2:31: \\x needs two hexadecimal digits"},
      {"%1: f32[2] = neg(%0) {a=\"x\n\"}", "2:29: a control character in quotes: write it as \\xHH"},
      {"%1: f32[2] = neg(%0) {a=\"x", "2:27: the quotes are never closed"},
      {"%1: f32[2] = call(%0) {policy=\"save\"} [@\"f\"]", "2:43: no function \"f\" stands above"},
      {"%1: f32[2] = call(%0)", "2:16: [call] the attribute policy is missing"},
      {"%1: f32[2] = neg(%0) {a=1}", "2:16: [neg] there is no attribute 'a'"},
      {"%1: f32[2] = call(%0) {policy=\"save\"}", "2:16: [call] holds 0 functions, not one"},
      {"%1 f32[2] = neg(%0)", "2:6: expected ':', not 'f32'"},
      {"(%1) = neg(%0)", "2:4: results stand without brackets"},
      {"$", "2:3: the byte 0x24 means nothing here"},
      {"return %0", "2:12: expected '}', not the end of the text"},
      {"return %0, %0 }", "1:25: 1 names for 2 outputs"},
      {"return %0 } func \"f\"", "2:20: a second function of this name"},
      {"return %0 } func \"g\"() -> () { return }", "1:6: nothing below uses this function"},
      {"return %0 } x", "2:15: expected 'func', not 'x'"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(error_of(std::string(f).append(text)), error) << text;
  EXPECT_EQ(error_of(""), "1:1: expected 'func', not the end of the text");
  EXPECT_EQ(error_of("funk", "a.viva"), "a.viva:1:1: expected 'func', not 'funk'");
}

TEST(Text, NestsOfFunctionsAreBounded) {
  std::string text = "func \"0\"() -> () { return }\n";
  for (int i = 1; i <= 100000; ++i)
    text += fmt::format("func \"{}\"() -> () {{ () = call() {{policy=\"save\"}} [@\"{}\"] return }}\n", i, i - 1);
  EXPECT_NE(error_of(text).find("functions nest deeper than 1000"), std::string::npos);
  const size_t end = text.find("func \"1001\"");
  verify(Program(parse(std::string_view(text).substr(0, end))));
}

TEST(Text, LongListsAreBounded) {
  std::string ones = "1";
  for (int i = 0; i < 100; ++i) ones += ",1";
  EXPECT_NE(error_of("func \"f\"(%0: f32[" + ones + "]) -> () { return }").find("rank 101 is above 64"),
            std::string::npos);
  std::string deep(100000, '(');
  EXPECT_NE(error_of(deep), "parsed");
}

// A name and an array of each form.
std::string text_of_literals() {
  Build b("literals");
  const Value x = b.parameter({Dtype::float32, {2}}, "größe\n");
  b.constant(Array::of<std::complex<float>>({{1, NAN}, {-INFINITY, 2}}, {2}));
  b.constant(Array::of<Float16>({Float16(1.5f)}, {}));
  b.constant(Array::full({Dtype::boolean, {9}}, 1));
  std::vector<uint8_t> many(66, 3);
  many[1] = 200;
  b.constant(Array::of(many, {66}));
  return print(b.finish({x}));
}

// Whatever it is, it parses to something that verifies, or it is refused.
void parse_or_refuse(std::string_view text) {
  try {
    const Body f = parse(text);
    verify(Program(f));
    EXPECT_EQ(print(parse(print(f))), print(f));
  } catch (const Error& e) { ASSERT_EQ(e.kind(), ErrorKind::input) << e.what(); }
}

TEST(Text, CutAnywhereItIsRefused) {
  const std::string text = print(random_program(5));
  for (size_t n = 0; n < text.size(); ++n) {
    const std::string cut = text.substr(0, n);
    // Whole functions are left where the cut falls between two.
    if (const size_t last = cut.find_last_not_of(" \n"); last == std::string::npos || cut[last] != '}') {
      ASSERT_NE(error_of(cut), "parsed") << n;
    } else {
      parse_or_refuse(cut);
    }
  }
}

TEST(Text, AlteredAnywhereItParsesOrIsRefused) {
  std::mt19937 random(11);
  for (const std::string& text : {text_of_literals(), print(random_program(5))}) {
    ASSERT_EQ(print(parse(text)), text);
    for (size_t i = 0; i < text.size(); ++i) {
      std::string altered = text;
      altered[i] = i % 2 ? static_cast<char>(text[i] ^ (1 << random() % 8)) : static_cast<char>(random());
      parse_or_refuse(altered);
    }
  }
}

// Operands, attributes and types that fit no longer: infer refuses them, whatever they are.
TEST(Text, AlteredSamplesParseOrAreRefused) {
  std::mt19937 random(13);
  for (const OpDef* op : catalog())
    for (const Sample& s : op->samples()) {
      const std::string text = print(sample_function(*op, s, false));
      SCOPED_TRACE(text);
      for (int i = 0; i < 100; ++i) {
        std::string altered = text;
        for (size_t k = 1 + random() % 3; k-- > 0;) {
          size_t at = random() % text.size();
          // Mostly numbers: these pass the grammar.
          if (random() % 4)
            while (!std::isdigit(static_cast<unsigned char>(text[at]))) at = (at + 1) % text.size();
          altered[at] = "0123456789,-[]"[random() % 14];
        }
        parse_or_refuse(altered);
      }
    }
}

}  // namespace
}  // namespace viva
