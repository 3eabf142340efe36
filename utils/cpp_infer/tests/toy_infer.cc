#include "cpp_infer/run.h"

int main(int argc, char** argv) { return cpp_infer::RunMain(argc, argv, {"toy", "Runs the toy model of the tests."}); }
