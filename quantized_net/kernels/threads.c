/* A pool of threads that sleep between two calls.

   Nobody waits for a thread that wakes up late: it finds the parts done, and
   goes back to sleep.

   A process that was forked starts a pool of its own when it needs one.  A
   call that comes while the pool is busy (another Python thread's) does its
   work alone. */

#include "threads.h"

#include <pthread.h>
#include <stdatomic.h>

#define MAX_THREADS ALL_WORKERS
/* About a quarter of a millisecond: the kernels of a step follow each other. */
#define SPINS 10000

static struct {
    pthread_mutex_t caller;  /* held by the call that has the pool */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    int wanted, limit, started, has_fork_handlers;
    int is_open;  /* whether a thread may join */
    atomic_uint generation;
    atomic_int joined;
    atomic_size_t next;
    quantized_net_part part;
    void *work;
    size_t n;
} pool = {
    .caller = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER,
    .wanted = 1};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void do_parts(int worker)
{
    for (;;) {
        size_t i = atomic_fetch_add(&pool.next, 1);
        if (i >= pool.n)
            return;
        pool.part(pool.work, i, worker);
    }
}

static void *serve(void *argument)
{
    int worker = (int)((size_t)argument % MAX_THREADS);
    unsigned seen = (unsigned)((size_t)argument / MAX_THREADS);
    for (;;) {
        for (int i = 0; i < SPINS; ++i) {
            if (atomic_load(&pool.generation) != seen)
                break;
            pause_briefly();
        }
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.generation) == seen)
            pthread_cond_wait(&pool.wake, &pool.lock);
        seen = atomic_load(&pool.generation);
        int joins = pool.is_open && worker < pool.limit;
        if (joins)
            atomic_fetch_add(&pool.joined, 1);
        pthread_mutex_unlock(&pool.lock);
        if (!joins)
            continue;
        do_parts(worker);
        if (atomic_fetch_sub(&pool.joined, 1) == 1) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.done);
            pthread_mutex_unlock(&pool.lock);
        }
    }
    return NULL;
}

static void before_fork(void)
{
    pthread_mutex_lock(&pool.caller);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&pool.caller);
}

static void after_fork_in_child(void)
{
    /* its threads stayed with the parent */
    pool.started = 0;
    pool.is_open = 0;
    pthread_mutex_init(&pool.caller, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.done, NULL);
    atomic_store(&pool.generation, 0);
}

/* The number of threads to work with, the caller among them. */
static int start(void)
{
    if (!pool.has_fork_handlers) {
        pthread_atfork(
            before_fork, after_fork_in_parent, after_fork_in_child);
        pool.has_fork_handlers = 1;
    }
    while (pool.started < pool.wanted - 1) {
        pthread_t thread;
        pthread_attr_t attributes;
        int failed;
        /* a new thread waits for the next generation */
        size_t seen = atomic_load(&pool.generation);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        failed = pthread_create(
            &thread, &attributes, serve,
            (void *)(seen * MAX_THREADS + (size_t)pool.started + 1));
        pthread_attr_destroy(&attributes);
        if (failed)
            break;
        ++pool.started;
    }
    return pool.started + 1;
}

void quantized_net_parallel(
    quantized_net_part part, void *work, size_t n, int limit)
{
    if (n < 2 || limit < 2 || pool.wanted < 2
            || pthread_mutex_trylock(&pool.caller) != 0) {
        for (size_t i = 0; i < n; ++i)
            part(work, i, 0);
        return;
    }
    if (start() > 1) {
        pthread_mutex_lock(&pool.lock);
        pool.part = part;
        pool.work = work;
        pool.n = n;
        pool.limit = limit < pool.wanted ? limit : pool.wanted;
        atomic_store(&pool.next, 0);
        pool.is_open = 1;
        atomic_fetch_add(&pool.generation, 1);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
        do_parts(0);
        pthread_mutex_lock(&pool.lock);
        pool.is_open = 0;
        pthread_mutex_unlock(&pool.lock);
        for (int i = 0; i < SPINS && atomic_load(&pool.joined); ++i)
            pause_briefly();
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.joined))
            pthread_cond_wait(&pool.done, &pool.lock);
        pthread_mutex_unlock(&pool.lock);
    } else {
        for (size_t i = 0; i < n; ++i)
            part(work, i, 0);
    }
    pthread_mutex_unlock(&pool.caller);
}

int quantized_net_threads(void)
{
    return pool.wanted;
}

/* Threads that are no longer wanted are kept, asleep. */
void quantized_net_set_threads(int n)
{
    pthread_mutex_lock(&pool.caller);
    pool.wanted = n < 1 ? 1 : n < MAX_THREADS ? n : MAX_THREADS - 1;
    pthread_mutex_unlock(&pool.caller);
}
