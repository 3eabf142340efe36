// The message of the exception that a piece of code throws.
#pragma once

#include <string>

namespace cpp_infer {

// Returns "" where nothing was thrown; another exception than E fails the test.
template <typename E, typename F>
std::string MessageOf(F&& code) {
  try {
    code();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

}  // namespace cpp_infer
