// Work split into numbered tasks, which the threads of one pool take one after another.
//
// What a task computes depends on its number alone, never on the thread or on the number of threads, and sums over
// tasks are made afterwards in the order of the numbers: results repeat bit for bit.
#ifndef CPU_KERNELS_TASKS_H
#define CPU_KERNELS_TASKS_H

#include <stddef.h>
#include <stdint.h>

typedef void (*task_function)(void *context, int64_t index);

// Calls function(context, index) for each index in [0, count) and returns when all are done.
void run_tasks(task_function function, void *context, int64_t count);

// How many threads share the tasks; results must not depend on it.
__attribute__((visibility("default"))) int num_threads(void);

// Memory for `count` floats that stays with the calling thread; valid until its next call. Never null.
float *scratch(size_t count);

// Elements of one task where each is worked on alone: 64 KB of every array. They take 5 to 15 us (measured with SGD's
// update and with GELU), many times as long as it takes to get a task.
#define CHUNK 16384

// Number of elements of axes [first, last).
static inline int64_t extent(const int64_t *shape, int first, int last) {
  int64_t product = 1;
  for (int axis = first; axis < last; ++axis) product *= shape[axis];
  return product;
}

static inline int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif
