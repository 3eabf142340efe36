#include "cpp_infer/run.h"

#include <unistd.h>

#include <exception>
#include <filesystem>
#include <iostream>

#include "batch.h"
#include "cpp_infer/errors.h"
#include "inference.h"
#include "words.h"

namespace cpp_infer {
namespace {

namespace fs = std::filesystem;

void CheckDescription(const ModelDescription& description, const Options& options, const std::string& suite) {
  const std::string path = options.description.string();
  if (description.suite != suite) {
    throw UserError("'" + path + "' describes a model of " + description.suite + " and this program runs those of " +
                    suite + ": give another --mindir_path");
  }
  const bool is_for_openvino = options.engine == "openvino" || options.model.extension() == ".onnx";
  const std::string wanted = is_for_openvino ? "ONNX" : "MINDIR";
  // The description of a model may be given for what a converter has made of it.
  if (!options.is_description_given && description.file_format != wanted) {
    throw UserError("'" + path + "' describes a file of format " + description.file_format + ": " +
                    (is_for_openvino ? "export the model with export.py --with_onnx=True, and give the .onnx"
                                     : "export the model with export.py --file_format=MINDIR"));
  }
  if (!options.is_description_given && description.file != options.model.filename()) {
    throw UserError("'" + path + "' describes '" + description.file + "': export the model again, or give --config");
  }
}

// Refuses a model that takes other inputs than its description says, before an image is read for it.
void CheckInputs(const ModelDescription& description, const std::vector<TensorDescription>& inputs,
                 const std::string& model) {
  if (inputs.empty()) {
    return;
  }
  bool is_other = inputs.size() != description.inputs.size();
  for (std::size_t i = 0; i < inputs.size() && !is_other; ++i) {
    is_other = !AgreesWith(inputs[i], description.inputs[i]);
  }
  if (is_other) {
    throw UserError("'" + model + "' takes " + Text(inputs) + ", its description says " + Text(description.inputs) +
                    ": export the model again, or give its own description with --config");
  }
}

void RunModel(const Options& options, const Program& program, Interrupts& interrupts) {
  const ModelDescription description = ReadDescription(options.description);
  CheckDescription(description, options, program.suite);
  (void)BatchSize(description, options.batch_size);  // a wrong one is refused before the model is loaded
  const std::vector<ImageFile> files = FindImages(options.dataset);
  const fs::path folder = fs::current_path();
  const fs::path times = folder / "time_Result";
  ResultFiles results(folder, description.outputs);
  MakeFolder(times);
  interrupts.EndAtOnce(true);  // loading takes a minute on some devices, and nothing is half done
  const std::unique_ptr<Engine> engine =
      MakeEngine({options.engine, options.model, options.device_target, options.device_id, options.cpu_precision,
                  options.num_threads, options.precision_mode, options.lite_config, options.python});
  interrupts.EndAtOnce(false);
  CheckInputs(description, engine->Inputs(), options.model.string());
  Progress progress(std::cerr, isatty(STDERR_FILENO) == 1, files.size());
  progress.Say("model '" + options.model.string() + "' loaded, engine " + engine->Name() + ", " +
               Counted(files.size(), "image") +
               ", other files passed over: " + std::to_string(CountOtherFiles(options.dataset)));
  const Timings timings = Infer(options, description, files, *engine, results, progress, interrupts);
  if (results.num_images() == 0) {
    throw UserError(files.size() == 1
                        ? "the only image of '" + options.dataset.string() + "' cannot be read: see the warning above"
                        : "none of the " + Counted(files.size(), "image") + " in '" + options.dataset.string() +
                              "' can be read: see the warnings above");
  }
  WriteFile(times / "test_perform_static.txt", timings.Report());
  results.Finish(program.suite, options.model, engine->Name());
  std::cout << Counted(results.num_images(), "image") << " done, " << results.num_skipped() << " left out\n"
            << timings.Report();
  if (!std::cout.flush()) {
    throw UserError("standard output cannot be written: free some space for it; all results are written");
  }
}

int Run(const std::vector<std::string>& arguments, const Program& program) {
  Interrupts interrupts;  // before anything makes a thread
  const Flags flags(KnownFlags(), arguments);
  if (flags.is_help()) {
    std::cout << program.summary << "\n" << FlagsHelp(KnownFlags());
    return 0;
  }
  RunModel(ReadOptions(flags), program, interrupts);
  return 0;
}

}  // namespace

int RunMain(int argc, char** argv, const Program& program) {
  const std::string name = argc > 0 ? fs::path(argv[0]).filename().string() : program.suite;
  try {
    return Run({argv + (argc > 0 ? 1 : 0), argv + argc}, program);
  } catch (const Interrupted& error) {
    std::cerr << "\n" << name << ": " << error.what() << ", result_Files.json was not written" << std::endl;
    return 128 + error.signal();
  } catch (const UserError& error) {
    std::cerr << name << ": error: " << error.what() << std::endl;
    return kExitUserError;
  } catch (const std::exception& error) {
    std::cerr << name << ": fault: " << error.what() << std::endl;
    return kExitFault;
  }
}

}  // namespace cpp_infer
