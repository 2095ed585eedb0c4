#include "bridge.h"
#include "ggml-cpu.h"
#include "hook.h"
#include "llama.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

// ---- llama.cpp's log --------------------------------------------------------

// llama.cpp reports why it failed only through its log. The error lines of the calling
// thread are kept; everything else is dropped.
thread_local std::string * log_lines = nullptr;

void listen(ggml_log_level level, const char * text, void *) {
    if (log_lines && level == GGML_LOG_LEVEL_ERROR) *log_lines += text;
}

void start() {
    static std::once_flag once;
    std::call_once(once, [] {
        llama_log_set(listen, nullptr);
        llama_backend_init();
        paged::install();
    });
}

struct listening {
    std::string lines;
    listening() { log_lines = &lines; }
    ~listening() { log_lines = nullptr; }
};

int fail(int code, const std::string & why, char * err, size_t size) {
    snprintf(err, size, "%s", why.c_str());
    return code;
}

}  // namespace

struct bridge_model {
    llama_model * model             = nullptr;
    llama_adapter_lora * adapter    = nullptr;
    llama_context * ctx             = nullptr;
    const llama_vocab * vocab       = nullptr;
    ggml_threadpool * pool          = nullptr;
    llama_batch batch               = {};
    std::unique_ptr<paged::store> kv;
    paged::plan plan;
    std::vector<int32_t> outputs;  // batch row of each kept output
    std::vector<float> want;       // logits of ggml's own attention, until ours is proven
    int per = 1;                   // query heads of one KV head
    int max_tokens = 0;
    float check = 0;

    ~bridge_model() {
        if (batch.token) llama_batch_free(batch);
        if (ctx) {
            llama_detach_threadpool(ctx);
            llama_free(ctx);
        }
        if (pool) ggml_threadpool_free(pool);
        if (adapter) llama_adapter_lora_free(adapter);
        if (model) llama_model_free(model);
    }

    // One pool for the life of the context, of which a forward uses as many threads as it
    // is told: ggml's backend keeps a pointer to the pool of the last forward, so a pool
    // must not be exchanged and freed.
    void make_pool(int most) {
        auto p = ggml_threadpool_params_default(most);
        pool   = ggml_threadpool_new(&p);
        llama_attach_threadpool(ctx, pool, pool);
    }

    // Puts the plan's segments and their tokens into the batch and runs it. llama.cpp's own
    // cache is a scratch that is emptied every time, so that token i stands in cell i.
    int decode(const int32_t * tokens, const std::vector<bool> & output) {
        outputs.clear();
        int row = 0;
        for (size_t s = 0; s < plan.segments.size(); s++) {
            const auto & g = plan.segments[s];
            for (int t = 0; t < g.fresh; t++, row++) {
                batch.token[row]     = tokens[row];
                batch.pos[row]       = g.length - g.fresh + t;
                batch.n_seq_id[row]  = 1;
                batch.seq_id[row][0] = (llama_seq_id) s;
                batch.logits[row]    = t == g.fresh - 1 && output[s];
                if (batch.logits[row]) outputs.push_back(row);
            }
        }
        batch.n_tokens = row;
        llama_memory_clear(llama_get_memory(ctx), false);
        paged::running guard(&plan);
        return llama_decode(ctx, batch);
    }
};

// ---- opening ----------------------------------------------------------------

