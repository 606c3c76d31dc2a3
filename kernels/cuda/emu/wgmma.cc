//go:build ignore

// (compiled by build.go, not by the go command)

// wgmma of a warpgroup: queued when issued, made when waited for.
#include <map>

#include "emu_sched.h"

namespace emu {

static std::map<int, WgmmaGroup> queues;  // by thread; of the running block

void wgmma_reset() { queues.clear(); }

WgmmaGroup &wgmma_of(Thread *t) { return queues[t->id]; }

void wgmma_issue(const Wgmma &w, Place at) {
  if (w.n == 0) fail(719, "wgmma: N is 0");
  collective_group(at, [](void **) {}, nullptr);
  // sums of an earlier product that is still on its way stay as they are: they are not there to be read
  WgmmaGroup &q = wgmma_of(me);
  bool chained = false;
  for (auto &g : q.groups)
    for (Wgmma &o : g) chained = chained || o.d == w.d;
  for (Wgmma &o : q.open) chained = chained || o.d == w.d;
  if (!chained) {
    // the old sums are kept aside, and NaN shows to whoever reads too early
    float *kept = new float[w.n / 2];
    memcpy(kept, w.d, sizeof(float) * w.n / 2);
    q.saved[w.d] = kept;
    memset(w.d, 0xff, sizeof(float) * w.n / 2);
  }
  q.open.push_back(w);
}

void wgmma_close(Place at) {
  collective_group(at, [](void **) {}, nullptr);
  WgmmaGroup &q = wgmma_of(me);
  q.groups.push_back(q.open);
  q.open.clear();
}

namespace {
struct Finish { int left; Thread *t; };

void finish(void **threads) {
  WgmmaGroup *q[128];
  for (int t = 0; t < 128; ++t) q[t] = &wgmma_of(((Finish *)threads[t])->t);
  int left = ((Finish *)threads[0])->left;
  while ((int)q[0]->groups.size() > left) {
    size_t n = q[0]->groups[0].size();
    for (size_t i = 0; i < n; ++i) {
      Wgmma *w[128];
      for (int t = 0; t < 128; ++t) {
        w[t] = &q[t]->groups[0][i];
        auto kept = q[t]->saved.find(w[t]->d);
        if (kept != q[t]->saved.end()) {
          memcpy(w[t]->d, kept->second, sizeof(float) * w[t]->n / 2);
          delete[] kept->second;
          q[t]->saved.erase(kept);
        }
      }
      wgmma_run(w);
    }
    for (int t = 0; t < 128; ++t) q[t]->groups.erase(q[t]->groups.begin());
  }
  // products of younger groups into the same sums go on from here: hide the sums again
  for (int t = 0; t < 128; ++t)
    for (auto &g : q[t]->groups)
      for (Wgmma &o : g)
        if (!q[t]->saved.count(o.d)) {
          float *kept = new float[o.n / 2];
          memcpy(kept, o.d, sizeof(float) * o.n / 2);
          q[t]->saved[o.d] = kept;
          memset(o.d, 0xff, sizeof(float) * o.n / 2);
        }
}
}  // namespace

void wgmma_finish(int left, Place at) {
  Finish f = {left, me};
  linger(at);
  collective_group(at, finish, &f);
}

}  // namespace emu
