#include "cpp_infer/errors.h"
#include "engines.h"

namespace cpp_infer {

std::unique_ptr<Engine> MakePythonEngine(const EngineOptions& /*options*/) {
  throw UserError(
      "this program was built without the Python engine: build again with -DCPP_INFER_PYTHON=ON and the Python that "
      "has "
      "mindspore and pybind11, or take --engine=lite");
}

}  // namespace cpp_infer
