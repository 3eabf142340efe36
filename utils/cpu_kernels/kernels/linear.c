// A linear layer, y = x W^T + b on the rows of x, and the gradients of its input, weight and bias.
//
// The rows of x and of y are used where they lie; the weight is packed once per call. The gradient of the weight sums
// over all rows: they are cut into chunks, whose parts are added in order.
#include <stdlib.h>

#include "signature.h"
#include "tile.h"

#define MOST_ROWS 256     // of one task of the products with the weight: 256 KB of the second cache by DEPTH_BLOCK
#define LEAST_ROWS 24     // of the same, three tiles or more: so often each panel of the weight is used once it is near
#define MOST_BLOCK 128    // outputs and channels of one task of the weight's gradient, which packs 256 KB for them
#define ENOUGH_TASKS 16   // for the threads there may be; not as many as there are: sums must not depend on that
#define LEAST_CHUNK DEPTH_BLOCK   // rows of one task of the weight's gradient

// --- products with the weight ---

typedef struct {
  const float *left, *bias;   // left [rows, depth]; a null bias is none
  const float *weight;        // [depth, columns], or [columns, depth] where it is transposed
  float *panels;              // the weight, packed: [padded columns / COLUMNS, depth, COLUMNS]
  float *result;              // [rows, columns]
  int64_t rows, depth, columns, rows_per_task;
  int is_transposed;
} product_context;

static void pack_task(void *argument, int64_t index) {
  const product_context *c = argument;
  int64_t first = index * COLUMNS, count = at_most(COLUMNS, c->columns - first);
  float *panel = c->panels + first * c->depth;
  if (c->is_transposed)
    pack_transposed_panels(c->weight + first * c->depth, c->depth, count, c->depth, panel);
  else
    pack_panels(c->weight + first, c->columns, c->depth, count, panel);
}

static void start_with_bias(const float *bias, int64_t count, float *tile, int64_t tile_row) {
  vec left = load_part(bias, count), right = count > LANES ? load_part(bias + LANES, count - LANES) : (vec){0};
  for (int64_t r = 0; r < ROWS; ++r) {
    store(tile + r * tile_row, left);
    store(tile + r * tile_row + LANES, right);
  }
}

// As much of a tile as lies in the result, for depth [k, k + depth); `rows` holds ROWS rows of the left matrix.
static void multiply_part(const product_context *c, const float *rows, int64_t row, int64_t column, int64_t k,
                          int64_t depth) {
  int64_t height = at_most(ROWS, c->rows - row), width = at_most(COLUMNS, c->columns - column);
  int is_whole = height == ROWS && width == COLUMNS;
  float part[ROWS * COLUMNS], *result = c->result + row * c->columns + column;
  float *tile = is_whole ? result : part;
  int64_t tile_row = is_whole ? c->columns : COLUMNS;
  if (k == 0 && c->bias) start_with_bias(c->bias + column, width, tile, tile_row);
  if (k > 0 && !is_whole)
    for (int64_t r = 0; r < height; ++r) memcpy(part + r * COLUMNS, result + r * c->columns, width * sizeof(float));
  multiply_tile(rows + k, c->depth, 1, c->panels + column * c->depth + k * COLUMNS, depth, tile, tile_row,
                k > 0 || c->bias);
  if (!is_whole)
    for (int64_t r = 0; r < height; ++r) memcpy(result + r * c->columns, part + r * COLUMNS, width * sizeof(float));
}

static void product_task(void *argument, int64_t index) {
  const product_context *c = argument;
  int64_t first = index * c->rows_per_task, last = at_most(c->rows, first + c->rows_per_task);
  int64_t whole = c->rows / ROWS * ROWS;
  float *ending = NULL;   // the last rows of all, and zeros below them
  if (last > whole) {
    ending = scratch(ROWS * c->depth);
    memcpy(ending, c->left + whole * c->depth, (last - whole) * c->depth * sizeof(float));
    memset(ending + (last - whole) * c->depth, 0, (whole + ROWS - last) * c->depth * sizeof(float));
  }
  for (int64_t k = 0; k < c->depth; k += DEPTH_BLOCK)
    for (int64_t column = 0; column < c->columns; column += COLUMNS)
      for (int64_t row = first; row < last; row += ROWS)
        multiply_part(c, row < whole ? c->left + row * c->depth : ending, row, column, k,
                      at_most(DEPTH_BLOCK, c->depth - k));
}

static int multiply(product_context *c) {
  c->panels = malloc((padded_columns(c->columns) * c->depth + 1) * sizeof(float));
  if (!c->panels) return NO_MEMORY;
  c->rows_per_task = padded_rows(at_most(MOST_ROWS, at_least(LEAST_ROWS, ceil_divide(c->rows, ENOUGH_TASKS))));
  run_tasks(pack_task, c, ceil_divide(c->columns, COLUMNS));
  run_tasks(product_task, c, ceil_divide(c->rows, c->rows_per_task));
  free(c->panels);
  return 0;
}

// --- gradients of weight and bias ---

typedef struct {
  const float *input, *upstream;           // [rows, channels], [rows, outputs]
  float *partial, *bias_partial;           // [chunks, padded outputs, padded channels], [chunks, padded outputs]
  float *weight_gradient, *bias_gradient;  // [outputs, channels], [outputs]
  int64_t rows, channels, outputs, channels_padded, outputs_padded;
  int64_t output_blocks, output_block, channel_blocks, channel_block, chunks, chunk_size;
} weight_context;