namespace {

const char * cannot(const llama_model * m) {
    if (llama_model_has_encoder(m)) return "an encoder";
    if (llama_model_is_recurrent(m)) return "recurrent layers";
    if (llama_model_is_hybrid(m)) return "hybrid (recurrent and attention) layers";
    if (llama_model_is_diffusion(m)) return "diffusion decoding";
    if (llama_model_n_swa(m) > 0) return "sliding-window attention";
    return nullptr;
}

int context(bridge_model & m, const bridge_options & o, std::string & why) {
    auto cp = llama_context_default_params();
    cp.n_ctx           = o.batch;
    cp.n_batch         = o.batch;
    cp.n_ubatch        = o.batch;
    cp.n_seq_max       = o.segments;
    cp.n_threads       = o.threads;
    cp.n_threads_batch = o.threads;
    cp.kv_unified      = true;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    cp.no_perf         = true;
    m.ctx = llama_init_from_model(m.model, cp);
    if (!m.ctx) {
        why = "llama.cpp cannot make a context for this model";
        return BRIDGE_UNSUPPORTED;
    }
    m.max_tokens = o.batch;
    m.batch      = llama_batch_init(o.batch, 0, 1);
    m.make_pool(o.most_threads);
    if (m.adapter) llama_set_adapter_lora(m.ctx, m.adapter, 1.0f);
    return BRIDGE_OK;
}

// Reads the weights, which are not mapped: the file may be overwritten as soon as they are
// there.
int weights(bridge_model & m, const bridge_options & o, std::string & why) {
    auto mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    mp.use_mmap     = false;
    mp.check_tensors = true;  // quantised products swallow a scale that is not a number
    mp.progress_callback_user_data = (void *) o.cancel;
    mp.progress_callback = [](float, void * cancel) { return __atomic_load_n((const int32_t *) cancel, __ATOMIC_RELAXED) == 0; };
    m.model = llama_model_load_from_file(o.path, mp);
    if (!m.model) return *o.cancel ? BRIDGE_CANCELED : BRIDGE_LOAD;
    m.vocab = llama_model_get_vocab(m.model);
    if (const char * what = cannot(m.model)) {
        why = what;
        return BRIDGE_UNSUPPORTED;
    }
    if (!o.adapter) return BRIDGE_OK;
    m.adapter = llama_adapter_lora_init(m.model, o.adapter);
    if (m.adapter && llama_adapter_get_alora_n_invocation_tokens(m.adapter) > 0) why = "it wakes up at certain tokens only (aLoRA)";
    return m.adapter && why.empty() ? BRIDGE_OK : BRIDGE_ADAPTER;
}

// Root mean square of the difference of two sets of logits, over their spread.
float distance(const std::vector<float> & a, const float * b) {
    double mean = 0, spread = 0, diff = 0;
    for (float x : a) mean += x;
    mean /= (double) a.size();
    for (size_t i = 0; i < a.size(); i++) {
        spread += (a[i] - mean) * (a[i] - mean);
        diff += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    }
    return (float) std::sqrt(diff / (spread + 1e-12));
}

// Runs a few tokens as the plan says and returns the logits after them, or null.
const float * trial(bridge_model & m) {
    const int n = std::min(24, m.max_tokens), vocab = llama_vocab_n_tokens(m.vocab);
    std::vector<int32_t> tokens(n);
    for (int i = 0; i < n; i++) tokens[i] = (int32_t) ((i * 7919LL + 13) % vocab);
    std::vector<paged::block_ref> path;
    for (int i = 0; i < n; i += paged::BLOCK) path.push_back({i / paged::BLOCK, std::min(paged::BLOCK, n - i)});
    m.plan.segments = {{path.data(), (int) path.size(), n, 0, n}};
    if (m.kv) m.plan.cut((int) m.kv->layers.size(), m.per);
    return m.decode(tokens.data(), {true}) == 0 ? llama_get_logits_ith(m.ctx, m.outputs[0]) : nullptr;
}

// Runs ggml's own kernels, which shows the shapes of all layers and what reads which weights.
int record(bridge_model & m, bool plain, std::string & why) {
    m.plan.what     = paged::plan::recording;
    const float * l = trial(m);
    if (!l) { why = "the first forward failed"; return BRIDGE_COMPUTE; }
    if (!m.plan.unsupported && (int) m.plan.shapes.size() != llama_model_n_layer(m.model)) m.plan.unsupported = "layers without plain attention";
    for (auto & s : m.plan.shapes)
        if (!m.plan.unsupported && (s.heads == 0 || s.dk == 0)) m.plan.unsupported = "layers without plain attention";
    if (m.plan.unsupported) { why = m.plan.unsupported; return BRIDGE_UNSUPPORTED; }

    m.want.assign(l, l + llama_vocab_n_tokens(m.vocab));
    // Activations too large for F32 come out of the normalisation as zeros.
    const auto range = std::minmax_element(m.want.begin(), m.want.end());
    if (*range.first == *range.second) { why = "logits that are all the same"; return BRIDGE_COMPUTE; }
    if (q8::supported() && !plain) m.plan.matrices.pack();
    m.per = std::max(1, llama_model_n_head(m.model) / std::max(1, llama_model_n_head_kv(m.model)));
    return BRIDGE_OK;
}

// Runs the same through our kernels: the logits must agree, whatever the architecture does
// around them.
int prove(bridge_model & m, std::string & why) {
    m.plan.what     = paged::plan::attending;
    const float * l = trial(m);
    if (m.plan.misread) { why = "weights that are read in more than one way"; return BRIDGE_UNSUPPORTED; }
    if (!l || m.plan.mismatch) { why = "the first paged forward failed"; return BRIDGE_COMPUTE; }
    m.check = distance(m.want, l);
    m.want  = {};
    if (!std::isfinite(m.check)) { why = "logits that are not finite"; return BRIDGE_COMPUTE; }
    // Measured on SmolLM2-135M: 0.003 with F32 weights, 0.045 with Q8_0 and Q4_0, 0.076 with
    // Q4_1 (ggml's kernel sums values in F16, and quantised weights round activations too).
    if (!(m.check <= 0.25f)) {
        why = "attention that the paged kernel does not reproduce (logits differ by " + std::to_string(m.check) + " of their spread)";
        return BRIDGE_UNSUPPORTED;
    }
    return BRIDGE_OK;
}

}  // namespace

