// Convolution with 3x3 kernels of stride 1 by Winograd's minimal filtering: a tile of 4x4 outputs from 6x6 pixels takes
// 36 products of transformed weights and pixels instead of 144 (Lavin and Gray, Fast Algorithms for Convolutional
// Neural Networks, 2016). For each of the 36 places of a transformed tile that is a matrix product over the channels.
//
// A transform evaluates polynomials at the points 0, +-NEAR, +-FAR and infinity. Their choice decides how much rounding
// errors grow: of 256 channels of noise the largest is 3e-6 of the largest result; with the usual 1 and 2 it is 1e-5,
// and the direct way has 2e-6.
//
// Lanes are tiles. They run over the rows of a copy of the image that holds every fourth pixel together (copy_plane
// makes it as for a stride of 4); the tile at the end of each row belongs to no output.
#ifndef CPU_KERNELS_WINOGRAD_H
#define CPU_KERNELS_WINOGRAD_H

#include <stdlib.h>

#include "convolution_shape.h"

#define TILE 4                 // outputs along each side of a tile
#define SPAN 6                 // pixels along it
#define PLACES (SPAN * SPAN)
#define OUTPUTS_AT_ONCE 64     // whose sums stay in the second cache with the transformed pixels
#define CHANNELS_AT_ONCE 8     // whose weights are transformed together; divides DEPTH_BLOCK
#define LEAST_CHANNELS 32      // fewer are no faster than the direct way, measured
#define MOST_CHANNELS 384      // of more, transformed pixels leave the second cache; 512 lose on small images, measured
#define LEAST_PIXELS 512       // fewer do not pay for the transformed weights, measured
#define NEAR 0.70710678f
#define FAR 1.41421356f
#define NEAR2 (NEAR * NEAR)
#define FAR2 (FAR * FAR)

// Whether it is faster than the direct way: enough channels for the transforms, enough tiles to fill vectors.
static int is_worth_winograd(const shape *s) {
  return s->kernel == 3 && s->stride == 1 && s->spread == 1 && s->channels >= LEAST_CHANNELS &&
         s->channels <= MOST_CHANNELS && s->outputs >= LEAST_CHANNELS && s->outputs <= MOST_CHANNELS &&
         s->output_height * s->output_width >= LEAST_PIXELS;
}

// Transforms SPAN pixels, `step` apart, in place.
INLINE void transform_pixels(vec *d, int step) {
  vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  vec near_even = d4 - FAR2 * d2, near_odd = NEAR * (d3 - FAR2 * d1);
  vec far_even = d4 - NEAR2 * d2, far_odd = FAR * (d3 - NEAR2 * d1);
  d[0] = NEAR2 * FAR2 * d0 - (NEAR2 + FAR2) * d2 + d4;
  d[step] = near_even + near_odd;
  d[2 * step] = near_even - near_odd;
  d[3 * step] = far_even + far_odd;
  d[4 * step] = far_even - far_odd;
  d[5 * step] = NEAR2 * FAR2 * d1 - (NEAR2 + FAR2) * d3 + d5;
}

// Transforms SPAN sums, `step` apart, into TILE outputs in place.
INLINE void transform_sums(vec *m, int step) {
  vec near_even = m[step] + m[2 * step], near_odd = NEAR * (m[step] - m[2 * step]);
  vec far_even = m[3 * step] + m[4 * step], far_odd = FAR * (m[3 * step] - m[4 * step]);
  m[0] += near_even + far_even;
  m[step] = near_odd + far_odd;
  m[2 * step] = NEAR2 * near_even + FAR2 * far_even;
  m[3 * step] = NEAR2 * near_odd + FAR2 * far_odd + m[5 * step];
}

// --- weights ---

typedef float row_vec __attribute__((vector_size(ROWS * 4)));   // a value for each row of a tile of the product

typedef struct {
  const shape *s, *tiled;   // the convolution, and the copy of its image
  const float *weight, *copy;
  float *left;       // the weight, packed: [place][block of depth][rows / ROWS][channel in the block][ROWS]
  float *output;
  int64_t shares;    // tasks that the outputs of a block of tiles are split into
  int is_gradient;
  const float *input_scale;
  const finish *last;
} winograd_context;

