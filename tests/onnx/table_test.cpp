// The table of operators against itself and against docs/onnx-operators.md.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "graph/opdef.h"
#include "onnx/export.h"
#include "onnx/import.h"

namespace viva {
namespace {

TEST(OnnxTable, VersionsOfAnOperatorDoNotOverlap) {
  std::string name;
  int64_t until = 0;
  for (const OnnxOperator& o : imported_operators()) {
    EXPECT_LE(o.since, o.until) << o.name;
    EXPECT_LE(o.until, newest_opset) << o.name;
    if (o.name == name) { EXPECT_GT(o.since, until) << o.name; }
    name = o.name;
    until = o.until;
  }
}

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> v;
  std::istringstream s(line);
  for (std::string cell; std::getline(s, cell, '|');) {
    const size_t first = cell.find_first_not_of(' '), last = cell.find_last_not_of(' ');
    v.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return v;
}

// Rows of the first table: operator, since, primitives, state.
TEST(OnnxTable, TheDocumentSaysWhatIsImported) {
  std::ifstream in(std::string(VIVA_SOURCE_DIR) + "/docs/onnx-operators.md");
  std::set<std::string> documented, imported;
  std::map<std::string, int> count;
  std::map<std::string, int> stated;
  bool in_table = false;
  for (std::string line; std::getline(in, line);) {
    const auto c = cells(line);
    if (line.starts_with("## ")) in_table = line == "## Default domain";
    if (c.size() == 5 && !in_table &&
        (c[1] == "imported" || c[1] == "expressible, not yet imported" || c[1] == "refused"))
      stated[c[1]] = std::stoi(c[3]);
    if (!in_table || c.size() < 5 || c[1] == "operator" || c[1].starts_with("--")) continue;
    ++count[c.back()];
    if (c.back() == "imported") documented.insert(c[1].substr(0, c[1].find(' ')));
  }
  for (const OnnxOperator& o : imported_operators()) imported.insert(o.name);
  EXPECT_EQ(documented, imported);
  EXPECT_EQ(count, stated);
}

TEST(OnnxTable, AnOperationHasOneRowOfExport) {
  std::map<std::string, int> rows;
  for (const OnnxExport& r : exported_operations()) {
    ++rows[r.operation];
    EXPECT_NE(find_op(r.operation), nullptr) << r.operation;
    EXPECT_FALSE(r.as.empty()) << r.operation;
  }
  for (const auto& [name, count] : rows) EXPECT_LE(count, 1) << name;
}

TEST(OnnxTable, TheDocumentSaysWhatIsExported) {
  std::ifstream in(std::string(VIVA_SOURCE_DIR) + "/docs/onnx-operators.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::string table = "| operation | ONNX | what may differ |\n|---|---|---|\n";
  for (const OnnxExport& r : exported_operations())
    table += "| " + r.operation + " | " + r.as + " | " + r.differs + " |\n";
  EXPECT_NE(text.find(table + "\n"), std::string::npos) << "the table of docs/onnx-operators.md should read:\n"
                                                        << table;
}

}  // namespace
}  // namespace viva
