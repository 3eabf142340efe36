#include "inference.h"

#include <utility>

#include "batch.h"
#include "cpp_infer/errors.h"
#include "image_loader.h"
#include "result_writer.h"

namespace cpp_infer {
namespace {

void RunBatch(const ModelDescription& description, Engine& engine, std::vector<BatchItem> items, ResultWriter& writer,
              Timings& timings) {
  const std::vector<Tensor> inputs = BatchInputs(description, items);
  for (BatchItem& item : items) {
    item.input.pixels = {};  // Megabytes that the writer does not need.
  }
  const Stopwatch call;
  std::vector<Tensor> outputs = engine.Run(inputs);
  timings.calls.push_back(call.Milliseconds());
  writer.Add(std::move(items), std::move(outputs), inputs.front().shape.front());
}

// Returns whether the image can be used. Throws UserError where it cannot and that is to be fatal.
bool IsUsable(const LoadedImage& image, const ImageFile& file, BadImages bad_images, ResultFiles& results,
              Progress& progress) {
  if (!image.error) {
    return true;
  }
  try {
    std::rethrow_exception(image.error);
  } catch (const ImageError& error) {
    if (bad_images == BadImages::kFail) {
      throw UserError("image '" + file.path.string() + "' " + error.what() + ": replace it, or leave out bad images " +
                      "with --on_bad_image=skip");
    }
    progress.Say("warning: image '" + file.path.string() + "' " + error.what() + "; it is left out");
    results.AddSkipped(file, error.what());
  }
  return false;
}

}  // namespace

Timings Infer(const Options& options, const ModelDescription& description, const std::vector<ImageFile>& files,
              Engine& engine, ResultFiles& results, Progress& progress, const Interrupts& interrupts) {
  const auto batch_size = static_cast<std::size_t>(BatchSize(description, options.batch_size));
  const std::size_t capacity = batch_size + 2 * static_cast<std::size_t>(options.num_loaders);
  Timings timings;
  const Stopwatch whole;
  ImageLoader loader(files, description.preprocessing, options.most_pixels, options.num_loaders, capacity);
  ResultWriter writer(results);
  std::vector<BatchItem> items;
  for (std::size_t i = 0; i < files.size(); ++i) {
    interrupts.Check();
    LoadedImage image = loader.Next();
    if (IsUsable(image, files[i], options.bad_images, results, progress)) {
      timings.images.push_back(image.milliseconds);
      items.push_back({&files[i], std::move(image.input)});
    }
    if (items.size() == batch_size || (i + 1 == files.size() && !items.empty())) {
      RunBatch(description, engine, std::exchange(items, {}), writer, timings);
    }
    progress.Show(i + 1);
  }
  timings.writing = writer.Finish();
  timings.whole = whole.Milliseconds();
  return timings;
}

}  // namespace cpp_infer
