#include "interrupts.h"

#include <pthread.h>

#include <cstdlib>
#include <initializer_list>
#include <iostream>

namespace cpp_infer {

Interrupts::Interrupts() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction present = {};
    // One that is ignored stays so, as `nohup` and the `&` of a script mean it; blocked, it would be received here.
    if (sigaction(signal, nullptr, &present) == 0 && present.sa_handler != SIG_IGN) {
      sigaddset(&signals_, signal);
    }
  }
  pthread_sigmask(SIG_BLOCK, &signals_, &mask_before_);
  watcher_ = std::thread([this] { Watch(); });
}

Interrupts::~Interrupts() {
  is_done_ = true;
  watcher_.join();
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Interrupts::Check() const {
  if (const int signal = received_; signal != 0) {
    throw Interrupted(signal);
  }
}

void Interrupts::EndAtOnce(bool is_wanted) {
  ends_at_once_ = is_wanted;
  if (is_wanted) {
    Check();  // A signal that came before would wait.
  }
}

void Interrupts::Watch() {
  constexpr timespec kPatience = {0, 50'000'000};
  while (!is_done_) {
    const int signal = sigtimedwait(&signals_, nullptr, &kPatience);
    if (signal <= 0) {
      continue;
    }
    if (ends_at_once_) {
      std::cerr << "\ninterrupted while the model was loaded, nothing was written" << std::endl;
    }
    if (received_ != 0 || ends_at_once_) {
      std::_Exit(128 + signal);
    }
    received_ = signal;
  }
}

}  // namespace cpp_infer