// Transforms 3 weights, `step` apart, into SPAN.
INLINE void transform_weights(const row_vec *g, int step, row_vec *to, int to_step) {
  const float near = 0.5f / (NEAR2 * (NEAR2 - FAR2)), far = 0.5f / (FAR2 * (FAR2 - NEAR2));
  row_vec near_even = near * g[0] + near * NEAR2 * g[2 * step], near_odd = near * NEAR * g[step];
  row_vec far_even = far * g[0] + far * FAR2 * g[2 * step], far_odd = far * FAR * g[step];
  to[0] = g[0] * (1.0f / (NEAR2 * FAR2));
  to[to_step] = near_even + near_odd;
  to[2 * to_step] = near_even - near_odd;
  to[3 * to_step] = far_even + far_odd;
  to[4 * to_step] = far_even - far_odd;
  to[5 * to_step] = g[2 * step];
}

// Transforms and packs the weights of ROWS outputs; for the gradient as pack_weight does.
static void transform_rows(void *argument, int64_t index) {
  const winograd_context *c = argument;
  const shape *s = c->s;
  int64_t row = index * ROWS, wanted = at_most(ROWS, s->outputs - row);
  int64_t row_step = c->is_gradient ? 9 : s->channels * 9, channel_step = c->is_gradient ? s->outputs * 9 : 9;
  row_vec weights[CHANNELS_AT_ONCE][9] = {{{0}}}, columns[3 * SPAN], places[PLACES], packed[PLACES][CHANNELS_AT_ONCE];
  for (int64_t first = 0; first < s->channels; first += CHANNELS_AT_ONCE) {
    int64_t count = at_most(CHANNELS_AT_ONCE, s->channels - first);
    for (int64_t r = 0; r < wanted; ++r)
      for (int64_t k = 0; k < count; ++k) {
        const float *from = c->weight + (row + r) * row_step + (first + k) * channel_step;
        float scale = c->input_scale ? c->input_scale[first + k] : 1.0f;
        for (int place = 0; place < 9; ++place)
          weights[k][place][r] = scale * from[c->is_gradient ? 8 - place : place];
      }
    for (int64_t k = 0; k < count; ++k) {
      for (int x = 0; x < 3; ++x) transform_weights(weights[k] + x, 3, columns + x, 3);
      for (int y = 0; y < SPAN; ++y) transform_weights(columns + 3 * y, 1, places + SPAN * y, 1);
      for (int place = 0; place < PLACES; ++place) packed[place][k] = places[place];
    }
    int64_t block = first / DEPTH_BLOCK * DEPTH_BLOCK, depth = at_most(DEPTH_BLOCK, s->channels - block);
    float *to = c->left + block * s->rows + row * depth + (first - block) * ROWS;
    for (int place = 0; place < PLACES; ++place)
      memcpy(to + place * s->channels * s->rows, packed[place], count * sizeof(row_vec));
  }
}

// --- tiles ---

// Transforms the pixels of COLUMNS tiles from `first` on: into [place][channel][COLUMNS], places `place_step` apart.
static void transform_block(const winograd_context *c, int64_t first, float *right, int64_t place_step) {
  const shape *t = c->tiled;
  int64_t distances[PLACES];
  for (int place = 0; place < PLACES; ++place) distances[place] = distance(t, place) + first;
  for (int64_t channel = 0; channel < t->channels; ++channel)
    for (int64_t half = 0; half < COLUMNS; half += LANES) {
      const float *from = c->copy + channel * TILE * TILE * t->plane + half;
      float *to = right + channel * COLUMNS + half;
      vec d[PLACES];
#pragma GCC unroll 36
      for (int place = 0; place < PLACES; ++place) d[place] = load(from + distances[place]);
#pragma GCC unroll 6
      for (int x = 0; x < SPAN; ++x) transform_pixels(d + x, SPAN);
#pragma GCC unroll 6
      for (int y = 0; y < SPAN; ++y) transform_pixels(d + y * SPAN, 1);
#pragma GCC unroll 36
      for (int place = 0; place < PLACES; ++place) store(to + place * place_step, d[place]);
    }
}

// Transforms the sums of one output of COLUMNS tiles, places `place_step` apart, into rows [TILE][COLUMNS * TILE].
INLINE void transform_output(const float *sums, int64_t place_step, float *lines) {
  for (int64_t half = 0; half < COLUMNS; half += LANES) {
    vec m[PLACES];
    float outputs[TILE][LANES];
#pragma GCC unroll 36
    for (int place = 0; place < PLACES; ++place) m[place] = load(sums + place * place_step + half);
#pragma GCC unroll 6
    for (int x = 0; x < SPAN; ++x) transform_sums(m + x, SPAN);
#pragma GCC unroll 4
    for (int y = 0; y < TILE; ++y) {
      transform_sums(m + y * SPAN, 1);
#pragma GCC unroll 4
      for (int x = 0; x < TILE; ++x) store(outputs[x], m[y * SPAN + x]);
      float *line = lines + (y * COLUMNS + half) * TILE;
      for (int tile = 0; tile < LANES; ++tile)
        for (int x = 0; x < TILE; ++x) line[tile * TILE + x] = outputs[x][tile];
    }
  }
}

