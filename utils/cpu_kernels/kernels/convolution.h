// Convolution with odd square kernels, padded by half their size, of stride 1 or 2: values, and the gradients of image
// and weight. At the end each output can be scaled and shifted, as a batch norm of fixed statistics does.
//
// A convolution is a matrix product of the weight [outputs, depth] and the unrolled image [depth, positions], where
// depth runs over input channels and kernel places. The unrolled image is never stored (MindSpore's operator stores it
// and keeps the memory): panels of it are packed from a copy of the image with zeros around it, in which the value
// under a kernel place is a fixed distance from the one under the first place. So positions run over the rows of that
// copy, and the one or two at the end of each row that belong to no output are computed and dropped. With stride 2 the
// copy holds the even and the odd rows and columns apart, which makes distances fixed again.
//
// Kernels of 3x3 and stride 1 go another way where that is faster: winograd.h.
//
// Blocking as in Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008).
#ifndef CPU_KERNELS_CONVOLUTION_H
#define CPU_KERNELS_CONVOLUTION_H

#include <stdlib.h>
#include <string.h>

#include "convolution_shape.h"
#include "tasks.h"
#include "tile.h"
#include "vectors.h"
#include "winograd.h"

#define MOST_COLUMNS 512   // of one task: its results of 256 outputs are 512 KB and stay in the second cache

// --- values ---

typedef struct {
  const shape *s;
  const float *weight, *copy;
  float *left;       // the weight, packed: [block of depth][rows / ROWS][depth in the block][ROWS]
  float *output;
  int64_t columns;   // positions of one task
  int is_gradient;
  const float *input_scale;   // for each channel of the image, or null
  const finish *last;
} value_context;

// Packs a block of depth of the weight [outputs, depth]. For the gradient of an image the weight is [depth's channels,
// outputs, places], its places backwards: that gradient is a convolution with the mirrored and transposed kernel, and a
// scale is one of depth's channels.
static void pack_weight(void *argument, int64_t index) {
  const value_context *c = argument;
  const shape *s = c->s;
  int64_t places = s->kernel * s->kernel, first = index * DEPTH_BLOCK;
  int64_t depth = at_most(DEPTH_BLOCK, s->depth - first), row_step = c->is_gradient ? places : s->depth;
  for (int64_t row = 0; row < s->rows; row += ROWS) {
    float *panel = c->left + first * s->rows + row * depth;
    int64_t wanted = at_most(ROWS, s->outputs - row);
    for (int64_t k = 0; k < depth; ++k) {
      int64_t channel = (first + k) / places, place = (first + k) % places;
      const float *from = c->weight + row * row_step;
      from += c->is_gradient ? channel * s->outputs * places + places - 1 - place : first + k;
      float scale = c->input_scale ? c->input_scale[channel] : 1.0f;
      for (int64_t r = 0; r < ROWS; ++r) panel[k * ROWS + r] = r < wanted ? scale * from[r * row_step] : 0.0f;
    }
  }
}

// Packs a panel of the unrolled image: `depth` places of COLUMNS positions from `first` on.
static void pack_positions(const value_context *c, int64_t first_depth, int64_t depth, int64_t first, float *panel) {
  for (int64_t k = 0; k < depth; ++k) {
    const float *from = c->copy + distance(c->s, first_depth + k) + first;
    store(panel + k * COLUMNS, load(from));
    store(panel + k * COLUMNS + LANES, load(from + LANES));
  }
}

// Copies positions [first, first + columns) of every output out of a block of results, without the ends of the rows.
static void copy_out(const value_context *c, const float *block, int64_t block_row, int64_t first, int64_t columns) {
  const shape *s = c->s;
  for (int64_t row = 0; row < s->outputs; ++row)
    for (int64_t position = first; position < first + columns;) {
      int64_t y = position / s->pitch, x = position % s->pitch;
      int64_t run = at_most(s->pitch - x, first + columns - position), wanted = at_most(run, s->output_width - x);
      if (wanted > 0)
        put_out(c->last, row, block + row * block_row + position - first, c->output,
                (row * s->output_height + y) * s->output_width + x, wanted);
      position += run;
    }
}

static void compute_positions(void *argument, int64_t index) {
  const value_context *c = argument;
  const shape *s = c->s;
  int64_t first = index * c->columns, columns = at_most(c->columns, s->positions - first);
  int64_t block_row = padded_columns(columns);
  float *panel = scratch(DEPTH_BLOCK * COLUMNS + s->rows * block_row), *block = panel + DEPTH_BLOCK * COLUMNS;
  for (int64_t k = 0; k < s->depth; k += DEPTH_BLOCK) {
    int64_t depth = at_most(DEPTH_BLOCK, s->depth - k);
    for (int64_t column = 0; column < columns; column += COLUMNS) {
      pack_positions(c, k, depth, first + column, panel);
      for (int64_t row = 0; row < s->rows; row += ROWS)
        multiply_tile(c->left + k * s->rows + row * depth, 1, ROWS, panel, depth, block + row * block_row + column,
                      block_row, k > 0);
    }
  }
  copy_out(c, block, block_row, first, columns);
}

// Columns of one task: a share of all, in whole tiles, that fits the cache.
static int64_t task_columns(int64_t columns, int64_t most) {
  return at_most(padded_columns(ceil_divide(columns, num_threads())), most);
}

