// The part of JSON Schema 2020-12 that report.schema.json uses.
#pragma once

#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace viva::testing {

class SchemaCheck {
 public:
  using Json = nlohmann::ordered_json;
  explicit SchemaCheck(const Json& schema) : root_(schema) {}
  // "" where the document fits, else the place and the rule.
  std::string operator()(const Json& document) const { return check(document, root_, ""); }

 private:
  static bool has_type(const Json& v, const std::string& t) {
    if (t == "object") return v.is_object();
    if (t == "array") return v.is_array();
    if (t == "string") return v.is_string();
    if (t == "boolean") return v.is_boolean();
    if (t == "null") return v.is_null();
    if (t == "integer") return v.is_number_integer();
    return t == "number" && v.is_number();
  }

  std::string check(const Json& v, const Json& s, const std::string& at) const {
    for (const auto& [rule, arg] : s.items()) {
      const std::string wrong = check_rule(v, s, rule, arg, at);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  std::string check_rule(const Json& v, const Json& s, const std::string& rule, const Json& arg,
                         const std::string& at) const {
    const auto fail = [&] { return at + ": " + rule + " of " + v.dump().substr(0, 80); };
    if (rule == "$ref") return check(v, root_.at(Json::json_pointer(arg.get<std::string>().substr(1))), at);
    if (rule == "type") {
      const Json types = arg.is_array() ? arg : Json::array({arg});
      for (const Json& t : types) {
        if (has_type(v, t)) return "";
      }
      return fail();
    }
    if (rule == "enum") return std::find(arg.begin(), arg.end(), v) == arg.end() ? fail() : "";
    if (rule == "const") return v == arg ? "" : fail();
    if (rule == "anyOf") {
      for (const Json& option : arg) {
        if (check(v, option, at).empty()) return "";
      }
      return fail();
    }
    if (v.is_string() && rule == "pattern")
      return std::regex_search(v.get<std::string>(), std::regex(arg.get<std::string>())) ? "" : fail();
    if (v.is_number() && rule == "minimum") return v.get<double>() >= arg.get<double>() ? "" : fail();
    if (v.is_number() && rule == "exclusiveMinimum") return v.get<double>() > arg.get<double>() ? "" : fail();
    if (v.is_number() && rule == "exclusiveMaximum") return v.get<double>() < arg.get<double>() ? "" : fail();
    if (v.is_number() && rule == "maximum") return v.get<double>() <= arg.get<double>() ? "" : fail();
    if (v.is_array() && rule == "items") return check_items(v, arg, at);
    if (v.is_object()) return check_object(v, s, rule, arg, at);
    return "";
  }

  std::string check_items(const Json& v, const Json& arg, const std::string& at) const {
    for (size_t i = 0; i < v.size(); ++i) {
      const std::string wrong = check(v[i], arg, at + "/" + std::to_string(i));
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  std::string check_object(const Json& v, const Json& s, const std::string& rule, const Json& arg,
                           const std::string& at) const {
    if (rule == "required") {
      for (const Json& name : arg) {
        if (!v.contains(name.get<std::string>())) return at + ": lacks " + name.dump();
      }
    }
    for (const auto& [name, value] : v.items()) {
      const bool listed = s.contains("properties") && s["properties"].contains(name);
      std::string wrong;
      if (rule == "properties" && listed) wrong = check(value, arg[name], at + "/" + name);
      if (rule == "additionalProperties" && !listed)
        wrong = arg == Json(false) ? at + ": unknown " + name : check(value, arg, at + "/" + name);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  const Json& root_;
};

}  // namespace viva::testing
