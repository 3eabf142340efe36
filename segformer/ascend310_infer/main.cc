// Runs an exported SegFormer over a folder of images; --help lists the flags, utils/cpp_infer/README.md the files.
#include "cpp_infer/run.h"

int main(int argc, char** argv) {
  return cpp_infer::RunMain(argc, argv, {"segformer", "Runs an exported SegFormer over a folder of images."});
}
