// Softmax attention of each head, and its gradients. The scores of all queries with all keys are never stored: the
// forward pass keeps one number per query, and the backward pass computes them again (Dao et al. 2022).
#include <math.h>
#include <stdlib.h>

#include "signature.h"
#include "tile.h"

#define BLOCK 32         // queries worked on at a time, whole tiles: their scores with 256 keys, SegFormer's, are 32 KB
#define MOST_CHUNKS 16   // parts of one head's queries, a task each; not by threads, as gradients are summed over them

typedef struct {
  const float *query, *key, *value;      // [N, L, heads, width], [N, S, heads, width] twice
  const float *result, *upstream;        // [N, L, heads, width]; backward only
  float *output, *query_gradient;        // [N, L, heads, width]
  float *log_sums;                       // [N, heads, L]: ln of the sum of the exponentials of a query's scores
  // Parts of the gradients of key and value, [N, heads, chunks, 2, padded S, padded width].
  float *partial;
  float *key_gradient, *value_gradient;  // [N, S, heads, width]
  float scale;
  int64_t batch, num_queries, num_keys, heads, width;
  int64_t row;                           // heads * width: distance of two tokens
  int64_t keys_padded, width_padded, chunks, chunk_size;
} attention_context;

static void set_sizes(attention_context *c, const int64_t *query_shape, const int64_t *key_shape) {
  c->batch = query_shape[0], c->num_queries = query_shape[1], c->heads = query_shape[2], c->width = query_shape[3];
  c->num_keys = key_shape[1];
  c->row = c->heads * c->width;
  c->keys_padded = padded_columns(c->num_keys);
  c->width_padded = padded_columns(c->width);
  c->chunk_size = at_least(2 * BLOCK, ceil_divide(c->num_queries, MOST_CHUNKS * BLOCK) * BLOCK);
  c->chunks = ceil_divide(c->num_queries, c->chunk_size);
}

// Copies `count` rows of `width` floats, times `scale`, and sets the rest of BLOCK rows to 0.
static void copy_block(const attention_context *c, const float *source, int64_t count, float scale, float *block) {
  for (int64_t r = 0; r < BLOCK; ++r)
    for (int64_t i = 0; i < c->width; ++i) block[r * c->width + i] = r < count ? source[r * c->row + i] * scale : 0.0f;
}

// result[r, s] = sum over i of block[r, i] * panels[s, i] for `rows` rows.
static void multiply_with_keys(const attention_context *c, const float *block, const float *panels, int64_t rows,
                               float *result) {
  for (int64_t s = 0; s < c->keys_padded; s += COLUMNS)
    for (int64_t r = 0; r < rows; r += ROWS)
      multiply_tile(block + r * c->width, c->width, 1, panels + s * c->width, c->width,
                    result + r * c->keys_padded + s, c->keys_padded, 0);
}

// result[r, i] = sum over s of block[r, s] * panels[s, i] for `rows` rows.
static void sum_over_keys(const attention_context *c, const float *block, const float *panels, int64_t rows,
                          float *result) {
  for (int64_t i = 0; i < c->width_padded; i += COLUMNS)
    for (int64_t r = 0; r < rows; r += ROWS)
      multiply_tile(block + r * c->keys_padded, c->keys_padded, 1, panels + i * c->num_keys, c->num_keys,
                    result + r * c->width_padded + i, c->width_padded, 0);
}

// result[s, i] += sum over r of block[r, s] * panels[r, i].
static void add_sum_over_queries(const attention_context *c, const float *block, const float *panels, float *result) {
  for (int64_t s = 0; s < c->keys_padded; s += ROWS)
    for (int64_t i = 0; i < c->width_padded; i += COLUMNS)
      multiply_tile(block + s, 1, c->keys_padded, panels + i * BLOCK, BLOCK, result + s * c->width_padded + i,
                    c->width_padded, 1);
}

// Turns a row of scores into their exponentials, less the largest; returns the sum and sets *largest.
static float exponentials(float *scores, int64_t count, int64_t padded, float *largest) {
  for (int64_t s = count; s < padded; ++s) scores[s] = -INFINITY;
  vec top = load(scores);
  for (int64_t s = LANES; s < padded; s += LANES) top = larger(top, load(scores + s));
  *largest = largest_lane(top);
  vec sum = {0};
  for (int64_t s = 0; s < padded; s += LANES) {
    vec e = exponential(load(scores + s) - *largest);
    store(scores + s, e);
    sum += e;
  }
  return sum_lanes(sum);
}

