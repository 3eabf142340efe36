// Where the time of a run went.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace cpp_infer {

class Stopwatch {
 public:
  double Milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct Timings {
  std::vector<double> calls;   // Milliseconds of each call of the engine.
  std::vector<double> images;  // Of decoding and preprocessing each image, in whatever thread.
  double writing = 0;          // Of all result files.
  double whole = 0;            // From the first image to the last result file.

  // Returns the text of time_Result/test_perform_static.txt.
  std::string Report() const;
};

}  // namespace cpp_infer
