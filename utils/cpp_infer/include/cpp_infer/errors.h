// What can go wrong, by who can mend it. Any other exception is a fault of the program.
#pragma once

#include <stdexcept>

namespace cpp_infer {

// The user can mend it; the message is one sentence: what, got, wanted, how to fix.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One image cannot be used; the message says why and leaves out the file's name, which the caller knows.
class ImageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cpp_infer
