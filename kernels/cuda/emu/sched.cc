//go:build ignore

// (compiled by build.go, not by the go command)

// Fibers, barriers, warp collectives and the order in which they run.
//
// A fiber runs until it has to wait. Which of the ready ones runs next is decided by the seed: in order, in reverse order, or at random, so that a
// result that depends on the order shows as different bits or as NaN. Asynchronous work (later) happens as late or as early as the seed likes.
#include "emu_sched.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <map>

namespace emu {

__thread Thread *me;
__thread Dim grid_dim, block_dim, block_idx;

namespace {

const size_t stack_bytes = 192 << 10, page = 4096;

struct Group { u32 mask, arrived; Place at; void (*fn)(void **, u32); void *args[32]; };
struct WarpGroup { int arrived; Place at; void (*fn)(void **); void *args[128]; };
struct Warp { std::vector<Group> groups; };
struct Barrier { int arrived, want; std::vector<int> waiting; };
struct Variable { const void *key; size_t at, bytes; };
struct Later { void (*fn)(void *); std::vector<char> arg; };
struct Sleeper { const void *key; int id; };

struct Block {
  int n;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<WarpGroup> groups;
  Barrier barriers[16];
  std::vector<int> ready;
  std::vector<Later> pending;
  std::vector<Sleeper> sleepers;
  std::vector<Variable> variables;
  size_t used, dynamic;  // bytes of the arena
  int idle;              // turns of pollers since the last progress
};

struct Launch {
  const Kernel *k;
  void **params;
  unsigned seed;
  u64 random;
  std::string why;
  int code;
  sigjmp_buf out;
};

Block *block;
Launch *current;
void *scheduler_sp;
char *stacks;
char *arena;  // shared memory: static variables first, dynamic memory at dynamic_at
const size_t dynamic_at = dynamic_base, arena_bytes = 512 << 10;
__thread bool inside;  // this host thread runs a kernel
struct sigaction old_segv, old_bus;

u32 random_below(u32 n) {
  current->random = current->random * 6364136223846793005ull + 1442695040888963407ull;
  return (u32)((current->random >> 33) % n);
}

// swap stores the stack pointer of the running fiber and continues another.
extern "C" void emu_swap(void **from, void *to);
__asm__(
    ".text\n.globl emu_swap\n.hidden emu_swap\nemu_swap:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

void yield() {
  Thread *t = me;
  emu_swap(&t->sp, scheduler_sp);
}

void fiber_main() {
  current->k->run(current->k->fn, current->params);
  if (!me->held.empty()) fail(719, "the thread ended with a wgmma under way");
  me->done = true;
  progress();
  yield();
  abort();
}

char *map_pages(size_t bytes) {
  void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) abort();
  return (char *)p;
}

void prepare(int i) {
  char *base = stacks + i * (stack_bytes + page) + page;
  void **top = (void **)(base + stack_bytes);
  *--top = nullptr;  // keeps the stack as the ABI wants it on entry of a function
  *--top = (void *)fiber_main;
  top -= 6;
  block->threads[i].sp = top;
}

// next takes a ready fiber out of the queue.
int next() {
  size_t at = 0, n = block->ready.size();
  switch (current->seed % 4) {
    case 0: break;
    case 1: at = n - 1; break;
    default: at = random_below((u32)n);
  }
  int i = block->ready[at];
  block->ready.erase(block->ready.begin() + at);
  return i;
}

void run_pending(size_t at) {
  Later l = block->pending[at];
  block->pending.erase(block->pending.begin() + at);
  progress();
  l.fn(l.arg.data());
}

std::string report() {
  std::string s;
  char line[300];
  for (int i = 0; i < block->n;) {
    Thread &t = block->threads[i];
    int j = i + 1;
    while (j < block->n && block->threads[j].done == t.done && (t.done || (block->threads[j].at.line == t.at.line && block->threads[j].at.what == t.at.what))) ++j;
    const char *base = t.at.file ? strrchr(t.at.file, '/') : nullptr;
    if (t.done)
      snprintf(line, sizeof line, "; threads %d-%d have ended", i, j - 1);
    else
      snprintf(line, sizeof line, "; threads %d-%d wait in %s at %s:%d", i, j - 1, t.at.what ? t.at.what : "?", base ? base + 1 : t.at.file ? t.at.file : "?", t.at.line);
    s += line, i = j;
  }
  return s;
}

void run_block() {
  Block &b = *block;
  for (int i = 0; i < b.n; ++i) prepare(i), b.ready.push_back(i);
  for (int left = b.n; left;) {
    if (!b.pending.empty() && (b.ready.empty() || b.idle > (int)b.ready.size() || (current->seed % 4 > 1 && random_below(8) == 0))) run_pending(random_below((u32)b.pending.size()));
    if (b.ready.empty()) {
      if (!b.pending.empty()) continue;
      fail(702, "deadlock%s", report().c_str());
    }
    if (b.pending.empty() && b.idle > 4 * b.n + 64) fail(702, "deadlock: all that could run only poll%s", report().c_str());
    me = &b.threads[next()];
    me->polling = false;
    emu_swap(&scheduler_sp, me->sp);
    if (me->done) --left;
  }
  while (!b.pending.empty()) run_pending(0);
}

const u32 canary = 0xdeadbeef;

void start_block() {
  Block &b = *block;
  memset(arena, 0xff, b.used);
  memset(arena + dynamic_at, 0xff, b.dynamic);
  for (int i = 0; i < 16; ++i) memcpy(arena + dynamic_at + b.dynamic + 4 * i, &canary, 4);
  b.used = 0, b.idle = 0;
  b.variables.clear(), b.ready.clear(), b.pending.clear(), b.sleepers.clear();
  for (Thread &t : b.threads) t.done = t.polling = false, t.groups.clear(), t.open.clear(), t.gathered.clear(), t.products.clear(), t.held.clear(), t.fenced = false, t.at = Place{};
  for (Warp &w : b.warps) w.groups.clear();
  for (WarpGroup &g : b.groups) g.arrived = 0;
  for (Barrier &x : b.barriers) x.arrived = 0, x.waiting.clear();
}

void check_canaries() {
  Block &b = *block;
  for (Variable &v : b.variables)
    for (int i = 0; i < 4; ++i)
      if (memcmp(arena + v.at + v.bytes + 4 * i, &canary, 4)) fail(700, "written past the end of a shared variable of %zu bytes", v.bytes);
  for (int i = 0; i < 16; ++i)
    if (memcmp(arena + dynamic_at + b.dynamic + 4 * i, &canary, 4)) fail(700, "written past the end of %zu bytes of dynamic shared memory", b.dynamic);
}

void on_fault(int sig, siginfo_t *info, void *context) {
  if (inside && current) {
    char *p = (char *)info->si_addr;
    char *first = stacks, *last = stacks + 1024 * (stack_bytes + page);
    sigset_t one;
    sigemptyset(&one), sigaddset(&one, sig), pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    if (p >= first && p < last) fail(700, "the stack of %zu KB is full", stack_bytes >> 10);
    if (p == nullptr) fail(716, "address 0, or a vector access that is not aligned");
    fail(700, "illegal address %p: %s", (void *)p, where(p).c_str());
  }
  struct sigaction &old = sig == SIGSEGV ? old_segv : old_bus;
  if (old.sa_flags & SA_SIGINFO) return old.sa_sigaction(sig, info, context);
  if (old.sa_handler != SIG_IGN && old.sa_handler != SIG_DFL) return old.sa_handler(sig);
  signal(sig, SIG_DFL);
}

std::vector<const Kernel *> &kernels() {
  static std::vector<const Kernel *> *all = new std::vector<const Kernel *>;
  return *all;
}

}  // namespace

void add_kernel(const Kernel *k) { kernels().push_back(k); }
const std::vector<const Kernel *> &all_kernels() { return kernels(); }
const Kernel *find_kernel(const char *name) {
  for (const Kernel *k : kernels())
    if (!strcmp(k->name, name)) return k;
  return nullptr;
}

void install_fault_handler() {
  struct sigaction now = {};
  now.sa_sigaction = on_fault;
  now.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigfillset(&now.sa_mask);
  sigdelset(&now.sa_mask, SIGSEGV), sigdelset(&now.sa_mask, SIGBUS);
  sigaction(SIGSEGV, &now, &old_segv);
  sigaction(SIGBUS, &now, &old_bus);
}

void fail(int code, const char *format, ...) {
  char text[4000], head[300];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  snprintf(head, sizeof head, "kernel %s, block (%u, %u, %u), thread %d, seed %u: ", current->k->name, block_idx.x, block_idx.y, block_idx.z, me ? me->id : -1, current->seed);
  current->why = std::string(head) + text;
  current->code = code;
  siglongjmp(current->out, 1);
}

void progress() { block->idle = 0; }

void wait_a_turn(Place at) {
  me->at = at, me->polling = true;
  ++block->idle;
  block->ready.push_back(me->id);
  yield();
}

void sleep_on(const void *key, Place at) {
  me->at = at;
  progress();
  block->sleepers.push_back({key, me->id});
  yield();
}

void wake(const void *key) {
  progress();
  std::vector<Sleeper> &all = block->sleepers;
  for (size_t i = 0; i < all.size();) {
    if (all[i].key != key) {
      ++i;
      continue;
    }
    block->ready.push_back(all[i].id);
    all.erase(all.begin() + i);
  }
}

void barrier(int id, int threads, Place at) {
  Barrier &b = block->barriers[id];
  int want = threads ? threads : block->n;
  if (id < 0 || id > 15 || (want % 32 && threads)) fail(719, "barrier %d of %d threads: want 0 to 15, a multiple of 32", id, threads);
  if (b.arrived && b.want != want) fail(719, "barrier %d is waited for by %d and by %d threads", id, b.want, want);
  b.want = want;
  me->at = at;
  progress();
  if (++b.arrived == want) {
    for (int i : b.waiting) block->ready.push_back(i);
    b.waiting.clear(), b.arrived = 0;
    block->ready.push_back(me->id);  // the last one has no right to go first
    return yield();
  }
  b.waiting.push_back(me->id);
  yield();
}

void collective(u32 mask, Place at, void (*fn)(void **, u32), void *mine) {
  Warp &w = block->warps[me->warp];
  me->at = at;
  progress();
  int in_warp = block->n - 32 * me->warp;
  if (in_warp < 32) mask &= (1u << in_warp) - 1;
  if (!(mask >> me->lane & 1)) fail(719, "%s: lane %d is not in its own mask %08x", at.what, me->lane, mask);
  for (size_t i = 0;; ++i) {
    if (i == w.groups.size()) w.groups.push_back({mask, 0, at, fn, {}});
    Group &g = w.groups[i];
    if (g.mask != mask) {
      if (g.mask & mask && g.arrived >> me->lane & 1) fail(719, "%s: lane %d is in two collectives at once", at.what, me->lane);
      continue;
    }
    if (g.fn != fn) fail(719, "lanes of one warp are at different collectives: %s at line %d and %s at line %d", at.what, at.line, g.at.what, g.at.line);
    g.args[me->lane] = mine;
    g.arrived |= 1u << me->lane;
    if (g.arrived != mask) return yield();
    Group all = g;
    w.groups.erase(w.groups.begin() + i);
    all.fn(all.args, mask);
    for (int l = 0; l < 32; ++l)
      if (mask >> l & 1 && l != me->lane) block->ready.push_back(32 * me->warp + l);
    return;
  }
}

void collective_group(Place at, void (*fn)(void **), void *mine) {
  WarpGroup &g = block->groups[me->id / 128];
  if (me->id / 128 * 128 + 128 > block->n) fail(719, "%s: thread %d has no whole warpgroup of 128 threads", at.what, me->id);
  me->at = at;
  progress();
  if (g.arrived && g.fn != fn) fail(719, "warps of one warpgroup are at different instructions: %s at line %d and %s at line %d", at.what, at.line, g.at.what, g.at.line);
  g.fn = fn, g.at = at, g.args[me->id % 128] = mine;
  if (++g.arrived < 128) return yield();
  g.arrived = 0;
  fn(g.args);
  for (int i = me->id / 128 * 128, j = 0; j < 128; ++j)
    if (i + j != me->id) block->ready.push_back(i + j);
}

void *shared_variable(const void *key, size_t bytes, size_t align) {
  Block &b = *block;
  for (Variable &v : b.variables)
    if (v.key == key) return arena + v.at;
  size_t at = (b.used + align - 1) / align * align;
  if (at + bytes + 16 > dynamic_at || at + bytes > 48 << 10) fail(719, "more than 48 KB of static shared memory");
  b.variables.push_back({key, at, bytes});
  memset(arena + at, 0xff, bytes);
  for (int i = 0; i < 4; ++i) memcpy(arena + at + bytes + 4 * i, &canary, 4);
  b.used = at + bytes + 16;
  return arena + at;
}

void *shared_dynamic(size_t *bytes) {
  if (bytes) *bytes = block->dynamic;
  return arena + dynamic_at;
}

u32 shared_address(const void *p, int bytes, const char *what) {
  size_t at = (const char *)p - arena;
  bool ok = at >= dynamic_at ? at + bytes <= dynamic_at + block->dynamic : false;
  for (Variable &v : block->variables) ok = ok || (at >= v.at && at + bytes <= v.at + v.bytes);
  if (!ok) fail(700, "%s: %p is not within shared memory", what, p);
  return (u32)at;
}

void *shared_pointer(u32 address, int bytes, const char *what) {
  shared_address(arena + address, bytes, what);
  return arena + address;
}

void check_global(const void *p, int bytes, bool, const char *what) {
  const char *begin;
  size_t size;
  if (!allocation(p, &begin, &size) || (const char *)p + bytes > begin + size) fail(700, "%s of %d bytes at %p: %s", what, bytes, p, where(p).c_str());
}

void later(void (*fn)(void *), const void *arg, size_t bytes) {
  block->pending.push_back({fn, std::vector<char>((const char *)arg, (const char *)arg + bytes)});
}

int launch(const Kernel *k, Dim grid, Dim threads, size_t smem, void **params, unsigned seed, std::string *why) {
  if (!stacks) {
    stacks = map_pages(1024 * (stack_bytes + page));
    for (int i = 0; i < 1024; ++i) mprotect(stacks + i * (stack_bytes + page), page, PROT_NONE);
    arena = map_pages(arena_bytes);
  }
  static Launch l;
  l.k = k, l.params = params, l.seed = seed, l.random = seed * 0x9E3779B97F4A7C15ull + 1, l.code = 0;
  current = &l;
  static Block b;  // kept: a failed launch leaves by a jump
  block = &b;
  b.n = threads.x * threads.y * threads.z;
  b.threads.assign(b.n, Thread());
  b.warps.assign((b.n + 31) / 32, Warp());
  b.groups.assign(b.n / 128 + 1, WarpGroup());
  b.used = 48 << 10, b.dynamic = smem;
  for (int i = 0; i < b.n; ++i) {
    Thread &t = b.threads[i];
    t.id = i, t.lane = i % 32, t.warp = i / 32;
    t.tid = {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y};
  }
  grid_dim = grid, block_dim = threads, me = nullptr;
  if (sigsetjmp(l.out, 1) == 0) {
    inside = true;
    u64 n = (u64)grid.x * grid.y * grid.z, first = seed % 4 ? random_below((u32)n) : 0;
    for (u64 i = 0; i < n; ++i) {
      u64 at = (i + first) % n;
      block_idx = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / grid.x / grid.y)};
      start_block();
      run_block();
      me = nullptr;
      check_canaries();
    }
  }
  inside = false;
  current = nullptr;
  *why = l.why, l.why.clear();
  return l.code;
}

}  // namespace emu
