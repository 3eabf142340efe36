// Counts and foreign messages in sentences, as utils/words.py and utils/model_utils/errors.py word them.
#pragma once

#include <cstddef>
#include <string>

namespace cpp_infer {

// Returns a noun as it stands behind a count: "image" for 1, else "images".
inline std::string Agreed(std::size_t count, const std::string& noun) { return count == 1 ? noun : noun + "s"; }

// Returns a count with its noun: "1 image", "2 images".
inline std::string Counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + Agreed(count, noun);
}

inline std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace cpp_infer
