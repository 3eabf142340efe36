#include "cpp_infer/engine.h"

#include "engines.h"

namespace cpp_infer {

std::unique_ptr<Engine> MakeEngine(const EngineOptions& options) {
#ifdef CPP_INFER_LITE
  const bool takes_lite = options.kind != "python";
#else
  const bool takes_lite = options.kind == "lite";
#endif
  return takes_lite ? MakeLiteEngine(options) : MakePythonEngine(options);
}

}  // namespace cpp_infer
