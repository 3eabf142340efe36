// Threads that decode and preprocess images ahead of the engine.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#include "cpp_infer/bounded_queue.h"
#include "cpp_infer/image_input.h"
#include "cpp_infer/paths.h"

namespace cpp_infer {

struct LoadedImage {
  ImageInput input;
  std::exception_ptr error;  // ImageError or a fault; nothing where all is well.
  double milliseconds = 0;
};

// `files` and `preprocessing` have to outlive it.
class ImageLoader {
 public:
  ImageLoader(const std::vector<ImageFile>& files, const Preprocessing& preprocessing, std::uint64_t most_pixels,
              int num_threads, std::size_t capacity);
  ImageLoader(const ImageLoader&) = delete;
  ImageLoader& operator=(const ImageLoader&) = delete;
  ~ImageLoader();

  // Returns the images in the order of the files, each once. May be called as often as there are files.
  LoadedImage Next();

 private:
  void Work();

  const std::vector<ImageFile>& files_;
  const Preprocessing& preprocessing_;
  const std::uint64_t most_pixels_;
  BoundedQueue<LoadedImage> queue_;
  std::atomic<std::size_t> next_{0};
  std::vector<std::thread> threads_;
};

}  // namespace cpp_infer
