// The C face of the engine: what cgo calls. Functions that can fail return BRIDGE_OK or
// another bridge_status and then say why in *error; nothing is thrown out of any of them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bridge_model bridge_model;

enum bridge_status {
    BRIDGE_OK = 0,
    BRIDGE_LOAD,         // llama.cpp refused the file
    BRIDGE_ADAPTER,      // or the adapter
    BRIDGE_CANCELED,     // loading was canceled
    BRIDGE_UNSUPPORTED,  // the model needs what the paged kernel cannot do
    BRIDGE_MEMORY,       // not enough memory
    BRIDGE_COMPUTE,      // a forward failed
    BRIDGE_VOCABULARY,   // the tokenizer failed
};

// Why a call failed, cut where it is longer.
typedef struct {
    char text[1024];
} bridge_error;

typedef struct {
    const char * path;
    const char * adapter;     // a LoRA GGUF, or NULL
    const int32_t * canceled; // loading stops when this is not 0
    int32_t max_threads;      // that bridge_set_threads may ask for
    int32_t max_tokens;       // of a forward
    int32_t max_segments;     // of a forward, at most 256
    bool plain;               // leave all matrix products to ggml
} bridge_options;

// One sequence of a forward: `refs` references to blocks, the last `new_tokens` cells of which
// are computed.
typedef struct {
    int32_t refs;
    int32_t new_tokens;
    int32_t output;  // 1: keep the logits of the last token
} bridge_segment;

// What a model is. Texts live as long as the model.
typedef struct {
    const char * name;          // general.name, or ""
    const char * architecture;
    const char * file_type;     // enum llama_ftype in digits, or ""
    const char * chat_template; // or ""
    const char * tokenizer;     // tokenizer.ggml.model
    const char * pre;           // tokenizer.ggml.pre, or ""
    const char * warnings;      // of llama.cpp about the file, a line each
    int64_t header;             // bytes of the file in front of its weights
    int32_t vocabulary, context, bos, eos, eot, layers;
    int64_t parameters;
    int64_t block_bytes;         // of a block of KV cells, over all layers
    int32_t rearranged_matrices; // multiplied by q8.cpp
    bool add_bos, names_bos, names_eos; // the file names a token for BOS and EOS
} bridge_info;

// A model is opened without cells, whose number may depend on their size, and runs once
// bridge_allocate has made them and compared its kernels with ggml's: *deviation is the root
// mean square of the difference of the logits, over their spread. It computes with one thread
// until bridge_set_threads says otherwise.
int bridge_open(const bridge_options * options, bridge_model ** model, bridge_error * error);
int bridge_allocate(bridge_model * model, int32_t blocks, float * deviation, bridge_error * error);
int bridge_describe(const bridge_model * model, bridge_info * info, bridge_error * error);
void bridge_set_threads(bridge_model * model, int32_t threads);
void bridge_close(bridge_model * model);

// Tokens of text; *count may be more than capacity, and then tokens is not filled.
int bridge_tokenize(const bridge_model * model, const char * text, int32_t length, bool control, int32_t * tokens,
                    int32_t capacity, int32_t * count, bridge_error * error);
// The text of a token, *length bytes, which may be more than capacity, and then text is not
// filled; whether the token ends a generation, and whether it is a control token.
int bridge_token(const bridge_model * model, int32_t id, char * text, int32_t capacity, int32_t * length, bool * ends,
                 bool * control, bridge_error * error);

// Runs the new tokens of `count` segments; path is the concatenation of their (block, n) pairs.
int bridge_forward(bridge_model * model, const bridge_segment * segments, int32_t count, const int32_t * path,
                   const int32_t * tokens, bridge_error * error);
// The logits of the i-th segment with output, valid until the next forward.
int bridge_logits(const bridge_model * model, int32_t i, const float ** logits, bridge_error * error);

typedef struct {
    double log_z;    // ln sum exp(logit)
    double log_zt;   // ln sum exp(logit / temperature); log_z at temperature 1 or 0
    double entropy;  // nats, raw distribution
    float best, second;
    int32_t best_id;
    bool finite;
} bridge_summary;

void bridge_summarize(const float * logits, int32_t n, float temperature, bridge_summary * out);
int32_t bridge_draw(const float * logits, int32_t n, float temperature, const bridge_summary * s, double u);

int bridge_quantize(const char * from, const char * to, const char * type, bridge_error * error);
void bridge_small_stacks(void);  // of threads that are started from now on, where the system can
const char * bridge_build(void);  // what the kernels were compiled for, "avx2,f16c,fma,repack"

#ifdef __cplusplus
}
#endif