typedef struct {
  int64_t item, head, first, last;   // batch item, head, queries [first, last)
} place;

static place find_place(const attention_context *c, int64_t index) {
  place p = {.item = index / c->chunks / c->heads, .head = index / c->chunks % c->heads};
  p.first = index % c->chunks * c->chunk_size;
  p.last = at_most(c->num_queries, p.first + c->chunk_size);
  return p;
}

static void forward_task(void *argument, int64_t index) {
  const attention_context *c = argument;
  place p = find_place(c, index);
  int64_t to_head = p.head * c->width, to_keys = p.item * c->num_keys * c->row + to_head;
  float *keys = scratch(c->keys_padded * c->width + c->num_keys * c->width_padded +
                        BLOCK * (c->keys_padded + c->width + c->width_padded));
  float *values = keys + c->keys_padded * c->width;
  float *scores = values + c->num_keys * c->width_padded;
  float *sums = scores + BLOCK * c->keys_padded, *block = sums + BLOCK * c->width_padded;
  pack_transposed_panels(c->key + to_keys, c->row, c->num_keys, c->width, keys);
  pack_panels(c->value + to_keys, c->row, c->num_keys, c->width, values);
  for (int64_t query = p.first; query < p.last; query += BLOCK) {
    int64_t count = at_most(BLOCK, p.last - query), rows = padded_rows(count);
    int64_t to_query = (p.item * c->num_queries + query) * c->row + to_head;
    float *log_sums = c->log_sums + (p.item * c->heads + p.head) * c->num_queries + query;
    float factors[BLOCK];
    copy_block(c, c->query + to_query, count, c->scale, block);
    multiply_with_keys(c, block, keys, rows, scores);
    for (int64_t r = 0; r < count; ++r) {
      float largest, sum = exponentials(scores + r * c->keys_padded, c->num_keys, c->keys_padded, &largest);
      factors[r] = 1.0f / sum;
      log_sums[r] = largest + logf(sum);
    }
    sum_over_keys(c, scores, values, rows, sums);
    for (int64_t r = 0; r < count; ++r)
      for (int64_t i = 0; i < c->width; ++i)
        c->output[to_query + r * c->row + i] = sums[r * c->width_padded + i] * factors[r];
  }
}

// Turns scores into probabilities P, and dP, the gradient of P, into that of the scores: P * (dP - sum over s of P dP).
// The sum equals the product of the result with its gradient.
static void probabilities_and_slopes(const attention_context *c, float *scores, float *slopes, float log_sum,
                                     const float *result, const float *upstream) {
  float product = 0;
  for (int64_t i = 0; i < c->width; ++i) product += result[i] * upstream[i];
  for (int64_t s = 0; s < c->keys_padded; s += LANES) {
    vec p = exponential(load(scores + s) - log_sum);
    if (c->num_keys - s < LANES)
      for (int64_t lane = at_least(0, c->num_keys - s); lane < LANES; ++lane) p[lane] = 0;
    store(scores + s, p);
    store(slopes + s, p * (load(slopes + s) - product));
  }
}

