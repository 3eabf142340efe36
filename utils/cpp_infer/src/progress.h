// How far a run is: one line that is written anew on a terminal, a line now and then in a log.
#pragma once

#include <chrono>
#include <cstddef>
#include <ostream>
#include <string>

namespace cpp_infer {

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  Progress(std::ostream& stream, bool is_terminal, std::size_t total);

  // Says how many images are done, where it is time to.
  void Show(std::size_t num_done, Clock::time_point now = Clock::now());

  // Writes a line of its own, e.g. a warning.
  void Say(const std::string& line);

 private:
  std::ostream& stream_;
  bool is_terminal_;
  std::size_t total_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_shown_ = start_;
  bool is_line_open_ = false;
};

// Returns a duration as people say it: "9 s", "2 min 5 s", "1 h 4 min".
std::string DurationText(std::chrono::seconds duration);

}  // namespace cpp_infer