int bridge_open(const bridge_options * o, bridge_model ** out, char * err, size_t size) {
    start();
    listening log;
    try {
        auto m = std::make_unique<bridge_model>();
        std::string why;
        int code = weights(*m, *o, why);
        if (code) return fail(code, why.empty() ? log.lines : why, err, size);
        code = context(*m, *o, why);
        if (!code) code = record(*m, o->plain, why);
        if (code) return fail(code, why, err, size);
        *out = m.release();
        return BRIDGE_OK;
    } catch (const std::bad_alloc &) {
        return fail(BRIDGE_MEMORY, "not enough memory", err, size);
    } catch (const std::exception & e) {
        return fail(BRIDGE_LOAD, e.what(), err, size);
    }
}

int bridge_store(bridge_model * m, int32_t blocks, char * err, size_t size) {
    listening log;
    try {
        m->kv      = std::make_unique<paged::store>(m->plan.shapes, blocks);
        m->plan.kv = m->kv.get();
        std::string why;
        int code = prove(*m, why);
        return code ? fail(code, why, err, size) : BRIDGE_OK;
    } catch (const std::bad_alloc &) {
        return fail(BRIDGE_MEMORY, "not enough memory", err, size);
    } catch (const std::exception & e) {
        return fail(BRIDGE_COMPUTE, e.what(), err, size);
    }
}

int64_t bridge_block_bytes(const bridge_model * m) { return (int64_t) paged::block_bytes(m->plan.shapes); }

void bridge_close(bridge_model * m) {
    delete m;
#if defined(__GLIBC__)
    malloc_trim(0);  // glibc would keep the pages of what was freed
#endif
}

void bridge_threads(bridge_model * m, int32_t threads) { llama_set_n_threads(m->ctx, threads, threads); }

// ---- what the model is --------------------------------------------------------

void bridge_describe(const bridge_model * m, bridge_info * out) {
    out->vocabulary = llama_vocab_n_tokens(m->vocab);
    out->context    = llama_model_n_ctx_train(m->model);
    out->bos        = llama_vocab_bos(m->vocab);
    out->eos        = llama_vocab_eos(m->vocab);
    out->eot        = llama_vocab_eot(m->vocab);
    out->layers     = llama_model_n_layer(m->model);
    out->parameters = (int64_t) llama_model_n_params(m->model);
    out->add_bos    = llama_vocab_get_add_bos(m->vocab);
    out->check      = m->check;
    out->rearranged = m->plan.matrices.count();
}

int bridge_meta(const bridge_model * m, const char * key, char * buf, size_t size) {
    return llama_model_meta_val_str(m->model, key, buf, size);
}

