#include "cpp_infer/errors.h"
#include "engines.h"

namespace cpp_infer {

std::unique_ptr<Engine> MakeOpenVinoEngine(const EngineOptions& /*options*/) {
  throw UserError(
      "this program was built without OpenVINO: pip install openvino==2026.4.1 and build again, or take "
      "--engine=python");
}

}  // namespace cpp_infer
