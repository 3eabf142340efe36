// The whole program of a suite: an exported model over a folder of images, its outputs into result files.
#pragma once

#include <string>

namespace cpp_infer {

struct Program {
  std::string suite;    // The model's description has to name it.
  std::string summary;  // First line of --help.
};

inline constexpr int kExitFault = 1;
inline constexpr int kExitUserError = 2;

// Runs with the arguments of main(). Writes into the working directory; see README.md for the files.
// Returns the exit code: 0, 1 a fault of the program, 2 something that the user can mend, 128 + n after signal n.
int RunMain(int argc, char** argv, const Program& program);

}  // namespace cpp_infer
