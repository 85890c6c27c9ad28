// Every operation gives nearly the same in another precision.
#include <gtest/gtest.h>

#include <algorithm>

#include "interpret/interpret.h"
#include "laws/laws.h"
#include "transform/transform.h"

namespace viva {
namespace {

TEST(Retype, EveryOperationInFloat32) {
  int64_t tried = 0;
  for (const OpDef* op : catalog()) {
    for (const Sample& s : (*op->samples)()) {
      const laws::Case c = laws::case_of(*op, s);
      const auto complex = [](const Array& a) { return is_complex(a.dtype()); };
      if (!laws::only_float64(c) || std::ranges::any_of(c.args, complex)) continue;
      if (std::ranges::any_of(c.f->output_types(), [](const Type& t) { return is_complex(t.dtype); })) continue;
      const Body narrow = retype(c.f, Dtype::float32);
      std::vector<Array> args;
      for (const Array& a : c.args) args.push_back(is_float(a.dtype()) ? a.converted(Dtype::float32) : a);
      for (size_t i = 0; i < args.size(); ++i) ASSERT_EQ(args[i].type(), narrow->params()[i].type());
      const auto wide_results = interpret(*c.f, c.args), results = interpret(*narrow, args);
      std::vector<Array> back;
      for (size_t i = 0; i < results.size(); ++i) {
        if (!is_float(results[i].dtype())) {
          back.push_back(results[i]);
          continue;
        }
        EXPECT_EQ(results[i].dtype(), Dtype::float32) << op->name << ' ' << s.label;
        back.push_back(results[i].converted(Dtype::float64));
      }
      EXPECT_EQ(laws::close(wide_results, back, 1e-3), "") << op->name << ' ' << s.label;
      ++tried;
    }
  }
  EXPECT_GT(tried, 100);
}

}  // namespace
}  // namespace viva
