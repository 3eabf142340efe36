// Bilinear interpolation along one axis, with half-pixel centres: PyTorch's align_corners=False.
#ifndef CPU_KERNELS_AXIS_H
#define CPU_KERNELS_AXIS_H

#include <stdlib.h>
#include <string.h>

#include "tasks.h"

// Output position x takes (1 - share[x]) of source position low[x] and share[x] of high[x].
typedef struct {
  int32_t *low, *high;
  float *share;
  int64_t source_size, size;
} axis;

static inline int make_axis(axis *a, int64_t source_size, int64_t size) {
  a->source_size = source_size, a->size = size;
  a->low = malloc((2 * size + 1) * sizeof(int32_t));
  a->share = malloc((size + 1) * sizeof(float));
  if (!a->low || !a->share) return 1;
  a->high = a->low + size;
  float ratio = (float)source_size / (float)size;
  for (int64_t x = 0; x < size; ++x) {
    float position = ((float)x + 0.5f) * ratio - 0.5f;
    position = position > 0 ? position : 0;
    int32_t low = (int32_t)at_most((int64_t)position, source_size - 1);
    int is_last = low + 1 >= source_size;
    a->low[x] = low;
    a->high[x] = is_last ? low : low + 1;
    a->share[x] = is_last ? 0.0f : position - (float)low;
  }
  return 0;
}

static inline void free_axis(axis *a) {
  free(a->low);
  free(a->share);
}

// Interpolates a row of source_size floats to size floats.
static inline void expand_row(const axis *a, const float *restrict source, float *restrict target) {
  const int32_t *restrict low = a->low, *restrict high = a->high;
  const float *restrict share = a->share;
  for (int64_t x = 0; x < a->size; ++x) target[x] = source[low[x]] + (source[high[x]] - source[low[x]]) * share[x];
}

// The transposed operation: sets source_size floats from the gradients of size floats.
static inline void collapse_row(const axis *a, const float *restrict gradient, float *restrict source) {
  memset(source, 0, a->source_size * sizeof(float));
  for (int64_t x = 0; x < a->size; ++x) {
    float upper = gradient[x] * a->share[x];
    source[a->low[x]] += gradient[x] - upper;
    source[a->high[x]] += upper;
  }
}

#endif
