// A queue between threads that hands things out in their order, whatever the order in which they come.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace cpp_infer {

// Holds at most `capacity` things. Each has a position, 0, 1, 2, ..., that is pushed once; Pop() returns them in this
// order, so that what is made of them does not depend on which thread was faster.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : slots_(capacity) {}

  // Waits until `position` is less than `capacity` ahead of the next one to be popped.
  // Returns false, and drops the value, where the queue is closed.
  bool Push(std::size_t position, T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_closed_ || position < next_ + slots_.size(); });
    if (is_closed_) {
      return false;
    }
    slots_[position % slots_.size()] = std::move(value);
    changed_.notify_all();
    return true;
  }

  // Waits for the next thing in order. Returns nothing where the queue is closed.
  std::optional<T> Pop() {
    std::unique_lock lock(mutex_);
    std::optional<T>& slot = slots_[next_ % slots_.size()];
    changed_.wait(lock, [&] { return is_closed_ || slot.has_value(); });
    if (is_closed_) {
      return std::nullopt;
    }
    std::optional<T> value = std::exchange(slot, std::nullopt);
    ++next_;
    changed_.notify_all();
    return value;
  }

  // Ends all waiting, now and later.
  void Close() {
    const std::scoped_lock lock(mutex_);
    is_closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<T>> slots_;
  std::size_t next_ = 0;
  bool is_closed_ = false;
};

}  // namespace cpp_infer
