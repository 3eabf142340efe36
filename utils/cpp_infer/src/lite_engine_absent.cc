#include "cpp_infer/errors.h"
#include "engines.h"

namespace cpp_infer {

std::unique_ptr<Engine> MakeLiteEngine(const EngineOptions& /*options*/) {
  throw UserError(
      "this program was built without MindSpore Lite: unpack the cloud package of MindSpore Lite, set LITE_HOME to its "
      "folder and build again, or take --engine=python");
}

}  // namespace cpp_infer
