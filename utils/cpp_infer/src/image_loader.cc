#include "image_loader.h"

#include <stdexcept>
#include <utility>

#include "timings.h"

namespace cpp_infer {

ImageLoader::ImageLoader(const std::vector<ImageFile>& files, const Preprocessing& preprocessing,
                         std::uint64_t most_pixels, int num_threads, std::size_t capacity)
    : files_(files), preprocessing_(preprocessing), most_pixels_(most_pixels), queue_(capacity) {
  for (int i = 0; i < num_threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

ImageLoader::~ImageLoader() {
  queue_.Close();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

LoadedImage ImageLoader::Next() {
  std::optional<LoadedImage> image = queue_.Pop();
  if (!image) {
    throw std::logic_error("more images were asked for than there are files");
  }
  return std::move(*image);
}

void ImageLoader::Work() {
  for (std::size_t position = next_++; position < files_.size(); position = next_++) {
    LoadedImage image;
    const Stopwatch stopwatch;
    try {
      image.input = ReadImageInput(files_[position].path, preprocessing_, most_pixels_);
    } catch (...) {  // goes to the thread that asks for this image
      image.error = std::current_exception();
    }
    image.milliseconds = stopwatch.Milliseconds();
    if (!queue_.Push(position, std::move(image))) {
      return;
    }
  }
}

}  // namespace cpp_infer
