// Passes on text graphs: tests/golden/<pass>/<case>.viva holds `// pass: NAME`, what the case shows, the program
// before, a line `---` and the program after. VIVA_UPDATE_GOLDEN=1 writes the parts after it anew; read the difference
// then.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "graph/text.h"
#include "graph/verify.h"
#include "interpret/interpret.h"
#include "transform/pipeline.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

const fs::path root = fs::path(VIVA_SOURCE_DIR) / "tests/golden";

std::vector<fs::path> golden_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.path().extension() == ".viva") files.push_back(fs::relative(entry.path(), root));
  std::sort(files.begin(), files.end());
  return files;
}

struct Case {
  std::string pass, before, after;
};

Case read(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(root / file).rdbuf();
  const std::string s = text.str();
  constexpr std::string_view head = "// pass: ", cut = "\n---\n";
  const size_t middle = s.find(cut);
  if (!s.starts_with(head) || middle == std::string::npos)
    throw usage_error("{}: '// pass: NAME', a program, '---' and a program are needed", file.string());
  return {s.substr(head.size(), s.find('\n') - head.size()), s.substr(0, middle + 1), s.substr(middle + cut.size())};
}

// Numbers and zeros of either sign, in every dtype.
Array argument(const Type& type) {
  Array a = Array::make({Dtype::float64, type.shape});
  const auto out = a.as_mutable<double>();
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<double>((5 * i + 3) % 9) * 0.75 - 3;
    if (out[i] == 0 && i % 18 < 9) out[i] = -0.0;
  }
  return a.converted(type.dtype);
}

void expect_same_results(const Body& a, const Body& b) {
  ASSERT_EQ(a->param_types(), b->param_types());
  ASSERT_EQ(a->output_types(), b->output_types());
  EXPECT_EQ(a->output_names(), b->output_names());
  std::vector<Array> args;
  for (const Type& t : a->param_types()) args.push_back(argument(t));
  const auto x = interpret(*a, args), y = interpret(*b, args);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(same_bits(x[i], y[i])) << "output " << i;
}

class Golden : public ::testing::TestWithParam<fs::path> {};

TEST_P(Golden, After) {
  const fs::path& file = GetParam();
  const Case c = read(file);
  EXPECT_EQ(c.pass, file.parent_path().string()) << "a case stands in the folder of its pass";
  const auto pass = std::ranges::find(passes(), c.pass, &Pass::name);
  ASSERT_NE(pass, passes().end()) << "there is no pass " << c.pass;

  const Body before = parse(c.before, file.string());
  verify(Program(before));
  const Body made = pass->run(before);
  verify(Program(made));
  expect_same_results(before, made);
  if (std::getenv("VIVA_UPDATE_GOLDEN")) {
    std::ofstream(root / file) << c.before << "---\n" << print(made);
    return;
  }
  const Body after = parse(c.after, file.string() + ", after");
  verify(Program(after));
  EXPECT_EQ(print(made), print(after)) << "VIVA_UPDATE_GOLDEN=1 writes it anew";
}

std::string test_name(const ::testing::TestParamInfo<fs::path>& info) {
  std::string s = info.param.parent_path().string() + "_" + info.param.stem().string();
  std::ranges::replace_if(s, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return s;
}
INSTANTIATE_TEST_SUITE_P(Passes, Golden, ::testing::ValuesIn(golden_files()), test_name);

TEST(GoldenFiles, EveryPassHasCases) {
  const std::vector<fs::path> files = golden_files();
  for (const Pass& pass : passes()) {
    const auto own = [&](const fs::path& f) { return f.parent_path() == pass.name; };
    EXPECT_GE(std::ranges::count_if(files, own), 2) << pass.name;
  }
}

}  // namespace
}  // namespace viva
