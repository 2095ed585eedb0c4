#include "model.h"

#include "guard.h"
#include "hook.h"

#include <climits>

using bridge::failure;
using bridge::guard;
using bridge::guarded;

token_batch::token_batch(int capacity)
    : tokens(capacity), positions(capacity), sequence_counts(capacity, 1), sequences(capacity), outputs(capacity) {
    for (auto & s : sequences) sequence_lists.push_back(&s);
}

llama_batch token_batch::view(int count) {
    return {count, tokens.data(), nullptr, positions.data(), sequence_counts.data(), sequence_lists.data(),
            outputs.data()};
}

void bridge_model::decode(const int32_t * tokens, const std::vector<bool> & output) {
    output_rows.clear();
    int row = 0;
    for (size_t s = 0; s < plan.segments.size(); s++) {
        const auto & g = plan.segments[s];
        for (int t = 0; t < g.new_tokens; t++, row++) {
            batch.tokens[row]    = tokens[row];
            batch.positions[row] = g.length - g.new_tokens + t;
            batch.sequences[row] = (llama_seq_id) s;
            batch.outputs[row]   = t == g.new_tokens - 1 && output[s];
            if (batch.outputs[row]) output_rows.push_back(row);
        }
    }
    llama_memory_clear(llama_get_memory(context.get()), false);
    const paged::forward_in_progress forward(&plan);
    if (const int r = llama_decode(context.get(), batch.view(row))) {
        throw failure(BRIDGE_COMPUTE, "llama_decode returned " + std::to_string(r) + " " + guard::current()->log);
    }
}

const float * bridge_model::logits(int i) const {
    if (i < 0 || i >= (int) output_rows.size()) throw failure(BRIDGE_COMPUTE, "no logits were kept there");
    return llama_get_logits_ith(context.get(), output_rows[i]);
}

// ---- what the model is --------------------------------------------------------

int bridge_describe(const bridge_model * m, bridge_info * info, bridge_error * error) {
    return guarded(error, BRIDGE_LOAD, [&](guard &) {
        const auto * chat_template = llama_model_chat_template(m->model.get(), nullptr);
        *info = {};
        info->name          = m->name.c_str();
        info->architecture  = m->architecture.c_str();
        info->file_type     = m->file_type.c_str();
        info->chat_template = chat_template ? chat_template : "";
        info->tokenizer     = m->file.tokenizer.c_str();
        info->pre           = m->file.pre.c_str();
        info->warnings      = m->warnings.c_str();
        info->header        = (int64_t) m->file.header;
        info->names_bos     = m->file.names_bos;
        info->names_eos     = m->file.names_eos;
        info->vocabulary    = llama_vocab_n_tokens(m->vocab);
        info->context       = m->context_length();
        info->bos           = m->bos;
        info->eos           = m->eos;
        info->eot           = llama_vocab_eot(m->vocab);
        info->add_bos       = llama_vocab_get_add_bos(m->vocab);
        info->layers        = llama_model_n_layer(m->model.get());
        info->parameters    = (int64_t) llama_model_n_params(m->model.get());
        info->block_bytes   = (int64_t) paged::block_bytes(m->plan.shapes);
        info->rearranged_matrices = m->plan.matrices.count();
    });
}

int bridge_tokenize(const bridge_model * m, const char * text, int32_t length, bool control, int32_t * tokens,
                    int32_t capacity, int32_t * count, bridge_error * error) {
    return guarded(error, BRIDGE_VOCABULARY, [&](guard &) {
        const int32_t n = llama_tokenize(m->vocab, text, length, tokens, capacity, false, control);
        if (n == INT32_MIN) throw failure(BRIDGE_VOCABULARY, "too many tokens");
        *count = n < 0 ? -n : n;
    });
}

