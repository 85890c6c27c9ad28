#include "cli/outputs_apart.h"

#include <algorithm>
#include <filesystem>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/ledger_place.h"

namespace viva {
namespace {

namespace fs = std::filesystem;

fs::path whole(const std::string& path) {
  std::error_code error;
  fs::path p = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) p = fs::path(path).lexically_normal();
  return p.has_filename() ? p : p.parent_path();
}

bool are_one(const RunPath& a, const RunPath& b) {
  std::error_code ignored;
  return whole(a.path) == whole(b.path) || fs::equivalent(a.path, b.path, ignored);
}

bool lies_in(const RunPath& file, const RunPath& folder) {
  const fs::path f = whole(file.path), d = whole(folder.path);
  return f != d && std::mismatch(d.begin(), d.end(), f.begin(), f.end()).first == d.end();
}

void check(const RunPath& a, const RunPath& b) {
  if (are_one(a, b))
    throw usage_error("{} {} and {} {} are one place: name a place of its own for each", a.what, printable(a.path),
                      b.what, printable(b.path));
  for (const auto& [file, folder] : {std::pair(&a, &b), {&b, &a}})
    if (file->is != RunPath::Is::network && folder->is == RunPath::Is::report && lies_in(*file, *folder) &&
        whole(file->path).filename() != ledger_name)
      throw usage_error(
          "{} {}: lies in the folder of a report, {}, which is replaced as a whole: name a place beside it", file->what,
          printable(file->path), printable(folder->path));
}

}  // namespace

void check_apart(std::span<const RunPath> paths) {
  for (size_t i = 0; i < paths.size(); ++i)
    for (size_t k = i + 1; k < paths.size(); ++k) check(paths[i], paths[k]);
}

}  // namespace viva