// panels[o / ROWS, k, o % ROWS] = source[k, o] for o < outputs, and zeros after them.
static void pack_outputs(const float *source, int64_t row_step, int64_t depth, int64_t outputs, float *panels) {
  for (int64_t first = 0; first < outputs; first += ROWS)
    for (int64_t k = 0; k < depth; ++k, panels += ROWS) {
      const float *from = source + k * row_step + first;
      int64_t count = outputs - first;
      if (count >= ROWS)
        for (int64_t r = 0; r < ROWS; ++r) panels[r] = from[r];
      else
        for (int64_t r = 0; r < ROWS; ++r) panels[r] = r < count ? from[r] : 0.0f;
    }
}

static void add_rows(const float *source, int64_t row_step, int64_t rows, int64_t count, float *restrict sums) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < count; ++i) sums[i] += source[row * row_step + i];
}

// One block of the weight's gradient, [outputs, channels], summed over one chunk of the rows.
static void weight_task(void *argument, int64_t index) {
  const weight_context *c = argument;
  int64_t chunk = index / (c->output_blocks * c->channel_blocks);
  int64_t output = index / c->channel_blocks % c->output_blocks * c->output_block;
  int64_t channel = index % c->channel_blocks * c->channel_block;
  int64_t outputs = at_most(c->output_block, c->outputs - output);
  int64_t channels = at_most(c->channel_block, c->channels - channel);
  int64_t last = at_most(c->rows, (chunk + 1) * c->chunk_size);
  float *left = scratch(2 * DEPTH_BLOCK * MOST_BLOCK), *right = left + DEPTH_BLOCK * MOST_BLOCK;
  float *result = c->partial + (chunk * c->outputs_padded + output) * c->channels_padded + channel;
  float *sums = c->bias_partial + chunk * c->outputs_padded + output;
  if (channel == 0) memset(sums, 0, outputs * sizeof(float));
  for (int64_t row = chunk * c->chunk_size; row < last; row += DEPTH_BLOCK) {
    int64_t depth = at_most(DEPTH_BLOCK, last - row);
    const float *upstream = c->upstream + row * c->outputs + output;
    pack_outputs(upstream, c->outputs, depth, outputs, left);
    pack_panels(c->input + row * c->channels + channel, c->channels, depth, channels, right);
    for (int64_t i = 0; i < channels; i += COLUMNS)
      for (int64_t o = 0; o < outputs; o += ROWS)
        multiply_tile(left + o * depth, 1, ROWS, right + i * depth, depth, result + o * c->channels_padded + i,
                      c->channels_padded, row > chunk * c->chunk_size);
    if (channel == 0) add_rows(upstream, c->outputs, depth, outputs, sums);
  }
}

// Adds the chunks' parts of one output.
static void gather_task(void *argument, int64_t output) {
  const weight_context *c = argument;
  float *restrict gradient = c->weight_gradient + output * c->channels, bias_sum = 0;
  memset(gradient, 0, c->channels * sizeof(float));
  for (int64_t chunk = 0; chunk < c->chunks; ++chunk) {
    const float *part = c->partial + (chunk * c->outputs_padded + output) * c->channels_padded;
    for (int64_t i = 0; i < c->channels; ++i) gradient[i] += part[i];
    bias_sum += c->bias_partial[chunk * c->outputs_padded + output];
  }
  c->bias_gradient[output] = bias_sum;
}

static int differentiate_weight(weight_context *c) {
  c->channels_padded = padded_columns(c->channels);
  c->outputs_padded = padded_rows(c->outputs);
  c->output_block = padded_rows(ceil_divide(c->outputs, ceil_divide(c->outputs, MOST_BLOCK)));
  c->output_blocks = ceil_divide(c->outputs, c->output_block);
  c->channel_block = padded_columns(ceil_divide(c->channels, ceil_divide(c->channels, MOST_BLOCK)));
  c->channel_blocks = ceil_divide(c->channels, c->channel_block);
  int64_t wanted = ceil_divide(ENOUGH_TASKS, c->output_blocks * c->channel_blocks);
  c->chunk_size = at_least(LEAST_CHUNK, ceil_divide(c->rows, wanted));
  c->chunks = ceil_divide(c->rows, c->chunk_size);
  c->partial = malloc((c->chunks * c->outputs_padded * (c->channels_padded + 1) + 1) * sizeof(float));
  if (!c->partial) return NO_MEMORY;
  c->bias_partial = c->partial + c->chunks * c->outputs_padded * c->channels_padded;
  run_tasks(weight_task, c, c->chunks * c->output_blocks * c->channel_blocks);
  run_tasks(gather_task, c, c->outputs);
  free(c->partial);
  return 0;
}

// --- what MindSpore calls ---

KERNEL(linear_forward) {
  REQUIRE("x[..., C], weight[O, C], bias[O] -> y[..., O]");
  product_context c = {.left = params[0], .weight = params[1], .bias = params[2], .result = params[3],
                       .rows = extent(shapes[0], 0, ranks[0] - 1), .depth = shapes[1][1], .columns = shapes[1][0],
                       .is_transposed = 1};
  return multiply(&c);
}

KERNEL(linear_backward) {
  REQUIRE("x[..., C], weight[O, C], dy[..., O] -> dx[..., C], dweight[O, C], dbias[O]");
  int64_t rows = extent(shapes[0], 0, ranks[0] - 1), outputs = shapes[1][0], channels = shapes[1][1];
  product_context product = {.left = params[2], .weight = params[1], .result = params[3], .rows = rows,
                             .depth = outputs, .columns = channels};
  weight_context weight = {.input = params[0], .upstream = params[2], .weight_gradient = params[4],
                           .bias_gradient = params[5], .rows = rows, .channels = channels, .outputs = outputs};
  return multiply(&product) || differentiate_weight(&weight);
}
