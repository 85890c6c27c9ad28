// A directory of files that appears whole or not at all.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/aside.h"

namespace viva {

//   OutputDirectory out("net.viva", [](const std::string& dir) { return holds_a_report(dir); });
//   out.write("report.json", text);
//   out.commit();
// The files are written into a hidden directory beside the target, which commit moves into place. What stands at the
// target is replaced only where it is a directory that `may_replace` accepts, and is then removed with everything in
// it. The parent must exist. Without commit the destructor removes the hidden directory; one that a killed run left
// behind is removed by the next OutputDirectory with the same target. All failures are input errors.
class OutputDirectory {
 public:
  using Predicate = std::function<bool(const std::string& directory)>;

  // Refuses at once, before any work is done, a target that commit would refuse.
  OutputDirectory(const std::string& target, Predicate may_replace);
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  // The hidden directory, for code that writes files itself.
  const std::string& path() const { return aside_.path; }
  // Adds or replaces a file; `name` is a plain file name, without '/'.
  void write(const std::string& name, ByteSpan content);
  void write(const std::string& name, std::string_view content) { write(name, as_bytes(content)); }
  // Synchronises all files and moves the directory to its target. Only once; nothing can be written afterwards.
  void commit();

 private:
  void check_target() const;
  std::string put_in_place();  // returns the path of what is to be removed, or ""

  OutputPlace place_;
  Predicate may_replace_;
  Aside aside_;
  bool committed_ = false;
};

}  // namespace viva