int bridge_token(const bridge_model * m, int32_t id, char * text, int32_t capacity, int32_t * length, bool * ends,
                 bool * control, bridge_error * error) {
    return guarded(error, BRIDGE_VOCABULARY, [&](guard &) {
        if (id < 0 || id >= llama_vocab_n_tokens(m->vocab)) throw failure(BRIDGE_VOCABULARY, "no such token");
        const int32_t n = llama_token_to_piece(m->vocab, id, text, capacity, 0, true);
        *length = n < 0 ? -n : n;
        // llama.cpp counts the EOS that it takes a model to have, and makes some of the file's control
        // tokens ordinary ones.
        const bool doubted = id == llama_vocab_eos(m->vocab) && m->eos < 0 && id != llama_vocab_eot(m->vocab);
        *ends    = llama_vocab_is_eog(m->vocab, id) && !doubted;
        *control = m->file.control[id] || (llama_vocab_get_attr(m->vocab, id) & LLAMA_TOKEN_ATTR_CONTROL);
    });
}

// ---- forwards -----------------------------------------------------------------

void bridge_set_threads(bridge_model * m, int32_t threads) { llama_set_n_threads(m->context.get(), threads, threads); }

// Makes the plan of a forward, of which nothing is out of bounds: ggml asserts that ids are
// tokens only where all threads compute, and a position beyond the context is not always one
// that the model has. Tokens are checked by llama_decode.
static void plan_forward(bridge_model & m, const bridge_segment * segments, int count, const int32_t * path) {
    auto & p          = m.plan;
    const auto * refs = reinterpret_cast<const paged::block_ref *>(path);
    int rows          = 0;
    p.segments.clear();
    for (int i = 0; i < count; i++) {
        const auto & s = segments[i];
        int64_t length = 0;
        for (int j = 0; j < s.refs; j++) {
            const auto & ref = refs[j];
            const bool ok = ref.block >= 0 && ref.block < m.kv->blocks && ref.n > 0 && ref.n <= paged::BLOCK;
            if (!ok) throw failure(BRIDGE_COMPUTE, "a path leads outside the KV store");
            length += ref.n;
        }
        if (s.new_tokens < 1 || s.new_tokens > length || length > m.context_length()) {
            throw failure(BRIDGE_COMPUTE, "a segment of " + std::to_string(s.new_tokens) + " new tokens in " +
                                              std::to_string(length) + " cells");
        }
        if (s.new_tokens > m.max_tokens() - rows) throw failure(BRIDGE_COMPUTE, "more tokens than a batch holds");
        p.segments.push_back({refs, s.refs, (int) length, rows, s.new_tokens});
        refs += s.refs;
        rows += s.new_tokens;
    }
    p.make_tiles((int) m.kv->layers.size(), m.queries_per_kv);
}

int bridge_forward(bridge_model * m, const bridge_segment * segments, int32_t count, const int32_t * path,
                   const int32_t * tokens, bridge_error * error) {
    return guarded(error, BRIDGE_COMPUTE, [&](guard &) {
        if (!m->kv) throw failure(BRIDGE_COMPUTE, "the model has no KV store");
        if (count < 1 || count > (int) llama_n_seq_max(m->context.get())) {
            throw failure(BRIDGE_COMPUTE, "a forward of " + std::to_string(count) + " segments");
        }
        plan_forward(*m, segments, count, path);
        std::vector<bool> output(count);
        for (int i = 0; i < count; i++) output[i] = segments[i].output != 0;
        m->decode(tokens, output);
        if (m->plan.misread) {
            throw failure(BRIDGE_COMPUTE, "the graph reads weights otherwise than in the first forward");
        }
        if (m->plan.mismatch || m->plan.attention_calls != (int) m->kv->layers.size()) {
            throw failure(BRIDGE_COMPUTE, "the graph did not call the paged attention once a layer");
        }
    });
}

int bridge_logits(const bridge_model * m, int32_t i, const float ** logits, bridge_error * error) {
    return guarded(error, BRIDGE_COMPUTE, [&](guard &) { *logits = m->logits(i); });
}
