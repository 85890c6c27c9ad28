// Every operation gives nearly the same in another precision.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/build.h"
#include "interpret/interpret.h"
#include "laws/laws.h"
#include "transform/transform.h"

namespace viva {
namespace {

using laws::Arrays;

Dtype narrow(Dtype d) { return is_complex(d) ? Dtype::complex64 : is_float(d) ? Dtype::float32 : d; }

// In float32, complex64 and integers as they were.
Arrays narrowed(const Arrays& arrays) {
  Arrays r;
  for (const Array& a : arrays) r.push_back(a.converted(narrow(a.dtype())));
  return r;
}

TEST(Retype, EveryOperationInFloat32) {
  int64_t tried = 0, complex = 0;
  for (const OpDef* op : catalog())
    for (const Sample& s : (*op->samples)()) {
      SCOPED_TRACE(std::string(op->name) + " " + s.label);
      const laws::Case c = laws::case_of(*op, s);
      if (!laws::only_float64(c)) continue;
      const Body f = retype(c.f, Dtype::float32);
      const Arrays args = narrowed(c.args), results = interpret(*f, args), wide = interpret(*c.f, c.args);
      for (size_t i = 0; i < args.size(); ++i) ASSERT_EQ(args[i].type(), f->params()[i].type());
      ASSERT_EQ(results.size(), wide.size());
      for (size_t i = 0; i < wide.size(); ++i) ASSERT_EQ(results[i].dtype(), narrow(wide[i].dtype()));
      EXPECT_EQ(laws::close(narrowed(wide), results, 1e-3), "");
      // And back: the types are what they were.
      EXPECT_EQ(retype(f, Dtype::float64)->output_types(), c.f->output_types());
      ++tried;
      complex += std::ranges::any_of(c.f->nodes(), [](const Node& n) { return is_complex(n.types[0].dtype); });
    }
  EXPECT_GT(tried, 200);
  EXPECT_GT(complex, 50);
}

// |fft(x)|² of real x, with a complex constant.
TEST(Retype, ProgramsThatMixRealAndComplexNumbers) {
  Build b("f");
  const Value x = b.parameter({Dtype::float64, {4}}, "x");
  const Value z = b.fft(b.complex(x, b.sin(x)), 0);
  const Value w = b.mul(z, b.constant(laws::direction({Dtype::complex128, {4}}, 3)));
  const Body f = b.finish({b.add(b.square(b.real(w)), b.square(b.imag(w)))});
  const Array at = laws::direction({Dtype::float64, {4}}, 5);
  const Body single = retype(f, Dtype::float32);
  EXPECT_EQ(laws::close(narrowed(interpret(*f, Arrays{at})), interpret(*single, narrowed({at})), 1e-5), "");
  const Body derivative = jvp(f, {true});
  const Arrays both{at, laws::direction({Dtype::float64, {4}}, 6)};
  EXPECT_EQ(laws::close(narrowed(interpret(*derivative, both)),
                        interpret(*retype(derivative, Dtype::float32), narrowed(both)), 1e-5),
            "");
  EXPECT_EQ(interpret(*retype(single, Dtype::float64), Arrays{at})[0].dtype(), Dtype::float64);
  for (const Dtype half : {Dtype::float16, Dtype::bfloat16}) try {
      retype(f, half);
      FAIL();
    } catch (const Error& e) {
      const std::string text = e.what();
      EXPECT_TRUE(text.find("has no complex numbers for a c128 to become") != std::string::npos &&
                  text.find("retype_test.cpp") != std::string::npos)
          << text;
    }
}

}  // namespace
}  // namespace viva
