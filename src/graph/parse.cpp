#include <algorithm>
#include <unordered_map>

#include "graph/build.h"
#include "graph/lexer.h"
#include "graph/literal.h"
#include "graph/opdef.h"
#include "graph/text.h"

namespace viva {
namespace {

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : in_(text, file), literals_(in_) {}

  Body run() {
    Body entry;
    do { entry = function(); } while (in_.token().kind != Kind::end);
    for (const Known* f : in_order_)
      if (!f->used && f->body != entry) in_.fail(f->offset, "nothing below uses this function");
    return entry;
  }

 private:
  using Kind = Lexer::Kind;
  using Token = Lexer::Token;
  struct Known {
    Body body;
    size_t offset = 0;
    bool used = false;
  };
  struct Result {
    Token id;
    std::string name;
    Type type;
  };

  // Calls item() for each of a list in brackets that the opening mark begins.
  template <class F> void list(std::string_view open, std::string_view close, F&& item) {
    in_.expect(open);
    if (in_.accept(close)) return;
    do { item(); } while (in_.accept(","));
    in_.expect(close);
  }

  Body function() {
    in_.expect("func");
    const Token name = in_.expect(Kind::string, "the function's name in quotes");
    if (functions_.contains(name.string)) in_.fail(name.offset, "a second function of this name");
    Build b(name.string);
    b.at({});
    values_.clear();
    list("(", ")", [&] {
      const Result r = result();
      define(r.id, b.parameter(r.type, r.name));
    });
    in_.expect("->");
    std::vector<std::string> output_names;
    const size_t names_offset = in_.token().offset;
    list("(", ")", [&] { output_names.push_back(in_.expect(Kind::string, "an output's name in quotes").string); });
    in_.expect("{");
    while (!in_.accept("return")) node(b);
    Values outputs;
    if (!in_.is("}")) do {
        outputs.push_back(value());
      } while (in_.accept(","));
    in_.expect("}");
    if (outputs.size() != output_names.size())
      in_.fail(names_offset, fmt::format("{} names for {} outputs", output_names.size(), outputs.size()));
    Body f = b.finish(std::move(outputs), std::move(output_names));
    in_order_.push_back(&functions_.emplace(name.string, Known{f, name.offset}).first->second);
    return f;
  }

  Result result() {
    Result r{in_.expect(Kind::value, "a value such as %0"), "", {}};
    if (in_.token().kind == Kind::string) r.name = in_.take().string;
    in_.expect(":");
    r.type = literals_.type();
    return r;
  }

  void define(const Token& id, Value v) {
    if (id.text.size() < 2) in_.fail(id.offset, "a value needs a number after %");
    if (!values_.emplace(id.text, v).second) in_.fail(id.offset, fmt::format("{} is defined twice", shown(id)));
  }

  Value value() {
    const Token id = in_.expect(Kind::value, "a value such as %0");
    const auto it = values_.find(id.text);
    if (it == values_.end()) in_.fail(id.offset, fmt::format("{} is not defined here", shown(id)));
    return it->second;
  }

  static std::string_view shown(const Token& t) { return t.text.substr(0, 40); }

  void node(Build& b) {
    std::vector<Result> results;
    if (in_.is("(")) list("(", ")", [&] { in_.fail("results stand without brackets"); });
    else do {
        results.push_back(result());
      } while (in_.accept(","));
    in_.expect("=");
    const Token name = in_.expect(Kind::word, "an operation");
    const OpDef* op = find_op(name.text);
    if (!op) in_.fail(name.offset, fmt::format("there is no operation '{}'; viva ops lists them", shown(name)));
    Values in;
    list("(", ")", [&] { in.push_back(value()); });
    Attrs attrs;
    if (in_.is("{")) list("{", "}", [&] { attribute(attrs); });
    std::vector<Body> bodies;
    if (in_.is("[")) list("[", "]", [&] { bodies.push_back(body()); });
    bind(b, results, name, emit(b, name, *op, std::move(in), std::move(attrs), std::move(bodies)));
  }

  void attribute(Attrs& attrs) {
    const Token t = in_.take();
    if (t.kind != Kind::word && t.kind != Kind::string) in_.fail(t.offset, "expected an attribute's name");
    const std::string name = t.kind == Kind::string ? t.string : std::string(t.text);
    if (attrs.find(name)) in_.fail(t.offset, fmt::format("the attribute {} stands twice", double_quoted(name)));
    in_.expect("=");
    attrs.set(name, literals_.attribute());
  }

  Body body() {
    in_.expect("@");
    const Token name = in_.expect(Kind::string, "a function's name in quotes");
    const auto it = functions_.find(name.string);
    if (it == functions_.end())
      in_.fail(name.offset, fmt::format("no function {} stands above", double_quoted(name.string.substr(0, 40))));
    if (it->second.body->depth() >= most_nested)
      in_.fail(name.offset, fmt::format("functions nest deeper than {}", most_nested));
    it->second.used = true;
    return it->second.body;
  }

  Values emit(Build& b, const Token& name, const OpDef& op, Values in, Attrs attrs, std::vector<Body> bodies) {
    try {
      return b.emit(op, std::move(in), std::move(attrs), std::move(bodies));
    } catch (const Error& e) { in_.fail(name.offset, e.message()); }
  }

  void bind(Build& b, const std::vector<Result>& results, const Token& op, const Values& out) {
    if (out.size() != results.size())
      in_.fail(op.offset, fmt::format("{} gives {} results, not {}", op.text, out.size(), results.size()));
    for (size_t i = 0; i < out.size(); ++i) {
      const Result& r = results[i];
      if (out[i].type() != r.type)
        in_.fail(r.id.offset,
                 fmt::format("{} gives {} here, not {}", op.text, to_string(out[i].type()), to_string(r.type)));
      if (!r.name.empty()) b.set_name(out[i], r.name);
      define(r.id, out[i]);
    }
  }

  Lexer in_;
  Literals literals_;
  std::unordered_map<std::string, Known> functions_;
  std::vector<const Known*> in_order_;
  std::unordered_map<std::string_view, Value> values_;  // of the function being read
};

}  // namespace

Body parse(std::string_view text, std::string_view file) { return Parser(text, file).run(); }

}  // namespace viva
