// dump_inputs DESCRIPTION FOLDER IMAGE...: writes the model's input for each image as FOLDER/<position>.bin, float32,
// and prints a line for each: "height width scale_y scale_x", or "refused: " and the reason.

#include <cstddef>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "cpp_infer/description.h"
#include "cpp_infer/errors.h"
#include "cpp_infer/image_input.h"
#include "cpp_infer/paths.h"

namespace {

void Dump(const std::string& image, const cpp_infer::Preprocessing& preprocessing, const std::string& target) {
  try {
    const cpp_infer::ImageInput input = cpp_infer::ReadImageInput(image, preprocessing);
    cpp_infer::WriteFile(target, input.pixels.data(), input.pixels.size() * sizeof(float));
    std::cout << std::setprecision(std::numeric_limits<double>::max_digits10) << input.height << " " << input.width
              << " " << input.scale_y << " " << input.scale_x << "\n";
  } catch (const cpp_infer::ImageError& error) {
    std::cout << "refused: " << error.what() << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() < 4) {
    std::cerr << "usage: dump_inputs DESCRIPTION FOLDER IMAGE...\n";
    return 2;
  }
  try {
    const cpp_infer::ModelDescription description = cpp_infer::ReadDescription(arguments[1]);
    for (std::size_t i = 3; i < arguments.size(); ++i) {
      Dump(arguments[i], description.preprocessing, arguments[2] + "/" + std::to_string(i - 3) + ".bin");
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
