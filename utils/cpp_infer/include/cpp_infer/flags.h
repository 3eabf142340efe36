// Command line flags: --name=value or --name value.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace cpp_infer {

struct Flag {
  std::string name;           // Without the dashes.
  std::string default_value;  // "" for none.
  std::string help;
};

class Flags {
 public:
  // Reads arguments, without the program's name. The last one of a name counts.
  // Throws UserError where a name is unknown (the nearest known one is named), a value is missing, or something is no
  // flag.
  Flags(const std::vector<Flag>& known, const std::vector<std::string>& arguments);

  bool is_help() const { return is_help_; }

  // Throws UserError where it was neither given nor has a default.
  const std::string& Required(const std::string& name) const;

  const std::string& Text(const std::string& name) const { return values_.at(name); }

  // Throws UserError where the value is none of these.
  const std::string& Choice(const std::string& name, const std::vector<std::string>& choices) const;

  // Throws UserError where the value is no whole number in this range.
  int Integer(const std::string& name, int lowest, int highest) const;

 private:
  std::map<std::string, std::string> values_;
  bool is_help_ = false;
};

// Text of --help: a line or two for each flag.
std::string FlagsHelp(const std::vector<Flag>& known);

// Returns the candidate that needs the fewest single-letter changes to become `word`; "" where there is none.
std::string NearestName(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace cpp_infer
