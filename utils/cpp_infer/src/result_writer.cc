#include "result_writer.h"

#include <utility>

#include "timings.h"

namespace cpp_infer {
namespace {

constexpr std::size_t kMostWaiting = 2;  // Batches in memory beside the one that is written; scores may have 26 MB.

}  // namespace

ResultWriter::ResultWriter(ResultFiles& results) : results_(results), thread_([this] { Work(); }) {}

ResultWriter::~ResultWriter() {
  {
    const std::scoped_lock lock(mutex_);
    is_closed_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

void ResultWriter::Add(std::vector<BatchItem> items, std::vector<Tensor> outputs, std::int64_t batch_size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.size() < kMostWaiting || error_; });
  if (error_) {
    std::rethrow_exception(error_);
  }
  waiting_.push_back({std::move(items), std::move(outputs), batch_size});
  changed_.notify_all();
}

double ResultWriter::Finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return (waiting_.empty() && !is_busy_) || error_; });
  if (error_) {
    std::rethrow_exception(error_);
  }
  return milliseconds_;
}

void ResultWriter::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return is_closed_ || !waiting_.empty(); });
    if (is_closed_) {
      return;
    }
    const Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    is_busy_ = true;
    lock.unlock();
    const Stopwatch writing;
    std::exception_ptr error;
    try {
      Write(batch);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    is_busy_ = false;
    milliseconds_ += writing.Milliseconds();
    error_ = error;
    changed_.notify_all();
    if (error_) {
      return;
    }
  }
}

void ResultWriter::Write(const Batch& batch) {
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const BatchItem& item = batch.items[i];
    results_.Add(*item.file, item.input, batch.outputs, static_cast<std::int64_t>(i), batch.size);
  }
}

}  // namespace cpp_infer
