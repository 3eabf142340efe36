// A small matrix product whose result stays in registers, the core of convolution, linear layer and attention, and the
// packing of what it reads.
#ifndef CPU_KERNELS_TILE_H
#define CPU_KERNELS_TILE_H

#include "square.h"
#include "tasks.h"
#include "vectors.h"

// A tile has ROWS rows of COLUMNS floats: as many sums as the registers hold.
#if LANES == 16
#define ROWS 8
#else
#define ROWS 4
#endif
#define COLUMNS (2 * LANES)

#define DEPTH_BLOCK 256   // of the right matrix at a time: a panel of it, 32 KB at most, stays in the first cache

INLINE int64_t padded_rows(int64_t count) { return ceil_divide(count, ROWS) * ROWS; }
INLINE int64_t padded_columns(int64_t count) { return ceil_divide(count, COLUMNS) * COLUMNS; }

// c[r, j] (+)= sum over k < depth of a[r * a_row + k * a_step] * b[k, j], for r < ROWS and j < COLUMNS.
// b is a panel: float[depth, COLUMNS] without gaps. c has rows c_row apart.
INLINE void multiply_tile(const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t depth, float *c,
                          int64_t c_row, int adds) {
  vec left[ROWS], right[ROWS];
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; ++r) {
    left[r] = adds ? load(c + r * c_row) : (vec){0};
    right[r] = adds ? load(c + r * c_row + LANES) : (vec){0};
  }
  for (int64_t k = 0; k < depth; ++k) {
    vec b_left = load(b + k * COLUMNS), b_right = load(b + k * COLUMNS + LANES);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
      vec factor = splat(a[r * a_row + k * a_step]);
      left[r] += factor * b_left;
      right[r] += factor * b_right;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; ++r) {
    store(c + r * c_row, left[r]);
    store(c + r * c_row + LANES, right[r]);
  }
}

// Copies a matrix [rows, columns], rows `row_step` apart, into panels [padded columns / COLUMNS, rows, COLUMNS] with
// zeros on the right.
INLINE void pack_panels(const float *source, int64_t row_step, int64_t rows, int64_t columns, float *panels) {
  for (int64_t first = 0; first < columns; first += COLUMNS)
    for (int64_t row = 0; row < rows; ++row, panels += COLUMNS)
      for (int64_t j = 0; j < COLUMNS; j += LANES) {
        int64_t left = columns - first - j;
        store(panels + j, left > 0 ? load_part(source + row * row_step + first + j, left) : (vec){0});
      }
}

// The same of the transposed matrix: panels [padded rows / COLUMNS, columns, COLUMNS], which on the right repeat the
// last row.
INLINE void pack_transposed_panels(const float *source, int64_t row_step, int64_t rows, int64_t columns,
                                   float *panels) {
  for (int64_t first = 0; first < rows; first += COLUMNS, panels += columns * COLUMNS) {
    const float *from[COLUMNS];
    for (int64_t j = 0; j < COLUMNS; ++j) from[j] = source + at_most(first + j, rows - 1) * row_step;
    int64_t column = 0;
    for (; column + LANES <= columns; column += LANES)
      for (int64_t j = 0; j < COLUMNS; j += LANES)
        transpose_square(from + j, column, panels + column * COLUMNS + j, COLUMNS);
    for (; column < columns; ++column)
      for (int64_t j = 0; j < COLUMNS; ++j) panels[column * COLUMNS + j] = from[j][column];
  }
}

#endif
