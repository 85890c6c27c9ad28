// Walks over the taps of a function, at any depth.
#pragma once

#include <map>
#include <unordered_map>

#include "ops/nested.h"

namespace viva {

// Rebuilds a function and those in it that hold wanted taps, with something else in the place of each.
class TapWalk {
 public:
  virtual ~TapWalk() = default;
  // Parameters: f's, then more of these types. Outputs: f's, then the readings. Made once for each f, where the tap
  // alone decides what takes its place.
  virtual Inner function(const Body& f, const std::vector<Type>& more);
  // Whether a tap that is wanted stands in f or in a function that runs inside.
  bool wanted_in(const Body& f);

 protected:
  struct Here {
    Build& b;
    Values more;
    std::vector<TapReading> readings;
  };
  virtual bool wants(const Node& tap) = 0;
  virtual Value in_place(Here& here, const Node& tap, Ins in) = 0;
  // A node with rules, whose function holds taps that are wanted.
  virtual Outer with_rules(Here& here, const Node& n, Ins in);
  // Functions take the places of the steps around them, outermost first, after what else goes in.
  virtual bool places() const { return false; }
  Inner walk(const Body& f, const std::vector<Type>& more);
  Outer around(Here& here, const Node& n, Ins in);
  bool holds_wanted(const Node& n);

 private:
  std::map<std::pair<Body, size_t>, Inner> made_;
  std::unordered_map<const Function*, bool> wanted_;
};

const std::string& tap_name(const Node& tap);
bool has_taps(const Body& f);
// f with the operand of each tap in its place: for values that are computed a second time.
Body without_taps(const Body& f);
// f with one parameter more, bool[]: its taps say with it whether they are taken. For a function that vmap runs on
// examples which go other ways.
Body with_taken(const Body& f);

}  // namespace viva
