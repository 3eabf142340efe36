// Ctrl-C and SIGTERM as a question that the program asks, so that nothing stays half done.
#pragma once

#include <atomic>
#include <csignal>
#include <exception>
#include <thread>

namespace cpp_infer {

// Thrown where the program gives up its work because of a signal.
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}
  const char* what() const noexcept override { return "interrupted"; }
  int signal() const { return signal_; }

 private:
  int signal_;
};

// While it lives, the first signal is kept for Check(), and a second one ends the process at once. It has to be made
// before other threads are.
class Interrupts {
 public:
  Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  // Throws Interrupted where a signal came.
  void Check() const;

  // Says whether a signal is to end the process at once, where nothing asks Check() and nothing can stay half done.
  void EndAtOnce(bool is_wanted);

 private:
  void Watch();

  sigset_t signals_{};
  sigset_t mask_before_{};
  std::atomic<int> received_{0};
  std::atomic<bool> ends_at_once_{false};
  std::atomic<bool> is_done_{false};
  std::thread watcher_;
};

}  // namespace cpp_infer
