// What MindSpore calls, and how a kernel refuses arguments that it was not made for.
#ifndef CPU_KERNELS_SIGNATURE_H
#define CPU_KERNELS_SIGNATURE_H

#include <stdint.h>

// What a kernel returns instead of 0; MindSpore raises RuntimeError with the number. A kernel that returns
// WRONG_ARGUMENTS has touched nothing.
enum { NO_MEMORY = 1, WRONG_ARGUMENTS = 2 };

// Head of the functions that MindSpore calls: inputs, then outputs, in `params`, with their ranks, shapes and dtypes.
#define KERNEL(name)                                                                                     \
  __attribute__((visibility("default"))) int name(int num_params, void **params, int *ranks,              \
                                                  int64_t **shapes, const char **types, void *stream, \
                                                  void *extra)

// Leaves the kernel unless its arguments are those of the signature and the conditions after it hold as well.
//
// A signature reads "x[..., C], labels int32[N, H, 4] -> y[..., C]": name, dtype (float32 where none is said) and axes
// of each argument. A letter is one size throughout the signature, above 0 except for N, the images of a batch; "..."
// is any axes, the same throughout, "?" any size and a digit that size. Arguments with "+" after them come once or
// several times, all equally often.
#define REQUIRE(signature, ...)                                                                                   \
  do {                                                                                                            \
    (void)stream, (void)extra;                                                                                    \
    if (!fits_signature(__func__, signature, num_params, ranks, shapes, types)) return WRONG_ARGUMENTS;           \
    const int holds[] = {1, ##__VA_ARGS__};   /* the 1 lets signatures stand alone */                             \
    for (int i = 0; i < (int)(sizeof holds / sizeof *holds); ++i)                                                 \
      if (!holds[i]) return refuse(__func__, "condition", i, #__VA_ARGS__);                                       \
  } while (0)

// Whether the arguments are those of the signature; says on stderr which is not.
int fits_signature(const char *kernel, const char *signature, int num_params, const int *ranks,
                   int64_t *const *shapes, const char *const *types);

// Says on stderr what is refused and what is wanted; returns WRONG_ARGUMENTS.
int refuse(const char *kernel, const char *what, int number, const char *wanted);

#endif
