// All images through the engine, and what comes out into files.
#pragma once

#include <vector>

#include "cpp_infer/description.h"
#include "cpp_infer/engine.h"
#include "cpp_infer/options.h"
#include "cpp_infer/paths.h"
#include "interrupts.h"
#include "progress.h"
#include "result_files.h"
#include "timings.h"

namespace cpp_infer {

// Throws UserError for a bad image where that is to be fatal, Interrupted after a signal.
Timings Infer(const Options& options, const ModelDescription& description, const std::vector<ImageFile>& files,
              Engine& engine, ResultFiles& results, Progress& progress, const Interrupts& interrupts);

}  // namespace cpp_infer
