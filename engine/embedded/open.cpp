// Opening a model: its weights, its context, and two forwards on one thread, of ggml's kernels
// and of ours. A GGUF whose metadata ggml only refuses while it computes fails there, where an
// assertion is an exception (guard.h), before a forward has several threads.
#include "guard.h"
#include "model.h"

#include <algorithm>
#include <cmath>

#if defined(__GLIBC__)
#include <malloc.h>
#include <pthread.h>
#endif

using bridge::failure;
using bridge::guard;
using bridge::guarded;

namespace {

const char * unsupported_feature(const llama_model * m) {
    if (llama_model_has_encoder(m)) return "an encoder";
    if (llama_model_is_recurrent(m)) return "recurrent layers";
    if (llama_model_is_hybrid(m)) return "hybrid (recurrent and attention) layers";
    if (llama_model_is_diffusion(m)) return "diffusion decoding";
    if (llama_model_n_swa(m) > 0) return "sliding-window attention";
    return nullptr;
}

// The value of a key of the metadata, at most 255 bytes of it, or "".
std::string metadata(const llama_model * m, const char * key) {
    char value[256];
    return llama_model_meta_val_str(m, key, value, sizeof value) < 0 ? "" : value;
}

// llama.cpp takes a fixed id where the file names none. It is believed where it is a control token's:
// 11 is a comma to many vocabularies.
int32_t special(const llama_vocab * vocab, int32_t id, bool named) {
    const bool believed = named || (id >= 0 && id < llama_vocab_n_tokens(vocab) &&
                                    (llama_vocab_get_attr(vocab, id) & LLAMA_TOKEN_ATTR_CONTROL));
    return believed ? id : -1;
}

bool proceed(float, void * canceled) { return __atomic_load_n((const int32_t *) canceled, __ATOMIC_RELAXED) == 0; }

// Reads the weights, which are not mapped: the file may be overwritten as soon as they are
// there.
void load_weights(bridge_model & m, const bridge_options & o, const guard & g) {
    m.file = bridge::read_metadata(o.path);
    auto params = llama_model_default_params();
    params.n_gpu_layers  = 0;
    params.use_mmap      = false;
    params.check_tensors = true;  // quantised products swallow a scale that is not a number
    params.progress_callback           = proceed;
    params.progress_callback_user_data = (void *) o.canceled;
    m.model.reset(llama_model_load_from_file(o.path, params));
    if (!m.model) throw failure(proceed(0, (void *) o.canceled) ? BRIDGE_LOAD : BRIDGE_CANCELED, g.log);
    if (const char * feature = unsupported_feature(m.model.get())) throw failure(BRIDGE_UNSUPPORTED, feature);
    m.vocab        = llama_model_get_vocab(m.model.get());
    m.name         = metadata(m.model.get(), "general.name");
    m.architecture = metadata(m.model.get(), "general.architecture");
    m.file_type    = metadata(m.model.get(), "general.file_type");
    m.warnings     = g.warnings;
    m.bos          = special(m.vocab, llama_vocab_bos(m.vocab), m.file.names_bos);
    m.eos          = special(m.vocab, llama_vocab_eos(m.vocab), m.file.names_eos);
    if (m.context_length() < 1) {
        const auto key = m.architecture + ".context_length";
        throw failure(BRIDGE_LOAD, key + " is " + metadata(m.model.get(), key.c_str()) + ", not 1 to 2147483647");
    }
}

void load_adapter(bridge_model & m, const char * path, const guard & g) {
    m.adapter.reset(llama_adapter_lora_init(m.model.get(), path));
    if (!m.adapter) throw failure(BRIDGE_ADAPTER, g.log);
    if (llama_adapter_get_alora_n_invocation_tokens(m.adapter.get()) > 0) {
        throw failure(BRIDGE_ADAPTER, "it wakes up at certain tokens only (aLoRA)");
    }
}

void make_context(bridge_model & m, const bridge_options & o) {
    auto params = llama_context_default_params();
    params.n_ctx           = o.max_tokens;
    params.n_batch         = o.max_tokens;
    params.n_ubatch        = o.max_tokens;
    params.n_seq_max       = o.max_segments;
    params.n_threads       = 1;
    params.n_threads_batch = 1;
    params.kv_unified      = true;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.no_perf         = true;
    m.context.reset(llama_init_from_model(m.model.get(), params));
    if (!m.context) throw failure(BRIDGE_UNSUPPORTED, "llama.cpp cannot make a context for this model");
    auto pool = ggml_threadpool_params_default(o.max_threads);
    m.pool.reset(ggml_threadpool_new(&pool));
    if (!m.pool) throw std::bad_alloc();
    llama_attach_threadpool(m.context.get(), m.pool.get(), m.pool.get());
    if (m.adapter) llama_set_adapter_lora(m.context.get(), m.adapter.get(), 1.0f);
}

// Runs a few tokens as the plan says and returns the logits after them.
const float * probe(bridge_model & m) {
    const int n = std::min({24, m.max_tokens(), m.context_length()}), vocab = llama_vocab_n_tokens(m.vocab);
    std::vector<int32_t> tokens(n);
    for (int i = 0; i < n; i++) tokens[i] = (int32_t) ((i * 7919LL + 13) % vocab);
    std::vector<paged::block_ref> path;
    for (int i = 0; i < n; i += paged::BLOCK) path.push_back({i / paged::BLOCK, std::min(paged::BLOCK, n - i)});
    m.plan.segments = {{path.data(), (int) path.size(), n, 0, n}};
    if (m.kv) m.plan.make_tiles((int) m.kv->layers.size(), m.queries_per_kv);
    m.decode(tokens.data(), {true});
    return m.logits(0);
}

// Runs ggml's own kernels, which shows the shapes of all layers and what reads which weights.
void record_graph(bridge_model & m, bool plain) {
    auto & p = m.plan;
    p.mode   = paged::plan::recording;
    const float * logits = probe(m);
    const bool all       = (int) p.shapes.size() == llama_model_n_layer(m.model.get());
    const bool attending = all && std::all_of(p.shapes.begin(), p.shapes.end(), [](const paged::layer_shape & s) {
        return s.heads > 0 && s.dk > 0;
    });
    if (!p.unsupported && !attending) p.unsupported = "layers without plain attention";
    if (p.unsupported) throw failure(BRIDGE_UNSUPPORTED, p.unsupported);

    m.reference_logits.assign(logits, logits + llama_vocab_n_tokens(m.vocab));
    // Activations too large for F32 come out of the normalisation as zeros.
    const auto range = std::minmax_element(m.reference_logits.begin(), m.reference_logits.end());
    if (*range.first == *range.second) throw failure(BRIDGE_COMPUTE, "logits that are all the same");
    if (q8::supported() && !plain) p.matrices.pack();
    const int kv_heads = std::max(1, llama_model_n_head_kv(m.model.get()));
    m.queries_per_kv   = std::max(1, llama_model_n_head(m.model.get()) / kv_heads);
}

// Root mean square of the difference of two sets of logits, over the spread of the first.
float relative_deviation(const std::vector<float> & reference, const float * logits) {
    double mean = 0, spread = 0, difference = 0;
    for (float x : reference) mean += x;
    mean /= (double) reference.size();
    for (size_t i = 0; i < reference.size(); i++) {
        const double d = (double) reference[i] - logits[i];
        spread += (reference[i] - mean) * (reference[i] - mean);
        difference += d * d;
    }
    return (float) std::sqrt(difference / (spread + 1e-12));
}

// Runs the same through our kernels: the logits must agree, whatever the architecture does
// around them.
float verify_kernels(bridge_model & m) {
    m.plan.mode = paged::plan::attending;
    const float * logits = probe(m);
    if (m.plan.misread) throw failure(BRIDGE_UNSUPPORTED, "weights that are read in more than one way");
    if (m.plan.mismatch) throw failure(BRIDGE_COMPUTE, "the first paged forward failed");
    const float deviation = relative_deviation(m.reference_logits, logits);
    m.reference_logits = {};
    if (!std::isfinite(deviation)) throw failure(BRIDGE_COMPUTE, "logits that are not finite");
    // Measured on SmolLM2-135M: 0.003 with F32 weights, 0.045 with Q8_0 and Q4_0, 0.076 with
    // Q4_1 (ggml's kernel sums values in F16, and quantised weights round activations too).
    if (deviation > 0.25f) {
        throw failure(BRIDGE_UNSUPPORTED, "attention that the paged kernel does not reproduce (logits differ by " +
                                              std::to_string(deviation) + " of their spread)");
    }
    return deviation;
}

}  // namespace

int bridge_open(const bridge_options * options, bridge_model ** model, bridge_error * error) {
    return guarded(error, BRIDGE_LOAD, [&](guard & g) {
        auto m = std::make_unique<bridge_model>(options->max_tokens);
        load_weights(*m, *options, g);
        if (options->adapter) load_adapter(*m, options->adapter, g);
        make_context(*m, *options);
        record_graph(*m, options->plain);
        *model = m.release();
    });
}

int bridge_allocate(bridge_model * m, int32_t blocks, float * deviation, bridge_error * error) {
    return guarded(error, BRIDGE_COMPUTE, [&](guard &) {
        m->kv      = std::make_unique<paged::store>(m->plan.shapes, std::max(blocks, 2));  // probe takes two
        m->plan.kv = m->kv.get();
        *deviation = verify_kernels(*m);
    });
}

void bridge_small_stacks(void) {
#if defined(__GLIBC__)
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return;
    pthread_attr_setstacksize(&attributes, 1 << 20);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
#endif
}

void bridge_close(bridge_model * m) {
    delete m;
#if defined(__GLIBC__)
    malloc_trim(0);  // glibc would keep the pages of what was freed
#endif
}
