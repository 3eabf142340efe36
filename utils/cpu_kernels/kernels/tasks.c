// The thread pool. Plain POSIX threads: MindSpore has its own pool, and OpenMP's would spin beside it.
#define _GNU_SOURCE
#include "tasks.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CACHE_LINE 64     // bytes; also those of the widest vector
#define MOST_THREADS 64   // many kernels have no more than 16 or 32 tasks for an image

static struct {
  pthread_mutex_t caller;   // held by the thread whose tasks the pool works on
  pthread_mutex_t lock;     // guards what follows
  pthread_cond_t wake, done;
  task_function function;
  void *context;
  int64_t count;
  int is_open;              // whether threads of the pool may still join
  int num_joined;           // how many of them work on the present tasks
  int num_started;          // how many there are beside the callers; -1: not started yet
} pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
          NULL, NULL, 0, 0, 0, -1};
static atomic_llong next_task;

static void take_tasks(task_function function, void *context, int64_t count) {
  for (;;) {
    int64_t index = atomic_fetch_add(&next_task, 1);
    if (index >= count) return;
    function(context, index);
  }
}

static void *work(void *unused) {
  (void)unused;
  pthread_mutex_lock(&pool.lock);
  for (;;) {
    while (!pool.is_open || atomic_load(&next_task) >= pool.count) pthread_cond_wait(&pool.wake, &pool.lock);
    task_function function = pool.function;
    void *context = pool.context;
    int64_t count = pool.count;
    ++pool.num_joined;
    pthread_mutex_unlock(&pool.lock);
    take_tasks(function, context, count);
    pthread_mutex_lock(&pool.lock);
    if (--pool.num_joined == 0) pthread_cond_signal(&pool.done);
  }
  return NULL;
}

// A forked child has none of the parent's threads: it starts its own when it needs them.
static void forget_threads(void) {
  pthread_mutex_init(&pool.caller, NULL);
  pthread_mutex_init(&pool.lock, NULL);
  pthread_cond_init(&pool.wake, NULL);
  pthread_cond_init(&pool.done, NULL);
  pool.is_open = 0;
  pool.num_joined = 0;
  pool.num_started = -1;
}

// Cores that this process may use, or fewer where CPU_KERNEL_THREADS says so, as several processes on one machine want.
// OMP_NUM_THREADS itself says nothing here: MindSpore sets it to 1 where the user has not set it.
int num_threads(void) {
  long threads = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) threads = CPU_COUNT(&cores);
#endif
  const char *asked = getenv("CPU_KERNEL_THREADS");
  if (asked && atoi(asked) > 0 && atoi(asked) < threads) threads = atoi(asked);
  return (int)at_least(1, at_most(threads, MOST_THREADS));
}

static void start_threads(void) {
  static int has_fork_handler;
  if (!has_fork_handler) has_fork_handler = pthread_atfork(NULL, NULL, forget_threads) == 0;
  pool.num_started = 0;
  for (int i = 1; i < num_threads(); ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0) break;
    pthread_detach(thread);
    ++pool.num_started;
  }
}

void run_tasks(task_function function, void *context, int64_t count) {
  // Where another thread's tasks occupy the pool, this thread does its own alone.
  if (count < 2 || pthread_mutex_trylock(&pool.caller) != 0) {
    for (int64_t index = 0; index < count; ++index) function(context, index);
    return;
  }
  if (pool.num_started < 0) start_threads();
  pthread_mutex_lock(&pool.lock);
  pool.function = function;
  pool.context = context;
  pool.count = count;
  pool.is_open = 1;
  atomic_store(&next_task, 0);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);

  take_tasks(function, context, count);

  pthread_mutex_lock(&pool.lock);
  pool.is_open = 0;
  while (pool.num_joined > 0) pthread_cond_wait(&pool.done, &pool.lock);
  pthread_mutex_unlock(&pool.lock);
  pthread_mutex_unlock(&pool.caller);
}

float *scratch(size_t count) {
  static _Thread_local float *memory;
  static _Thread_local size_t size;
  if (count > size) {
    free(memory);
    size = count;
    if (posix_memalign((void **)&memory, CACHE_LINE, count * sizeof(float)) != 0) {
      fprintf(stderr, "no memory for %zu floats in a CPU kernel\n", count);
      abort();
    }
  }
  return memory;
}
