/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/handshake.h"

#include "store/error.h"

#include <errno.h>
#include <sys/random.h>

/* The first bytes of a connection. What comes after the version may be different in other versions. */
#define MAGIC "tcgrr lockstep\n" /* and its zero */
struct hello {
    uint8_t bytes[TCGRR_HELLO_BYTES];
};
enum { HELLO_VERSION = 16, HELLO_LISTENING = 20, HELLO_TOKEN = 21, HELLO_NONCE = 32 };

_Static_assert(sizeof(MAGIC) == HELLO_VERSION, "the magic fills its field");
_Static_assert(HELLO_NONCE + TCGRR_NONCE_BYTES == TCGRR_HELLO_BYTES, "the nonce is the last field");

/* ---- the token ---- */

bool tcgrr_token_read(const char *path, struct tcgrr_token *token, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    GError *problem = NULL;

    if (!g_file_get_contents(path, &text, &length, &problem)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "the token cannot be read: %s", problem->message);
        g_error_free(problem);
        return false;
    }
    while (length > 0 && g_ascii_isspace(text[length - 1])) {
        length--;
    }
    if (length < TCGRR_TOKEN_MIN) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "the token in %s has %" G_GSIZE_FORMAT
                    " characters and needs at least %d; make one with: openssl rand -hex 32",
                    path, length, TCGRR_TOKEN_MIN);
        return false;
    }
    token->bytes = (uint8_t *)g_steal_pointer(&text);
    token->length = length;
    return true;
}

void tcgrr_token_clear(struct tcgrr_token *token)
{
    g_clear_pointer(&token->bytes, g_free);
    token->length = 0;
}

/* Computes the proof from the token and both greetings. The two ends' proofs differ, so that one cannot be sent back as
 * the other. */
static void prove(const struct tcgrr_token *token, bool by_listener, const struct hello *listener,
                  const struct hello *connector, uint8_t proof[TCGRR_PROOF_BYTES])
{
    GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, token->bytes, token->length);
    gsize length = TCGRR_PROOF_BYTES;
    const guchar who = by_listener ? 'l' : 'c';

    g_hmac_update(hmac, &who, 1);
    g_hmac_update(hmac, listener->bytes, sizeof(listener->bytes));
    g_hmac_update(hmac, connector->bytes, sizeof(connector->bytes));
    g_hmac_get_digest(hmac, proof, &length);
    g_hmac_unref(hmac);
}

/* In a time that does not depend on where they differ. */
static bool same_proof(const uint8_t *left, const uint8_t *right)
{
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < TCGRR_PROOF_BYTES; i++) {
        difference = difference | (left[i] ^ right[i]);
    }
    return difference == 0;
}

/* ---- what is exchanged ---- */

static bool make_hello(struct hello *hello, bool listening, bool token, GError **error)
{
    uint32_t version = GUINT32_TO_LE(TCGRR_PROTOCOL_VERSION);

    *hello = (struct hello){0};
    memcpy(hello->bytes, MAGIC, sizeof(MAGIC));
    memcpy(hello->bytes + HELLO_VERSION, &version, sizeof(version));
    hello->bytes[HELLO_LISTENING] = listening;
    hello->bytes[HELLO_TOKEN] = token;
    if (getrandom(hello->bytes + HELLO_NONCE, TCGRR_NONCE_BYTES, 0) != TCGRR_NONCE_BYTES) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the system has no random numbers: %s", g_strerror(errno));
        return false;
    }
    return true;
}

static bool check_hello(const struct hello *ours, const struct hello *theirs, GError **error)
{
    uint32_t version;
    memcpy(&version, theirs->bytes + HELLO_VERSION, sizeof(version));
    version = GUINT32_FROM_LE(version);

    if (version != TCGRR_PROTOCOL_VERSION) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the two sides speak different versions of the lockstep protocol: %d here, %u on the other side; "
                    "use the same tcgrr on both",
                    TCGRR_PROTOCOL_VERSION, version);
        return false;
    }
    if (theirs->bytes[HELLO_LISTENING] == ours->bytes[HELLO_LISTENING]) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "both sides want to %s; one must listen and the other connect",
                    ours->bytes[HELLO_LISTENING] ? "listen" : "connect");
        return false;
    }
    if (theirs->bytes[HELLO_TOKEN] != ours->bytes[HELLO_TOKEN]) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s asks for a token and %s has none; give --token-file on both",
                    ours->bytes[HELLO_TOKEN] ? "this side" : "the other side",
                    ours->bytes[HELLO_TOKEN] ? "the other side" : "this side");
        return false;
    }
    return true;
}

