#include "attention.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace paged {

using simd::f8;
using simd::half;

static constexpr int ROWS  = 24;   // query rows (tokens × heads of one KV head) a tile holds
static constexpr int CHUNK = 128;  // cells scored before the softmax is brought up to date

static constexpr int STRIDE = CHUNK + 2 * BLOCK;  // of a row's scores: whole blocks may stick out at both ends

// Cells of one block within a chunk: n of them from off on, the first at slot `at`.
struct piece { int block, off, n, at; };

// ---- kernel ----------------------------------------------------------------

// Scores of R query rows against the 16 cells of each of B blocks: block b's go to
// s[r][at[b]..]. Two blocks at a time keep the multipliers busy.
template <int R, int B>
static inline void score(const float * q, int dk, const half * const * k, float * s, const int * at) {
    f8 a[R][2 * B] = {};
    for (int d = 0; d < dk; d++) {
        f8 x[R];
        for (int r = 0; r < R; r++) x[r] = simd::splat(q[r * dk + d]);
        for (int b = 0; b < 2 * B; b++) {
            f8 c = simd::load(k[b / 2] + d * BLOCK + b % 2 * 8);
            for (int r = 0; r < R; r++) a[r][b] += x[r] * c;
        }
    }
    for (int b = 0; b < B; b++) {  // in order: a block that is not full is written over by the next
        for (int r = 0; r < R; r++) {
            simd::store(s + r * STRIDE + at[b], a[r][2 * b]);
            simd::store(s + r * STRIDE + at[b] + 8, a[r][2 * b + 1]);
        }
    }
}

// Adds p[r][...] times the values of a chunk's blocks to 8*W columns of R output rows.
template <int R, int W>
static inline void add_columns(const float * p, const layer_store & l, int h, const piece * pieces, int n, int d,
                               float * o) {
    const int dvp = l.shape.padded_dv();
    f8 a[R][W];
    for (int r = 0; r < R; r++)
        for (int w = 0; w < W; w++) a[r][w] = simd::load(o + r * dvp + d + 8 * w);
    for (int i = 0; i < n; i++) {
        const half * v = l.value(pieces[i].block, h) + pieces[i].off * dvp + d;
        for (int j = 0; j < pieces[i].n; j++, v += dvp, p++) {
            f8 x[R];
            for (int r = 0; r < R; r++) x[r] = simd::splat(p[r * STRIDE]);
            for (int w = 0; w < W; w++) {
                f8 c = simd::load(v + 8 * w);
                for (int r = 0; r < R; r++) a[r][w] += x[r] * c;
            }
        }
    }
    for (int r = 0; r < R; r++)
        for (int w = 0; w < W; w++) simd::store(o + r * dvp + d + 8 * w, a[r][w]);
}

template <int R>
static inline void add_values(const float * p, const layer_store & l, int h, const piece * pieces, int n, float * o) {
    const int dvp = l.shape.padded_dv();
    int d = 0;
    for (; d + 32 <= dvp; d += 32) add_columns<R, 4>(p, l, h, pieces, n, d, o);
    for (; d < dvp; d += 16) add_columns<R, 2>(p, l, h, pieces, n, d, o);
}

template <int R>
static inline void score_one(const float * q, int dk, const half * const * k, float * s, const int * at) {
    score<R, 1>(q, dk, k, s, at);
}
template <int R>
static inline void score_two(const float * q, int dk, const half * const * k, float * s, const int * at) {
    score<R, 2>(q, dk, k, s, at);
}

// BY_ROWS calls f<R> for all rows, at most three at a time: with two blocks or four
// columns that is twelve accumulators, three factors and what they are multiplied with, all
// sixteen registers of AVX2. One more would go through memory each time. r_ is the first row.
#define BY_ROWS(rows, f, ...)                                          \
    for (int r_ = 0, n_; r_ < (rows); r_ += n_) {                      \
        n_ = std::min(3, (rows) - r_);                                 \
        if (n_ == 3) f<3>(__VA_ARGS__);                                \
        else if (n_ == 2) f<2>(__VA_ARGS__);                           \
        else f<1>(__VA_ARGS__);                                        \
    }

// Working memory of one thread.
struct scratch {
    std::vector<float> q, s, o;
    float top[ROWS], sum[ROWS];
    int last[ROWS];  // position of each row's token: it sees cells up to there

    void fit(int rows, int dk, int dvp) {
        if (q.size() < (size_t) rows * dk) q.resize((size_t) rows * dk);
        if (o.size() < (size_t) rows * dvp) o.resize((size_t) rows * dvp);
        if (s.size() < (size_t) rows * STRIDE) s.resize((size_t) rows * STRIDE);
    }
    float * scores(int row) { return &s[(size_t) row * STRIDE + BLOCK]; }
};

// Brings row r's softmax up to date with n scores that start at position pos.
static inline void update_softmax(scratch & w, int r, int n, int pos, int dvp) {
    float * s = w.scores(r);
    int see   = std::min(n, w.last[r] + 1 - pos);
    int wide  = (n + 7) / 8 * 8;
    if (see <= 0) {
        std::fill(s, s + wide, 0.0f);
        return;
    }
    std::fill(s + see, s + wide, -INFINITY);
    f8 m8 = simd::load(s);
    for (int j = 8; j < wide; j += 8) m8 = simd::max(m8, simd::load(s + j));
    float m = simd::hmax(m8);
    if (m > w.top[r]) {
        float f = w.top[r] == -INFINITY ? 0.0f : std::exp(w.top[r] - m);
        w.top[r] = m;
        w.sum[r] *= f;
        float * o = &w.o[(size_t) r * dvp];
        for (int d = 0; d < dvp; d += 8) simd::store(o + d, simd::load(o + d) * f);
    }
    f8 base = simd::splat(w.top[r]), sum = simd::splat(0);
    for (int j = 0; j < wide; j += 8) {
        f8 e = simd::exp(simd::load(s + j) - base);
        simd::store(s + j, e);
        sum += e;
    }
    w.sum[r] += simd::hsum(sum);
}

// Attention of `rows` prepared query rows over a path, for KV head h.
static void attend_path(const layer_store & l, const segment & g, int h, int rows, scratch & w) {
    const int dk = l.shape.dk, dvp = l.shape.padded_dv();
    std::fill(w.o.begin(), w.o.begin() + (size_t) rows * dvp, 0.0f);
    std::fill(w.top, w.top + rows, -INFINITY);
    std::fill(w.sum, w.sum + rows, 0.0f);
    const int end = *std::max_element(w.last, w.last + rows) + 1;

    // Chunks end at fixed positions, wherever the blocks of a path do: sums are then the
    // same whether a prefix was shared, forked or computed in one go.
    int ref = 0, off = 0;  // the next cell: off cells into ref
    for (int from = 0; from < end; from += CHUNK) {
        piece pieces[CHUNK];
        int count = 0, n = 0;
        const int most = std::min(CHUNK, end - from);
        while (n < most && ref < g.refs) {
            int take = std::min(g.path[ref].n - off, most - n);
            pieces[count++] = {g.path[ref].block, off, take, n};
            n += take;
            off += take;
            if (off == g.path[ref].n) { ref++; off = 0; }
        }
        // A block's 16 scores are written behind the cells of the one before it, over the
        // slots that a block which is not full leaves unused.
        for (int i = 0; i < count; i += 2) {
            bool two = i + 1 < count;
            const piece & p = pieces[i], & q = pieces[two ? i + 1 : i];
            const half * k[2] = {l.key(p.block, h), l.key(q.block, h)};
            int at[2] = {p.at - p.off, q.at - q.off};
            if (two) {
                BY_ROWS(rows, score_two, &w.q[(size_t) r_ * dk], dk, k, w.scores(r_), at);
            } else {
                BY_ROWS(rows, score_one, &w.q[(size_t) r_ * dk], dk, k, w.scores(r_), at);
            }
        }
        for (int r = 0; r < rows; r++) update_softmax(w, r, n, from, dvp);
        BY_ROWS(rows, add_values, w.scores(r_), l, h, pieces, count, &w.o[(size_t) r_ * dvp]);
    }
}

