// Bilinear interpolation of the planes of [N, C, H, W], and its gradient.
#include "axis.h"
#include "signature.h"
#include "vectors.h"

typedef struct {
  axis rows, columns;
  const float *source;   // backward: gradient of the output
  float *target;         // backward: gradient of the input
} resize_context;

// Each source row is expanded once (when enlarging); an output row is a blend of two expanded rows.
static void forward_task(void *argument, int64_t plane) {
  const resize_context *c = argument;
  int64_t width = c->columns.size;
  const float *source = c->source + plane * c->rows.source_size * c->columns.source_size;
  float *low = scratch(2 * width + LANES), *high = low + width;
  int64_t low_row = -1, high_row = -1;
  for (int64_t y = 0; y < c->rows.size; ++y) {
    if (c->rows.low[y] != low_row && c->rows.low[y] == high_row) {
      float *other = low;
      low = high, high = other;
      low_row = high_row, high_row = -1;
    }
    if (c->rows.low[y] != low_row)
      expand_row(&c->columns, source + (low_row = c->rows.low[y]) * c->columns.source_size, low);
    if (c->rows.high[y] != high_row)
      expand_row(&c->columns, source + (high_row = c->rows.high[y]) * c->columns.source_size, high);
    float *target = c->target + (plane * c->rows.size + y) * width, share = c->rows.share[y];
    for (int64_t x = 0; x < width; ++x) target[x] = low[x] + (high[x] - low[x]) * share;
  }
}

// Sums of output rows' gradients for one source row and for the next; a row is collapsed when no more can come.
static void backward_task(void *argument, int64_t plane) {
  const resize_context *c = argument;
  int64_t width = c->columns.size, source_width = c->columns.source_size;
  float *target = c->target + plane * c->rows.source_size * source_width;
  float *low = scratch(2 * width), *high = low + width;
  memset(low, 0, 2 * width * sizeof(float));
  int64_t y = 0;
  for (int64_t row = 0; row < c->rows.source_size; ++row) {
    for (; y < c->rows.size && c->rows.low[y] == row; ++y) {
      const float *gradient = c->source + (plane * c->rows.size + y) * width;
      float share = c->rows.share[y];
      for (int64_t x = 0; x < width; ++x) {
        float upper = gradient[x] * share;
        low[x] += gradient[x] - upper;
        high[x] += upper;
      }
    }
    collapse_row(&c->columns, low, target + row * source_width);
    float *other = low;
    low = high, high = other;
    memset(high, 0, width * sizeof(float));
  }
}

static int resize(resize_context *c, const int64_t *source_shape, const int64_t *target_shape, task_function task) {
  int64_t planes = extent(source_shape, 0, 2);
  int fails = make_axis(&c->rows, source_shape[2], target_shape[2]);
  fails |= make_axis(&c->columns, source_shape[3], target_shape[3]);
  if (!fails) run_tasks(task, c, planes);
  free_axis(&c->rows);
  free_axis(&c->columns);
  return fails;
}

KERNEL(resize_forward) {
  REQUIRE("x[N, C, h, w] -> y[N, C, H, W]");
  resize_context c = {.source = params[0], .target = params[num_params - 1]};
  return resize(&c, shapes[0], shapes[num_params - 1], forward_task);
}

KERNEL(resize_backward) {
  REQUIRE("dy[N, C, H, W], x[N, C, h, w] -> dx[N, C, h, w]");
  resize_context c = {.source = params[0], .target = params[num_params - 1]};
  return resize(&c, shapes[num_params - 1], shapes[0], backward_task);
}