const char * bridge_template(const bridge_model * m) { return llama_model_chat_template(m->model, nullptr); }

int bridge_tokenize(const bridge_model * m, const char * text, int32_t len, bool control, int32_t * out, int32_t max) {
    return llama_tokenize(m->vocab, text, len, out, max, false, control);
}

int bridge_piece(const bridge_model * m, int32_t id, char * buf, int32_t size) {
    return llama_token_to_piece(m->vocab, id, buf, size, 0, true);
}

bool bridge_ends(const bridge_model * m, int32_t id) { return llama_vocab_is_eog(m->vocab, id); }

// ---- forwards -----------------------------------------------------------------

int bridge_forward(bridge_model * m, const bridge_segment * segs, int32_t n, const int32_t * path,
                   const int32_t * tokens, char * err, size_t size) {
    listening log;
    auto & p = m->plan;
    p.segments.clear();
    std::vector<bool> output(n);
    auto * refs = reinterpret_cast<const paged::block_ref *>(path);
    int rows = 0;
    for (int i = 0; i < n; i++) {
        int length = 0;
        for (int j = 0; j < segs[i].refs; j++) length += refs[j].n;
        p.segments.push_back({refs, segs[i].refs, length, rows, segs[i].fresh});
        refs += segs[i].refs;
        rows += segs[i].fresh;
        output[i] = segs[i].output != 0;
    }
    if (rows > m->max_tokens) return fail(BRIDGE_COMPUTE, "more tokens than a batch holds", err, size);
    try {
        p.cut((int) m->kv->layers.size(), m->per);
        if (int r = m->decode(tokens, output)) {
            return fail(BRIDGE_COMPUTE, "llama_decode returned " + std::to_string(r) + " " + log.lines, err, size);
        }
    } catch (const std::exception & e) {
        return fail(BRIDGE_COMPUTE, e.what(), err, size);
    }
    if (p.misread) return fail(BRIDGE_COMPUTE, "the graph reads weights otherwise than in the first forward", err, size);
    if (p.mismatch || p.calls != (int) m->kv->layers.size()) {
        return fail(BRIDGE_COMPUTE, "the graph did not call the paged attention once a layer", err, size);
    }
    return BRIDGE_OK;
}

const float * bridge_logits(const bridge_model * m, int32_t i) {
    return llama_get_logits_ith(m->ctx, m->outputs[i]);
}

// ---- files --------------------------------------------------------------------

int bridge_quantize(const char * in, const char * out, const char * type, char * err, size_t size) {
    static const struct { const char * name; llama_ftype type; } types[] = {
        {"F32", LLAMA_FTYPE_ALL_F32}, {"F16", LLAMA_FTYPE_MOSTLY_F16}, {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
        {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0}, {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1}, {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    };
    start();
    listening log;
    auto p = llama_model_quantize_default_params();
    p.allow_requantize = true;
    for (const auto & t : types) {
        if (std::string(type) != t.name) continue;
        p.ftype = t.type;
        try {
            if (llama_model_quantize(in, out, &p) == 0) return BRIDGE_OK;
        } catch (const std::exception & e) {
            return fail(BRIDGE_LOAD, e.what(), err, size);
        }
        return fail(BRIDGE_LOAD, log.lines, err, size);
    }
    return fail(BRIDGE_LOAD, std::string("unknown weight type ") + type + "; known: F32, F16, Q8_0, Q4_0, Q4_1, Q4_K_M", err, size);
}

const char * bridge_build(void) {
    return ""
#if defined(__AVX512F__)
        "avx512,"
#endif
#if defined(__AVX2__)
        "avx2,"
#endif
#if defined(__FMA__)
        "fma,"
#endif
#if defined(__F16C__)
        "f16c,"
#endif
#if defined(__ARM_NEON)
        "neon,"
#endif
#if defined(__ARM_FEATURE_DOTPROD)
        "dotprod,"
#endif
#if defined(GGML_USE_CPU_REPACK)
        "repack,"
#endif
#if defined(__OPTIMIZE__)
        "optimized"
#else
        "unoptimized"
#endif
        ;
}
