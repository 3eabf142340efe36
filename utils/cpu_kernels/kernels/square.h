// Transposition of a square of values in registers.
#ifndef CPU_KERNELS_SQUARE_H
#define CPU_KERNELS_SQUARE_H

#include "vectors.h"

// target[i * target_row + j] = rows[j][first + i] for i, j < LANES, by exchanging ever larger squares.
INLINE void transpose_square(const float *const *rows, int64_t first, float *target, int64_t target_row) {
#ifdef __clang__   // it has no shuffle whose lanes are computed
  for (int j = 0; j < LANES; ++j)
    for (int i = 0; i < LANES; ++i) target[i * target_row + j] = rows[j][first + i];
#else
  vec values[LANES];
#pragma GCC unroll 16
  for (int j = 0; j < LANES; ++j) values[j] = load(rows[j] + first);
#pragma GCC unroll 4
  for (int step = 1; step < LANES; step *= 2) {
    ivec upper, lower;   // lanes of the pair of rows that go into its first and into its second row
#pragma GCC unroll 16
    for (int lane = 0; lane < LANES; ++lane) {
      upper[lane] = lane & step ? LANES + lane - step : lane;
      lower[lane] = lane & step ? LANES + lane : lane + step;
    }
#pragma GCC unroll 16
    for (int j = 0; j < LANES; ++j) {
      if (j & step) continue;
      vec a = values[j], b = values[j + step];
      values[j] = __builtin_shuffle(a, b, upper);
      values[j + step] = __builtin_shuffle(a, b, lower);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < LANES; ++i) store(target + i * target_row, values[i]);
#endif
}

#endif
