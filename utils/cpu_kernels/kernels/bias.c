// Adds a bias to each row of a matrix; the gradient of the bias is the sum of the rows.
#include <stdlib.h>

#include "tasks.h"
#include "vectors.h"

#define MOST_TASKS 32

typedef struct {
  const float *input, *bias;
  float *output;   // forward: [rows, columns]; backward: [tasks, columns], each task's part of the sum
  int64_t rows, columns, rows_per_task;
} bias_context;

static int64_t split_rows(bias_context *c) {
  c->rows_per_task = at_least(64, ceil_divide(c->rows, MOST_TASKS));
  return ceil_divide(c->rows, c->rows_per_task);
}

static void forward_task(void *argument, int64_t index) {
  const bias_context *c = argument;
  int64_t last = at_most(c->rows, (index + 1) * c->rows_per_task);
  for (int64_t row = index * c->rows_per_task; row < last; ++row)
    for (int64_t i = 0; i < c->columns; ++i)
      c->output[row * c->columns + i] = c->input[row * c->columns + i] + c->bias[i];
}

static void backward_task(void *argument, int64_t index) {
  const bias_context *c = argument;
  float *restrict sums = c->output + index * c->columns;
  memset(sums, 0, c->columns * sizeof(float));
  int64_t last = at_most(c->rows, (index + 1) * c->rows_per_task);
  for (int64_t row = index * c->rows_per_task; row < last; ++row) {
    const float *restrict gradient = c->input + row * c->columns;
    for (int64_t i = 0; i < c->columns; ++i) sums[i] += gradient[i];
  }
}

// x[rows, columns], bias[columns] -> y[rows, columns]
KERNEL(bias_forward) {
  bias_context c = {params[0], params[1], params[2], shapes[0][0], shapes[0][1], 0};
  run_tasks(forward_task, &c, split_rows(&c));
  return 0;
}

// dy[rows, columns], bias[columns] (its shape only) -> dbias[columns]
KERNEL(bias_backward) {
  bias_context c = {.input = params[0], .rows = shapes[0][0], .columns = shapes[0][1]};
  int64_t num_tasks = split_rows(&c);
  c.output = malloc((num_tasks * c.columns + 1) * sizeof(float));
  if (!c.output) return 1;
  run_tasks(backward_task, &c, num_tasks);
  float *sums = params[2];
  memset(sums, 0, c.columns * sizeof(float));
  for (int64_t task = 0; task < num_tasks; ++task)
    for (int64_t i = 0; i < c.columns; ++i) sums[i] += c.output[task * c.columns + i];
  free(c.output);
  return 0;
}
