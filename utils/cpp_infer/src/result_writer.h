// Writes result files in a thread of its own, so that the engine need not wait for the disk.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "batch.h"
#include "cpp_infer/tensor.h"
#include "result_files.h"

namespace cpp_infer {

// `results` has to outlive it, and nobody else may add images to them meanwhile.
class ResultWriter {
 public:
  explicit ResultWriter(ResultFiles& results);
  ResultWriter(const ResultWriter&) = delete;
  ResultWriter& operator=(const ResultWriter&) = delete;
  ~ResultWriter();  // What waits is not written any more.

  // Hands over what the engine returned for a batch; `batch_size` counts repeated images too. Waits where two batches
  // wait already. Throws what went wrong with an earlier one.
  void Add(std::vector<BatchItem> items, std::vector<Tensor> outputs, std::int64_t batch_size);

  // Waits until all is written. Returns the milliseconds that this took in the thread.
  // Throws what went wrong.
  double Finish();

 private:
  struct Batch {
    std::vector<BatchItem> items;
    std::vector<Tensor> outputs;
    std::int64_t size;
  };

  void Work();
  void Write(const Batch& batch);

  ResultFiles& results_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  bool is_busy_ = false;
  bool is_closed_ = false;
  double milliseconds_ = 0;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace cpp_infer