static bool receive(struct tcgrr_peer *peer, enum tcgrr_message_type type, struct tcgrr_message *message,
                    GError **error)
{
    if (!tcgrr_peer_receive(peer, message, error)) {
        return false;
    }
    if (message->type != type) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent %s instead of %s",
                    tcgrr_message_name(message->type), tcgrr_message_name(type));
        return false;
    }
    return true;
}

static bool send_proof(struct tcgrr_peer *peer, const uint8_t *proof, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    g_byte_array_append(payload, proof, TCGRR_PROOF_BYTES);
    return tcgrr_peer_send(peer, TCGRR_MESSAGE_PROOF, payload, error);
}

static bool check_proof(struct tcgrr_peer *peer, const uint8_t *wanted, GError **error)
{
    struct tcgrr_message message;

    if (!receive(peer, TCGRR_MESSAGE_PROOF, &message, error)) {
        return false;
    }
    if (message.length != TCGRR_PROOF_BYTES || !same_proof(message.payload, wanted)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the two sides have different tokens");
        return false;
    }
    return true;
}

/* The connecting side sends its proof first, so that nobody without the token receives a listener's proof. */
static bool check_token(struct tcgrr_peer *peer, bool listening, const struct tcgrr_token *token,
                        const struct hello *listener, const struct hello *connector, GError **error)
{
    uint8_t of_listener[TCGRR_PROOF_BYTES];
    uint8_t of_connector[TCGRR_PROOF_BYTES];

    prove(token, true, listener, connector, of_listener);
    prove(token, false, listener, connector, of_connector);
    if (listening) {
        return check_proof(peer, of_connector, error) && send_proof(peer, of_listener, error);
    }
    return send_proof(peer, of_connector, error) && check_proof(peer, of_listener, error);
}

static bool exchange(struct tcgrr_peer *peer, bool listening, const struct tcgrr_token *token,
                     const struct tcgrr_description *ours, struct tcgrr_description *theirs, bool *known,
                     GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct hello own;
    struct hello other = {0};
    struct tcgrr_message message;

    if (!make_hello(&own, listening, token->bytes, error) ||
        !tcgrr_peer_write(peer, own.bytes, sizeof(own.bytes), error) ||
        !tcgrr_peer_read(peer, other.bytes, sizeof(other.bytes), (const uint8_t *)MAGIC, sizeof(MAGIC), error)) {
        return false;
    }
    *known = !token->bytes;
    if (!check_hello(&own, &other, error)) {
        return false;
    }
    if (token->bytes &&
        !check_token(peer, listening, token, listening ? &own : &other, listening ? &other : &own, error)) {
        return false;
    }
    *known = true;
    tcgrr_put_description(payload, ours);
    return tcgrr_peer_send(peer, TCGRR_MESSAGE_DESCRIPTION, payload, error) &&
           receive(peer, TCGRR_MESSAGE_DESCRIPTION, &message, error) &&
           tcgrr_take_description(&message, theirs, error) && tcgrr_description_check(ours, theirs, error);
}

bool tcgrr_handshake(struct tcgrr_peer *peer, bool listening, const struct tcgrr_token *token,
                     const struct tcgrr_description *ours, struct tcgrr_description *theirs, bool *known,
                     GError **error)
{
    GError *problem = NULL;

    *known = false;
    if (exchange(peer, listening, token, ours, theirs, known, &problem)) {
        return true;
    }
    tcgrr_peer_give_up(peer, problem);
    g_propagate_error(error, problem);
    return false;
}