// ---- the op ----------------------------------------------------------------

// The operands of one GGML_OP_FLASH_ATTN_EXT as llama.cpp builds it:
// q [dk, tokens, heads], k [dk, cells, kv heads], v [dv, cells, kv heads],
// result [dv, heads, tokens].
struct op_view {
    const ggml_tensor *q, *k, *v;
    ggml_tensor * out;
    float scale;
    int tokens, heads, queries_per_kv;

    explicit op_view(ggml_tensor * op) : q(op->src[0]), k(op->src[1]), v(op->src[2]), out(op) {
        memcpy(&scale, op->op_params, sizeof scale);
        tokens = (int) q->ne[1];
        heads  = (int) q->ne[2];
        queries_per_kv = heads / (int) k->ne[2];
    }
};

// The place of element i of dimension d and j of dimension e.
static char * at(const ggml_tensor * t, int i, int d, int j, int e) {
    return (char *) t->data + (size_t) i * t->nb[d] + (size_t) j * t->nb[e];
}

static int layer_of(const ggml_tensor * op) {
    const char * dash = strrchr(op->name, '-');
    return dash ? atoi(dash + 1) : -1;
}

static const char * unsupported_feature(const ggml_tensor * op) {
    float bias, cap;
    memcpy(&bias, (const float *) op->op_params + 1, sizeof bias);
    memcpy(&cap, (const float *) op->op_params + 2, sizeof cap);
    const ggml_tensor *q = op->src[0], *k = op->src[1], *v = op->src[2];
    if (bias != 0) return "ALiBi position biases";
    if (cap != 0) return "attention soft-capping";
    if (op->src[4]) return "attention sinks";
    if (k->type != GGML_TYPE_F16 || v->type != GGML_TYPE_F16) return "a KV cache that is not F16";
    if (k->ne[3] != 1 || q->ne[3] != 1) return "several KV streams";
    if (k->ne[2] != v->ne[2] || q->ne[2] % k->ne[2]) return "an uneven number of heads";
    if (q->type != GGML_TYPE_F32) return "queries that are not F32";
    return nullptr;
}

void record_attention(plan & p, const ggml_tensor * op) {
    int il = layer_of(op);
    if (const char * what = unsupported_feature(op)) p.unsupported = what;
    if (il < 0) { p.unsupported = "unnamed attention layers"; return; }
    if ((int) p.shapes.size() <= il) p.shapes.resize(il + 1);
    p.shapes[il] = {(int) op->src[1]->ne[0], (int) op->src[2]->ne[0], (int) op->src[1]->ne[2]};
}

// Moves the keys and values of this thread's share of the new tokens from llama.cpp's
// scratch cache, where token i stands in cell i, to the blocks of their path.
static void store_new_cells(const layer_store & l, const plan & p, const op_view & v, int ith, int nth) {
    for (const auto & g : p.segments) {
        int ref = g.refs - 1, end = g.length;  // end: position after the last cell of ref
        for (int t = g.new_tokens - 1; t >= 0; t--) {
            int pos = g.length - g.new_tokens + t;
            while (pos < end - g.path[ref].n) end -= g.path[ref--].n;
            int row = g.first + t;
            if (row % nth != ith) continue;
            int block = g.path[ref].block, cell = pos - (end - g.path[ref].n);
            for (int h = 0; h < l.shape.heads; h++) {
                const auto * k = (const half *) at(v.k, row, 1, h, 2);
                half * dst     = l.key(block, h) + cell;
                for (int d = 0; d < l.shape.dk; d++) dst[d * BLOCK] = k[d];
                const char * val = at(v.v, row, 1, h, 2);
                half * out       = l.value(block, h) + (size_t) cell * l.shape.padded_dv();
                if (v.v->nb[0] == sizeof(half)) {
                    memcpy(out, val, l.shape.dv * sizeof(half));
                } else {
                    for (int d = 0; d < l.shape.dv; d++) out[d] = *(const half *) (val + d * v.v->nb[0]);
                }
            }
        }
    }
}

