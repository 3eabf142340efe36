#include "cpp_infer/flags.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <numeric>
#include <sstream>
#include <utility>

#include "cpp_infer/errors.h"

namespace cpp_infer {
namespace {

std::string Joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : separator) + word;
  }
  return text;
}

std::size_t EditDistance(const std::string& first, const std::string& second) {
  std::vector<std::size_t> row(second.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < first.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < second.size(); ++j) {
      const std::size_t replaced = diagonal + (first[i] == second[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

bool HasDashes(const std::string& argument) { return argument.rfind("--", 0) == 0; }

std::vector<std::string> NamesOf(const std::map<std::string, std::string>& values) {
  std::vector<std::string> names;
  std::transform(values.begin(), values.end(), std::back_inserter(names), [](const auto& item) { return item.first; });
  return names;
}

}  // namespace

std::string NearestName(const std::string& word, const std::vector<std::string>& candidates) {
  const auto is_nearer = [&](const std::string& one, const std::string& other) {
    return EditDistance(word, one) < EditDistance(word, other);
  };
  const auto nearest = std::min_element(candidates.begin(), candidates.end(), is_nearer);
  return nearest == candidates.end() ? "" : *nearest;
}

Flags::Flags(const std::vector<Flag>& known, const std::vector<std::string>& arguments) {
  for (const Flag& flag : known) {
    values_[flag.name] = flag.default_value;
  }
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    if (*argument == "--help" || *argument == "-h") {
      is_help_ = true;
      continue;
    }
    if (!HasDashes(*argument)) {
      throw UserError("'" + *argument + "' is no flag: write --name=value, see --help");
    }
    const std::size_t equals = argument->find('=');
    const std::string name = argument->substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto known_value = values_.find(name);
    if (known_value == values_.end()) {
      throw UserError("flag --" + name + " is unknown, the nearest one is --" + NearestName(name, NamesOf(values_)) +
                      ": see --help for all");
    }
    if (equals != std::string::npos) {
      known_value->second = argument->substr(equals + 1);
    } else if (const auto value = std::next(argument); value != arguments.end() && !HasDashes(*value)) {
      known_value->second = *value;
      argument = value;
    } else {
      throw UserError("flag --" + name + " has no value: write --" + name + "=value");
    }
  }
}

const std::string& Flags::Required(const std::string& name) const {
  const std::string& value = values_.at(name);
  if (value.empty()) {
    throw UserError("flag --" + name + " is missing: give it a value, see --help");
  }
  return value;
}

const std::string& Flags::Choice(const std::string& name, const std::vector<std::string>& choices) const {
  const std::string& value = values_.at(name);
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    throw UserError("--" + name + " is '" + value + "': choose one of " + Joined(choices, ", "));
  }
  return value;
}

int Flags::Integer(const std::string& name, int lowest, int highest) const {
  const std::string& value = values_.at(name);
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < lowest || number > highest) {
    throw UserError("--" + name + " is '" + value + "': give a whole number from " + std::to_string(lowest) + " to " +
                    std::to_string(highest));
  }
  return number;
}

std::string FlagsHelp(const std::vector<Flag>& known) {
  std::ostringstream text;
  for (const Flag& flag : known) {
    text << "  --" << flag.name << "=" << (flag.default_value.empty() ? "..." : flag.default_value) << "\n      "
         << flag.help << "\n";
  }
  return text.str();
}

}  // namespace cpp_infer