static int convolve_directly(const shape *s, int64_t batch, const float *images, const float *weight, float *outputs,
                             int is_gradient, const float *input_scale, finish last) {
  const float *residual = last.residual;
  float *left = malloc((s->rows * s->depth + 1) * sizeof(float)), *copy = malloc(planes(s) * s->plane * sizeof(float));
  if (left && copy) {
    value_context context = {s, weight, copy, left, outputs, task_columns(s->positions, MOST_COLUMNS), is_gradient,
                             input_scale, &last};
    run_tasks(pack_weight, &context, ceil_divide(s->depth, DEPTH_BLOCK));
    for (int64_t item = 0; item < batch; ++item) {
      copy_image(s, images + item * s->channels * s->height * s->width, copy);
      int64_t size = s->outputs * s->output_height * s->output_width;
      context.output = outputs + item * size;
      if (residual) last.residual = residual + item * size;
      run_tasks(compute_positions, &context, ceil_divide(s->positions, context.columns));
    }
  }
  int failed = !left || !copy;
  free(left);
  free(copy);
  return failed;
}

// Values, or with is_gradient those of the image's gradient; then each input channel has a scale, if any has.
static int convolve(const shape *s, int64_t batch, const float *images, const float *weight, float *outputs,
                    int is_gradient, finish last) {
  const float *input_scale = is_gradient ? last.scale : NULL;
  if (is_gradient) last.scale = NULL;
  return (is_worth_winograd(s) ? convolve_by_winograd : convolve_directly)(s, batch, images, weight, outputs,
                                                                          is_gradient, input_scale, last);
}

// --- gradient of the weight: the product of the output's gradient [outputs, positions] and the unrolled image,
// transposed ---

typedef struct {
  const shape *s;
  const float *upstream, *copy;
  float *left;       // the output's gradient, packed: [block of positions][rows / ROWS][position in the block][ROWS]
  float *gradient;   // [outputs, depth]
  int64_t columns;   // places of depth of one task
  int adds;          // whether the gradients of earlier images of the batch are there already
} weight_context;

// Packs a block of positions of the output's gradient, zeros at those that belong to no output.
static void pack_upstream(void *argument, int64_t index) {
  const weight_context *c = argument;
  const shape *s = c->s;
  int64_t first = index * DEPTH_BLOCK, last = at_most(s->positions, first + DEPTH_BLOCK), count = last - first;
  float *block = c->left + first * s->rows;
  memset(block, 0, s->rows * count * sizeof(float));
  for (int64_t row = 0; row < s->outputs; ++row) {
    float *to = block + row / ROWS * ROWS * count + row % ROWS;
    for (int64_t position = first; position < last;) {
      int64_t y = position / s->pitch, x = position % s->pitch;
      int64_t run = at_most(s->pitch - x, last - position), wanted = at_most(run, s->output_width - x);
      const float *from = c->upstream + (row * s->output_height + y) * s->output_width + x;
      for (int64_t i = 0; i < wanted; ++i) to[(position - first + i) * ROWS] = from[i];
      position += run;
    }
  }
}

// Packs a panel of the transposed unrolled image: `count` positions from `first` on of COLUMNS places of depth. Places
// past the end repeat the last one; the copy of the image is long enough to be read in whole squares.
static void pack_places(const weight_context *c, int64_t first_depth, int64_t first, int64_t count, float *panel) {
  const float *from[COLUMNS];
  for (int64_t j = 0; j < COLUMNS; ++j)
    from[j] = c->copy + distance(c->s, at_most(first_depth + j, c->s->depth - 1)) + first;
  for (int64_t position = 0; position < count; position += LANES)
    for (int64_t j = 0; j < COLUMNS; j += LANES)
      transpose_square(from + j, position, panel + position * COLUMNS + j, COLUMNS);
}

static void compute_places(void *argument, int64_t index) {
  const weight_context *c = argument;
  const shape *s = c->s;
  int64_t first = index * c->columns, columns = at_most(c->columns, s->depth - first);
  int64_t block_row = padded_columns(columns);
  float *panel = scratch((DEPTH_BLOCK + LANES) * COLUMNS + s->rows * block_row);
  float *block = panel + (DEPTH_BLOCK + LANES) * COLUMNS;
  for (int64_t position = 0; position < s->positions; position += DEPTH_BLOCK) {
    int64_t count = at_most(DEPTH_BLOCK, s->positions - position);
    for (int64_t column = 0; column < columns; column += COLUMNS) {
      pack_places(c, first + column, position, count, panel);
      for (int64_t row = 0; row < s->rows; row += ROWS)
        multiply_tile(c->left + position * s->rows + row * count, 1, ROWS, panel, count,
                      block + row * block_row + column, block_row, position > 0);
    }
  }
  for (int64_t row = 0; row < s->outputs; ++row) {
    float *to = c->gradient + row * s->depth + first;
    const float *from = block + row * block_row;
    for (int64_t j = 0; j < columns; ++j) to[j] = c->adds ? to[j] + from[j] : from[j];
  }
}

static int differentiate_weight(const shape *s, int64_t batch, const float *images, const float *upstream,
                                float *gradient) {
  float *left = malloc((s->rows * s->positions + 1) * sizeof(float));
  float *copy = malloc(planes(s) * s->plane * sizeof(float));
  if (left && copy) {
    weight_context context = {s, upstream, copy, left, gradient, task_columns(s->depth, MOST_COLUMNS / 2), 0};
    for (int64_t item = 0; item < batch; ++item, context.adds = 1) {
      copy_image(s, images + item * s->channels * s->height * s->width, copy);
      context.upstream = upstream + item * s->outputs * s->output_height * s->output_width;
      run_tasks(pack_upstream, &context, ceil_divide(s->positions, DEPTH_BLOCK));
      run_tasks(compute_places, &context, ceil_divide(s->depth, context.columns));
    }
  }
  int failed = !left || !copy;
  free(left);
  free(copy);
  return failed;
}

#endif
