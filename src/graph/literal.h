// Attribute values of the text form, for its parser only.
#pragma once

#include "graph/graph.h"
#include "graph/lexer.h"

namespace viva {

class Literals {
 public:
  explicit Literals(Lexer& lexer) : in_(lexer) {}
  Type type();
  Attr attribute();

 private:
  Ints ints();
  Shape shape();
  Attr number();
  Array array(Type type);
  Array splat(Type type);
  Array bytes(Type type);
  Array listed(Type type);
  template <class T> T element();
  template <class T> T real();
  template <class Bits> Bits payload();

  Lexer& in_;
  int64_t splat_bytes_ = 0;  // of all splats so far
};

}  // namespace viva
