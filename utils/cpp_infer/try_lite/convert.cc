// Converts an ONNX file with the converter inside the wheel of MindSpore Lite 2.0: convert ONNX OUTPUT_WITHOUT_ENDING
//
// The wheel has no header for the class; this declares the part of it that is called, as its library exports it.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "include/api/status.h"
#include "include/api/types.h"

namespace mindspore {
namespace converter {
enum FmkType : int { kFmkTypeOnnx = 2 };
}  // namespace converter

class Converter {
 public:
  Converter(converter::FmkType framework, const std::vector<char>& model, const std::vector<char>& output,
            const std::vector<char>& weights);
  void SetSaveType(ModelType type);
  Status Convert();

 private:
  std::shared_ptr<void> room_[4];  // The object is one such pointer; more does no harm.
};
}  // namespace mindspore

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: convert ONNX OUTPUT_WITHOUT_ENDING" << std::endl;
    return 2;
  }
  const auto text = [](const std::string& value) { return std::vector<char>(value.begin(), value.end()); };
  mindspore::Converter converter(mindspore::converter::kFmkTypeOnnx, text(argv[1]), text(argv[2]), {});
  converter.SetSaveType(mindspore::kMindIR);
  const bool is_done = converter.Convert().IsOk();
  std::_Exit(is_done ? 0 : 1);  // The libraries of the wheel crash when they are unloaded.
}
