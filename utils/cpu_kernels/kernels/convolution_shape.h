// What every way to compute a convolution shares: its sizes, the padded copy of the image, and what is done to results.
#ifndef CPU_KERNELS_CONVOLUTION_SHAPE_H
#define CPU_KERNELS_CONVOLUTION_SHAPE_H

#include <string.h>

#include "tasks.h"
#include "tile.h"
#include "vectors.h"

typedef struct {
  int64_t channels, height, width;                    // of the image
  int64_t outputs, output_height, output_width;
  int64_t kernel, stride, spread;                     // image pixels lie `spread` apart, zeros between them
  int64_t pad;                                        // zeros before the first pixel of a row or column
  int64_t pitch, plane;                               // floats in a row and in a plane of the padded copy
  int64_t depth, positions, rows;                     // rows: outputs, padded to whole tiles
} shape;

static shape make_shape(const int64_t *image, int64_t outputs, int64_t kernel, int64_t output_height,
                        int64_t output_width, int64_t stride, int64_t spread) {
  shape s = {.channels = image[1], .height = image[2], .width = image[3], .outputs = outputs,
             .output_height = output_height, .output_width = output_width, .kernel = kernel, .stride = stride,
             .spread = spread, .pad = kernel / 2};
  int64_t beside = (kernel - 1) / stride;
  s.pitch = output_width + beside;
  // The last tile of positions and the last block of a transposition read over the end.
  s.plane = (output_height + beside) * s.pitch + beside + COLUMNS + LANES;
  s.depth = s.channels * kernel * kernel;
  s.positions = output_height * s.pitch;
  s.rows = padded_rows(outputs);
  return s;
}

static int64_t planes(const shape *s) { return s->channels * s->stride * s->stride; }

// How far the value under kernel place `index` (channel, row, column) is from the first one's.
INLINE int64_t distance(const shape *s, int64_t index) {
  int64_t places = s->kernel * s->kernel, channel = index / places;
  int64_t y = index % places / s->kernel, x = index % s->kernel, stride = s->stride;
  return ((channel * stride + y % stride) * stride + x % stride) * s->plane + y / stride * s->pitch + x / stride;
}

// --- the padded copy of an image ---

typedef struct {
  const shape *s;
  const float *image;
  float *copy;
} copy_context;

static void copy_plane(void *argument, int64_t index) {
  const copy_context *c = argument;
  const shape *s = c->s;
  int64_t stride = s->stride, spread = s->spread, phase = index % (stride * stride);
  const float *image = c->image + index / (stride * stride) * s->height * s->width;
  float *plane = c->copy + index * s->plane;
  memset(plane, 0, s->plane * sizeof(float));
  // Row r, column q of the plane hold the pixel (r * stride + y0, q * stride + x0) of the image spread apart.
  int64_t y0 = phase / stride - s->pad, x0 = phase % stride - s->pad;
  for (int64_t row = 0; row < s->output_height + (s->kernel - 1) / stride; ++row) {
    int64_t y = row * stride + y0;
    if (y < 0 || y % spread || y / spread >= s->height) continue;
    const float *from = image + y / spread * s->width;
    float *to = plane + row * s->pitch;
    if (stride == 1 && spread == 1) {
      memcpy(to - x0, from, s->width * sizeof(float));
      continue;
    }
    if (spread == 1) {
      int64_t end = at_most(s->pitch, x0 < s->width ? ceil_divide(s->width - x0, stride) : 0);
      for (int64_t q = x0 < 0 ? ceil_divide(-x0, stride) : 0; q < end; ++q) to[q] = from[q * stride + x0];
      continue;
    }
    for (int64_t q = 0; q < s->pitch; ++q) {
      int64_t x = q * stride + x0;
      if (x >= 0 && x % spread == 0 && x / spread < s->width) to[q] = from[x / spread];
    }
  }
}

static void copy_image(const shape *s, const float *image, float *copy) {
  copy_context context = {s, image, copy};
  run_tasks(copy_plane, &context, planes(s));
}

// What is done to the sums of each output last: scaled, shifted, a residual added, cut off below 0.
typedef struct {
  const float *scale, *shift;   // for each output; without a scale nothing of this is done
  const float *residual;        // of the outputs' shape, or null
  int has_relu;
} finish;

// Puts out results `from` of an output: `count` of them, into `outputs` from `at` on.
INLINE void put_out(const finish *last, int64_t output, const float *from, float *outputs, int64_t at, int64_t count) {
  float *to = outputs + at;
  if (!last->scale) {
    memcpy(to, from, count * sizeof(float));
    return;
  }
  float scale = last->scale[output], shift = last->shift[output];
  if (last->residual)
    for (int64_t i = 0; i < count; ++i) to[i] = from[i] * scale + shift + last->residual[at + i];
  else
    for (int64_t i = 0; i < count; ++i) to[i] = from[i] * scale + shift;
  if (last->has_relu)
    for (int64_t i = 0; i < count; ++i) to[i] = to[i] < 0.0f ? 0.0f : to[i];
}

static int64_t stride_between(const int64_t *image, const int64_t *output) {
  return image[2] == output[2] && image[3] == output[3] ? 1 : 2;
}

// Whether the outputs are those of a convolution that is made here: an odd kernel, stride 1 or 2.
static int is_convolution(const int64_t *image, const int64_t *weight, const int64_t *output) {
  int64_t stride = stride_between(image, output);
  return weight[2] % 2 == 1 && output[2] == ceil_divide(image[2], stride) && output[3] == ceil_divide(image[3], stride);
}

#endif
