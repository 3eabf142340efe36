#include "cpp_infer/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

namespace cpp_infer {
namespace {

// Long enough for a thread to do what it must not do.
constexpr std::chrono::milliseconds kWhile{30};

TEST(BoundedQueue, HandsThingsOutInTheirOrder) {
  BoundedQueue<int> queue(3);
  EXPECT_TRUE(queue.Push(2, 12));
  EXPECT_TRUE(queue.Push(0, 10));
  EXPECT_TRUE(queue.Push(1, 11));
  EXPECT_EQ(queue.Pop(), 10);
  EXPECT_EQ(queue.Pop(), 11);
  EXPECT_EQ(queue.Pop(), 12);
}

TEST(BoundedQueue, MakesAPusherWaitThatIsTooFarAhead) {
  BoundedQueue<int> queue(2);
  queue.Push(0, 0);
  auto pusher = std::async(std::launch::async, [&] { return queue.Push(2, 2); });
  EXPECT_EQ(pusher.wait_for(kWhile), std::future_status::timeout);
  EXPECT_EQ(queue.Pop(), 0);
  EXPECT_TRUE(pusher.get());
}

TEST(BoundedQueue, MakesAPopperWaitForTheNextInOrder) {
  BoundedQueue<int> queue(2);
  queue.Push(1, 1);
  auto popper = std::async(std::launch::async, [&] { return queue.Pop(); });
  EXPECT_EQ(popper.wait_for(kWhile), std::future_status::timeout);
  queue.Push(0, 0);
  EXPECT_EQ(popper.get(), 0);
}

TEST(BoundedQueue, ClosingEndsAllWaiting) {
  BoundedQueue<int> queue(1);
  auto popper = std::async(std::launch::async, [&] { return queue.Pop(); });
  auto pusher = std::async(std::launch::async, [&] { return queue.Push(1, 1); });
  queue.Close();
  EXPECT_EQ(popper.get(), std::nullopt);
  EXPECT_FALSE(pusher.get());
  EXPECT_FALSE(queue.Push(0, 0));
}

TEST(BoundedQueue, MovesThingsThatCannotBeCopied) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  queue.Push(0, std::make_unique<int>(5));
  EXPECT_EQ(**queue.Pop(), 5);
}

TEST(BoundedQueue, LosesNothingBetweenManyThreads) {
  constexpr std::size_t kNumThings = 2000;
  BoundedQueue<std::size_t> queue(5);
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> pushers;
  for (int i = 0; i < 4; ++i) {
    pushers.emplace_back([&] {
      for (std::size_t position = next++; position < kNumThings; position = next++) {
        queue.Push(position, position);
      }
    });
  }
  for (std::size_t i = 0; i < kNumThings; ++i) {
    ASSERT_EQ(queue.Pop(), i);
  }
  for (std::thread& pusher : pushers) {
    pusher.join();
  }
}

}  // namespace
}  // namespace cpp_infer