static void backward_task(void *argument, int64_t index) {
  const attention_context *c = argument;
  place p = find_place(c, index);
  int64_t to_head = p.head * c->width, to_keys = p.item * c->num_keys * c->row + to_head;
  int64_t panel_size = c->keys_padded * c->width, sums_size = c->keys_padded * c->width_padded;
  float *keys = scratch(2 * panel_size + c->num_keys * c->width_padded + 2 * BLOCK * c->keys_padded +
                        2 * BLOCK * c->width + 3 * BLOCK * c->width_padded);
  float *values = keys + panel_size, *key_rows = values + panel_size;
  float *scores = key_rows + c->num_keys * c->width_padded, *slopes = scores + BLOCK * c->keys_padded;
  float *query_panels = slopes + BLOCK * c->keys_padded, *upstream_panels = query_panels + BLOCK * c->width_padded;
  float *sums = upstream_panels + BLOCK * c->width_padded;
  float *block = sums + BLOCK * c->width_padded, *upstream = block + BLOCK * c->width;
  float *key_gradient = c->partial + index * 2 * sums_size, *value_gradient = key_gradient + sums_size;
  memset(key_gradient, 0, 2 * sums_size * sizeof(float));
  pack_transposed_panels(c->key + to_keys, c->row, c->num_keys, c->width, keys);
  pack_transposed_panels(c->value + to_keys, c->row, c->num_keys, c->width, values);
  pack_panels(c->key + to_keys, c->row, c->num_keys, c->width, key_rows);
  for (int64_t query = p.first; query < p.last; query += BLOCK) {
    int64_t count = at_most(BLOCK, p.last - query), rows = padded_rows(count);
    int64_t to_query = (p.item * c->num_queries + query) * c->row + to_head;
    const float *log_sums = c->log_sums + (p.item * c->heads + p.head) * c->num_queries + query;
    copy_block(c, c->query + to_query, count, c->scale, block);
    copy_block(c, c->upstream + to_query, count, 1.0f, upstream);
    pack_panels(block, c->width, BLOCK, c->width, query_panels);
    pack_panels(upstream, c->width, BLOCK, c->width, upstream_panels);
    multiply_with_keys(c, block, keys, rows, scores);
    multiply_with_keys(c, upstream, values, rows, slopes);
    for (int64_t r = 0; r < count; ++r)
      probabilities_and_slopes(c, scores + r * c->keys_padded, slopes + r * c->keys_padded, log_sums[r],
                               c->result + to_query + r * c->row, upstream + r * c->width);
    memset(scores + count * c->keys_padded, 0, (BLOCK - count) * c->keys_padded * sizeof(float));
    memset(slopes + count * c->keys_padded, 0, (BLOCK - count) * c->keys_padded * sizeof(float));
    sum_over_keys(c, slopes, key_rows, rows, sums);
    for (int64_t r = 0; r < count; ++r)
      for (int64_t i = 0; i < c->width; ++i)
        c->query_gradient[to_query + r * c->row + i] = sums[r * c->width_padded + i] * c->scale;
    add_sum_over_queries(c, slopes, query_panels, key_gradient);     // the queries carry the scale
    add_sum_over_queries(c, scores, upstream_panels, value_gradient);
  }
}

// Adds up the chunks of one head for the keys' and the values' gradients.
static void gather_task(void *argument, int64_t index) {
  const attention_context *c = argument;
  int64_t item = index / c->heads, head = index % c->heads, sums_size = c->keys_padded * c->width_padded;
  const float *parts = c->partial + index * c->chunks * 2 * sums_size;
  for (int64_t s = 0; s < c->num_keys; ++s)
    for (int64_t i = 0; i < c->width; ++i) {
      float key_sum = 0, value_sum = 0;
      for (int64_t chunk = 0; chunk < c->chunks; ++chunk) {
        const float *part = parts + chunk * 2 * sums_size + s * c->width_padded + i;
        key_sum += part[0];
        value_sum += part[sums_size];
      }
      int64_t to = (item * c->num_keys + s) * c->row + head * c->width + i;
      c->key_gradient[to] = key_sum;
      c->value_gradient[to] = value_sum;
    }
}

KERNEL(attention_forward) {
  REQUIRE("q[N, L, h, d], k[N, S, h, d], v[N, S, h, d], scale[1] -> result[N, L, h, d], log_sums[N, h, L]");
  attention_context c = {.query = params[0], .key = params[1], .value = params[2], .output = params[4],
                         .log_sums = params[5], .scale = *(const float *)params[3]};
  set_sizes(&c, shapes[0], shapes[1]);
  run_tasks(forward_task, &c, c.batch * c.heads * c.chunks);
  return 0;
}

KERNEL(attention_backward) {
  REQUIRE("q[N, L, h, d], k[N, S, h, d], v[N, S, h, d], scale[1], result[N, L, h, d], log_sums[N, h, L], "
          "dresult[N, L, h, d] -> dq[N, L, h, d], dk[N, S, h, d], dv[N, S, h, d]");
  attention_context c = {.query = params[0], .key = params[1], .value = params[2], .result = params[4],
                         .log_sums = params[5], .upstream = params[6], .query_gradient = params[7],
                         .key_gradient = params[8], .value_gradient = params[9],
                         .scale = *(const float *)params[3]};
  set_sizes(&c, shapes[0], shapes[1]);
  int64_t num_tasks = c.batch * c.heads * c.chunks;
  c.partial = malloc((num_tasks * 2 * c.keys_padded * c.width_padded + 1) * sizeof(float));
  if (!c.partial) return NO_MEMORY;
  run_tasks(backward_task, &c, num_tasks);
  run_tasks(gather_task, &c, c.batch * c.heads);
  free(c.partial);
  return 0;
}