// Rows [r0, r1) of a tile for KV head h: row r is token r / n, query head h*n + r % n, where
// n = v.queries_per_kv.
static void compute_tile(const layer_store & l, const plan & p, const op_view & v, const plan::tile & t, int h, int r0,
                         int r1, scratch & w) {
    const segment & g = p.segments[t.segment];
    const int dk = l.shape.dk, rows = r1 - r0;
    const int dvp = l.shape.padded_dv();
    w.fit(rows, dk, dvp);
    for (int r = 0; r < rows; r++) {
        int tok = t.first + (r0 + r) / v.queries_per_kv, head = h * v.queries_per_kv + (r0 + r) % v.queries_per_kv;
        const auto * q = (const float *) at(v.q, g.first + tok, 1, head, 2);
        for (int d = 0; d < dk; d++) w.q[(size_t) r * dk + d] = q[d] * v.scale;
        w.last[r] = g.length - g.new_tokens + tok;
    }
    attend_path(l, g, h, rows, w);
    for (int r = 0; r < rows; r++) {
        int tok = t.first + (r0 + r) / v.queries_per_kv, head = h * v.queries_per_kv + (r0 + r) % v.queries_per_kv;
        auto * out = (float *) at(v.out, g.first + tok, 2, head, 1);
        float f = 1.0f / w.sum[r];
        for (int d = 0; d < l.shape.dv; d++) out[d] = w.o[(size_t) r * dvp + d] * f;
    }
}

void attend(plan & p, ggml_compute_params * cp, ggml_tensor * op) {
    static thread_local scratch w;
    op_view v(op);
    int il = layer_of(op);
    if (il < 0 || il >= (int) p.kv->layers.size() || v.tokens != p.rows || unsupported_feature(op)) {
        p.mismatch = true;
        return;
    }
    const layer_store & l = p.kv->layers[il];
    store_new_cells(l, p, v, cp->ith, cp->nth);
    ggml_barrier(cp->threadpool);

    // With few tiles, a lone leaf above all, the heads of one KV head are handed out singly.
    const int tiles = (int) p.tiles.size(), kv = l.shape.heads;
    const int split = tiles * kv < 2 * cp->nth ? v.queries_per_kv : 1;
    const int items = tiles * kv * split;
    for (int i; (i = p.next[il].fetch_add(1, std::memory_order_relaxed)) < items;) {
        const auto & t = p.tiles[i / (kv * split)];
        int rest = i % (kv * split), rows = t.rows * v.queries_per_kv;
        int h = rest / split, part = rest % split;
        compute_tile(l, p, v, t, h, rows * part / split, rows * (part + 1) / split, w);
    }
    if (cp->ith == 0) p.attention_calls++;
}

void plan::make_tiles(int layers, int queries_per_kv) {
    rows = 0;
    tiles.clear();
    const int step = std::max(1, ROWS / std::max(1, queries_per_kv));
    for (int s = 0; s < (int) segments.size(); s++) {
        rows += segments[s].new_tokens;
        for (int t = 0; t < segments[s].new_tokens; t += step)
            tiles.push_back({s, t, std::min(step, segments[s].new_tokens - t)});
    }
    auto cost = [&](const tile & t) { return (int64_t) t.rows * segments[t.segment].length; };
    std::sort(tiles.begin(), tiles.end(), [&](const tile & a, const tile & b) {
        if (cost(a) != cost(b)) return cost(a) > cost(b);
        return a.segment != b.segment ? a.segment < b.segment : a.first < b.first;
    });
    if (!next) next.reset(new std::atomic<int>[layers]);
    for (int i = 0; i < layers; i++) next[i].store(0, std::memory_order_relaxed);
    attention_calls = 0;
    mismatch        = false;
    misread         = false;
}

}  // namespace paged