// Puts out what belongs to the image of the lines of COLUMNS tiles from `first` on.
static void put_lines(const winograd_context *c, int64_t output, const float *lines, int64_t first) {
  const shape *s = c->s, *t = c->tiled;
  int64_t last = at_most(t->positions, first + COLUMNS);
  for (int64_t position = first; position < last;) {
    int64_t y = position / t->pitch, x = position % t->pitch, run = at_most(t->pitch - x, last - position);
    int64_t wanted = at_most(run * TILE, s->output_width - x * TILE);
    for (int64_t line = 0; line < TILE && y * TILE + line < s->output_height && wanted > 0; ++line)
      put_out(c->last, output, lines + (line * COLUMNS + position - first) * TILE, c->output,
              (output * s->output_height + y * TILE + line) * s->output_width + x * TILE, wanted);
    position += run;
  }
}

static void multiply_place(const winograd_context *c, int place, int64_t first_row, int64_t last_row,
                           const float *right, float *sums) {
  const shape *s = c->s;
  for (int64_t k = 0; k < s->channels; k += DEPTH_BLOCK) {
    int64_t depth = at_most(DEPTH_BLOCK, s->channels - k);
    const float *left = c->left + place * s->channels * s->rows + k * s->rows;
    for (int64_t row = first_row; row < last_row; row += ROWS)
      multiply_tile(left + row * depth, 1, ROWS, right + k * COLUMNS, depth, sums + (row - first_row) * COLUMNS,
                    COLUMNS, k > 0);
  }
}

static void compute_tiles(void *argument, int64_t index) {
  const winograd_context *c = argument;
  const shape *s = c->s;
  int64_t first = index / c->shares * COLUMNS, share = index % c->shares;
  int64_t rows = padded_rows(ceil_divide(s->rows, c->shares));
  // Steps are no power of 2: lines of all places would fall into a few sets of the cache.
  int64_t right_step = (s->channels + 1) * COLUMNS, sums_step = (OUTPUTS_AT_ONCE + 1) * COLUMNS;
  float *right = scratch(PLACES * (right_step + sums_step) + TILE * TILE * COLUMNS);
  float *sums = right + PLACES * right_step, *lines = sums + PLACES * sums_step;
  transform_block(c, first, right, right_step);
  int64_t last = at_most(s->rows, (share + 1) * rows);
  for (int64_t row = share * rows; row < last; row += OUTPUTS_AT_ONCE) {
    int64_t end = at_most(last, row + OUTPUTS_AT_ONCE);
    for (int place = 0; place < PLACES; ++place)
      multiply_place(c, place, row, end, right + place * right_step, sums + place * sums_step);
    for (int64_t output = row; output < at_most(end, s->outputs); ++output) {
      transform_output(sums + (output - row) * COLUMNS, sums_step, lines);
      put_lines(c, output, lines, first);
    }
  }
}

static int convolve_by_winograd(const shape *s, int64_t batch, const float *images, const float *weight,
                                float *outputs, int is_gradient, const float *input_scale, finish last) {
  const int64_t image[] = {batch, s->channels, s->height, s->width};
  shape tiled = make_shape(image, s->outputs, SPAN, ceil_divide(s->output_height, TILE),
                           ceil_divide(s->output_width, TILE), TILE, 1);
  tiled.pad = s->pad;
  const float *residual = last.residual;
  float *left = malloc(PLACES * s->rows * s->channels * sizeof(float));
  float *copy = malloc(planes(&tiled) * tiled.plane * sizeof(float));
  if (left && copy) {
    int64_t blocks = ceil_divide(tiled.positions, COLUMNS);
    // Four tasks of each thread even out; how an output is computed does not depend on its share.
    int64_t shares = at_most(ceil_divide(4 * num_threads(), blocks), ceil_divide(s->rows, OUTPUTS_AT_ONCE));
    winograd_context context = {s, &tiled, weight, copy, left, outputs, shares, is_gradient, input_scale, &last};
    run_tasks(transform_rows, &context, s->rows / ROWS);
    for (int64_t item = 0; item < batch; ++item) {
      copy_image(&tiled, images + item * s->channels * s->height * s->width, copy);
      int64_t size = s->outputs * s->output_height * s->output_width;
      context.output = outputs + item * size;
      if (residual) last.residual = residual + item * size;
      run_tasks(compute_tiles, &context, blocks * shares);
    }
  }
  int failed = !left || !copy;
  free(left);
  free(copy);
  return failed;
}

#endif
